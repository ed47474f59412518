/** project: the only judge. Follows the log, folds every partition, and tells readers how far the rows go. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '#services/log/log.ts'
import { type Logger, errorText } from '#services/logger.ts'
import { type Offsets, includes } from '#services/position.ts'
import type { Store } from '#services/store/store.ts'
import { claimStore, doubtOf, emptyProjections, emptyStore } from './doubt.ts'
import { PartitionFold } from './partition.ts'

/** How far a rebuild is. */
export interface RebuildProgress {
  readonly reason: string
  readonly folded: number
  readonly total: number
}

export interface ProjectOptions {
  readonly log: Log
  readonly store: Store
  readonly logger: Logger
  /** Called while everything is folded again because the rows were in doubt, and once at its end. */
  readonly onRebuild?: (progress: RebuildProgress) => void
  /** Why the store was emptied before it came here, where it was (its files could not be trusted). */
  readonly doubt?: string | undefined
}

export interface Project {
  /** Committed: every read sees at least this. */
  readonly offsets: Offsets
  /** Why nothing moves, where a batch keeps failing; undefined while all is well. */
  readonly failing: string | undefined
  /** The rebuild under way, if any. */
  readonly rebuilding: RebuildProgress | undefined
  /** Waits until everything in `want` is committed; false when that took longer than `timeoutMs`. */
  waitFor(want: Offsets, timeoutMs: number, signal?: AbortSignal): Promise<boolean>
  /** Calls `listener` after each commit, with the raw bytes that it took in. Returns the way to stop that. */
  onCommit(listener: (offsets: Offsets, bytes: number) => void): () => void
  /** Holds the fold back: before each batch `gate` is awaited. Archive uses it to bound how far project runs ahead. */
  setGate(gate: (() => Promise<void>) | undefined): void
  /** Empties the rows and folds everything again, in place. Resolves when it has begun; `rebuilding` tells how far it is. */
  rebuild(reason: string): Promise<void>
  /** Finishes the batch under way and stops. */
  stop(): Promise<void>
}

/** How long to wait for new records when there were none, and after a failed batch. */
const IDLE_MS = 10
const BACKOFF_MS_MAX = 5_000

class Projector implements Project {
  readonly offsets = new Map<number, number>()
  failing: string | undefined
  rebuilding: RebuildProgress | undefined
  readonly #options: ProjectOptions
  readonly #partitions: readonly PartitionFold[]
  readonly #listeners = new Set<(offsets: Offsets, bytes: number) => void>()
  #stopping = new AbortController()
  #gate: (() => Promise<void>) | undefined
  #running: Promise<void> = Promise.resolve()
  #backoffMs = IDLE_MS

  constructor(options: ProjectOptions) {
    this.#options = options
    this.#partitions = Array.from(
      { length: options.log.partitions },
      (_, partition) => new PartitionFold({ ...options, partition }),
    )
  }

  async start(doubt: string | undefined): Promise<void> {
    for (const fold of this.#partitions) this.offsets.set(fold.partition, (await fold.seek()).nextOffset)
    if (doubt !== undefined) await this.#beginRebuild(doubt)
    this.#running = this.#run()
  }

  async #beginRebuild(reason: string): Promise<void> {
    const total = (await this.#options.log.bounds()).reduce((sum, { end }) => sum + end, 0)
    this.rebuilding = { reason, folded: 0, total }
    this.#options.onRebuild?.(this.rebuilding)
  }

  #reportRebuild(): void {
    if (this.rebuilding === undefined) return
    const folded = [...this.offsets.values()].reduce((sum, offset) => sum + offset, 0)
    const progress = { ...this.rebuilding, folded: Math.min(folded, this.rebuilding.total) }
    this.rebuilding = folded >= progress.total ? undefined : progress
    this.#options.onRebuild?.(progress)
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping
    while (!signal.aborted) {
      const moved = await this.#turn()
      if (!moved) await sleep(IDLE_MS, undefined, { signal }).catch(() => {})
    }
  }

  /** One batch of each partition. False when there was nothing to fold. */
  async #turn(): Promise<boolean> {
    let moved = false
    for (const fold of this.#partitions) {
      if (this.#stopping.signal.aborted) return moved
      try {
        await this.#gate?.()
        const { nextOffset, records, bytes } = await fold.step()
        this.failing = undefined
        this.#backoffMs = IDLE_MS
        // With no records the cursor has moved all the same where the answer to the last commit was lost.
        if (records === 0 && nextOffset === this.offsets.get(fold.partition)) continue
        moved = true
        this.offsets.set(fold.partition, nextOffset)
        this.#reportRebuild()
        for (const listener of this.#listeners) listener(this.offsets, bytes)
      } catch (error) {
        await this.#fail(fold.partition, error)
      }
    }
    return moved
  }

  async #fail(partition: number, error: unknown): Promise<void> {
    this.failing = errorText(error)
    this.#options.logger('error', 'batch failed', { partition, error: this.failing, retry_in_ms: this.#backoffMs })
    await sleep(this.#backoffMs, undefined, { signal: this.#stopping.signal }).catch(() => {})
    this.#backoffMs = Math.min(this.#backoffMs * 2, BACKOFF_MS_MAX)
  }

  waitFor(want: Offsets, timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    if (includes(this.offsets, want)) return Promise.resolve(true)
    return new Promise((resolve) => {
      const finish = (reached: boolean) => {
        clearTimeout(timer)
        unlisten()
        signal?.removeEventListener('abort', giveUp)
        resolve(reached)
      }
      const giveUp = () => finish(false)
      const timer = setTimeout(giveUp, timeoutMs)
      const unlisten = this.onCommit((offsets) => {
        if (includes(offsets, want)) finish(true)
      })
      signal?.addEventListener('abort', giveUp, { once: true })
    })
  }

  onCommit(listener: (offsets: Offsets, bytes: number) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  setGate(gate: (() => Promise<void>) | undefined): void {
    this.#gate = gate
  }

  async rebuild(reason: string): Promise<void> {
    await this.stop()
    await emptyProjections(this.#options.store)
    this.#stopping = new AbortController()
    await this.start(reason)
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }
}

/**
 * Starts to follow the log. Rows that are in doubt (another log, another version, a log that lost its end) are emptied
 * first and folded again; `rebuilding` and `onRebuild` tell how far that is.
 */
export async function startProject(options: ProjectOptions): Promise<Project> {
  const doubt = await doubtOf(options.store, options.log)
  if (doubt !== undefined) {
    options.logger('warn', 'rebuilding the store', { reason: doubt })
    await emptyStore(options.store)
  }
  await claimStore(options.store, options.log)
  const projector = new Projector(options)
  await projector.start(options.doubt ?? doubt)
  return projector
}
