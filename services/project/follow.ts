/** How far project is, for those who do not fold themselves: read from the store, where other processes commit. */
import { setTimeout as sleep } from 'node:timers/promises'
import { workersOf } from '#services/claims/claims.ts'
import { errorText, type Logger } from '#services/logger.ts'
import { includes, type Offsets, parseOffsets } from '#services/position.ts'
import type { Store } from '#services/store/store.ts'
import { Commits } from './commits.ts'
import { PROJECTION, REBUILD } from './doubt.ts'
import type { RebuildProgress } from './project.ts'

export interface FollowOptions {
  readonly store: Store
  readonly logger: Logger
}

export interface FollowedProject {
  /** Committed by whoever folds, as of the last look. */
  readonly offsets: Offsets
  /** Why nothing moves, as those who fold say, or because nobody does. */
  readonly failing: string | undefined
  readonly rebuilding: RebuildProgress | undefined
  /** Waits until everything in `want` is committed; false when that took longer than `timeoutMs`. */
  waitFor(want: Offsets, timeoutMs: number, signal?: AbortSignal): Promise<boolean>
  /** Calls `listener` after each change, with a guess at the raw bytes that it took in. Returns the way to stop that. */
  onCommit(listener: (offsets: Offsets, bytes: number) => void): () => void
  /** Whoever folds holds himself back; see `gate.ts`. */
  setGate(): void
  /** What this process committed itself, so that it need not be looked up. */
  note(offsets: Offsets): void
  close(): Promise<void>
}

/** Between two looks: with somebody waiting, at first and at most; with nobody. */
const LOOK_MS = { first: 5, max: 50, idle: 200 }
/** Between two looks at who lives, and whether there is a rebuild. */
const STATE_MS = 1_000
/** A step, as they are: enough to say that a cut is due. */
const RECORD_BYTES = 1_800

class Follower implements FollowedProject {
  readonly offsets = new Map<number, number>()
  failing: string | undefined
  rebuilding: RebuildProgress | undefined
  readonly #options: FollowOptions
  readonly #commits = new Commits(this.offsets)
  readonly #stopping = new AbortController()
  #waiting = 0
  #wake = new AbortController()
  #lookMs = LOOK_MS.first
  #stateAt = -Infinity
  #rebuild: { readonly reason: string; readonly ends: Offsets } | undefined
  #running: Promise<void> = Promise.resolve()

  constructor(options: FollowOptions) {
    this.#options = options
  }

  async start(): Promise<void> {
    await this.#look()
    this.#running = this.#run()
  }

  async #run(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      this.#wake = new AbortController()
      const signal = AbortSignal.any([this.#stopping.signal, this.#wake.signal])
      await sleep(this.#waiting > 0 ? this.#lookMs : LOOK_MS.idle, undefined, { signal }).catch(() => {})
      if (this.#stopping.signal.aborted) return
      this.#lookMs = Math.min(this.#lookMs * 2, LOOK_MS.max)
      try {
        await this.#look()
      } catch (error) {
        if (this.failing === undefined) this.#options.logger('warn', 'project not seen', { error: errorText(error) })
        this.failing = errorText(error)
      }
    }
  }

  async #look(): Promise<void> {
    const { db } = this.#options.store
    const rows = await db
      .selectFrom('cursors')
      .select(['partition', 'next_offset'])
      .where('projection', '=', PROJECTION)
      .execute()
    if (performance.now() - this.#stateAt >= STATE_MS || this.failing !== undefined) await this.#lookAtState()
    this.#take(new Map(rows.map((row) => [row.partition, row.next_offset])), true)
  }

  async #lookAtState(): Promise<void> {
    const { db } = this.#options.store
    const workers = await workersOf(db, PROJECTION)
    const found = await db.selectFrom('meta').select('value').where('name', '=', REBUILD).executeTakeFirst()
    const { reason, ends } = JSON.parse(found?.value ?? '{}') as { reason?: string; ends?: string }
    this.#rebuild = reason === undefined || ends === undefined ? undefined : { reason, ends: parseOffsets(ends) }
    this.failing =
      workers.length === 0
        ? 'no process that runs project is alive'
        : (workers.find(({ failing }) => failing !== null)?.failing ?? undefined)
    this.#stateAt = performance.now()
  }

  /** `isWhole`: partitions that are left out are not folded at all, as while the store is emptied. */
  #take(next: Offsets, isWhole: boolean): void {
    let records = 0
    if (isWhole) for (const partition of this.offsets.keys()) if (!next.has(partition)) this.offsets.delete(partition)
    for (const [partition, offset] of next) {
      const known = this.offsets.get(partition)
      if (known === offset) continue
      records += Math.max(0, offset - (known ?? 0))
      this.offsets.set(partition, offset)
    }
    this.#measureRebuild()
    if (records === 0) return
    this.#lookMs = LOOK_MS.first
    this.#commits.tell(records * RECORD_BYTES)
  }

  #measureRebuild(): void {
    const rebuild = this.#rebuild
    this.rebuilding = undefined
    if (rebuild === undefined || includes(this.offsets, rebuild.ends)) return
    let folded = 0
    let total = 0
    for (const [partition, end] of rebuild.ends) {
      total += end
      folded += Math.min(end, this.offsets.get(partition) ?? 0)
    }
    this.rebuilding = { reason: rebuild.reason, folded, total }
  }

  async waitFor(want: Offsets, timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    if (includes(this.offsets, want)) return true
    this.#waiting += 1
    this.#lookMs = LOOK_MS.first
    this.#wake.abort()
    try {
      return await this.#commits.waitFor(want, timeoutMs, signal)
    } finally {
      this.#waiting -= 1
    }
  }

  onCommit(listener: (offsets: Offsets, bytes: number) => void): () => void {
    return this.#commits.listen(listener)
  }

  setGate(): void {}

  note(offsets: Offsets): void {
    this.#take(offsets, false)
  }

  async close(): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }
}

/** Begins to look. Throws where the store cannot be reached. */
export async function followProject(options: FollowOptions): Promise<FollowedProject> {
  const follower = new Follower(options)
  await follower.start()
  return follower
}
