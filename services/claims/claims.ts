/**
 * Shares the parts of a projection among the processes that live. Who works on a part is written in the store, with an
 * epoch; a lease only says when others may take it. What keeps two owners apart is the epoch, never the lease.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Kysely } from 'kysely'
import type { Database } from '#schemas/tables.ts'
import { errorText, type Logger } from '#services/logger.ts'
import type { Store } from '#services/store/store.ts'
import { type Claim, join, leave, owned, release, renew, take, workersOf } from './statements.ts'

export { type Claim, disown, workersOf } from './statements.ts'

export interface ClaimsOptions {
  readonly store: Store
  readonly logger: Logger
  /** What is shared: the workers of this name divide its parts. */
  readonly projection: string
  /** How many parts there are, from 0 on. */
  readonly parts: number
  /** A new name for this process, never the same twice. */
  readonly newId: () => string
  /** How long a worker that does not renew keeps its parts. Undefined: no other process has this store, and everything is taken at once. */
  readonly leaseMs?: number | undefined
  /** Runs in the transaction that takes a part, and sees to it that an older epoch writes nothing from then on. Throws to leave the part alone. */
  readonly fence: (db: Kysely<Database>, claim: Claim) => Promise<void>
  /** Begins to work on a part. */
  readonly onTake: (claim: Claim) => Promise<void>
  /** Ends work on a part at a boundary. */
  readonly onDrop: (part: number) => Promise<void>
  /** Why the work does not go on, if it does not; others can read it. */
  readonly failing: () => string | undefined
}

export interface Claims {
  /** The parts that this process works on, with their epochs. */
  readonly held: ReadonlyMap<number, number>
  /** How many workers live, this one included. */
  readonly live: number
  /** Looks at once whether what is held is still ours: after a write was refused. */
  look(): void
  /** Ends all work and gives every part back. */
  close(): Promise<void>
}

/** A lease is renewed so many times in its length. */
const RENEWALS = 4

/** How many of `parts` the worker at `index` of `workers` works on: as even as can be, and all of them together exactly `parts`. */
export function shareOf(parts: number, workers: number, index: number): number {
  if (index < 0 || workers < 1) return 0
  return Math.floor(parts / workers) + (index < parts % workers ? 1 : 0)
}

class Claimant implements Claims {
  readonly held = new Map<number, number>()
  live = 1
  readonly #options: ClaimsOptions
  readonly #stopping = new AbortController()
  #id: string
  #isLost = false
  #wake = new AbortController()
  #running: Promise<unknown> = Promise.resolve()

  constructor(options: ClaimsOptions) {
    this.#options = options
    this.#id = options.newId()
  }

  async start(): Promise<void> {
    const { leaseMs, parts, store, projection } = this.#options
    if (leaseMs === undefined) {
      for (let part = 0; part < parts; part++) await this.#take(part, true)
      return
    }
    await join(store.db, this.#id, projection, leaseMs)
    await this.#balance(leaseMs)
    this.#running = Promise.all([this.#renewing(leaseMs), this.#balancing(leaseMs)])
  }

  /** Apart from the balancing, which may wait for a batch under way. */
  async #renewing(leaseMs: number): Promise<void> {
    const { signal } = this.#stopping
    while (await slept(leaseMs / RENEWALS, signal)) {
      try {
        if (this.#isLost || (await renew(this.#options.store.db, this.#id, leaseMs, this.#options.failing()))) continue
        this.#isLost = true
        this.look()
      } catch (error) {
        this.#warn('lease not renewed', error)
      }
    }
  }

  async #balancing(leaseMs: number): Promise<void> {
    for (;;) {
      this.#wake = new AbortController()
      await slept(leaseMs / RENEWALS, AbortSignal.any([this.#stopping.signal, this.#wake.signal]))
      if (this.#stopping.signal.aborted) return
      try {
        if (this.#isLost) await this.#begin(leaseMs)
        await this.#balance(leaseMs)
      } catch (error) {
        this.#warn('claims not balanced', error)
      }
    }
  }

  /** A new life: after a lease ran out, whatever was held may belong to others. */
  async #begin(leaseMs: number): Promise<void> {
    const { store, projection, logger, newId } = this.#options
    logger('warn', 'the lease ran out: everything is given up and claimed anew', { projection, parts: this.held.size })
    for (const part of this.held.keys()) await this.#drop(part)
    await leave(store, this.#id)
    this.#id = newId()
    await join(store.db, this.#id, projection, leaseMs)
    this.#isLost = false
  }

  /** Drops what is not ours any more and what is more than our share; takes what is free up to our share. */
  async #balance(leaseMs: number): Promise<void> {
    const { store, projection, parts } = this.#options
    const workers = (await workersOf(store.db, projection)).map(({ worker_id }) => worker_id)
    const known = new Map((await owned(store.db, projection)).map((row) => [row.part, row]))
    for (const [part, epoch] of this.held) {
      const row = known.get(part)
      if (row?.owner !== this.#id || row.epoch !== epoch) await this.#drop(part)
    }
    this.live = Math.max(1, workers.length)
    const index = workers.indexOf(this.#id)
    if (index < 0) return
    const share = shareOf(parts, workers.length, index)
    for (const part of [...this.held.keys()].slice(share)) {
      await this.#drop(part)
      await release(store.db, projection, part, this.#id)
    }
    // Each begins elsewhere, so that they do not all try for the same one.
    const first = Math.floor((index * parts) / workers.length)
    for (let nth = 0; nth < parts && this.held.size < share; nth++) {
      const part = (first + nth) % parts
      const owner = known.get(part)?.owner ?? null
      // What is ours and not held was taken by a transaction whose answer was lost.
      const isFree = owner === null || owner === this.#id || !workers.includes(owner)
      if (isFree && !this.held.has(part) && !this.#stopping.signal.aborted) await this.#tryTake(part, leaseMs)
    }
  }

  async #tryTake(part: number, leaseMs: number): Promise<void> {
    try {
      await this.#take(part, false)
    } catch (error) {
      // Somebody else was quicker, or holds rows of it: asked again soon.
      this.#options.logger('info', 'part not taken', { part, again_in_ms: leaseMs / RENEWALS, error: errorText(error) })
    }
  }

  async #take(part: number, byForce: boolean): Promise<void> {
    const { store, projection, fence, onTake, logger } = this.#options
    const claim = await take(store, { projection, part, worker: this.#id, byForce }, fence)
    if (claim === undefined) return
    this.held.set(part, claim.epoch)
    logger('debug', 'part taken', { projection, part, epoch: claim.epoch })
    try {
      await onTake(claim)
    } catch (error) {
      this.held.delete(part)
      await release(store.db, projection, part, this.#id)
      throw error
    }
  }

  async #drop(part: number): Promise<void> {
    const { projection, onDrop, logger } = this.#options
    this.held.delete(part)
    await onDrop(part)
    logger('debug', 'part dropped', { projection, part })
  }

  #warn(what: string, error: unknown): void {
    this.#options.logger('warn', what, { projection: this.#options.projection, error: errorText(error) })
  }

  look(): void {
    this.#wake.abort()
  }

  async close(): Promise<void> {
    this.#stopping.abort()
    await this.#running
    for (const part of this.held.keys()) await this.#drop(part)
    // The one who is alone has nobody to tell.
    if (this.#options.leaseMs === undefined) return
    await leave(this.#options.store, this.#id).catch((error: unknown) => this.#warn('parts not given back', error))
  }
}

/** False where it was cut short. */
async function slept(ms: number, signal: AbortSignal): Promise<boolean> {
  return sleep(ms, true, { signal }).catch(() => false)
}

/** Begins to claim. Throws where the store cannot be reached. */
export async function openClaims(options: ClaimsOptions): Promise<Claims> {
  const claimant = new Claimant(options)
  await claimant.start()
  return claimant
}
