/**
 * Tables of calls that are kept between requests, of runs as they are now and of snapshots. Bounded by bytes; the table
 * that was not asked for the longest goes first.
 */
import type { Engine, LakePaths } from '#services/analytics/lake-rows.ts'
import type { Frame } from '#services/analytics/frame.ts'
import type { FrameAt } from '#services/analytics/frames.ts'
import { annotationsOf, putCalls } from './call-rows.ts'
import { CallTable } from './call-table.ts'
import { type CallSource, LiveCalls } from './live-calls.ts'

export interface CallsOfSnapshot {
  readonly engine: Engine
  /** The files of CALL_TABLES at the snapshot. */
  readonly paths: LakePaths
  readonly runIds: readonly string[]
  readonly snapshot: number
}

type Kept =
  | { readonly frame: WeakRef<Frame>; readonly calls: LiveCalls }
  | { readonly loading: Promise<CallTable>; table: CallTable }

const BYTES_MAX = 512 * 1024 * 1024

const tableOf = (kept: Kept): CallTable => ('calls' in kept ? kept.calls.table : kept.table)

async function loaded({ engine, paths, runIds }: CallsOfSnapshot): Promise<CallTable> {
  const table = new CallTable()
  await putCalls(table, engine, paths, runIds)
  for (const [id, annotations] of await annotationsOf(engine, paths, runIds)) table.annotate(id, annotations)
  return table
}

export class CallBook {
  readonly #bytesMax: number
  /** In the order of their last use, the newest last. */
  readonly #kept = new Map<string, Kept>()

  constructor(bytesMax: number = BYTES_MAX) {
    this.#bytesMax = bytesMax
  }

  /** The calls of all finished trajectories that a frame of the store holds by now. Read the table before the next `await`. */
  async live({ frame, offsets }: FrameAt, source: CallSource): Promise<CallTable> {
    const key = JSON.stringify(frame.runs)
    const known = this.#kept.get(key)
    // The frame of a store that was folded anew is another one, and so are its calls.
    const isSame = known !== undefined && 'calls' in known && known.frame.deref() === frame
    const kept = isSame ? known : { frame: new WeakRef(frame), calls: new LiveCalls() }
    this.#use(key, kept)
    await kept.calls.reach(offsets, source)
    this.#trim(key)
    return kept.calls.table
  }

  /** The calls of a snapshot, which never change. */
  async at(wanted: CallsOfSnapshot): Promise<CallTable> {
    const key = JSON.stringify([wanted.snapshot, wanted.runIds])
    const known = this.#kept.get(key)
    const kept = known !== undefined && 'loading' in known ? known : { loading: loaded(wanted), table: new CallTable() }
    this.#use(key, kept)
    try {
      kept.table = await kept.loading
    } catch (error) {
      this.#kept.delete(key)
      throw error
    }
    this.#trim(key)
    return kept.table
  }

  #use(key: string, kept: Kept): void {
    this.#kept.delete(key)
    this.#kept.set(key, kept)
  }

  #trim(key: string): void {
    let total = [...this.#kept.values()].reduce((sum, kept) => sum + tableOf(kept).bytes, 0)
    for (const [name, kept] of this.#kept) {
      if (total <= this.#bytesMax) return
      if (name === key) continue
      total -= tableOf(kept).bytes
      this.#kept.delete(name)
    }
  }
}
