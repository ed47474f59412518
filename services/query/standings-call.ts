/** Standings of items as of a snapshot, from the store's rows: no file of the lake is read where the rows can tell. */
import { at } from '#services/analytics/columns.ts'
import { chainOf } from '#services/analytics/chain.ts'
import { type Frame, frameOf } from '#services/analytics/frame.ts'
import type { ItemRow, TrajectoryRow } from '#services/analytics/frame-rows.ts'
import type { FrameAt } from '#services/analytics/frames.ts'
import { changedAfterCut, itemsAfterCut, runAtCut } from '#services/analytics/rows-at-cut.ts'
import { rowsWhere, select } from '#services/analytics/select.ts'
import { StandingCounts, type Standings } from '#services/curriculum/standings.ts'
import { type Offsets, formatOffsets } from '#services/position.ts'
import type { Store } from '#services/store/store.ts'
import { framesOfStore } from './frame-call.ts'
import type { LakeState } from './lake-state.ts'

/** What standings are of. */
export interface StandingsWanted {
  readonly run: string
  readonly lineage: boolean
  /** The reward version to read with; that of the run unless said. */
  readonly rewardVersion: string | undefined
}

/** Trajectories that changed since a snapshot and are read once more for it; with more, the lake is read. */
const CHANGED_MAX = 20_000
/** Standings that are held for all stores and snapshots; one takes some 200 bytes. Those of one snapshot stay, however many. */
const HELD_MAX = 500_000
const SNAPSHOTS_MAX = 64

interface Held {
  readonly found: Promise<Standings>
  size: number
}

const heldOf = new WeakMap<Store, Map<string, Held>>()

function trim(held: Map<string, Held>, key: string): void {
  let total = [...held.values()].reduce((sum, { size }) => sum + size, 0)
  for (const [name, { size }] of held) {
    if (total <= HELD_MAX && held.size <= SNAPSHOTS_MAX) return
    if (name === key) continue
    total -= size
    held.delete(name)
  }
}

/** By row of a frame whether nothing changed it since the cut: 1 or 0. */
function settledRows({ size, partition, lastOffset }: Frame, cut: Offsets): Uint8Array {
  const cuts = Float64Array.from({ length: Math.max(0, ...cut.keys()) + 1 }, (_, index) => cut.get(index) ?? 0)
  const found = new Uint8Array(size)
  for (let row = 0; row < size; row++)
    if (at(lastOffset.values, row) < (cuts[at(partition.values, row)] ?? 0)) found[row] = 1
  return found
}

/** What is known of the items of some trajectories, as their frame has it. */
function itemsOf({ items }: Frame, trajectories: readonly TrajectoryRow[]): ItemRow[] {
  const ids = new Set(trajectories.flatMap(({ item_id: id }) => (id === null ? [] : [id])))
  return [...ids].flatMap((id) => {
    const code = items.ids.codeOf(id) ?? -1
    const [dataset, family, split] = [items.dataset.get(code), items.family.get(code), items.split.get(code)]
    if (dataset === null || family === null || split === null) return []
    return [{ item_id: id, dataset, family, split, distribution: items.distribution.get(code) }]
  })
}

/**
 * The standings at a cut, from the store: rows that nothing changed since, and those that something did as they were.
 * Undefined where the store cannot tell.
 */
async function fromStore(store: Store, wanted: StandingsWanted, cut: Offsets): Promise<Standings | undefined> {
  const { run, lineage, rewardVersion } = wanted
  const runs = await store.transaction(({ db }) => chainOf((runId) => runAtCut(db, runId, cut), [run], lineage))
  const { frame } = await framesOfStore(store).readFrom([run], lineage, cut)
  // What was said of a run since the snapshot may put its rollouts under another threshold, or into another chain.
  if (JSON.stringify(frame.runs) !== JSON.stringify(runs)) return undefined
  // The frame is counted before anything is waited for: what changes from here on is among what is read next.
  const counts = new StandingCounts()
  const isSettled = settledRows(frame, cut)
  counts.add(rowsWhere(select(frame, { conflicted: false }, rewardVersion), (row) => isSettled[row] === 1))
  const later = await store.transaction(async ({ db }) => {
    const runIds = runs.map(({ run_id: runId }) => runId)
    return { rows: await changedAfterCut(db, runIds, cut, CHANGED_MAX), items: await itemsAfterCut(db, cut) }
  })
  if (later.rows === undefined) return undefined
  const trajectories = later.rows.filter(({ trajectory_id: id }) => isSettled[frame.rowOf(id) ?? -1] !== 1)
  const changed = frameOf({ runs, trajectories, items: itemsOf(frame, trajectories) })
  counts.add(select(changed, { conflicted: false }, rewardVersion))
  return counts.standings(later.items)
}

/**
 * The standings as of a snapshot: exactly what the rows of that snapshot give. Made once for each snapshot and kept; a
 * new snapshot costs one walk over the frame of the run and a look at what changed since. `fromLake` gives the frame of the
 * snapshot where the store's rows cannot tell: a run that was started or changed since, or a snapshot far behind.
 */
export function standingsAt(
  store: Store,
  wanted: StandingsWanted,
  { id, cut }: LakeState,
  fromLake: () => Promise<FrameAt>,
): Promise<Standings> {
  let held = heldOf.get(store)
  if (held === undefined) heldOf.set(store, (held = new Map()))
  const here = held
  const key = JSON.stringify([id, formatOffsets(cut), wanted.run, wanted.lineage, wanted.rewardVersion ?? null])
  const known = here.get(key)
  if (known !== undefined) {
    here.delete(key)
    here.set(key, known)
    return known.found
  }
  const make = async (): Promise<Standings> => {
    const told = await fromStore(store, wanted, cut)
    if (told !== undefined) return told
    const counts = new StandingCounts()
    counts.add(select((await fromLake()).frame, { conflicted: false }, wanted.rewardVersion))
    return counts.standings()
  }
  const entry: Held = { found: make(), size: 0 }
  here.set(key, entry)
  entry.found.then(
    ({ all }) => {
      entry.size = all.length
      trim(here, key)
    },
    () => here.delete(key),
  )
  return entry.found
}
