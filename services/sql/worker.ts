/** One process that runs queries, as the server sees it: started when it is needed, ended when it does not obey. */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, rm } from 'node:fs/promises'
import type { Logger } from '#services/logger.ts'
import { Problem } from '#services/problem.ts'
import { receivedProblem } from '#services/sent-problem.ts'
import { overLimit } from './engine-problem.ts'
import { type FromSql, OVER_MEMORY, type RunDone, type SqlLimits, type ToRun, type ToSql } from './messages.ts'
import type { SqlView } from './views.ts'

export interface WorkerOptions {
  /** A folder of its own. */
  readonly folder: string
  readonly limits: SqlLimits
  readonly logger: Logger
}

/** How long a statement that was interrupted may take to notice. Some functions never look. */
const GRACE_MS = 1_000
/** How long the process may take to start and read a statement. None of that is the query's own time. */
const INSPECT_MS_MAX = 30_000
const LAST_WORDS_CHARS = 2_000

interface Waiting {
  readonly resolve: (answer: FromSql) => void
  readonly reject: (error: Error) => void
}

export class SqlWorker {
  readonly #options: WorkerOptions
  #child: ChildProcess | undefined
  #waiting: Waiting | undefined
  #closed = false
  #spent = false

  constructor(options: WorkerOptions) {
    this.#options = options
  }

  /** The process, where one runs. */
  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** The views that a query names. Throws `bad_sql`, `sql_refused`. */
  async inspect(sql: string, signal: AbortSignal): Promise<readonly SqlView[]> {
    const answer = await this.#ask({ is: 'inspect', sql }, signal, INSPECT_MS_MAX)
    if (answer.is !== 'inspected') throw new Problem('internal', 'the SQL process answered something else')
    return answer.views
  }

  /** Runs a query. Throws what the engine says of it, `sql_limit`, or `unavailable` where the process died. */
  async run(run: ToRun, signal: AbortSignal): Promise<RunDone> {
    const answer = await this.#ask({ is: 'run', run }, signal, this.#options.limits.timeMs)
    if (answer.is !== 'done') throw new Problem('internal', 'the SQL process answered something else')
    return answer.done
  }

  /** Asks one thing; the caller asks no other before it is answered. */
  async #ask(message: ToSql, signal: AbortSignal, timeMs: number): Promise<FromSql> {
    if (this.#closed) throw new Problem('unavailable', 'the server is stopping', { retryAfterSeconds: 1 })
    if (signal.aborted) throw new Problem('unavailable', 'the query was cancelled')
    const child = await this.#running()
    let why: Problem | undefined
    let impatient: NodeJS.Timeout | undefined
    const stop = (reason: Problem): void => {
      why ??= reason
      this.#send(child, { is: 'cancel' })
      impatient ??= setTimeout(() => child.kill('SIGKILL'), GRACE_MS)
    }
    const cancelled = (): void => stop(new Problem('unavailable', 'the query was cancelled'))
    signal.addEventListener('abort', cancelled, { once: true })
    const deadline = setTimeout(
      () => stop(overLimit(`took longer than ${timeMs / 1000} s`, 'ask for less, or use /v1/datasets for whole sets')),
      timeMs,
    )
    try {
      const answer = await new Promise<FromSql>((resolve, reject) => {
        this.#waiting = { resolve, reject }
        this.#send(child, message)
      })
      if (answer.is === 'failed') throw why ?? this.#problemOf(answer.failure)
      this.#spent ||= answer.is === 'done' && answer.spent
      return answer
    } catch (error) {
      throw why ?? error
    } finally {
      clearTimeout(deadline)
      clearTimeout(impatient)
      signal.removeEventListener('abort', cancelled)
      if (this.#spent) this.#leave()
    }
  }

  #problemOf({ problem, spent }: Extract<FromSql, { is: 'failed' }>['failure']): Error {
    this.#spent ||= spent
    return receivedProblem(problem, 'SQL process')
  }

  #send(child: ChildProcess, message: ToSql): void {
    // A process that is gone is noticed by its exit.
    if (child.connected) child.send(message, () => undefined)
  }

  /** Ends the process; the next query starts another. */
  #leave(): void {
    this.#spent = false
    const child = this.#child
    this.#child = undefined
    child?.kill('SIGKILL')
  }

  async #running(): Promise<ChildProcess> {
    if (this.#child !== undefined) return this.#child
    const { folder, limits } = this.#options
    await rm(folder, { recursive: true, force: true })
    await mkdir(folder, { recursive: true })
    const child = fork(new URL('process.ts', import.meta.url), [], {
      cwd: folder,
      // No credential of the server is there to be read.
      env: {},
      serialization: 'advanced',
      execArgv: [],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    let lastWords = ''
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      lastWords = (lastWords + text).slice(-LAST_WORDS_CHARS)
    })
    child.on('error', (error) => {
      lastWords += error.message
    })
    child.on('message', (message) => this.#receive(child, message as FromSql))
    // Not at its exit: its last words come after that.
    child.on('close', (code, signal) => this.#gone(child, `${signal ?? `code ${code}`}: ${lastWords.trim()}`))
    this.#child = child
    this.#send(child, { is: 'open', folder, limits })
    return child
  }

  #receive(child: ChildProcess, message: FromSql): void {
    if (child !== this.#child) return
    this.#waiting?.resolve(message)
    this.#waiting = undefined
  }

  #gone(child: ChildProcess, how: string): void {
    if (child !== this.#child) return
    this.#child = undefined
    if (!this.#closed) this.#options.logger('warn', 'SQL process ended', { how })
    const { processMb } = this.#options.limits
    if (how.endsWith(OVER_MEMORY.trim()))
      this.#waiting?.reject(
        overLimit(`needed more than ${processMb} MB of memory`, 'select, join or sort less at once'),
      )
    this.#waiting?.reject(
      new Problem('unavailable', 'the process that ran the query ended', {
        hint: 'send it again; where it ends again, ask for less at once',
        retryAfterSeconds: 1,
        cause: new Error(how),
      }),
    )
    this.#waiting = undefined
  }

  async close(): Promise<void> {
    this.#closed = true
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  }
}
