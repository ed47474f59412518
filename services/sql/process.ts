/**
 * The process that runs queries, one at a time: what it holds, what it breaks and how long it takes are not the
 * server's. It inherits no environment, gives way to the other processes, and ends when its parent does.
 */
import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api'
import { readdir, stat } from 'node:fs/promises'
import { writeFileSync, writeSync } from 'node:fs'
import { setPriority } from 'node:os'
import { type QueryParts, asSqlFailure, overLimit } from './engine-problem.ts'
import { inspectSerialized } from './inspection.ts'
import { type FromSql, OVER_MEMORY, type RunDone, type SqlLimits, type ToRun, type ToSql } from './messages.ts'
import { runQuery } from './run.ts'
import { answerFolder, openSandbox, type Sandbox } from './sandbox.ts'
import { readStatement } from './statement.ts'
import { endWithParent } from '#services/end-with-parent.ts'
import type { SqlView } from './views.ts'

const NICENESS = 5
/** Memory and answers are looked at so often while a query runs. */
const WATCH_MS = 25
const MEGABYTE = 1024 * 1024
/** More than this above what the process held at first, and it is replaced: the allocator gives little back. */
const KEPT_MB_MAX = 256

interface Place {
  readonly folder: string
  readonly limits: SqlLimits
}

let place: Place | undefined
let parser: Promise<DuckDBConnection> | undefined
let held: { readonly key: string; readonly sandbox: Sandbox } | undefined
let cancel: (() => void) | undefined

function send(message: FromSql): void {
  if (process.connected) process.send?.(message)
}

const residentMb = (): number => process.memoryUsage.rss() / MEGABYTE
let firstMb = residentMb()

/** Reads SQL and runs none of it. */
async function parserConnection(): Promise<DuckDBConnection> {
  const instance = await DuckDBInstance.create(':memory:', { threads: '1', memory_limit: '256MB' })
  const connection = await instance.connect()
  await connection.run('SET enable_external_access = false')
  await connection.run('SET lock_configuration = true')
  return connection
}

async function inspected(sql: string): Promise<SqlView[]> {
  parser ??= parserConnection()
  const connection = await parser
  const statement = await connection.prepare('SELECT json_serialize_sql($1::VARCHAR)')
  statement.bindVarchar(1, readStatement(sql).body)
  const text = (await statement.runAndReadAll()).getRows()[0]?.[0]
  return inspectSerialized(String(text))
}

/** The sandbox for a run; the one at hand where it shows the same files. */
async function sandboxFor({ folder, limits }: Place, run: ToRun): Promise<Sandbox> {
  const key = JSON.stringify([run.snapshot, run.views, run.paths])
  if (held?.key === key) return held.sandbox
  leave()
  const sandbox = await openSandbox({ folder, limits }, run)
  held = { key, sandbox }
  return sandbox
}

function leave(): void {
  held?.sandbox.close()
  held = undefined
}

async function answerBytes(folder: string): Promise<number> {
  let bytes = 0
  for (const name of await readdir(answerFolder(folder))) {
    const info = await stat(`${answerFolder(folder)}/${name}`).catch(() => undefined)
    bytes += info?.size ?? 0
  }
  return bytes
}

/** Ends a query whose answer grows too large, and this process where it holds too much: that memory is not to be had back otherwise. */
function watched({ folder, limits }: Place, interrupt: (why: Error) => void): () => void {
  const timer = setInterval(() => {
    if (residentMb() > limits.processMb) {
      // Whatever was not written at once would not be heard any more.
      writeSync(process.stderr.fd, OVER_MEMORY)
      process.kill(process.pid, 'SIGKILL')
      return
    }
    answerBytes(folder).then(
      (bytes) => {
        if (bytes > limits.bytesMax)
          interrupt(overLimit(`has an answer of more than ${limits.bytesMax} bytes`, 'add LIMIT, or aggregate'))
      },
      () => undefined,
    )
  }, WATCH_MS)
  return () => clearInterval(timer)
}

async function run(at: Place, request: ToRun): Promise<RunDone> {
  let why: Error | undefined
  const sandbox = await sandboxFor(at, request)
  const interrupt = (reason?: Error): void => {
    why ??= reason
    sandbox.connection.interrupt()
  }
  cancel = interrupt
  const unwatch = watched(at, interrupt)
  try {
    return await runQuery({ sandbox, folder: at.folder, limits: at.limits }, request)
  } catch (error) {
    // What failed may have left anything behind; the next query begins anew.
    leave()
    throw why ?? error
  } finally {
    cancel = undefined
    unwatch()
  }
}

function open(message: Place): void {
  place = message
  try {
    setPriority(NICENESS)
    // Where memory runs out, the system ends this process first.
    writeFileSync('/proc/self/oom_score_adj', '1000')
  } catch {
    // Other systems have no such file.
  }
}

const partsOf = (message: Extract<ToSql, { is: 'inspect' | 'run' }>): QueryParts =>
  message.is === 'inspect'
    ? { sql: message.sql, paths: [] }
    : { sql: message.run.sql, paths: Object.values(message.run.paths).flat() }

async function answer(message: ToSql): Promise<void> {
  if (message.is === 'cancel') {
    cancel?.()
    return
  }
  if (message.is === 'open') {
    open(message)
    return
  }
  if (place === undefined) return
  try {
    if (message.is === 'inspect') send({ is: 'inspected', views: await inspected(message.sql) })
    else {
      const done = await run(place, message.run)
      send({ is: 'done', done, spent: residentMb() - firstMb > KEPT_MB_MAX })
    }
  } catch (error) {
    send({ is: 'failed', failure: asSqlFailure(error, place.limits, partsOf(message)) })
  }
}

process.on('message', (message: ToSql) => void answer(message))
endWithParent()
firstMb = residentMb()
