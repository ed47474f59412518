/**
 * The lake process: holds DuckDB, so that its memory, its threads and its crashes are not those of the server. It never
 * writes to store or blobs, and ends when its parent does.
 */
import { endWithParent } from '#services/end-with-parent.ts'
import type { Blobs } from '#services/blobs/blobs.ts'
import { type BlobsPlace, openBlobs } from '#services/blobs/open.ts'
import { setPriority } from 'node:os'
import type { Log } from '#services/log/log.ts'
import { type LogPlace, openLogReader } from '#services/log/open.ts'
import { sentProblem } from '#services/sent-problem.ts'
import { writeCut } from './cut.ts'
import { type Engine, openEngine } from './engine.ts'
import type {
  CopyRequest,
  CutRequest,
  JobContext,
  JobKind,
  Jobs,
  MergeRequest,
  RowsRequest,
  StageRequest,
} from './jobs.ts'
import { imageKey } from './embed.ts'
import { mergeFiles } from './merge.ts'
import type { FromProcess, ToProcess } from './messages.ts'
import { runCopy, runRows } from './questions.ts'
import { Stager } from './stager.ts'

const running = new Map<number, AbortController>()
const logs = new Map<string, Promise<Log>>()
let engine: Promise<Engine> | undefined
let stager: Stager | undefined
/** A server has one place for blobs. */
let blobs: Promise<Blobs> | undefined

function send(message: FromProcess): void {
  if (process.connected) process.send?.(message)
}

function logAt(place: LogPlace): Promise<Log> {
  const name = place.kind === 'lmdb' ? place.folder : place.url
  const known = logs.get(name)
  if (known !== undefined) return known
  const opened = openLogReader(place)
  logs.set(name, opened)
  opened.catch(() => logs.delete(name))
  return opened
}

function blobsAt(place: BlobsPlace): Promise<Blobs> {
  blobs ??= openBlobs(place)
  blobs.catch(() => {
    blobs = undefined
  })
  return blobs
}

function staging(): Stager {
  if (stager === undefined) throw new Error('the engine is not open')
  return stager
}

async function work(
  open: Engine,
  kind: JobKind,
  request: Jobs[JobKind]['request'],
  context: JobContext,
): Promise<Jobs[JobKind]['result']> {
  switch (kind) {
    case 'cut': {
      const cut = request as CutRequest
      const log = await logAt(cut.log)
      return open.with(context.signal, (connection) => writeCut(connection, log, staging(), cut, context))
    }
    case 'stage': {
      const stage = request as StageRequest
      return staging().stage(await logAt(stage.log), stage, context)
    }
    case 'merge':
      return open.with(context.signal, (connection) => mergeFiles(connection, request as MergeRequest))
    case 'copy': {
      const copy = request as CopyRequest
      const place = copy.write?.blobs
      const image =
        place === undefined ? {} : { image: async (hash: string) => (await blobsAt(place)).get(imageKey(hash)) }
      return open.with(context.signal, (connection) => runCopy(connection, copy, { ...context, ...image }, open.name))
    }
    case 'rows':
      return open.with(context.signal, (connection) => runRows(connection, request as RowsRequest))
  }
}

async function run({ id, kind, request }: Extract<ToProcess, { is: 'run' }>): Promise<void> {
  const abort = new AbortController()
  running.set(id, abort)
  try {
    if (engine === undefined) throw new Error('the engine is not open')
    const context = { signal: abort.signal, progress: (share: number) => send({ is: 'progress', id, share }) }
    send({ is: 'done', id, result: await work(await engine, kind, request, context) })
  } catch (error) {
    send({ is: 'failed', id, problem: sentProblem(error) })
  } finally {
    running.delete(id)
  }
}

process.on('message', (message: ToProcess) => {
  switch (message.is) {
    case 'open':
      if (message.options.niceness !== undefined) setPriority(message.options.niceness)
      engine = openEngine(message.options)
      stager = new Stager(message.options.scratchDir)
      // Each job that awaits it reports the failure.
      engine.catch(() => undefined)
      return
    case 'run':
      void run(message)
      return
    case 'cancel':
      running.get(message.id)?.abort()
  }
})
endWithParent()
