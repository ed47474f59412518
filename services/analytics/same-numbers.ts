/** Whether two frames give the same numbers: every statistic, to the last bit. */
import { advantageTable, advantageValues } from './advantage-table.ts'
import { benchmarkTable } from './benchmarks.ts'
import { counterfactualSeries, formulasOf } from './counterfactual.ts'
import { groupSeries } from './group-series.ts'
import { lengthSeries } from './lengths.ts'
import { ESTIMATORS, passTable } from './pass.ts'
import { rewardSeries } from './rewards.ts'
import { type Selection, select } from './select.ts'
import type { Frame } from './frame.ts'
import { keptOf, stalenessOf, trainedSteps } from './trained.ts'

/** A number that is not the same. */
export interface NumberDifference {
  /** The statistic. */
  readonly statistic: string
  /** Where in it. */
  readonly at: string
  readonly expected: unknown
  readonly found: unknown
}

/** Every statistic of a selection, as plain values. */
function statisticsOf(selection: Selection): Record<string, unknown[]> {
  const { frame } = selection
  const table = advantageTable(selection, 'verl', { incomplete: false, tolerance: 1e-4 })
  const plain = <Row extends { readonly bucket: { readonly by: object }; readonly statistics: object }>(rows: Row[]) =>
    rows.map(({ bucket, statistics }) => ({ ...bucket.by, ...statistics }))
  const formulas = formulasOf(selection, ['stored', 'dense', 'sparse', 'difficulty_adaptive'], [])
  const values = advantageValues(table)
  const options = { ks: [1, 2, 4, 8], confidence: 0.95, resamples: 100, seed: 1 }
  return {
    rewards: plain(rewardSeries(selection, ['train_step'])),
    rewards_by_family: plain(rewardSeries(selection, ['family', 'dataset', 'policy_version'])),
    groups: groupSeries(selection, false),
    advantages: Array.from(table.rows, (row, index) => [frame.trajectoryIds[row], values[index], table.differs[row]]),
    trainer: [table.said],
    pass_at_k: [...passTable(selection, { ...options, estimators: ESTIMATORS }).estimates],
    lengths: plain(lengthSeries(selection, ['train_step'], undefined)),
    training: trainedSteps(selection).map((step) => ({
      train_step: step.train_step,
      substep: step.substep,
      ...keptOf(selection, step),
      ...stalenessOf(selection, step),
    })),
    counterfactual: plain(counterfactualSeries(selection, ['train_step'], formulas, false)),
    benchmarks: benchmarkTable(selection),
  }
}

/** JSON that tells NaN and infinities apart. Codes and numbers of rows are not in it. */
const exactly = (value: unknown): string =>
  JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'number' && !Number.isFinite(inner) ? String(inner) : inner,
  )

/** Differences of one comparison that are listed. */
const LISTED_MAX = 20

export interface Comparison {
  /** Trajectories that both frames have and that were compared. */
  readonly trajectories: number
  /** Values of statistics that were compared, as rows of tables. */
  readonly rows: number
  readonly differences: readonly NumberDifference[]
}

/** Statistics of a frame that are worked out elsewhere, as plain values. */
export type MoreNumbers = (selection: Selection) => Readonly<Record<string, readonly unknown[]>>

const NO_MORE = { expected: () => ({}), found: () => ({}) }

/** Compares what two frames give over the trajectories of which `isSettled` holds. A trajectory that only one has is a difference. */
export function sameNumbers(
  expected: Frame,
  found: Frame,
  isSettled: (trajectoryId: string) => boolean,
  more: { readonly expected: MoreNumbers; readonly found: MoreNumbers } = NO_MORE,
): Comparison {
  const differences: NumberDifference[] = []
  const add = (difference: NumberDifference) => differences.length < LISTED_MAX && differences.push(difference)
  const rowsOf = (frame: Frame): Selection => {
    const all = select(frame, { conflicted: false }, undefined)
    return { ...all, rows: all.rows.filter((row) => isSettled(frame.trajectoryIds[row] ?? '')) }
  }
  const [left, right] = [rowsOf(expected), rowsOf(found)]
  const ids = ({ frame, rows }: Selection) => new Set(Array.from(rows, (row) => frame.trajectoryIds[row] ?? ''))
  const [leftIds, rightIds] = [ids(left), ids(right)]
  for (const id of leftIds)
    if (!rightIds.has(id)) add({ statistic: 'trajectories', at: id, expected: 'there', found: 'missing' })
  for (const id of rightIds)
    if (!leftIds.has(id)) add({ statistic: 'trajectories', at: id, expected: 'not there', found: 'there' })
  const theirs = { ...statisticsOf(left), ...more.expected(left) }
  const ours: Record<string, readonly unknown[]> = { ...statisticsOf(right), ...more.found(right) }
  let rows = 0
  for (const [statistic, wanted] of Object.entries(theirs)) {
    const seen = ours[statistic] ?? []
    rows += wanted.length
    for (let index = 0; index < Math.max(wanted.length, seen.length); index++) {
      if (exactly(wanted[index]) === exactly(seen[index])) continue
      add({ statistic, at: `row ${index}`, expected: wanted[index] ?? null, found: seen[index] ?? null })
    }
  }
  return { trajectories: left.rows.length, rows, differences }
}
