/** Rewards and their parts, by train step or anything else. */
import type { Bucket, Dimension } from './buckets.ts'
import { bucketsOf } from './buckets.ts'
import { at } from './columns.ts'
import { statisticsOfBuckets } from './kept-buckets.ts'
import type { Selection } from './select.ts'
import { Gathered, deviationOf, meanOf, share, summary } from './statistics.ts'

/** A part of the reward over the trajectories of a bucket. */
export interface PartStatistics {
  readonly mean: number | null
  readonly std: number | null
  /** Scores that have the part; those without it are not in the mean. */
  readonly n: number
  /** Of those, NaN or infinite: counted, not in the mean. */
  readonly n_nonfinite: number
}

/** The rewards of a bucket. */
export interface RewardStatistics {
  /** Finished trajectories with a score. */
  readonly n: number
  /** Finished trajectories without one: in no other number here. */
  readonly n_unscored: number
  /** Of `n`, those whose reward is NaN or infinite: not in mean, deviation, extremes and quantiles. */
  readonly n_nonfinite: number
  readonly reward_mean: number | null
  readonly reward_std: number | null
  readonly reward_min: number | null
  readonly reward_max: number | null
  readonly reward_p10: number | null
  readonly reward_p50: number | null
  readonly reward_p90: number | null
  readonly n_correct: number
  /** The outcome, apart from the shaped reward: the share of `n` that is right. */
  readonly correct_share: number | null
  /** The share that kept to the form, of those whose score says whether they did. */
  readonly format_ok_share: number | null
  readonly parts: Readonly<Record<string, PartStatistics>>
}

/** The rewards of some rows. */
export function rewardStatistics({ frame, scores }: Selection, rows: Uint32Array): RewardStatistics {
  const rewards = new Gathered(rows.length)
  let [n, unscored, correct, formatOk, formatKnown] = [0, 0, 0, 0, 0]
  const scored = new Uint32Array(rows.length)
  for (let index = 0; index < rows.length; index++) {
    const row = rows[index] ?? 0
    if (frame.finished.values[row] !== 1) continue
    if (scores.reward.present[row] !== 1) {
      unscored += 1
      continue
    }
    scored[n++] = row
    const reward = at(scores.reward.values, row)
    if (Number.isFinite(reward)) rewards.add(reward)
    if (scores.correct.values[row] === 1) correct += 1
    const format = scores.formatOk.values[row] ?? -1
    if (format >= 0) formatKnown += 1
    if (format === 1) formatOk += 1
  }
  const { mean, std, min, max, p10, p50, p90 } = summary(rewards.values)
  const parts: Record<string, PartStatistics> = {}
  for (const [name, values] of scores.parts) parts[name] = partStatistics(values, scored.subarray(0, n))
  return {
    n,
    n_unscored: unscored,
    n_nonfinite: n - rewards.size,
    reward_mean: mean,
    reward_std: std,
    reward_min: min,
    reward_max: max,
    reward_p10: p10,
    reward_p50: p50,
    reward_p90: p90,
    n_correct: correct,
    correct_share: share(correct, n),
    format_ok_share: share(formatOk, formatKnown),
    parts,
  }
}

/** The mean reward and the share that is right, as `rewardStatistics` has them: one loop, and nothing is sorted. */
export function meanRewards(
  { frame, scores }: Selection,
  rows: Uint32Array,
): Pick<RewardStatistics, 'reward_mean' | 'correct_share'> {
  let [n, correct, finite, sum] = [0, 0, 0, 0]
  for (let index = 0; index < rows.length; index++) {
    const row = rows[index] ?? 0
    if (frame.finished.values[row] !== 1 || scores.reward.present[row] !== 1) continue
    n += 1
    if (scores.correct.values[row] === 1) correct += 1
    const reward = at(scores.reward.values, row)
    if (!Number.isFinite(reward)) continue
    finite += 1
    sum += reward
  }
  return { reward_mean: share(sum, finite), correct_share: share(correct, n) }
}

function partStatistics(values: { present: Uint8Array; values: Float64Array }, rows: Uint32Array): PartStatistics {
  const finite = new Gathered(rows.length)
  let n = 0
  for (let index = 0; index < rows.length; index++) {
    const row = rows[index] ?? 0
    if (values.present[row] !== 1) continue
    n += 1
    const value = at(values.values, row)
    if (Number.isFinite(value)) finite.add(value)
  }
  return { mean: meanOf(finite.values), std: deviationOf(finite.values, 1), n, n_nonfinite: n - finite.size }
}

/** A row for each bucket. */
export function rewardSeries(
  selection: Selection,
  by: readonly Dimension[],
): { readonly bucket: Bucket; readonly statistics: RewardStatistics }[] {
  const buckets = bucketsOf(selection, by)
  // Every bucket names all parts that there are.
  const name = `rewards ${JSON.stringify([...selection.scores.parts.keys()])}`
  return statisticsOfBuckets(selection, name, buckets, (changed) =>
    changed.map(({ rows }) => rewardStatistics(selection, rows)),
  )
}
