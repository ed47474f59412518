/** Ingest in this process, behind its front on a free port, with a log and blobs in a folder of its own. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Blobs } from '#services/blobs/blobs.ts'
import { directoryBlobs } from '#services/blobs/directory.ts'
import { ingestApp } from '#services/ingest/app.ts'
import { lmdbLog, type LmdbLog } from '#services/log/lmdb.ts'
import type { LogRecord } from '#services/log/log.ts'
import type { Fields, Logger } from '#services/logger.ts'
import { startFront, type Front } from '#services/serve/front.ts'

export interface IngestWorld {
  readonly url: string
  readonly folder: string
  readonly querySocket: string
  readonly log: LmdbLog
  readonly blobs: Blobs
  readonly front: Front
  /** What was logged, a line each. */
  readonly lines: readonly string[]
  /** Every record of the log, by partition. */
  records(): Promise<LogRecord[]>
  close(): Promise<void>
}

export async function ingestWorld(
  options: { readonly key?: string; readonly inFlightBytesMax?: number; readonly pendingBytesMax?: number } = {},
): Promise<IngestWorld> {
  const { pendingBytesMax = 1e8, ...limits } = options
  const folder = await mkdtemp(join(tmpdir(), 'stepstore-ingest-'))
  const lines: string[] = []
  const logger: Logger = (level, what, fields: Fields = {}) =>
    void lines.push(JSON.stringify({ level, what, ...fields }))
  const log = await lmdbLog({
    folder: join(folder, 'log'),
    partitions: 4,
    clock: () => new Date(),
    pendingBytesMax,
    logger,
  })
  const blobs = await directoryBlobs({ folder: join(folder, 'blobs') })
  const querySocket = join(folder, 'query.sock')
  const front = await startFront({
    host: '127.0.0.1',
    port: 0,
    ingest: ingestApp({ log, blobs, logger, ...limits }),
    querySocket,
    logger,
  })
  return {
    url: `http://127.0.0.1:${front.port}`,
    folder,
    querySocket,
    log,
    blobs,
    front,
    lines,
    records: async () => {
      const all = await Promise.all(
        Array.from({ length: 4 }, (_, partition) => log.read(partition, 0, { recordsMax: 1e6, bytesMax: 1e9 })),
      )
      return all.flat()
    },
    close: async () => {
      await front.close(1_000)
      await log.close()
      await blobs.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

export interface Reply {
  readonly status: number
  readonly headers: Headers
  readonly body: Record<string, unknown> & {
    quarantined?: { index: number; code: string; message: string; pointer: string }[]
  }
}

/** Sends a body to `/v1/events`, as lines where nothing else is said. */
export async function postEvents(
  world: IngestWorld,
  body: string | Uint8Array,
  headers: Record<string, string> = { 'content-type': 'application/x-ndjson' },
  query = '',
): Promise<Reply> {
  const reply = await fetch(`${world.url}/v1/events${query}`, { method: 'POST', headers, body: body })
  return { status: reply.status, headers: reply.headers, body: (await reply.json()) as Reply['body'] }
}

/** The event of a run that starts, as text. */
export const runStarted = (id: string, extra: Record<string, unknown> = {}): string =>
  JSON.stringify({
    specversion: '1.0',
    id,
    source: '/test',
    type: 'run.started',
    data: { run_id: id, kind: 'rl', ...extra },
  })
