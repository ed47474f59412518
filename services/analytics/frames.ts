/**
 * Frames that are kept between requests: loaded from the store's rows once, then brought up to date before each read
 * with what changed since. Bounded by bytes; the frame that was not asked for the longest goes first.
 */
import { type Kysely, sql } from 'kysely'
import type { Database } from '#schemas/tables.ts'
import { type Offsets, includes } from '#services/position.ts'
import { Problem } from '#services/problem.ts'
import type { Store } from '#services/store/store.ts'
import { chainOf } from './chain.ts'
import { Frame } from './frame.ts'
import type { FrameRun } from './frame-rows.ts'
import { changedSince, itemsById, storedRun, trajectoriesById, trajectoryPage } from './store-rows.ts'

/** A frame and the state of the log that it stands for. */
export interface FrameAt {
  readonly frame: Frame
  readonly offsets: Offsets
}

export interface Frames {
  /**
   * The frame of these runs as the store is now. Compute from it before the next `await`: it changes with later reads.
   * Throws `too_large` for runs of more trajectories than a frame may hold.
   */
  read(runIds: readonly string[], lineage: boolean): Promise<FrameAt>
  /** The same at any state that includes these offsets: where what is held does, the store's rows are not read again. */
  readFrom(runIds: readonly string[], lineage: boolean, offsets: Offsets): Promise<FrameAt>
  /** A frame that never changes, made once for its name. */
  fixed(name: string, load: () => Promise<FrameAt>): Promise<FrameAt>
}

export interface FramesOptions {
  readonly store: Store
  /** What all frames together may take. The one that is being read stays, whatever its size. */
  readonly bytesMax?: number
  /** The most trajectories of one frame. */
  readonly rowsMax?: number
}

/** 300,000 trajectories take about 150 MB. */
const BYTES_MAX = 1024 * 1024 * 1024
const ROWS_MAX = 5_000_000
/** Trajectories read in one transaction. The embedded store has one connection, which the projection waits for. */
const PAGE_ROWS = 10_000

/** The cursors of the store as this transaction sees them. */
async function cursors(db: Kysely<Database>): Promise<Offsets> {
  const rows = await db
    .selectFrom('cursors')
    .select(['partition', 'next_offset'])
    .where('projection', '=', 'project')
    .execute()
  return new Map(rows.map(({ partition, next_offset: next }) => [partition, Number(next)]))
}

/** Which table of trajectories it is: a rebuild beside puts another in its place, at the same cursors. */
async function tableId(db: Kysely<Database>): Promise<string> {
  const { rows } = await sql<{ id: string }>`select to_regclass('trajectories')::oid::text as id`.execute(db)
  return rows[0]?.id ?? ''
}

/** The store was folded anew: what the frame holds is of rows that are no more. */
const STALE = new Problem('internal', 'the store was folded anew')

class LiveFrame {
  readonly frame: Frame
  offsets: Offsets = new Map()
  readonly #store: Store
  readonly #runIds: readonly string[]
  #loaded = false
  #table = ''
  #running: Promise<void> | undefined
  #next: Promise<void> | undefined

  constructor(store: Store, runs: readonly FrameRun[]) {
    this.#store = store
    this.#runIds = runs.map(({ run_id: runId }) => runId)
    this.frame = new Frame({ runs, trajectories: [], items: [] })
  }

  /** Brings it up to a state that is no older than this call. Calls that wait for the same update share it. */
  refresh(): Promise<void> {
    if (this.#running === undefined) {
      this.#running = this.#refreshed().finally(() => (this.#running = undefined))
      return this.#running
    }
    // What runs may have read the cursors already; the next one has not.
    this.#next ??= this.#running
      .catch(() => undefined)
      .then(() => {
        this.#next = undefined
        return this.refresh()
      })
    return this.#next
  }

  /** Whether it stands for these offsets already. */
  holds(offsets: Offsets): boolean {
    return this.#loaded && this.#running === undefined && includes(this.offsets, offsets)
  }

  async #refreshed(): Promise<void> {
    if (!this.#loaded) await this.#load()
    for (;;) {
      const many = await this.#store.transaction(async ({ db }) => {
        const now = await cursors(db)
        if ((await tableId(db)) !== this.#table) throw STALE
        if ([...this.offsets].some(([partition, offset]) => offset > (now.get(partition) ?? 0))) throw STALE
        const changed = await changedSince(db, this.#runIds, this.offsets, now)
        if (changed.length > PAGE_ROWS) return { changed, now }
        const trajectories = await trajectoriesById(db, changed)
        this.frame.update({ trajectories, items: await itemsById(db, this.#unregistered(trajectories)) })
        this.offsets = now
        return undefined
      })
      if (many === undefined) return
      for (let from = 0; from < many.changed.length; from += PAGE_ROWS)
        await this.#put(await trajectoriesById(this.#store.db, many.changed.slice(from, from + PAGE_ROWS)))
      this.offsets = many.now
    }
  }

  /**
   * Reads all rows, page by page, so that the projection goes on in between. Pages are of different states, none older
   * than the cursors read first; what changed since those is read again afterwards.
   */
  async #load(): Promise<void> {
    const [before, table] = await this.#store.transaction(
      async ({ db }) => [await cursors(db), await tableId(db)] as const,
    )
    this.#table = table
    for (const runId of this.#runIds) {
      for (let after: string | undefined; ;) {
        const page = await this.#store.transaction(({ db }) => trajectoryPage(db, runId, after, PAGE_ROWS))
        await this.#put(page.rows)
        if (page.last === undefined) break
        after = page.last
      }
    }
    this.offsets = before
    this.#loaded = true
  }

  async #put(trajectories: Awaited<ReturnType<typeof trajectoriesById>>): Promise<void> {
    this.frame.update({ trajectories, items: await itemsById(this.#store.db, this.#unregistered(trajectories)) })
  }

  /** Items that nothing is known of yet: those of the new rows, and those that were not registered when last asked. */
  #unregistered(added: readonly { readonly item_id: string | null }[]): string[] {
    const { items } = this.frame
    const isKnown = (code: number | undefined) => code !== undefined && items.dataset.code(code) >= 0
    const before = items.ids.texts.filter((_, code) => !isKnown(code))
    const now = added.flatMap(({ item_id: id }) => (id === null || isKnown(items.ids.codeOf(id)) ? [] : [id]))
    return [...new Set([...before, ...now])]
  }
}

async function checkSize(db: Kysely<Database>, runIds: readonly string[], rowsMax: number): Promise<void> {
  const found = await db
    .selectFrom('run_totals')
    .select(sql<number>`coalesce(sum(n_trajectories), 0)::double precision`.as('n'))
    .where('run_id', 'in', runIds)
    .executeTakeFirst()
  if (Number(found?.n ?? 0) > rowsMax)
    throw new Problem(
      'too_large',
      `statistics are over at most ${rowsMax} trajectories, and these runs have ${found?.n}`,
      {
        hint: 'ask the lake: POST /v1/sql',
      },
    )
}

/** Frames over a store. */
export function frames(options: FramesOptions): Frames {
  const { store, bytesMax = BYTES_MAX, rowsMax = ROWS_MAX } = options
  /** In the order of their last use, the newest last. */
  const kept = new Map<string, { readonly bytes: () => number; readonly entry: LiveFrame | Promise<FrameAt> }>()
  const use = <Entry extends LiveFrame | Promise<FrameAt>>(
    key: string,
    make: () => Entry,
    bytes: (e: Entry) => () => number,
  ): Entry => {
    const known = kept.get(key)
    kept.delete(key)
    if (known !== undefined) {
      kept.set(key, known)
      return known.entry as Entry
    }
    const entry = make()
    kept.set(key, { entry, bytes: bytes(entry) })
    return entry
  }
  const trim = (key: string): void => {
    let total = [...kept.values()].reduce((sum, { bytes }) => sum + bytes(), 0)
    for (const [name, { bytes }] of kept) {
      if (total <= bytesMax) return
      if (name === key) continue
      total -= bytes()
      kept.delete(name)
    }
  }
  const read = async (runIds: readonly string[], lineage: boolean, from?: Offsets): Promise<FrameAt> => {
    const runs = await chainOf((runId) => storedRun(store.db, runId), runIds, lineage)
    // A run that is told more of later (its threshold, say) is another frame.
    const key = JSON.stringify(runs)
    if (!kept.has(key)) {
      const ids = runs.map(({ run_id: id }) => id)
      await checkSize(store.db, ids, rowsMax)
    }
    const live = use(
      key,
      () => new LiveFrame(store, runs),
      (entry) => () => entry.frame.bytes,
    )
    try {
      if (from === undefined || !live.holds(from)) await live.refresh()
    } catch (error) {
      // It is read anew: by this call where the store was folded anew, else by the next.
      kept.delete(key)
      if (error === STALE) return read(runIds, lineage, from)
      throw error
    }
    trim(key)
    return { frame: live.frame, offsets: live.offsets }
  }
  return {
    read: (runIds, lineage) => read(runIds, lineage),
    readFrom: read,
    fixed: async (name, load) => {
      let bytes = 0
      const loaded = use(`fixed ${name}`, load, () => () => bytes)
      try {
        const found = await loaded
        bytes = found.frame.bytes
        trim(`fixed ${name}`)
        return found
      } catch (error) {
        kept.delete(`fixed ${name}`)
        throw error
      }
    },
  }
}
