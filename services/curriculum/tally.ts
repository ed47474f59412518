/** How items fared: rollouts counted by item and policy version. */
import { at } from '#services/analytics/columns.ts'
import type { Selection } from '#services/analytics/select.ts'

/**
 * Rollouts of one item by one policy version. What counts is finished and has a score; a reward that is NaN or infinite
 * counts as a rollout and stays out of mean and deviation.
 */
export interface Tally {
  /** The code of the item in the frame. */
  readonly item: number
  /** Null where no rollout names one. */
  readonly policy_version: number | null
  readonly n: number
  readonly passed: number
  readonly format_ok: number
  readonly nonfinite: number
  readonly reward_mean: number | null
  /** Of a sample (ddof 1); null for fewer than two finite rewards. */
  readonly reward_std: number | null
  readonly first_train_step: number | null
  readonly last_train_step: number | null
}

/** Units (pairs of item and policy version) as columns, found by item and then by version: an item has few. */
class Units {
  /** The newest unit of each item, and for each unit the one before it; -1 is none. */
  readonly #heads: Int32Array
  readonly #before: number[] = []
  readonly items: number[] = []
  readonly versions: number[] = []
  readonly n: number[] = []
  readonly passed: number[] = []
  readonly formatOk: number[] = []
  readonly firstStep: number[] = []
  readonly lastStep: number[] = []
  /** Of finite rewards: how many, their sum, the sum of squares about the mean. */
  readonly finite: number[] = []
  readonly sums: number[] = []
  readonly squares: number[] = []
  /** The first of them, and whether all are equal to it: their deviation is 0 then and no rounding of it. */
  readonly firsts: number[] = []
  readonly equal: boolean[] = []

  constructor(items: number) {
    this.#heads = new Int32Array(items).fill(-1)
  }

  find(item: number, version: number): number {
    const head = this.#heads[item] ?? -1
    for (let unit = head; unit >= 0; unit = this.#before[unit] ?? -1)
      if (Object.is(this.versions[unit], version)) return unit
    const unit = this.items.length
    this.#before.push(head)
    this.#heads[item] = unit
    this.items.push(item)
    this.versions.push(version)
    for (const column of [this.n, this.passed, this.formatOk, this.finite, this.sums, this.squares]) column.push(0)
    for (const column of [this.firstStep, this.lastStep, this.firsts]) column.push(Number.NaN)
    this.equal.push(true)
    return unit
  }

  count(unit: number, passed: boolean, formatOk: boolean, step: number): void {
    this.n[unit] = (this.n[unit] ?? 0) + 1
    if (passed) this.passed[unit] = (this.passed[unit] ?? 0) + 1
    if (formatOk) this.formatOk[unit] = (this.formatOk[unit] ?? 0) + 1
    // Nothing is less or greater than a step that is not known.
    if (!((this.firstStep[unit] ?? 0) <= step) && !Number.isNaN(step)) this.firstStep[unit] = step
    if (!((this.lastStep[unit] ?? 0) >= step) && !Number.isNaN(step)) this.lastStep[unit] = step
  }

  add(unit: number, reward: number): void {
    if (this.finite[unit] === 0) this.firsts[unit] = reward
    else if (reward !== this.firsts[unit]) this.equal[unit] = false
    this.finite[unit] = (this.finite[unit] ?? 0) + 1
    this.sums[unit] = (this.sums[unit] ?? 0) + reward
  }

  mean(unit: number): number {
    return (this.sums[unit] ?? 0) / (this.finite[unit] ?? 0)
  }

  tally(unit: number): Tally {
    const finite = this.finite[unit] ?? 0
    const known = (value: number | undefined): number | null =>
      value === undefined || Number.isNaN(value) ? null : value
    const spread = this.equal[unit] === true ? 0 : Math.sqrt((this.squares[unit] ?? 0) / (finite - 1))
    return {
      item: this.items[unit] ?? -1,
      policy_version: known(this.versions[unit]),
      n: this.n[unit] ?? 0,
      passed: this.passed[unit] ?? 0,
      format_ok: this.formatOk[unit] ?? 0,
      nonfinite: (this.n[unit] ?? 0) - finite,
      reward_mean: finite === 0 ? null : this.mean(unit),
      reward_std: finite < 2 ? null : spread,
      first_train_step: known(this.firstStep[unit]),
      last_train_step: known(this.lastStep[unit]),
    }
  }
}

/** Tallies of a selection, in no particular order. */
export function tallies({ frame, rows, scores }: Selection): Tally[] {
  const units = new Units(frame.items.ids.size)
  const unitOf = new Int32Array(rows.length).fill(-1)
  const { finished, item, policyVersion, trainStep } = frame
  const { correct, formatOk, reward } = scores
  for (let place = 0; place < rows.length; place++) {
    const row = rows[place] ?? 0
    const code = item.codes[row] ?? -1
    const passed = correct.values[row] ?? -1
    if (code < 0 || passed < 0 || finished.values[row] !== 1) continue
    const unit = units.find(code, at(policyVersion.values, row))
    units.count(unit, passed === 1, formatOk.values[row] === 1, at(trainStep.values, row))
    const value = reward.present[row] === 1 ? at(reward.values, row) : Number.NaN
    if (!Number.isFinite(value)) continue
    unitOf[place] = unit
    units.add(unit, value)
  }
  for (let place = 0; place < rows.length; place++) {
    const unit = unitOf[place] ?? -1
    if (unit < 0 || units.equal[unit] === true) continue
    const value = at(reward.values, rows[place] ?? 0)
    units.squares[unit] = (units.squares[unit] ?? 0) + (value - units.mean(unit)) ** 2
  }
  return Array.from(units.items, (_, unit) => units.tally(unit))
}

/** Of each item the tally of its newest policy version; rollouts that name none are older than all. */
export function newestTallies(all: readonly Tally[]): Tally[] {
  const newest = new Map<number, Tally>()
  for (const tally of all) {
    const known = newest.get(tally.item)
    if (known === undefined || (tally.policy_version ?? -1) > (known.policy_version ?? -1))
      newest.set(tally.item, tally)
  }
  return [...newest.values()]
}
