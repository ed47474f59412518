#!/usr/bin/env node
// Asks the server of this machine how it is, bearing its key: for the probes of containers, whose own requests cannot.
// Prints the answer and exits with 1 unless it is 200. `node bin/probe.js /readyz`
import { env } from 'node:process'

const path = process.argv[2] ?? '/healthz'
const key = env.STEPSTORE_KEY
const SILENCE_MS_MAX = 4_000

try {
  const answer = await fetch(new URL(path, `http://127.0.0.1:${env.PORT ?? 7070}`), {
    headers: key === undefined ? {} : { authorization: `Bearer ${key}` },
    signal: AbortSignal.timeout(SILENCE_MS_MAX),
  })
  process.stdout.write(await answer.text())
  process.exitCode = answer.ok ? 0 : 1
} catch (error) {
  process.stdout.write(`no answer: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}
