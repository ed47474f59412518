import { Worker } from 'node:worker_threads'
import type { ToolJob, ToolMessage, ToolSaid } from './job.ts'

/** What became of a job. `infra`: the thread died, or the queue was full. */
export type JobResult =
  | { readonly status: 'ok'; readonly said: ToolSaid }
  | { readonly status: 'tool_error' | 'timeout' | 'infra'; readonly error_type: string; readonly message: string }

export type JobOutcome = { readonly result: JobResult; readonly queued_ms: number; readonly latency_ms: number }

export type PoolOptions = {
  /** How many threads run at most. Each takes some 150 MB once it has read text. */
  readonly threads: number
  /** How many jobs may wait; one more is refused. */
  readonly queueMax: number
  /** Milliseconds on a clock that only rises. */
  readonly now: () => number
  /** A module with further tools, for tests. */
  readonly planted?: string
}

/** Threads that run local tools. */
export type Pool = {
  /** Runs a job; at most `timeout_ms` from when it begins, at most `concurrency` of its tool at once. Never throws. */
  run(job: Omit<ToolJob, 'id'>, limits: { timeout_ms: number; concurrency: number }): Promise<JobOutcome>
  close(): Promise<void>
}

type Waiting = {
  readonly job: ToolJob
  readonly limits: { readonly timeout_ms: number; readonly concurrency: number }
  readonly since: number
  readonly done: (outcome: JobOutcome) => void
}
type Thread = { worker: Worker; isReady: boolean; running: (Waiting & { began: number; timer: NodeJS.Timeout }) | null }

/** The longest that a thread may take to start: its modules are read from disk. */
const startMax_ms = 60_000

/** Threads start when they are first needed, and anew after one was killed. */
export function workerPool(options: PoolOptions): Pool {
  return new ThreadPool(options)
}

class ThreadPool implements Pool {
  readonly #options: PoolOptions
  readonly #waiting: Waiting[] = []
  readonly #threads = new Set<Thread>()
  #ids = 0
  #isClosed = false

  constructor(options: PoolOptions) {
    this.#options = options
  }

  run(job: Omit<ToolJob, 'id'>, limits: Waiting['limits']): Promise<JobOutcome> {
    const { now, queueMax } = this.#options
    return new Promise((done) => {
      const entry: Waiting = { job: { ...job, id: this.#ids++ }, limits, since: now(), done }
      if (this.#isClosed) this.#refuse(entry, closing)
      else if (this.#waiting.length >= queueMax) {
        const message = `more than ${queueMax} calls wait; try again later`
        this.#refuse(entry, { status: 'infra', error_type: 'Overloaded', message })
      } else {
        this.#waiting.push(entry)
        this.#next()
      }
    })
  }

  async close(): Promise<void> {
    this.#isClosed = true
    for (const job of this.#waiting.splice(0)) this.#refuse(job, closing)
    const all = [...this.#threads]
    this.#threads.clear()
    for (const thread of all) this.#finished(thread, closing)
    await Promise.all(all.map(({ worker }) => worker.terminate()))
  }

  #start(): void {
    const { planted } = this.#options
    const worker = new Worker(new URL('./worker.ts', import.meta.url), {
      workerData: planted === undefined ? {} : { planted },
      resourceLimits: { maxOldGenerationSizeMb: 512 },
      // Warnings of a dependency are no words of ours.
      stdout: true,
      stderr: true,
    })
    const thread: Thread = { worker, isReady: false, running: null }
    this.#threads.add(thread)
    worker.unref()
    const startTimer = setTimeout(() => this.#lost(thread, 'it did not start'), startMax_ms)
    startTimer.unref()
    worker.on('message', (message: ToolMessage) => {
      clearTimeout(startTimer)
      if (message.kind === 'ready') thread.isReady = true
      else if (thread.running?.job.id === message.id) this.#finished(thread, resultOf(message))
      this.#next()
    })
    worker.on('error', (error) => this.#lost(thread, error.message))
    worker.on('exit', () => this.#lost(thread, 'it ended'))
  }

  /** A thread that is gone takes its job with it; before it was ready, the oldest job: else a broken start goes round for ever. */
  #lost(thread: Thread, why: string): void {
    if (!this.#threads.delete(thread)) return
    void thread.worker.terminate()
    const message = `the thread of the tool was lost: ${why}`
    const result = { status: 'infra', error_type: 'ToolCrash', message } as const
    if (thread.running !== null) this.#finished(thread, result)
    else if (!thread.isReady) this.#refuse(this.#waiting.shift(), result)
    this.#next()
  }

  #refuse(job: Waiting | undefined, result: JobResult): void {
    job?.done({ result, queued_ms: this.#options.now() - job.since, latency_ms: 0 })
  }

  #finished(thread: Thread, result: JobResult): void {
    const { running } = thread
    if (running === null) return
    thread.running = null
    clearTimeout(running.timer)
    if (this.#threads.has(thread)) thread.worker.unref()
    const latency_ms = this.#options.now() - running.began
    running.done({ result, queued_ms: running.began - running.since, latency_ms })
  }

  #begin(thread: Thread, job: Waiting): void {
    const timer = setTimeout(() => {
      this.#threads.delete(thread)
      void thread.worker.terminate()
      const message = `the tool took longer than ${job.limits.timeout_ms / 1000} s`
      this.#finished(thread, { status: 'timeout', error_type: 'Timeout', message })
      this.#next()
    }, job.limits.timeout_ms)
    thread.running = { ...job, began: this.#options.now(), timer }
    thread.worker.ref()
    thread.worker.postMessage(job.job)
  }

  /** Gives the first job whose tool is not at its limit to each idle thread; starts a thread where jobs are left. */
  #next(): void {
    if (this.#isClosed) return
    for (const thread of this.#threads) {
      if (!thread.isReady || thread.running !== null) continue
      const place = this.#waiting.findIndex(({ job, limits }) => this.#runningOf(job.tool) < limits.concurrency)
      const [job] = place < 0 ? [] : this.#waiting.splice(place, 1)
      if (job === undefined) return
      this.#begin(thread, job)
    }
    const starting = [...this.#threads].filter(({ isReady }) => !isReady).length
    if (this.#waiting.length > starting && this.#threads.size < this.#options.threads) this.#start()
  }

  #runningOf(tool: string): number {
    return [...this.#threads].filter(({ running }) => running?.job.tool === tool).length
  }
}

const closing = { status: 'infra', error_type: 'Closed', message: 'the tools are closing' } as const

function resultOf(message: Exclude<ToolMessage, { kind: 'ready' }>): JobResult {
  if (message.kind === 'said') return { status: 'ok', said: message.said }
  return { status: 'tool_error', error_type: message.error_type, message: message.message }
}
