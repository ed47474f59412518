/** Groups by train step: what of them gives a gradient, by reward and by outcome, and what a filter would keep. */
import { compareValues } from './buckets.ts'
import { at } from './columns.ts'
import { type Groups, groupsOf, membersIn } from './grouped.ts'
import type { Selection } from './select.ts'
import { share } from './statistics.ts'

/** The groups of a train step. Everything but `groups`, `complete` and `incomplete` is over the groups that count. */
export interface GroupStatisticsRow {
  readonly train_step: number | null
  readonly groups: number
  readonly complete: number
  /** Known to have fewer members than expected: they do not count, unless they were asked for. */
  readonly incomplete: number
  /** Groups of equal rewards whose members are all right. */
  readonly all_pass: number
  readonly all_fail: number
  /** Groups of equal rewards. */
  readonly zero_variance: number
  /** Groups whose members are all right, whatever their rewards. */
  readonly outcome_all_pass: number
  readonly outcome_all_fail: number
  readonly outcome_mixed: number
  /** All wrong, and yet of unequal (shaped) rewards: a filter on the deviation keeps them. */
  readonly all_fail_kept_by_std: number
  readonly all_pass_kept_by_std: number
  readonly mean_std: number | null
  readonly mean_std_population: number | null
  /** The share of groups with two or more members and unequal rewards. */
  readonly effective_share: number
  /** What DAPO's filter keeps: deviation above 0, or a single member; on the outcome, and on the reward. */
  readonly dapo_kept_by_outcome: number
  readonly dapo_kept_by_reward: number
  readonly dapo_kept_share: number | null
}

/** What is counted of the groups of a train step. */
class StepTally {
  readonly trainStep: number | null
  #groups = 0
  #complete = 0
  #incomplete = 0
  #counted = 0
  #uniform = 0
  #varied = 0
  #single = 0
  #dapo = 0
  /** By outcome: of all, of those with equal rewards, of those with unequal ones. */
  readonly #outcome = [0, 0, 0, 0]
  readonly #equal = [0, 0, 0, 0]
  readonly #unequal = [0, 0, 0, 0]
  readonly #std = { total: 0, n: 0 }
  readonly #stdPopulation = { total: 0, n: 0 }

  constructor(trainStep: number | null) {
    this.trainStep = trainStep
  }

  add(groups: Groups, group: number, incomplete: boolean): void {
    this.#groups += 1
    if (groups.complete[group] === 1) this.#complete += 1
    if (groups.complete[group] === 0) {
      this.#incomplete += 1
      if (!incomplete) return
    }
    this.#counted += 1
    const n = membersIn(groups, group)
    const outcome = groups.outcome[group] ?? 0
    const add = (counts: number[]) => (counts[outcome] = (counts[outcome] ?? 0) + 1)
    add(this.#outcome)
    if (n === 1) this.#single += 1
    if (groups.zeroVariance[group] === 1) {
      this.#uniform += 1
      add(this.#equal)
    } else if (n >= 2) {
      this.#varied += 1
      add(this.#unequal)
    }
    if (n === 1 || outcome === 3) this.#dapo += 1
    for (const [sum, value] of [
      [this.#std, at(groups.std, group)],
      [this.#stdPopulation, at(groups.stdPopulation, group)],
    ] as const) {
      if (Number.isNaN(value)) continue
      sum.total += value
      sum.n += 1
    }
  }

  get row(): GroupStatisticsRow {
    return {
      train_step: this.trainStep,
      groups: this.#groups,
      complete: this.#complete,
      incomplete: this.#incomplete,
      all_pass: this.#equal[1] ?? 0,
      all_fail: this.#equal[2] ?? 0,
      zero_variance: this.#uniform,
      outcome_all_pass: this.#outcome[1] ?? 0,
      outcome_all_fail: this.#outcome[2] ?? 0,
      outcome_mixed: this.#outcome[3] ?? 0,
      all_fail_kept_by_std: this.#unequal[2] ?? 0,
      all_pass_kept_by_std: this.#unequal[1] ?? 0,
      mean_std: share(this.#std.total, this.#std.n),
      mean_std_population: share(this.#stdPopulation.total, this.#stdPopulation.n),
      effective_share: share(this.#varied, this.#counted) ?? 0,
      dapo_kept_by_outcome: this.#dapo,
      dapo_kept_by_reward: this.#varied + this.#single,
      dapo_kept_share: share(this.#dapo, this.#counted),
    }
  }
}

/** A row for each train step, the groups without one last. `incomplete` lets incomplete groups count, too. */
export function groupSeries(selection: Selection, incomplete: boolean): GroupStatisticsRow[] {
  const groups = groupsOf(selection)
  const steps = new Map<number, StepTally>()
  for (let group = 0; group < groups.size; group++) {
    // NaN is a key like any other to a Map.
    const step = at(groups.trainStep, group)
    let tally = steps.get(step)
    if (tally === undefined) steps.set(step, (tally = new StepTally(Number.isNaN(step) ? null : step)))
    tally.add(groups, group, incomplete)
  }
  return [...steps.values()]
    .sort((left, right) => compareValues(left.trainStep, right.trainStep))
    .map((tally) => tally.row)
}
