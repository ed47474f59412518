/** Reads of frames: the parameters that all statistics share, and the frame and rows that they mean. */
import type { LakeTableName } from '#schemas/lake.ts'
import { type AdvantageTable, advantageTable } from '#services/analytics/advantage-table.ts'
import type { Advantage } from '#services/core/advantage.ts'
import type { Frame } from '#services/analytics/frame.ts'
import { type Frames, type FrameAt, frames } from '#services/analytics/frames.ts'
import { type LakePaths, FRAME_TABLES, lakeFrame, lakeRuns } from '#services/analytics/lake-rows.ts'
import { chainOf } from '#services/analytics/chain.ts'
import { type FrameFilter, type Selection, select } from '#services/analytics/select.ts'
import { type Metric, lakeMetrics, storedMetrics } from '#services/analytics/metric-rows.ts'
import { filesAt } from '#services/lake/catalog.ts'
import { Problem } from '#services/problem.ts'
import type { Store } from '#services/store/store.ts'
import type { NumberCondition } from '#services/number-condition.ts'
import type { QueryDeps } from './deps.ts'
import { flag, integer, many, required, text, word } from './parameters.ts'
import { type Reading, reached, wanted } from './reading.ts'
import { READ_PARAMETERS } from './route.ts'
import { TRAJECTORY_FILTERS } from './rows/scored.ts'
import { checkIncludes, cutOf, snapshotOf } from './snapshots.ts'

const { policy_version, train_step, dataset, family, split, item, status } = TRAJECTORY_FILTERS

/** What all statistics take. */
export const FRAME_PARAMETERS = {
  ...READ_PARAMETERS,
  run: required(text('The run.')),
  lineage: flag(
    'true: with the runs that it resumes, each cut where the next began (resumed_at_train_step), so that steps that were played again count once. Rollouts of an ancestor without a train step are left out.',
  ),
  snapshot: integer('Answer from the lake as of this snapshot, and not from what is folded by now.', { minimum: 1 }),
  policy_version,
  train_step,
  dataset,
  family,
  split,
  item,
  status,
  reward_version: text('The reward version to read with, instead of that of the run.'),
  include: many(
    word(
      ['conflicted', 'incomplete'],
      'conflicted: count trajectories, too, of which events came again with other content. incomplete: count groups, too, that have fewer members than expected. Both are left out otherwise, and incomplete groups are counted.',
    ),
  ),
}

/** The parameters as a route sees them. */
export interface FrameQuery {
  readonly lineage: boolean | undefined
  readonly snapshot: number | undefined
  readonly policy_version: NumberCondition
  readonly train_step: NumberCondition
  readonly dataset: readonly string[]
  readonly family: readonly string[]
  readonly split: readonly string[]
  readonly item: readonly string[]
  readonly status: readonly string[]
  readonly include: readonly string[]
}

/** A read of a frame: a call with these parameters. */
export interface FrameCall extends Reading {
  readonly query: Reading['query'] & FrameQuery
}

/** The frames of each store that is open: they live as long as it does. */
const kept = new WeakMap<Store, Frames>()

/** The frames of a store. */
export function framesOfStore(store: Store): Frames {
  let found = kept.get(store)
  if (found === undefined) kept.set(store, (found = frames({ store })))
  return found
}

/** The local paths of the files of lake tables at a snapshot. */
export async function pathsAt(
  deps: QueryDeps,
  snapshotId: number,
  tables: readonly LakeTableName[] = FRAME_TABLES,
): Promise<LakePaths> {
  const found: Record<string, string[]> = {}
  for (const table of tables) {
    const paths: string[] = []
    for (const file of await filesAt(deps.store.db, table, snapshotId))
      paths.push(await deps.blobs.localPath(file.path))
    found[table] = paths
  }
  return found
}

/** A frame of the lake. Kept like the others: a snapshot never changes. */
async function frameAt(call: FrameCall, runIds: readonly string[], snapshotId: number): Promise<FrameAt> {
  const { deps } = call
  const snapshot = await snapshotOf(deps.store.db, snapshotId)
  checkIncludes(snapshot, await wanted(call))
  const { engine } = deps
  if (engine === undefined)
    throw new Problem('unavailable', 'this process does not read the lake', { hint: 'leave snapshot out' })
  const lineage = call.query.lineage === true
  return framesOfStore(deps.store).fixed(JSON.stringify([snapshotId, runIds, lineage]), async () => {
    const paths = await pathsAt(deps, snapshotId)
    const known = await lakeRuns(engine, paths)
    const runs = await chainOf((runId) => Promise.resolve(known.get(runId)), runIds, lineage)
    return { frame: await lakeFrame(engine, paths, runs), offsets: cutOf(snapshot) }
  })
}

/**
 * The frame that a call asks for: of the store, after the state that it waits for, or of the lake. Compute from it before
 * the next `await`. Throws `behind`, `not_found`, `snapshot_expired`, `too_large`.
 */
export async function frameOfCall(call: FrameCall, runIds: readonly string[]): Promise<FrameAt> {
  const { lineage, snapshot } = call.query
  if (snapshot !== undefined) return frameAt(call, runIds, snapshot)
  await reached(call)
  return framesOfStore(call.deps.store).read(runIds, lineage === true)
}

/** What trainers logged of the runs of a frame, of the same source as the frame. No names: all. */
export async function metricsOfCall(call: FrameCall, { frame }: FrameAt, names: readonly string[]): Promise<Metric[]> {
  const { deps } = call
  const { snapshot } = call.query
  if (snapshot === undefined || deps.engine === undefined) return storedMetrics(deps.store.db, frame.runs, names)
  return lakeMetrics(deps.engine, await pathsAt(deps, snapshot), frame.runs, names)
}

/** The filter that the parameters mean. */
export function frameFilter(query: FrameQuery): FrameFilter {
  return {
    policyVersion: query.policy_version,
    trainStep: query.train_step,
    datasets: query.dataset,
    families: query.family,
    splits: query.split,
    items: query.item,
    statuses: query.status,
    conflicted: query.include.includes('conflicted'),
  }
}

/** What is said where a reward version is one for all of them. */
export function severalVersions(known: readonly string[] = []): Problem {
  return new Problem('invalid_parameter', 'these statistics are over one reward version', {
    hint: `name ${known.length === 0 ? 'one' : `one of ${known.join(', ')}`}, or leave it out for that of the run`,
    details: { parameter: 'reward_version' },
  })
}

/** The rows that a call means, read with one reward version. Throws `invalid_parameter` for several, or one that nothing was scored with. */
export function selectionOf(
  at: FrameAt,
  query: FrameQuery & { readonly reward_version: string | undefined },
): Selection {
  const { reward_version: version } = query
  if (version === '*') throw severalVersions(at.frame.rewardVersions)
  return selected(at.frame, frameFilter(query), version)
}

/** Selections of frames as they are now, so that what is worked out of one serves all routes that ask for the same. */
const selections = new WeakMap<Frame, { readonly version: number; readonly found: Map<string, Selection> }>()
const SELECTIONS_MAX = 4

/** The rows that fit. Throws nothing, and is one and the same while the frame stays as it is. */
export function selected(frame: Frame, filter: FrameFilter, version: string | undefined): Selection {
  let held = selections.get(frame)
  if (held === undefined || held.version !== frame.version)
    selections.set(frame, (held = { version: frame.version, found: new Map<string, Selection>() }))
  const key = JSON.stringify([filter, version])
  const known = held.found.get(key)
  if (known !== undefined) return known
  const made = select(frame, filter, version)
  held.found.set(key, made)
  const [oldest] = held.found.keys()
  if (held.found.size > SELECTIONS_MAX && oldest !== undefined) held.found.delete(oldest)
  return made
}

/** What was computed of a frame as it is now. The oldest goes first: a table of advantages takes 17 bytes a trajectory. */
const computed = new WeakMap<Frame, { version: number; readonly values: Map<string, unknown> }>()
const COMPUTED_MAX = 12

/**
 * What `compute` gives for the rows that a query means, computed once while the frame stays as it is. `name` and `more`
 * are all that it depends on besides the rows. Callers must not change it.
 */
export function remembered<Value>(
  { frame }: FrameAt,
  query: FrameQuery & { readonly reward_version: string | undefined },
  name: string,
  more: unknown,
  compute: () => Value,
): Value {
  let held = computed.get(frame)
  if (held === undefined || held.version !== frame.version)
    computed.set(frame, (held = { version: frame.version, values: new Map() }))
  const key = JSON.stringify([name, frameFilter(query), query.include, query.reward_version, more])
  if (held.values.has(key)) return held.values.get(key) as Value
  const value = compute()
  held.values.set(key, value)
  const [oldest] = held.values.keys()
  if (held.values.size > COMPUTED_MAX && oldest !== undefined) held.values.delete(oldest)
  return value
}

/** The advantages that a query means, computed once for all that ask for the same. */
export function advantagesOf(
  at: FrameAt,
  query: Parameters<typeof selectionOf>[1] & { readonly advantage: Advantage; readonly tolerance: number },
): AdvantageTable {
  const { advantage, tolerance } = query
  const incomplete = query.include.includes('incomplete')
  return remembered(at, query, 'advantage table', [advantage, tolerance], () =>
    advantageTable(selectionOf(at, query), advantage, { incomplete, tolerance }),
  )
}

/** The parameters of a link that this call's rows came from, besides those that the row names itself. */
const LINKED =
  /^(?:policy_version|train_step|dataset|family|split|item|status|reward_version)(?:_(?:gte|lte|gt|lt|ne))?$/

/** Makes URLs of what rows are made of. A null cannot be asked for: then there is no link. */
export function linker(call: { readonly deps: QueryDeps; readonly request: Request }) {
  const given = [...new URL(call.request.url).searchParams].filter(([name]) => LINKED.test(name))
  return (
    path: '/v1/trajectories' | '/v1/groups',
    own: Readonly<Record<string, string | number | boolean | null | undefined>>,
  ): string | null => {
    const named = Object.entries(own).filter(([, value]) => value !== undefined)
    if (named.some(([, value]) => value === null)) return null
    const names = new Set(named.map(([name]) => name))
    // Groups are listed by fewer filters than trajectories.
    const kept = given.filter(
      ([name]) => !names.has(name) && (path === '/v1/trajectories' || !/^(?:split|status)/.test(name)),
    )
    const query = new URLSearchParams([
      ...named.map(([name, value]) => [name, String(value)] as [string, string]),
      ...kept,
    ])
    return `${call.deps.publicUrl}${path}?${query.toString()}`
  }
}
