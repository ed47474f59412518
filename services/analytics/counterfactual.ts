/** What rewards would have been by other formulas over what is stored, and what of the groups would give a gradient. */
import { Problem } from '#services/problem.ts'
import { type Bucket, type Dimension, bucketsOf } from './buckets.ts'
import { Reals, at, joinedRows } from './columns.ts'
import { derived } from './derived.ts'
import { type Column, CHUNK_ROWS } from './formula-columns.ts'
import { type Formula, parseFormula } from './formula.ts'
import { type Groups, groupLayouts, groupsOf, groupsStayApart, groupsWith } from './grouped.ts'
import { statisticsOfBuckets } from './kept-buckets.ts'
import { type Selection, rowsWhere } from './select.ts'
import { share } from './statistics.ts'

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

/** Puts the values of rows [from, to) of a list into a column; NaN where there is none. */
type Reader = (rows: Uint32Array, from: number, to: number, out: Column) => void

const ofNumbers =
  (values: Float64Array): Reader =>
  (rows, from, to, out) => {
    for (let index = from; index < to; index++) out[index - from] = at(values, rows[index] ?? 0)
  }

const ofReals =
  (reals: Reals | undefined): Reader =>
  (rows, from, to, out) => {
    for (let index = from; index < to; index++) {
      const row = rows[index] ?? 0
      out[index - from] = reals?.present[row] === 1 ? at(reals.values, row) : Number.NaN
    }
  }

const ofFlags =
  (flags: Int8Array): Reader =>
  (rows, from, to, out) => {
    for (let index = from; index < to; index++) {
      const value = flags[rows[index] ?? 0] ?? -1
      out[index - from] = value < 0 ? Number.NaN : value
    }
  }

/** The mean stored reward of the group of each row. */
function groupMeans({ frame }: Selection, { size, memberStarts, members, mean }: Groups): Float64Array {
  const found = new Float64Array(frame.size).fill(Number.NaN)
  for (let group = 0; group < size; group++) {
    const end = memberStarts[group + 1] ?? 0
    for (let place = memberStarts[group] ?? 0; place < end; place++) found[members[place] ?? 0] = mean[group] ?? 0
  }
  return found
}

function readerOf({ frame, scores }: Selection, name: string, means: () => Float64Array): Reader {
  switch (name) {
    case 'reward':
      return ofReals(scores.reward)
    case 'is_correct':
      return ofFlags(scores.correct.values)
    case 'format_ok':
      return ofFlags(scores.formatOk.values)
    case 'group_mean':
      return ofNumbers(means())
    case 'n_steps': {
      const [said, seen] = [ofNumbers(frame.nSteps.values), frame.nStepsSeen.values]
      return (rows, from, to, out) => {
        said(rows, from, to, out)
        for (let index = from; index < to; index++)
          if (Number.isNaN(out[index - from])) out[index - from] = at(seen, rows[index] ?? 0)
      }
    }
    case 'n_tool_calls':
      return ofNumbers(frame.nToolCalls.values)
    case 'n_invalid_tool_calls':
      return ofNumbers(frame.nInvalidToolCalls.values)
    case 'response_tokens':
      return ofNumbers(frame.responseTokens.values)
    default:
      return ofReals(scores.parts.get(name))
  }
}

/** The finished trajectories with a score. */
function scoredRows({ frame, rows, scores }: Selection): Uint32Array {
  const found = new Uint32Array(rows.length)
  let n = 0
  for (let index = 0; index < rows.length; index++) {
    const row = rows[index] ?? 0
    if (frame.finished.values[row] === 1 && scores.reward.present[row] === 1) found[n++] = row
  }
  return found.subarray(0, n)
}

/** The rewards of a formula, by row: present for finished trajectories with a score that have all that it needs. */
export function counterfactualRewards(
  selection: Selection,
  formula: Formula,
  stored: () => Groups = () => groupsOf(selection),
): Reals {
  const { frame } = selection
  const rows = derived(selection, 'scored', () => scoredRows(selection))
  const read = formula.names.map((name) => readerOf(selection, name, () => groupMeans(selection, stored())))
  const columns = read.map(() => new Float64Array(CHUNK_ROWS))
  const found = new Reals()
  if (frame.size > 0) found.set(frame.size - 1, null)
  for (let from = 0; from < rows.length; from += CHUNK_ROWS) {
    const to = Math.min(rows.length, from + CHUNK_ROWS)
    for (const [name, column] of columns.entries()) read[name]?.(rows, from, to, column)
    put(found, rows, from, formula.computeRows(columns, to - from), to - from)
    for (const column of columns) leaveOut(found, rows, from, column, to - from)
  }
  return found
}

// Functions of their own: a loop inside the loop over chunks was compiled anew for each chunk.
function put({ values, present }: Reals, rows: Uint32Array, from: number, computed: Column, length: number): void {
  for (let index = 0; index < length; index++) {
    const row = rows[from + index] ?? 0
    values[row] = computed[index] ?? 0
    present[row] = 1
  }
}

/** Every name counts, also those in a branch that is not taken: what is missing is missing. */
function leaveOut({ values, present }: Reals, rows: Uint32Array, from: number, column: Column, length: number): void {
  for (let index = 0; index < length; index++)
    if (Number.isNaN(column[index])) {
      values[rows[from + index] ?? 0] = 0
      present[rows[from + index] ?? 0] = 0
    }
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

type OfRows = Pick<
  CounterfactualStatistics,
  'n' | 'n_left_out' | 'n_nonfinite' | 'mean' | 'std' | 'min' | 'max' | 'stored_mean'
>

/** The sum of the squares about a mean of the finite rewards of some rows, from the first to the last. */
function squaresOf(rows: Uint32Array, { present, values }: Reals, mean: number): number {
  let total = 0
  for (let index = 0; index < rows.length; index++) {
    const row = rows[index] ?? 0
    const value = values[row] ?? 0
    if (present[row] === 1 && value - value === 0) total += (value - mean) ** 2
  }
  return total
}

/** Sums over rows that are finished and scored. In one loop: lists of values took five times as long to fill as to add up. */
function rowStatistics(rows: Uint32Array, rewards: Reals, stored: Reals): OfRows {
  const { present, values } = rewards
  let [n, finite, sum, before, storedSum] = [0, 0, 0, 0, 0]
  let [first, min, max, isEqual] = [0, 0, 0, true]
  for (let index = 0; index < rows.length; index++) {
    const row = rows[index] ?? 0
    if (present[row] !== 1) continue
    n += 1
    const value = values[row] ?? 0
    // Of a value that is not finite, itself taken off gives NaN.
    if (value - value === 0) {
      if (finite === 0) first = min = max = value
      else if (value !== first) isEqual = false
      if (value < min) min = value
      if (value > max) max = value
      finite += 1
      sum += value
    }
    const was = stored.values[row] ?? 0
    if (was - was !== 0) continue
    before += 1
    storedSum += was
  }
  const mean = sum / finite
  return {
    n,
    n_left_out: rows.length - n,
    n_nonfinite: n - finite,
    mean: finite === 0 ? null : mean,
    std: finite < 2 ? null : isEqual ? 0 : Math.sqrt(squaresOf(rows, rewards, mean) / (finite - 1)),
    min: finite === 0 ? null : min,
    max: finite === 0 ? null : max,
    stored_mean: before === 0 ? null : storedSum / before,
  }
}

/** The statistics of the groups [first, end). */
function groupStatistics(
  { complete, std, memberStarts, zeroVariance, rewards }: Groups,
  [first, end]: readonly [number, number],
  incomplete: boolean,
): Omit<CounterfactualStatistics, keyof OfRows | 'formula'> {
  let [counted, short, equal, varied, single] = [0, 0, 0, 0, 0]
  let [deviations, deviationSum, kept, keptSum] = [0, 0, 0, 0]
  for (let group = first; group < end; group++) {
    if (complete[group] === 0) {
      short += 1
      if (!incomplete) continue
    }
    counted += 1
    const deviation = at(std, group)
    if (!Number.isNaN(deviation)) {
      deviations += 1
      deviationSum += deviation
    }
    if (zeroVariance[group] === 1) {
      equal += 1
      continue
    }
    const [from, to] = [memberStarts[group] ?? 0, memberStarts[group + 1] ?? 0]
    if (to - from >= 2) varied += 1
    else if (to > from) single += 1
    for (let place = from; place < to; place++) keptSum += rewards[place] ?? 0
    kept += to - from
  }
  return {
    groups: end - first,
    incomplete: short,
    zero_variance: equal,
    mean_std: deviations === 0 ? null : deviationSum / deviations,
    effective_share: share(varied, counted) ?? 0,
    dapo_kept_by_reward: varied + single,
    dapo_kept_mean: kept === 0 ? null : keptSum / kept,
  }
}

/** The finished trajectories of a selection: itself where all are, so that what was worked out of it serves here, too. */
const finishedOf = (selection: Selection): Selection =>
  derived(selection, 'finished', () => {
    const { values } = selection.frame.finished
    const finished = rowsWhere(selection, (row) => values[row] === 1)
    return finished.rows.length === selection.rows.length ? selection : finished
  })

/** For each list of rows the statistics of each formula. `stored` gives groups with the stored rewards; those of the lists unless said. */
function statisticsOf(
  { frame, scores }: Selection,
  lists: readonly Uint32Array[],
  formulas: readonly NamedFormula[],
  { incomplete, stored }: { readonly incomplete: boolean; readonly stored?: () => Groups },
): CounterfactualStatistics[][] {
  const all = { frame, scores, rows: joinedRows(lists) }
  const { layout, firsts } = groupLayouts(frame, lists)
  const scored = lists.map((rows) => scoredRows({ frame, scores, rows }))
  const ofLists = groupsWith(all, layout, scores.reward)
  const found = formulas.map(({ name, formula }) => {
    // What is stored need not be computed.
    const isStored = name === 'stored' || name === FORMULAS.stored
    const rewards = isStored ? scores.reward : counterfactualRewards(all, formula, stored ?? (() => ofLists))
    const groups = isStored ? ofLists : groupsWith(all, layout, rewards)
    return scored.map((rows, list): CounterfactualStatistics => ({
      formula: name,
      ...rowStatistics(rows, rewards, scores.reward),
      ...groupStatistics(groups, [firsts[list] ?? 0, firsts[list + 1] ?? 0], incomplete),
    }))
  })
  return lists.map((_, list) => found.flatMap((ofFormula) => ofFormula[list] ?? []))
}

/** A row for each bucket and formula. */
export function counterfactualSeries(
  selection: Selection,
  by: readonly Dimension[],
  formulas: readonly NamedFormula[],
  incomplete: boolean,
): { readonly bucket: Bucket; readonly statistics: CounterfactualStatistics }[] {
  const finished = finishedOf(selection)
  const buckets = bucketsOf(finished, by)
  const listsOf = (some: readonly Bucket[]) => some.map(({ rows }) => rows)
  const texts = formulas.map(({ name, formula }) => [name, formula.text])
  const asksGroups = formulas.some(({ formula }) => formula.names.includes('group_mean'))
  if (asksGroups && !groupsStayApart(finished.frame, listsOf(buckets))) {
    // The mean of a group is of rows in other buckets, too.
    const stored = () => groupsOf(finished)
    const found = statisticsOf(finished, listsOf(buckets), formulas, { incomplete, stored })
    return buckets.flatMap((bucket, index) => (found[index] ?? []).map((statistics) => ({ bucket, statistics })))
  }
  const name = `counterfactual ${JSON.stringify([texts, incomplete])}`
  return statisticsOfBuckets(finished, name, buckets, (changed) =>
    statisticsOf(finished, listsOf(changed), formulas, { incomplete }),
  ).flatMap(({ bucket, statistics }) => statistics.map((ofFormula) => ({ bucket, statistics: ofFormula })))
}
