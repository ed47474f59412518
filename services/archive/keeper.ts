/**
 * One process of all archives at a time: the one that has claimed it. The others stand by, and each of them serves whoever
 * waits for a snapshot in its own process.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Kysely } from 'kysely'
import type { Database } from '#schemas/tables.ts'
import { type Claim, type Claims, openClaims } from '#services/claims/claims.ts'
import { wantedCut } from '#services/lake/wants.ts'
import { errorText } from '#services/logger.ts'
import type { Offsets } from '#services/position.ts'
import { Problem } from '#services/problem.ts'
import { type Archive, type ArchiveOptions, type Snapshot, startArchive } from './archive.ts'
import { PROJECTION } from './cut.ts'

export interface KeeperOptions extends Omit<ArchiveOptions, 'fence'> {
  /** How the work is shared with other processes; undefined where no other process has this store. */
  readonly shared?: { readonly newId: () => string; readonly leaseMs: number } | undefined
}

export interface Keeper {
  /** Whether this process archives now. */
  readonly isActive: boolean
  readonly newest: Snapshot | undefined
  /** Why no cut comes about, where this process archives and one keeps failing. */
  readonly failing: string | undefined
  /** As `Archive.reach`, at once undefined where this process does not archive. */
  reach(offsets: Offsets, timeoutMs: number, signal?: AbortSignal): Promise<Snapshot | undefined>
  /** Ends the cut under way, gives the claim back and stops. */
  stop(): Promise<void>
}

/** How often the one that archives looks for what other processes ask for. */
const WANTS_MS = 150

class ArchiveKeeper implements Keeper {
  readonly #options: KeeperOptions
  readonly #stopping = new AbortController()
  #archive: Archive | undefined
  /** Why it could not begin when it was its turn. */
  #notBegun: string | undefined
  #claims: Claims | undefined
  #looking: Promise<void> = Promise.resolve()

  constructor(options: KeeperOptions) {
    this.#options = options
  }

  get isActive(): boolean {
    return this.#archive !== undefined
  }

  get newest(): Snapshot | undefined {
    return this.#archive?.newest
  }

  get failing(): string | undefined {
    return this.#archive?.failing ?? this.#notBegun
  }

  async start(): Promise<void> {
    const { store, logger, shared } = this.#options
    this.#claims = await openClaims({
      store,
      logger,
      projection: PROJECTION,
      parts: 1,
      newId: shared?.newId ?? (() => 'alone'),
      leaseMs: shared?.leaseMs,
      // A cut looks at the claim itself, in its own transaction.
      fence: async () => {},
      onTake: (claim) => this.#begin(claim),
      onDrop: async () => {
        const archive = this.#archive
        this.#archive = undefined
        await archive?.stop()
      },
      failing: () => this.failing,
    })
    this.#looking = shared === undefined ? Promise.resolve() : this.#lookForWants()
  }

  async #begin(claim: Claim): Promise<void> {
    try {
      this.#archive = await startArchive({ ...this.#options, fence: (db) => this.#fence(db, claim) })
      this.#notBegun = undefined
    } catch (error) {
      this.#notBegun = errorText(error)
      this.#options.logger('error', 'archive did not begin', { error: this.#notBegun })
      throw error
    }
  }

  /** Throws where another process has claimed the archive. Whoever wants to claim it waits until the cut is entered. */
  async #fence(db: Kysely<Database>, { part, epoch }: Claim): Promise<void> {
    const { numUpdatedRows } = await db
      .updateTable('claims')
      .set({ epoch })
      .where('projection', '=', PROJECTION)
      .where('part', '=', part)
      .where('epoch', '=', epoch)
      .executeTakeFirst()
    if (numUpdatedRows === 1n) return
    this.#claims?.look()
    throw new Problem('cursor_moved', 'another process archives by now', {
      hint: 'nothing was entered; this process stands by',
    })
  }

  async #lookForWants(): Promise<void> {
    const { store, logger } = this.#options
    const { signal } = this.#stopping
    while (!signal.aborted) {
      await sleep(WANTS_MS, undefined, { signal }).catch(() => {})
      const archive = this.#archive
      if (archive === undefined || signal.aborted) continue
      try {
        archive.want(await wantedCut(store.db))
      } catch (error) {
        logger('debug', 'wants not read', { error: errorText(error) })
      }
    }
  }

  reach(offsets: Offsets, timeoutMs: number, signal?: AbortSignal): Promise<Snapshot | undefined> {
    return this.#archive?.reach(offsets, timeoutMs, signal) ?? Promise.resolve(undefined)
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#looking
    await this.#claims?.close()
  }
}

/** Begins to archive, or to stand by. Throws where the store cannot be reached, and what `startArchive` throws where this process is alone. */
export async function keepArchive(options: KeeperOptions): Promise<Keeper> {
  const keeper = new ArchiveKeeper(options)
  await keeper.start()
  return keeper
}
