/** The gym beside the other programs: a thread that starts when it is first asked for, and again should it have failed. */
import { rm } from 'node:fs/promises'
import { Worker } from 'node:worker_threads'
import type { Config } from '#services/config.ts'
import { errorText, type Logger } from '#services/logger.ts'
import { Problem } from '#services/problem.ts'
import { receivedProblem, type SentProblem } from '#services/sent-problem.ts'

/** What the gym's thread needs to begin. */
export interface GymStart {
  readonly config: Config
  /** The base of the server that it publishes to. */
  readonly publishTo: string
  /** The unix socket at which it answers. */
  readonly socket: string
}

export type FromGym =
  | { readonly kind: 'ready' }
  | { readonly kind: 'stopped' }
  | { readonly kind: 'failed'; readonly problem: SentProblem; readonly text: string }

export interface GymProcess {
  readonly socket: string
  /** Resolves when the gym answers at its socket; starts it where it does not run. Throws why it cannot. */
  ready(): Promise<void>
  /** Ends its episodes and lets it send its last events, for up to `STOP_MS_MAX`. */
  stop(): Promise<void>
}

const STOP_MS_MAX = 3_500

/** A gym that is there when it is wanted. `start` is asked for when it starts. */
export function gymProcess(start: () => GymStart, socket: string, logger: Logger): GymProcess {
  let running: { readonly ready: Promise<void>; readonly ended: Promise<void>; readonly worker: Worker } | undefined
  let stopped = false
  const begin = async (): Promise<void> => {
    // One that crashed leaves its socket behind.
    await rm(socket, { force: true })
    const started = startThread(start(), logger)
    running = started
    started.ended.then(
      () => {
        if (running === started) running = undefined
      },
      () => {},
    )
    await started.ready
  }
  let beginning: Promise<void> | undefined
  return {
    socket,
    ready: async () => {
      if (stopped) throw new Problem('unavailable', 'the server stops', { retryAfterSeconds: 1 })
      if (running !== undefined && beginning === undefined) return running.ready
      beginning ??= begin().finally(() => {
        beginning = undefined
      })
      return beginning
    },
    stop: async () => {
      stopped = true
      await beginning?.catch(() => {})
      if (running === undefined) return
      const { worker, ended } = running
      // oxlint-disable-next-line unicorn/require-post-message-target-origin
      worker.postMessage('stop')
      const late = setTimeout(() => void worker.terminate(), STOP_MS_MAX)
      await ended
      clearTimeout(late)
    },
  }
}

function startThread(data: GymStart, logger: Logger): { ready: Promise<void>; ended: Promise<void>; worker: Worker } {
  const worker = new Worker(new URL('./gym-thread.ts', import.meta.url), { workerData: data, name: 'gym' })
  const ready = Promise.withResolvers<void>()
  const ended = Promise.withResolvers<void>()
  ready.promise.catch(() => {})
  worker.on('message', (message: FromGym) => {
    if (message.kind === 'ready') ready.resolve()
    if (message.kind !== 'failed') return
    logger('error', 'gym failed', { error: message.text })
    ready.reject(receivedProblem(message.problem, 'gym'))
  })
  worker.on('error', (error) => {
    logger('error', 'gym crashed', { error: errorText(error) })
    ready.reject(
      new Problem('unavailable', 'the gym crashed', { hint: 'ask again: it is started anew', retryAfterSeconds: 1 }),
    )
  })
  worker.on('exit', () => {
    ready.reject(new Problem('unavailable', 'the gym ended', { retryAfterSeconds: 1 }))
    ended.resolve()
  })
  return { ready: ready.promise, ended: ended.promise, worker }
}
