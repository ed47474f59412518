/** What rewards would have been by other formulas over what is stored, and what of the groups would give a gradient. */
import { Problem } from '#services/problem.ts'
import { type Bucket, type Dimension, bucketsOf } from './buckets.ts'
import { Reals, at } from './columns.ts'
import { type Formula, parseFormula } from './formula.ts'
import { type GroupLayout, groupLayout, groupsOf, groupsWith, membersIn } from './grouped.ts'
import { type Selection, rowsWhere } from './select.ts'
import { Gathered, deviationOf, extremesOf, meanOf, share } from './statistics.ts'

/** The formulas of the paper and of trainers, by name. Repetition is a part of its own, and not in the first three of the paper. */
export const FORMULAS = {
  stored: 'reward',
  paper: 'rep + format + correct',
  dense: '-1 + 0.5 * format + 0.5 * correct + format * correct',
  sparse: 'format * correct',
  difficulty_adaptive: 'reward * (clamp(2 - group_mean, 0, 1) * 0.5 + 0.5)',
  outcome: 'is_correct',
} as const
export type FormulaName = keyof typeof FORMULAS

/** Names that every formula may use besides the parts of the reward. */
export const FORMULA_NAMES = {
  reward: 'the stored reward',
  is_correct: '1 where the rollout is right, else 0',
  format_ok: '1 where every turn kept to the form, else 0',
  group_mean: 'the mean stored reward of the members of its group that count',
  n_steps: 'its steps',
  n_tool_calls: 'its tool calls',
  n_invalid_tool_calls: 'those that were not valid',
  response_tokens: 'tokens written',
} as const

/** A formula with the name that it is shown by. */
export interface NamedFormula {
  readonly name: string
  readonly formula: Formula
}

/** The names that formulas over these scores may use. */
export function formulaNames({ scores }: Selection): string[] {
  return [...new Set([...Object.keys(FORMULA_NAMES), ...scores.parts.keys(), 'rep', 'format', 'correct'])].sort()
}

/** Parses formulas by name, and own ones. Throws `invalid_parameter`. */
export function formulasOf(
  selection: Selection,
  names: readonly FormulaName[],
  expressions: readonly string[],
): NamedFormula[] {
  const known = formulaNames(selection)
  const found = [
    ...names.map((name) => ({ name: name as string, formula: parseFormula(FORMULAS[name], known) })),
    ...expressions.map((text) => ({ name: text, formula: parseFormula(text, known) })),
  ]
  const twice = found.find(({ name }, index) => found.findIndex((one) => one.name === name) !== index)
  if (twice !== undefined)
    throw new Problem('invalid_parameter', `the formula ${JSON.stringify(twice.name)} is asked for twice`, {
      details: { parameter: 'formula' },
    })
  return found
}

/** Reads a value of a row; NaN where there is none. */
type Reader = (row: number) => number

function readers(selection: Selection): (name: string) => Reader {
  const { frame, scores } = selection
  const real = (values: Reals | undefined): Reader =>
    values === undefined ? () => Number.NaN : (row) => (values.present[row] === 1 ? at(values.values, row) : Number.NaN)
  const flag =
    (values: { readonly values: Int8Array }): Reader =>
    (row) => {
      const value = values.values[row] ?? -1
      return value < 0 ? Number.NaN : value
    }
  let means: Float64Array | undefined
  const groupMeans = (): Float64Array => {
    const found = new Float64Array(frame.size).fill(Number.NaN)
    const groups = groupsOf(selection)
    for (let group = 0; group < groups.size; group++)
      for (let place = groups.memberStarts[group] ?? 0; place < (groups.memberStarts[group + 1] ?? 0); place++)
        found[groups.members[place] ?? 0] = at(groups.mean, group)
    return found
  }
  return (name) => {
    switch (name) {
      case 'reward':
        return real(scores.reward)
      case 'is_correct':
        return flag(scores.correct)
      case 'format_ok':
        return flag(scores.formatOk)
      case 'group_mean': {
        means ??= groupMeans()
        const held = means
        return (row) => at(held, row)
      }
      case 'n_steps':
        return (row) => frame.nSteps.get(row) ?? at(frame.nStepsSeen.values, row)
      case 'n_tool_calls':
        return (row) => at(frame.nToolCalls.values, row)
      case 'n_invalid_tool_calls':
        return (row) => at(frame.nInvalidToolCalls.values, row)
      case 'response_tokens':
        return (row) => at(frame.responseTokens.values, row)
      default:
        return real(scores.parts.get(name))
    }
  }
}

/** The rewards of a formula, by row: present for finished trajectories with a score that have all that it needs. */
export function counterfactualRewards(selection: Selection, formula: Formula): Reals {
  const { frame, rows, scores } = selection
  const readerOf = readers(selection)
  const read = formula.names.map(readerOf)
  const values = new Float64Array(read.length)
  const found = new Reals()
  if (frame.size > 0) found.set(frame.size - 1, null)
  for (let index = 0; index < rows.length; index++) {
    const row = rows[index] ?? 0
    if (frame.finished.values[row] !== 1 || scores.reward.present[row] !== 1) continue
    let missing = false
    // Every name is read, also those in a branch that is not taken: what is missing is missing.
    for (let name = 0; name < read.length; name++) {
      const known = read[name]?.(row) ?? Number.NaN
      if (Number.isNaN(known)) missing = true
      values[name] = known
    }
    if (!missing) found.set(row, formula.compute(values))
  }
  return found
}

/** The rewards of a bucket by a formula. */
export interface CounterfactualStatistics {
  readonly formula: string
  /** Finished, scored trajectories with all that the formula needs. */
  readonly n: number
  /** Finished, scored trajectories without: in no other number here. */
  readonly n_left_out: number
  /** Of `n`, those that come to NaN or an infinity. */
  readonly n_nonfinite: number
  readonly mean: number | null
  readonly std: number | null
  readonly min: number | null
  readonly max: number | null
  /** The mean of the stored reward over the same trajectories, as far as it is finite. */
  readonly stored_mean: number | null
  readonly groups: number
  readonly incomplete: number
  readonly zero_variance: number
  readonly mean_std: number | null
  readonly effective_share: number
  readonly dapo_kept_by_reward: number
  /** The mean over trajectories of groups that DAPO's filter on this reward keeps. */
  readonly dapo_kept_mean: number | null
}

function statisticsOf(
  selection: Selection,
  bucket: Bucket,
  name: string,
  rewards: Reals,
  layout: GroupLayout,
  options: { readonly incomplete: boolean },
): CounterfactualStatistics {
  const { frame, scores } = selection
  const size = bucket.rows.length
  const [values, stored] = [new Gathered(size), new Gathered(size)]
  let [n, leftOut] = [0, 0]
  for (let index = 0; index < bucket.rows.length; index++) {
    const row = bucket.rows[index] ?? 0
    if (frame.finished.values[row] !== 1 || scores.reward.present[row] !== 1) continue
    if (rewards.present[row] !== 1) {
      leftOut += 1
      continue
    }
    n += 1
    const value = at(rewards.values, row)
    if (Number.isFinite(value)) values.add(value)
    const before = at(scores.reward.values, row)
    if (Number.isFinite(before)) stored.add(before)
  }
  const { incomplete } = options
  const groups = groupsWith(selection, layout, rewards)
  const [deviations, kept] = [new Gathered(groups.size), new Gathered(size)]
  let [counted, short, equal, varied, single] = [0, 0, 0, 0, 0]
  for (let group = 0; group < groups.size; group++) {
    if (groups.complete[group] === 0) short += 1
    if (groups.complete[group] === 0 && !incomplete) continue
    counted += 1
    const deviation = at(groups.std, group)
    if (!Number.isNaN(deviation)) deviations.add(deviation)
    const members = membersIn(groups, group)
    if (groups.zeroVariance[group] === 1) equal += 1
    else if (members >= 2) varied += 1
    else if (members === 1) single += 1
    if (groups.zeroVariance[group] === 1) continue
    const from = groups.memberStarts[group] ?? 0
    for (let place = from; place < from + members; place++) kept.add(at(groups.rewards, place))
  }
  return {
    formula: name,
    n,
    n_left_out: leftOut,
    n_nonfinite: n - values.size,
    mean: meanOf(values.values),
    std: deviationOf(values.values, 1),
    ...extremesOf(values.values),
    stored_mean: meanOf(stored.values),
    groups: groups.size,
    incomplete: short,
    zero_variance: equal,
    mean_std: meanOf(deviations.values),
    effective_share: share(varied, counted) ?? 0,
    dapo_kept_by_reward: varied + single,
    dapo_kept_mean: meanOf(kept.values),
  }
}

/** A row for each bucket and formula. */
export function counterfactualSeries(
  selection: Selection,
  by: readonly Dimension[],
  formulas: readonly NamedFormula[],
  incomplete: boolean,
): { readonly bucket: Bucket; readonly statistics: CounterfactualStatistics }[] {
  const finished = rowsWhere(selection, (row) => selection.frame.finished.values[row] === 1)
  const computed = formulas.map(({ name, formula }) => ({ name, rewards: counterfactualRewards(finished, formula) }))
  return bucketsOf(finished, by).flatMap((bucket) => {
    const layout = groupLayout({ ...finished, rows: bucket.rows })
    return computed.map(({ name, rewards }) => ({
      bucket,
      statistics: statisticsOf(finished, bucket, name, rewards, layout, { incomplete }),
    }))
  })
}
