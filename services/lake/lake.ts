/** The client of a lake process: starts it when it is needed, starts it again after a crash. */
import { fork, type ChildProcess } from 'node:child_process'
import { mkdir, rm } from 'node:fs/promises'
import { once } from 'node:events'
import type { Logger } from '#services/logger.ts'
import { Problem } from '#services/problem.ts'
import { receivedProblem } from '#services/sent-problem.ts'
import type { EngineOptions } from './engine.ts'
import type { CopyRequest, CopyResult, JobKind, Jobs } from './jobs.ts'
import type { FromProcess, ToProcess } from './messages.ts'

export interface LakeOptions extends EngineOptions {
  readonly logger: Logger
}

export interface JobOptions {
  /** Aborting stops the statement that is running; the job then rejects with `unavailable`. */
  readonly signal?: AbortSignal
  /** Told the share of the work that is done, 0 to 1. */
  readonly onProgress?: (share: number) => void
}

export interface Lake {
  /** Where jobs may write; safe to delete while nothing runs. */
  readonly scratchDir: string
  /** Runs a job. Rejects with a Problem: `unavailable` when the process dies, the disk is full or the job is cancelled. */
  run<Kind extends JobKind>(
    kind: Kind,
    request: Jobs[Kind]['request'],
    options?: JobOptions,
  ): Promise<Jobs[Kind]['result']>
  /** Starts the process now, so that the first job need not wait for it. */
  start(): void
  /** The job `copy`, for those who want nothing else. */
  copy(request: CopyRequest, options?: JobOptions): Promise<CopyResult>
  /** Ends the process; jobs that run reject. */
  close(): Promise<void>
}

interface Waiting {
  readonly resolve: (result: never) => void
  readonly reject: (error: unknown) => void
  readonly onProgress: ((share: number) => void) | undefined
}

/** Room for what staging makes, so that it dies young: 73 µs of processor an event where the default took 77. */
const FLAGS = ['--max-semi-space-size=32']

/** The last lines that a process wrote before it died, for the log. */
const LAST_WORDS_CHARS = 2000

class LakeClient implements Lake {
  readonly #options: LakeOptions
  readonly #waiting = new Map<number, Waiting>()
  #child: ChildProcess | undefined
  #nextId = 1
  #closed = false

  constructor(options: LakeOptions) {
    this.#options = options
  }

  get scratchDir(): string {
    return this.#options.scratchDir
  }

  run<Kind extends JobKind>(
    kind: Kind,
    request: Jobs[Kind]['request'],
    options: JobOptions = {},
  ): Promise<Jobs[Kind]['result']> {
    const { signal, onProgress } = options
    if (this.#closed) return Promise.reject(new Problem('unavailable', 'the lake is closed'))
    if (signal?.aborted === true) return Promise.reject(new Problem('unavailable', 'the job was cancelled'))
    const child = this.#running()
    const id = this.#nextId++
    const cancel = (): void => this.#send(child, { is: 'cancel', id })
    signal?.addEventListener('abort', cancel, { once: true })
    const answered = new Promise<Jobs[Kind]['result']>((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (result: never) => void, reject, onProgress })
      this.#send(child, { is: 'run', id, kind, request })
    })
    return answered.finally(() => signal?.removeEventListener('abort', cancel))
  }

  start(): void {
    if (!this.#closed) this.#running()
  }

  copy(request: CopyRequest, options: JobOptions = {}): Promise<CopyResult> {
    return this.run('copy', request, options)
  }

  #send(child: ChildProcess, message: ToProcess): void {
    // A process that is gone is noticed by its exit, which rejects what waits.
    if (child.connected) child.send(message, () => undefined)
  }

  #running(): ChildProcess {
    if (this.#child !== undefined) return this.#child
    const child = fork(new URL('process.ts', import.meta.url), [], {
      serialization: 'advanced',
      execArgv: FLAGS,
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    let lastWords = ''
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      lastWords = (lastWords + text).slice(-LAST_WORDS_CHARS)
    })
    child.on('message', (message) => this.#receive(message as FromProcess))
    child.on('error', (error) => {
      lastWords += error.message
    })
    child.on('exit', (code, signal) => this.#gone(child, `${signal ?? `code ${code}`}: ${lastWords.trim()}`))
    this.#child = child
    const { scratchDir, threads, memoryLimitMb, niceness = 0 } = this.#options
    this.#send(child, { is: 'open', options: { scratchDir, threads, memoryLimitMb, niceness } })
    return child
  }

  #receive(message: FromProcess): void {
    const waiting = this.#waiting.get(message.id)
    if (waiting === undefined) return
    if (message.is === 'progress') {
      waiting.onProgress?.(message.share)
      return
    }
    this.#waiting.delete(message.id)
    if (message.is === 'done') waiting.resolve(message.result as never)
    else waiting.reject(receivedProblem(message.problem, 'lake process'))
  }

  #gone(child: ChildProcess, how: string): void {
    if (this.#child === child) this.#child = undefined
    if (!this.#closed) this.#options.logger('error', 'lake process ended', { how })
    for (const { reject } of this.#waiting.values())
      reject(new Problem('unavailable', 'the lake process ended', { retryAfterSeconds: 1, cause: new Error(how) }))
    this.#waiting.clear()
  }

  async close(): Promise<void> {
    this.#closed = true
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    if (child.connected) child.disconnect()
    const impatient = setTimeout(() => child.kill('SIGKILL'), 2000)
    await exited
    clearTimeout(impatient)
  }
}

/** Opens a lake: a process with DuckDB, which starts with the first job. What an earlier one left in `scratchDir` is removed. */
export async function openLake(options: LakeOptions): Promise<Lake> {
  await rm(options.scratchDir, { recursive: true, force: true })
  await mkdir(options.scratchDir, { recursive: true })
  return new LakeClient(options)
}
