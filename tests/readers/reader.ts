/** For tests of readers in Python: a script of `python/` gets JSON on stdin and answers with JSON on stdout. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inject } from 'vitest'
import { runPython } from '#tests/support/python.ts'
import type { Served } from './world.ts'

const PROXIES = ['http_proxy', 'https_proxy', 'all_proxy', 'HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY']

/** Runs a script of `python/` in a folder of its own, which is its home and cache too. Throws with its stderr where it fails. */
export async function readWith<Answer>(
  script: string,
  input: unknown,
  python: string = inject('readers').python.current,
  timeoutMs = 170_000,
): Promise<Answer> {
  const folder = mkdtempSync(join(tmpdir(), 'stepstore-reader-'))
  try {
    const wrote = await runPython(python, [join(import.meta.dirname, 'python', script)], JSON.stringify(input), {
      timeoutMs,
      env: {
        HOME: folder,
        TMPDIR: folder,
        WORK: folder,
        HF_HUB_DISABLE_TELEMETRY: '1',
        HF_UPDATE_DOWNLOAD_COUNTS: '0',
        PYTHONDONTWRITEBYTECODE: '1',
        ...Object.fromEntries(PROXIES.map((name) => [name, ''])),
      },
    })
    // Libraries may write lines of their own before it.
    const last = wrote.trimEnd().split('\n').at(-1) ?? ''
    return JSON.parse(last) as Answer
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** GET of a served lake, with its key. Throws where it is refused. */
export async function get({ url, key }: Served, path: string): Promise<Response> {
  const answer = await fetch(`${url}${path}`, key === undefined ? {} : { headers: { authorization: `Bearer ${key}` } })
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`)
  return answer
}

/** The same as a value. */
export async function getJson<Value>(served: Served, path: string): Promise<Value> {
  return (await (await get(served, path)).json()) as Value
}

/** A URL with the key in it, for readers that send no headers. */
export function withToken({ url, key }: Served, path: string): string {
  if (key === undefined) return `${url}${path}`
  return `${url}${path}${path.includes('?') ? '&' : '?'}token=${encodeURIComponent(key)}`
}
