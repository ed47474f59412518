/**
 * Tables of calls that are kept between requests. Files of the lake never change: of a later snapshot only the files
 * that the one before had not are read. Bounded by bytes; the table that was not asked for the longest goes first.
 */
import type { Engine, LakePaths } from '#services/analytics/lake-rows.ts'
import { annotationsOf, putCalls } from './call-rows.ts'
import { CallTable } from './call-table.ts'

export interface CallsWanted {
  readonly engine: Engine
  /** The files of CALL_TABLES at the snapshot. */
  readonly paths: LakePaths
  readonly runIds: readonly string[]
  /** Names the snapshot where it is a given one; the newest ones share a table that goes on. */
  readonly snapshot: number | undefined
}

interface Kept {
  table: CallTable
  /** Files of trajectories that are in the table. */
  files: Set<string>
  /** The files of annotations as a text. */
  annotations: string
  /** What is being read, one after the other. */
  reading: Promise<void>
}

const BYTES_MAX = 512 * 1024 * 1024
/** Calls that others were put in the place of stay where they lie; with so many of them the table is made anew. */
const WASTED_MAX = 1_000_000

export class CallBook {
  readonly #bytesMax: number
  readonly #kept = new Map<string, Kept>()

  constructor(bytesMax: number = BYTES_MAX) {
    this.#bytesMax = bytesMax
  }

  /** The table of these runs. Read it before the next `await`: it changes with later requests. */
  async read(wanted: CallsWanted): Promise<CallTable> {
    const key = JSON.stringify([wanted.snapshot ?? null, wanted.runIds])
    const kept = this.#kept.get(key) ?? {
      table: new CallTable(),
      files: new Set<string>(),
      annotations: '',
      reading: Promise.resolve(),
    }
    this.#kept.delete(key)
    this.#kept.set(key, kept)
    const mine = kept.reading.then(() => this.#refresh(kept, wanted))
    kept.reading = mine.catch(() => undefined)
    await mine
    this.#trim(key)
    return kept.table
  }

  async #refresh(kept: Kept, { engine, paths, runIds }: CallsWanted): Promise<void> {
    const files = paths.trajectories ?? []
    let fresh = files.filter((file) => !kept.files.has(file))
    if (kept.table.wasted > WASTED_MAX) {
      kept.table = new CallTable()
      kept.files = new Set()
      kept.annotations = ''
      fresh = [...files]
    }
    await putCalls(kept.table, engine, paths, runIds, fresh)
    kept.files = new Set(files)
    const annotations = JSON.stringify(paths.annotations ?? [])
    if (annotations === kept.annotations && fresh.length === 0) return
    kept.table.annotate(await annotationsOf(engine, paths, runIds))
    kept.annotations = annotations
  }

  #trim(key: string): void {
    let total = [...this.#kept.values()].reduce((sum, { table }) => sum + table.bytes, 0)
    for (const [name, { table }] of this.#kept) {
      if (total <= this.#bytesMax) return
      if (name === key) continue
      total -= table.bytes
      this.#kept.delete(name)
    }
  }
}
