/** SQL over the lake: a few processes, queries that wait their turn, answers as files that are read once. */
import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { LakeTableName } from '#schemas/lake.ts'
import type { Blobs } from '#services/blobs/blobs.ts'
import type { Logger } from '#services/logger.ts'
import { Problem } from '#services/problem.ts'
import type { RunDone, SqlFormat, SqlLimits, SqlParams } from './messages.ts'
import { tablesOf, type SqlView, type TablePaths } from './views.ts'
import { SqlWorker } from './worker.ts'

export interface SqlOptions {
  readonly blobs: Blobs
  /** The files of some tables at a snapshot. */
  readonly filesAt: (
    tables: readonly LakeTableName[],
    snapshotId: number,
  ) => Promise<readonly { readonly table_name: string; readonly path: string }[]>
  /** A folder of its own; what lies in it is removed. */
  readonly folder: string
  readonly logger: Logger
  readonly limits?: Partial<SqlLimits>
  /** How many queries run at once, each in a process of its own. */
  readonly processes?: number
  /** How many more may wait. */
  readonly waitingMax?: number
}

export interface SqlQuery {
  readonly sql: string
  readonly params: SqlParams
  readonly format: SqlFormat
  readonly snapshotId: number
  /** Aborting cancels the query. */
  readonly signal: AbortSignal
}

export interface SqlAnswer {
  readonly rows: number
  readonly bytes: number
  readonly body: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>
}

export interface Sql {
  /**
   * Runs a query. Throws `bad_sql` for what the engine cannot read or bind, `sql_refused` for what queries may not do,
   * `sql_limit` for one that took too much, `too_many` where too many wait, `unavailable` where its process died.
   */
  query(query: SqlQuery): Promise<SqlAnswer>
  close(): Promise<void>
}

export const SQL_LIMITS: SqlLimits = {
  timeMs: 30_000,
  memoryMb: 512,
  processMb: 1_024,
  spillMb: 1_024,
  bytesMax: 256 * 1024 * 1024,
  rowsMax: 1_000_000,
  jsonRowsMax: 100_000,
  threads: 2,
}
const PROCESSES = 2
const WAITING_MAX = 16
/** Remote files are fetched into the local cache so many at a time. */
const FILES_AT_ONCE = 8

/** Turns of workers: a free one at once, else in order of arrival. */
class Turns {
  readonly #free: SqlWorker[]
  readonly #waiting: ((worker: SqlWorker) => void)[] = []
  readonly #waitingMax: number

  constructor(workers: readonly SqlWorker[], waitingMax: number) {
    this.#free = [...workers]
    this.#waitingMax = waitingMax
  }

  take(signal: AbortSignal): Promise<SqlWorker> {
    const free = this.#free.pop()
    if (free !== undefined) return Promise.resolve(free)
    if (this.#waiting.length >= this.#waitingMax)
      throw new Problem('too_many', `${this.#waitingMax} queries wait already`, {
        hint: 'ask again when some of them are done',
        retryAfterSeconds: 2,
      })
    return new Promise((resolve, reject) => {
      const go = (worker: SqlWorker): void => {
        signal.removeEventListener('abort', leave)
        resolve(worker)
      }
      const leave = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(go), 1)
        reject(new Problem('unavailable', 'the query was cancelled while it waited for its turn'))
      }
      signal.addEventListener('abort', leave, { once: true })
      this.#waiting.push(go)
    })
  }

  /** The last one that was used is used next: it is warm. */
  give(worker: SqlWorker): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#free.push(worker)
    else next(worker)
  }
}

async function localPaths(blobs: Blobs, keys: readonly string[]): Promise<string[]> {
  const paths: string[] = []
  for (let from = 0; from < keys.length; from += FILES_AT_ONCE)
    paths.push(...(await Promise.all(keys.slice(from, from + FILES_AT_ONCE).map((key) => blobs.localPath(key)))))
  return paths
}

/** The files that a query reads, at places where the engine can. */
async function pathsFor(
  { blobs, filesAt }: SqlOptions,
  views: readonly SqlView[],
  snapshotId: number,
): Promise<TablePaths> {
  const tables = [...new Set(views.flatMap(tablesOf))].sort()
  if (tables.length === 0) return {}
  const files = Map.groupBy(await filesAt(tables, snapshotId), ({ table_name: table }) => table)
  const found: Record<string, readonly string[]> = {}
  for (const table of tables)
    found[table] = await localPaths(
      blobs,
      (files.get(table) ?? []).map(({ path }) => path),
    )
  return found
}

const CHUNK_BYTES = 256 * 1024

/** The answer: a short one as it is, a file as a stream. The file has no name any more, and is gone when it was read or left. */
async function streamOf({ answer, bytes, rows }: RunDone): Promise<SqlAnswer> {
  if ('text' in answer) return { rows, bytes, body: Uint8Array.from(answer.text) }
  const { file } = answer
  const handle = await open(file, 'r')
  await rm(file, { force: true })
  const body = new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        const { bytesRead, buffer } = await handle.read(new Uint8Array(CHUNK_BYTES), 0, CHUNK_BYTES)
        if (bytesRead > 0) controller.enqueue(buffer.subarray(0, bytesRead))
        else {
          await handle.close()
          controller.close()
        }
      },
      cancel: () => handle.close(),
    },
    { highWaterMark: 0 },
  )
  return { rows, bytes, body }
}

/** Queries whose views are remembered, and the longest of them, in characters. */
const KNOWN_MAX = 256
const KNOWN_CHARS = 4_000

/** The views that a query names, remembered by its text: they depend on nothing else. */
function viewsReader(): (worker: SqlWorker, sql: string, signal: AbortSignal) => Promise<readonly SqlView[]> {
  const known = new Map<string, readonly SqlView[]>()
  return async (worker, sql, signal) => {
    // A process that is to be started reads the query first: that takes its time from no query.
    const found = worker.pid === undefined ? undefined : known.get(sql)
    if (found !== undefined) return found
    const views = await worker.inspect(sql, signal)
    if (sql.length > KNOWN_CHARS) return views
    known.set(sql, views)
    const [oldest] = known.keys()
    if (known.size > KNOWN_MAX && oldest !== undefined) known.delete(oldest)
    return views
  }
}

/** Opens the SQL service. No process is started before the first query. */
export async function openSql(options: SqlOptions): Promise<Sql> {
  const limits = { ...SQL_LIMITS, ...options.limits }
  await rm(options.folder, { recursive: true, force: true })
  const workers = Array.from(
    { length: options.processes ?? PROCESSES },
    (_, index) => new SqlWorker({ folder: join(options.folder, `process-${index}`), limits, logger: options.logger }),
  )
  const viewsOf = viewsReader()
  const turns = new Turns(workers, options.waitingMax ?? WAITING_MAX)
  return {
    query: async ({ sql, params, format, snapshotId, signal }) => {
      const worker = await turns.take(signal)
      try {
        const views = await viewsOf(worker, sql, signal)
        const paths = await pathsFor(options, views, snapshotId)
        const run = { sql, params, format, snapshot: snapshotId, views, paths }
        return await streamOf(await worker.run(run, signal))
      } finally {
        turns.give(worker)
      }
    },
    close: async () => {
      await Promise.all(workers.map((worker) => worker.close()))
      await rm(options.folder, { recursive: true, force: true })
    },
  }
}
