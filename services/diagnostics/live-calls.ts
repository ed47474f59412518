/**
 * The calls of runs as they are now. What the lake has is read once, from its newest snapshot; what changed since is read
 * from the log, at the places that the store names, so that nothing waits for a cut.
 */
import type { Kysely } from 'kysely'
import type { Database } from '#schemas/tables.ts'
import type { Engine, LakePaths } from '#services/analytics/lake-rows.ts'
import type { ReadEvent } from '#services/core/event-reader.ts'
import { type Offsets, includes, union } from '#services/position.ts'
import { callsOfEvents } from './call-events.ts'
import { type CallFacts, callFacts, finishedSince } from './call-facts.ts'
import { annotationsOf, putCalls } from './call-rows.ts'
import { CallTable } from './call-table.ts'

/** Where calls are read from. */
export interface CallSource {
  readonly engine: Engine
  readonly runIds: readonly string[]
  /** The newest snapshot: the files of CALL_TABLES, and below what it includes everything. Undefined where there is none. */
  lake(): Promise<{ readonly paths: LakePaths; readonly cut: Offsets } | undefined>
  /** Reads the store, whose cursors `work` is given. */
  store<Result>(work: (db: Kysely<Database>, cursors: Offsets) => Promise<Result>): Promise<Result>
  /** The events at these places of the log, in their order. Throws `corrupt` where one is nowhere. */
  events(places: readonly { readonly partition: number; readonly offset: number }[]): Promise<readonly ReadEvent[]>
}

/** Calls that others were put in the place of stay where they lie; with so many of them the table is made anew. */
const WASTED_MAX = 1_000_000
/** Trajectories whose events are read at a time: 64 of 12 events take some 20 ms. */
const PAGE = 64

export class LiveCalls {
  #table = new CallTable()
  /** What the table includes; undefined while it is to be made. */
  #offsets: Offsets | undefined
  #reading: Promise<void> = Promise.resolve()

  /** Read it before the next `await`: it changes with later requests. */
  get table(): CallTable {
    return this.#table
  }

  /** Brings the table up to a state that includes the offsets, which the store does already. */
  async reach(offsets: Offsets, source: CallSource): Promise<void> {
    const mine = this.#reading.then(() => this.#reached(offsets, source))
    this.#reading = mine.catch(() => undefined)
    await mine
  }

  async #reached(offsets: Offsets, source: CallSource): Promise<void> {
    if (this.#table.wasted > WASTED_MAX) this.#offsets = undefined
    const from = this.#offsets ?? (await this.#load(source))
    if (includes(from, offsets)) return
    const { changed, now } = await source.store(async (db, cursors) => ({
      changed: await finishedSince(db, source.runIds, from, cursors),
      now: cursors,
    }))
    for (let first = 0; first < changed.length; first += PAGE) {
      const page = changed.slice(first, first + PAGE)
      await this.#put(await source.store((db) => callFacts(db, page)), source)
    }
    this.#offsets = union(from, now)
  }

  async #load(source: CallSource): Promise<Offsets> {
    const { engine, runIds } = source
    const table = new CallTable()
    const newest = await source.lake()
    if (newest !== undefined) {
      const { paths } = newest
      await putCalls(table, engine, paths, runIds)
      for (const [id, annotations] of await annotationsOf(engine, paths, runIds)) table.annotate(id, annotations)
    }
    this.#table = table
    this.#offsets = newest?.cut ?? new Map()
    return this.#offsets
  }

  async #put(facts: readonly CallFacts[], source: CallSource): Promise<void> {
    const places = facts.flatMap(({ partition, started, steps }) =>
      (steps.length === 0 || started === null ? steps : [started, ...steps]).map((offset) => ({ partition, offset })),
    )
    const events = await source.events(places)
    let next = 0
    for (const { trajectory_id: id, started, steps, annotations } of facts) {
      const first = steps.length === 0 || started === null ? undefined : events[next++]
      const taken = events.slice(next, next + steps.length)
      next += steps.length
      this.#table.put(
        id,
        callsOfEvents(
          first?.data,
          taken.map(({ data }) => data),
        ),
      )
      this.#table.annotate(id, annotations)
    }
  }
}
