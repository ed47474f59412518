/** The core thread as the main thread sees it: started, asked to stop, and heard when it fails. */
import { Worker } from 'node:worker_threads'
import { errorText, type Logger } from '#services/logger.ts'
import type { OwnedLog } from '#services/log/open.ts'
import { Problem } from '#services/problem.ts'
import { receivedProblem, sentProblem } from '#services/sent-problem.ts'
import { type CoreStart, type FromCore, type LogRequest, type RebuildReport, type ToCore } from './core-messages.ts'

export interface CoreOptions {
  readonly start: CoreStart
  /** The log, which this thread owns. */
  readonly log: OwnedLog
  readonly logger: Logger
  readonly onRebuild: (progress: RebuildReport) => void
}

export interface Core {
  /** Rejects where the thread fails after it was ready; never resolves while it runs, resolves once it is stopped. */
  readonly ended: Promise<void>
  /** Lets it end at a batch boundary and close the store. */
  stop(): Promise<void>
  /** Ends it at once. */
  kill(): Promise<void>
}

/** Room for what a batch makes, so that it dies young: 42 µs of processor an event where the default took 56. */
const YOUNG_MB = 192

/** Starts the core thread and resolves when it answers reads. Throws what it failed with. */
export async function startCore(options: CoreOptions): Promise<Core> {
  const worker = new Worker(new URL('./core-thread.ts', import.meta.url), {
    workerData: options.start,
    name: 'core',
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
  })
  const tell = (message: ToCore): void => worker.postMessage(message)
  const ready = Promise.withResolvers<void>()
  const ended = Promise.withResolvers<void>()
  // Whoever waits for one of them hears of it; the other must not count as unheard.
  ready.promise.catch(() => {})
  ended.promise.catch(() => {})
  const fail = (problem: Error): void => {
    ready.reject(problem)
    ended.reject(problem)
  }
  worker.on('message', (message: FromCore) => {
    if (message.kind === 'log') void answerLog(options.log, message.id, message.request, tell)
    else if (message.kind === 'rebuild') options.onRebuild(message.progress)
    else if (message.kind === 'ready') ready.resolve()
    else if (message.kind === 'stopped') ended.resolve()
    else {
      options.logger('error', 'core failed', { error: message.text })
      fail(receivedProblem(message.problem, 'core thread'))
    }
  })
  worker.on('error', (error) => {
    options.logger('error', 'core crashed', { error: errorText(error) })
    fail(new Problem('internal', 'the core thread crashed', { cause: error }))
  })
  worker.on('exit', (code) => fail(new Problem('internal', `the core thread ended by itself with code ${code}`)))
  try {
    await ready.promise
  } catch (error) {
    // What it had opened by then would keep it, and the process, alive.
    await worker.terminate()
    throw error
  }
  return {
    ended: ended.promise,
    stop: async () => {
      tell({ kind: 'stop' })
      try {
        await ended.promise
      } finally {
        // Everything is closed, or it failed. A PGlite that failed to open would keep the thread alive all the same.
        await worker.terminate()
      }
    },
    kill: async () => {
      await worker.terminate()
    },
  }
}

async function answerLog(
  log: OwnedLog,
  id: number,
  request: LogRequest,
  tell: (message: ToCore) => void,
): Promise<void> {
  try {
    if (request.do === 'append') tell({ kind: 'log_done', id, offsets: await log.append(request.records) })
    else {
      await log.continueAfter(request.offsets)
      tell({ kind: 'log_done', id, offsets: new Map() })
    }
  } catch (error) {
    tell({ kind: 'log_failed', id, problem: sentProblem(error) })
  }
}
