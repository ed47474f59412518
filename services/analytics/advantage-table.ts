/** Advantages of trajectories, ours beside the trainer's own. */
import { ADVANTAGES, type Advantage } from '#services/core/advantage.ts'
import { at } from './columns.ts'
import type { Frame } from './frame.ts'
import { type Groups, groupsOf, membersIn } from './grouped.ts'
import { type Selection, rowsWhere } from './select.ts'
import { Gathered, summary } from './statistics.ts'

/** The formulas that give a number. */
type Formula = Exclude<Advantage, 'none'>
const FORMULAS = ADVANTAGES.filter((name): name is Formula => name !== 'none')

/** Advantages by row of the frame. Numbers that are not there are NaN. */
export interface AdvantageTable {
  readonly groups: Groups
  /** The rows that have one, in order of (run_id, trajectory_id). */
  readonly rows: Uint32Array
  /** The place in `groups` of each row of the frame. */
  readonly group: Int32Array
  /** With `none` nothing but NaN. */
  readonly advantage: Float64Array
  /** The number in `frame.trainings` of the first fact about the row that has an advantage; -1 for none. */
  readonly fact: Int32Array
  /** Whether the trainer's differs by more than the tolerance: 1, 0, or -1 where one of the two is missing. */
  readonly differs: Int8Array
  readonly said: {
    /** Trajectories of the selection that are not in `rows`, by reason. */
    readonly left_out: Readonly<Record<'incomplete_group' | 'not_counted' | 'no_group', number>>
    readonly n_compared: number
    readonly n_different: number
    readonly max_abs_difference: number | null
    /** Of the rows with an advantage of the trainer, how many each formula gives: tells which one it uses. */
    readonly agreement: Readonly<Record<Formula, number>>
  }
}

/** What verl adds to a deviation before it divides by it. */
const EPSILON = 1e-6

/** The formulas of core/advantage.ts, member by member: the same numbers to the last bit, and no lists. */
export function advantageOf(kind: Formula, groups: Groups, group: number, reward: number): number {
  const n = membersIn(groups, group)
  if (groups.zeroVariance[group] === 1) return 0
  const mean = n === 1 ? 0 : at(groups.mean, group)
  switch (kind) {
    case 'verl':
      return (reward - mean) / ((n === 1 ? 1 : at(groups.std, group)) + EPSILON)
    case 'population':
      return (reward - mean) / ((n === 1 ? 1 : at(groups.stdPopulation, group)) + EPSILON)
    case 'dr_grpo':
      return reward - mean
    case 'rloo':
      return n === 1 ? reward : reward - (at(groups.total, group) - reward) / (n - 1)
  }
}

/** The first fact about a row that has an advantage. A trajectory trained in several epochs keeps its advantage. */
function trainerFact(frame: Frame, row: number): number {
  const { trainings } = frame
  for (let fact = trainings.first(row); fact >= 0; fact = trainings.next(fact))
    if (trainings.advantage.present[fact] === 1) return fact
  return -1
}

/** How far two advantages may lie apart: absolute up to 1, relative beyond. */
const isNear = (left: number, right: number, tolerance: number) =>
  Math.abs(left - right) <= tolerance * Math.max(1, Math.abs(left), Math.abs(right))

class Comparison {
  readonly #agreed = new Uint32Array(FORMULAS.length)
  compared = 0
  different = 0
  farthest: number | null = null
  readonly #tolerance: number

  constructor(tolerance: number) {
    this.#tolerance = tolerance
  }

  /** 1 where they differ, else 0. */
  add(ours: number, trainer: number): number {
    this.compared += 1
    const difference = Math.abs(trainer - ours)
    if (Number.isFinite(difference)) this.farthest = Math.max(this.farthest ?? 0, difference)
    if (isNear(trainer, ours, this.#tolerance)) return 0
    this.different += 1
    return 1
  }

  /** Counts by the place of the formula. */
  agree(formula: number, theirs: number, trainer: number): void {
    if (isNear(trainer, theirs, this.#tolerance)) this.#agreed[formula] = (this.#agreed[formula] ?? 0) + 1
  }

  get agreement(): Readonly<Record<Formula, number>> {
    return Object.fromEntries(FORMULAS.map((name, index) => [name, this.#agreed[index] ?? 0])) as Record<
      Formula,
      number
    >
  }
}

/**
 * The advantages of all members that count. `incomplete` lets groups count that have fewer members than expected;
 * `tolerance` is how far the trainer's may lie from ours (it computes with 32 bits).
 */
export function advantageTable(
  selection: Selection,
  kind: Advantage,
  options: { readonly incomplete: boolean; readonly tolerance: number },
): AdvantageTable {
  const { frame } = selection
  const groups = groupsOf(selection)
  const groupOf = new Int32Array(frame.size).fill(-1)
  const advantage = new Float64Array(frame.size).fill(Number.NaN)
  const facts = new Int32Array(frame.size).fill(-1)
  const differs = new Int8Array(frame.size).fill(-1)
  const comparison = new Comparison(options.tolerance)
  const leftOut = { incomplete_group: 0, not_counted: 0, no_group: selection.rows.length - groups.rows.length }
  const speaks = frame.trainings.size > 0
  // A function of its own: as a loop inside the loop it was compiled anew for every read.
  const ofGroup = (group: number): void => {
    const from = groups.memberStarts[group] ?? 0
    const n = membersIn(groups, group)
    const all = (groups.starts[group + 1] ?? 0) - (groups.starts[group] ?? 0)
    if (groups.complete[group] === 0 && !options.incomplete) {
      leftOut.incomplete_group += all
      return
    }
    leftOut.not_counted += all - n
    for (let place = from; place < from + n; place++) {
      const row = groups.members[place] ?? 0
      const reward = at(groups.rewards, place)
      const value = kind === 'none' ? Number.NaN : advantageOf(kind, groups, group, reward)
      groupOf[row] = group
      advantage[row] = value
      const fact = speaks ? trainerFact(frame, row) : -1
      facts[row] = fact
      if (fact < 0) continue
      const trainer = at(frame.trainings.advantage.values, fact)
      for (let index = 0; index < FORMULAS.length; index++)
        comparison.agree(index, advantageOf(FORMULAS[index] ?? 'verl', groups, group, reward), trainer)
      if (!Number.isNaN(value)) differs[row] = comparison.add(value, trainer)
    }
  }
  for (let group = 0; group < groups.size; group++) ofGroup(group)
  return {
    groups,
    rows: rowsWhere(selection, (row) => (groupOf[row] ?? -1) >= 0).rows,
    group: groupOf,
    advantage,
    fact: facts,
    differs,
    said: {
      left_out: leftOut,
      n_compared: comparison.compared,
      n_different: comparison.different,
      max_abs_difference: comparison.farthest,
      agreement: comparison.agreement,
    },
  }
}

/** A bar of a histogram over [from, to); the last one has its upper end, too. */
export interface Bar {
  readonly from: number
  readonly to: number
  readonly n: number
}

/** Bars of equal width from the least to the greatest; one bar where all are equal, none of nothing. */
export function histogram(values: Float64Array, bars: number): Bar[] {
  if (values.length === 0) return []
  const { min, max } = summary(values)
  const [low, high] = [min ?? 0, max ?? 0]
  if (low === high) return [{ from: low, to: high, n: values.length }]
  const width = (high - low) / bars
  const edges = Array.from({ length: bars + 1 }, (_, index) => (index === bars ? high : low + index * width))
  const counts = Array.from({ length: bars }, () => 0)
  for (let index = 0; index < values.length; index++) {
    const value = at(values, index)
    let bar = Math.min(bars - 1, Math.max(0, Math.floor((value - low) / width)))
    // The division may land beside the edge it came from; the edges that are shown decide.
    if (value < (edges[bar] ?? low)) bar -= 1
    else if (bar < bars - 1 && value >= (edges[bar + 1] ?? high)) bar += 1
    counts[bar] = (counts[bar] ?? 0) + 1
  }
  return counts.map((n, index) => ({ from: edges[index] ?? low, to: edges[index + 1] ?? high, n }))
}

/** The advantages of a table as numbers, in its order. */
export function advantageValues({ rows, advantage }: AdvantageTable): Float64Array {
  const values = new Gathered()
  for (let index = 0; index < rows.length; index++) {
    const value = at(advantage, rows[index] ?? 0)
    if (!Number.isNaN(value)) values.add(value)
  }
  return values.values
}
