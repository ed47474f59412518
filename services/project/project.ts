/** project: the only judge. Follows the log, folds every partition, and tells readers how far the rows go. */
import { setTimeout as sleep } from 'node:timers/promises'
import { ByteRoom } from '#services/byte-room.ts'
import type { Log } from '#services/log/log.ts'
import type { HashRange } from '#services/core/recent-hashes.ts'
import { type Logger, errorText } from '#services/logger.ts'
import type { Offsets } from '#services/position.ts'
import { Problem } from '#services/problem.ts'
import type { Store } from '#services/store/store.ts'
import { type Claim, type Claims, openClaims } from '#services/claims/claims.ts'
import { Commits } from './commits.ts'
import { fencePartition, isPastEnd, PROJECTION, settleStore } from './doubt.ts'
import { BATCH, type Batch, commitTogether, PartitionFold } from './partition.ts'

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
  /** How the partitions are shared with other processes; undefined where no other process has this store. */
  readonly shared?: Shared | undefined
}

/** What a process needs to share work with others on one store. */
export interface Shared {
  /** A name for a life of this process, never the same twice. */
  readonly newId: () => string
  /** How long others wait for a process that does not answer before they take its work. */
  readonly leaseMs: number
}

export interface Project {
  /** Committed by this process: every read sees at least this. */
  readonly offsets: Offsets
  /** Why nothing moves, where a batch keeps failing; undefined while all is well. */
  readonly failing: string | undefined
  /** The rebuild under way, if any. */
  readonly rebuilding: RebuildProgress | undefined
  /** The partitions that this process folds. */
  readonly partitions: readonly number[]
  /** Waits until everything in `want` is committed; false when that took longer than `timeoutMs`. */
  waitFor(want: Offsets, timeoutMs: number, signal?: AbortSignal): Promise<boolean>
  /** Calls `listener` after each commit, with the raw bytes that it took in. Returns the way to stop that. */
  onCommit(listener: (offsets: Offsets, bytes: number) => void): () => void
  /** The content hashes that are still known of committed records of a partition in [from, to). */
  hashes(partition: number, from: number, to: number): HashRange | undefined
  /** Holds the fold back: before each batch `gate` is awaited. Archive uses it to bound how far project runs ahead. */
  setGate(gate: (() => Promise<void>) | undefined): void
  /** Finishes the batch under way, gives its partitions back and stops. */
  stop(): Promise<void>
}

/** How long to wait for new records when there were none, and after a failed batch. */
const IDLE_MS = 10
const BACKOFF_MS_MAX = 5_000
/**
 * A transaction costs 8 ms however little is in it, so while events stream in project lets some gather: a turn of at
 * least so many records that filled no batch is followed by a pause (42 µs of processor an event in batches of 4,000,
 * 100 in batches of 200).
 */
const STREAM = { recordsMin: 200, pauseMs: 150 }

/** What a turn over the partitions took in. */
interface Turn {
  moved: boolean
  records: number
  /** Whether a batch was full, so that more waits. */
  full: boolean
}

function pauseAfter({ moved, records, full }: Turn): number {
  if (!moved) return IDLE_MS
  return full || records < STREAM.recordsMin ? 0 : STREAM.pauseMs
}

/** A batch that is folded and waits to be committed. */
interface Ready {
  readonly folding: Folding
  readonly fold: PartitionFold
  readonly batch: Batch
}

/** Whether batches are enough for a transaction. */
function fillTransaction(ready: readonly Ready[]): boolean {
  const sum = (of: (batch: Batch) => number): number => ready.reduce((total, { batch }) => total + of(batch), 0)
  return sum(({ records }) => records) >= BATCH.recordsMax || sum(({ bytes }) => bytes) >= BATCH.bytesMax
}

/** A partition that this process folds. */
interface Folding {
  readonly fold: PartitionFold
  /** Why its last batch failed. */
  failing: string | undefined
  isResting: boolean
  backoffMs: number
}

class Projector implements Project {
  readonly offsets = new Map<number, number>()
  rebuilding: RebuildProgress | undefined
  readonly #options: ProjectOptions
  readonly #folding = new Map<number, Folding>()
  readonly #commits = new Commits(this.offsets)
  readonly #room = new ByteRoom()
  readonly #stopping = new AbortController()
  #claims: Claims | undefined
  #gate: (() => Promise<void>) | undefined
  /** The turn under way. */
  #turning: Promise<void> = Promise.resolve()
  #running: Promise<void> = Promise.resolve()

  constructor(options: ProjectOptions) {
    this.#options = options
  }

  get failing(): string | undefined {
    return [...this.#folding.values()].find(({ failing }) => failing !== undefined)?.failing
  }

  get partitions(): readonly number[] {
    return [...this.#folding.keys()].sort((left, right) => left - right)
  }

  async start(doubt: string | undefined): Promise<void> {
    const { log, store, logger, shared } = this.#options
    this.#claims = await openClaims({
      store,
      logger,
      projection: PROJECTION,
      parts: log.partitions,
      newId: shared?.newId ?? (() => 'alone'),
      leaseMs: shared?.leaseMs,
      fence: (db, { part, epoch }) => fencePartition(db, log, part, epoch),
      onTake: (claim) => this.#take(claim),
      onDrop: (part) => this.#drop(part),
      failing: () => this.failing,
    })
    if (doubt !== undefined) await this.#beginRebuild(doubt)
    this.#running = this.#run()
  }

  async #take({ part, epoch }: Claim): Promise<void> {
    const fold = new PartitionFold({ ...this.#options, partition: part, epoch, room: this.#room })
    this.offsets.set(part, (await fold.seek()).nextOffset)
    this.#folding.set(part, { fold, failing: undefined, isResting: false, backoffMs: IDLE_MS })
    this.#commits.tell(0)
  }

  async #drop(part: number): Promise<void> {
    this.#folding.delete(part)
    await this.#turning
    this.offsets.delete(part)
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
      const turn: Turn = { moved: false, records: 0, full: false }
      this.#turning = this.#turn(turn)
      await this.#turning
      const pauseMs = pauseAfter(turn)
      if (pauseMs > 0) await sleep(pauseMs, undefined, { signal }).catch(() => {})
    }
  }

  /** A batch of each partition. Small ones share a transaction, which costs 8 ms however little is in it. */
  async #turn(turn: Turn): Promise<void> {
    let ready: Ready[] = []
    for (const folding of this.#folding.values()) {
      if (this.#stopping.signal.aborted) break
      const batch = folding.isResting ? undefined : await this.#prepared(folding)
      if (batch === undefined) continue
      ready.push({ folding, fold: folding.fold, batch })
      if (!fillTransaction(ready)) continue
      await this.#commit(ready, turn)
      ready = []
    }
    await this.#commit(ready, turn)
  }

  /** The next batch of a partition, folded; undefined where nothing is new or it failed. */
  async #prepared(folding: Folding): Promise<Batch | undefined> {
    const { fold } = folding
    try {
      await this.#gate?.()
      // While the gate was shut it may have gone to another process.
      if (this.#folding.get(fold.partition) !== folding) return undefined
      const batch = await fold.prepare()
      // With no records the cursor has moved all the same where the answer to the last commit was lost.
      if (batch.records > 0 || batch.nextOffset !== this.offsets.get(fold.partition)) return batch
      folding.failing = undefined
      folding.backoffMs = IDLE_MS
    } catch (error) {
      this.#rest(folding, error)
    }
    return undefined
  }

  /** Commits batches, or where that fails each by itself, so that one partition does not hold up the others. */
  async #commit(ready: readonly Ready[], turn: Turn): Promise<void> {
    if (ready.length === 0) return
    try {
      await commitTogether(this.#options.store, ready)
    } catch (error) {
      const [only] = ready
      if (ready.length === 1 && only !== undefined) this.#rest(only.folding, error)
      else for (const { folding } of ready) await this.#alone(folding, turn)
      return
    }
    for (const each of ready) {
      this.#settle(each, turn)
      this.#commits.tell(each.batch.bytes)
    }
    this.#reportRebuild()
  }

  async #alone(folding: Folding, turn: Turn): Promise<void> {
    const batch = await this.#prepared(folding)
    if (batch !== undefined) await this.#commit([{ folding, fold: folding.fold, batch }], turn)
  }

  #settle({ folding, fold, batch }: Ready, turn: Turn): void {
    folding.failing = undefined
    folding.backoffMs = IDLE_MS
    turn.moved = true
    turn.records += batch.records
    turn.full ||= batch.full
    this.offsets.set(fold.partition, batch.nextOffset)
  }

  /** A partition whose batch failed rests for a while; the others go on. */
  #rest(folding: Folding, error: unknown): void {
    const { shared, logger } = this.#options
    const { partition } = folding.fold
    const isFenced = shared !== undefined && error instanceof Problem && error.code === 'cursor_moved'
    const text = errorText(error)
    if (isFenced) {
      logger('warn', 'another process has this partition now', { partition })
      this.#claims?.look()
    } else {
      folding.failing = text
      logger('error', 'batch failed', { partition, error: text, retry_in_ms: folding.backoffMs })
    }
    folding.isResting = true
    void sleep(folding.backoffMs, undefined, { signal: this.#stopping.signal })
      .catch(() => {})
      .then(() => {
        folding.isResting = false
      })
    folding.backoffMs = Math.min(folding.backoffMs * 2, BACKOFF_MS_MAX)
  }

  waitFor(want: Offsets, timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    return this.#commits.waitFor(want, timeoutMs, signal)
  }

  onCommit(listener: (offsets: Offsets, bytes: number) => void): () => void {
    return this.#commits.listen(listener)
  }

  hashes(partition: number, from: number, to: number): HashRange | undefined {
    return this.#folding.get(partition)?.fold.hashes(from, to)
  }

  setGate(gate: (() => Promise<void>) | undefined): void {
    this.#gate = gate
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
    await this.#claims?.close()
  }
}

/** Another look at rows that seem to go past the end of a topic: after a change of its leader the end is told late. */
const LOOKS = { max: 15, everyMs: 1_000 }

/**
 * Starts to follow the log. Rows that are in doubt (another log, another version, a log that lost its end) are emptied
 * first and folded again; `rebuilding` and `onRebuild` tell how far that is. With `shared` the partitions are divided
 * among all processes that live; without, this one folds them all.
 */
export async function startProject(options: ProjectOptions): Promise<Project> {
  const { store, log, logger, shared } = options
  if (shared !== undefined) {
    for (let look = 1; look < LOOKS.max && (await isPastEnd(store, log)); look++) await sleep(LOOKS.everyMs)
  }
  const doubt = await settleStore(store, log, options.doubt)
  if (doubt !== undefined) logger('warn', 'rebuilding the store', { reason: doubt })
  const projector = new Projector(options)
  await projector.start(doubt)
  return projector
}
