/** pass@k, pass^k, best@k, worst@k and maj@k over the items of a selection, with intervals by resampling items. */
import { passAtK, passHatK } from '#services/core/pass-at-k.ts'
import { Chance } from './chance.ts'
import { bestWeights, majorityOf } from './draws.ts'
import { type Units, unitsOf } from './pass-units.ts'
import type { Selection } from './select.ts'
import { quantile } from './statistics.ts'

/** What can be estimated of k rollouts. `pass` is pass@k, `pass_hat` pass^k. */
export const ESTIMATORS = ['pass', 'pass_hat', 'best', 'worst', 'maj'] as const
export type Estimator = (typeof ESTIMATORS)[number]

/** An estimate with its interval. */
export interface Estimate {
  readonly value: number | null
  readonly low: number | null
  readonly high: number | null
  /** Units with at least k rollouts. */
  readonly n: number
  /** Units with fewer, which are in no number here. */
  readonly leftOut: number
}

export interface PassOptions {
  readonly ks: readonly number[]
  readonly estimators: readonly Estimator[]
  /** The share of the interval, 0.95 say. */
  readonly confidence: number
  /** How often items are drawn again; 0 for no interval. */
  readonly resamples: number
  readonly seed: number
}

export interface PassTable {
  readonly units: number
  readonly items: number
  /** Resamples that were made: fewer than asked for where items are many. */
  readonly resamples: number
  readonly estimates: readonly { readonly k: number; readonly of: Readonly<Record<Estimator, Estimate | undefined>> }[]
}

/** Draws of items in all, each k counted as one: 6 million take about 50 ms. */
const DRAWS_MAX = 6_000_000

/** The largest k of maj@k. */
export const MAJORITY_K_MAX = 16

/** Values [from, to) from the least, or from the greatest, by their weights. */
function weighted(
  sorted: Float64Array,
  from: number,
  to: number,
  weights: Float64Array,
  fromGreatest: boolean,
): number {
  let total = 0
  for (let place = 0; place < to - from; place++)
    total += (weights[place] ?? 0) * (sorted[fromGreatest ? to - 1 - place : from + place] ?? 0)
  return total
}

/** What `compute` gives for whole numbers, computed once for each. */
function once<Value>(compute: (number: number) => Value): (number: number) => Value {
  const known: (Value | undefined)[] = []
  return (number) => (known[number] ??= compute(number))
}

/** The value of a unit for one k, or NaN where it has too few rollouts. */
function valueOf(estimator: Estimator, k: number, units: Units): (unit: number) => number {
  const { n, right, rewards, rewardStarts, pattern, patterns } = units
  const counted =
    (of: (n: number, right: number, k: number) => number): ((unit: number) => number) =>
    (unit) =>
      (n[unit] ?? 0) < k ? Number.NaN : of(n[unit] ?? 0, right[unit] ?? 0, k)
  const weightsOf = once((all) => bestWeights(all, k))
  const ranked =
    (fromGreatest: boolean): ((unit: number) => number) =>
    (unit) => {
      const [from, to] = [rewardStarts[unit] ?? 0, rewardStarts[unit + 1] ?? 0]
      return to - from < k ? Number.NaN : weighted(rewards, from, to, weightsOf(to - from), fromGreatest)
    }
  switch (estimator) {
    case 'pass':
      return counted(passAtK)
    case 'pass_hat':
      return counted(passHatK)
    case 'best':
      return ranked(false)
    case 'worst':
      return ranked(true)
    case 'maj': {
      const chance = once((number) => majorityOf(patterns[number] ?? [], k))
      return (unit) => ((n[unit] ?? 0) < k ? Number.NaN : chance(pattern[unit] ?? 0))
    }
  }
}

/** The values of all units. */
function valuesOf(estimator: Estimator, k: number, units: Units): Float64Array {
  const values = new Float64Array(units.size)
  const of = valueOf(estimator, k, units)
  for (let unit = 0; unit < values.length; unit++) values[unit] = of(unit)
  return values
}

/** Sums and counts of the values of each item: resampling draws items, with all of their units. */
function byItems(values: Float64Array, places: Uint32Array, items: number) {
  const sums = new Float64Array(items)
  const counts = new Uint32Array(items)
  for (let index = 0; index < values.length; index++) {
    const value = values[index] ?? Number.NaN
    if (Number.isNaN(value)) continue
    const place = places[index] ?? 0
    sums[place] = (sums[place] ?? 0) + value
    counts[place] = (counts[place] ?? 0) + 1
  }
  return { sums, counts }
}

/** How often each item is drawn in one resample. */
function drawInto(drawn: Uint16Array, chance: Chance): void {
  drawn.fill(0)
  for (let index = 0; index < drawn.length; index++) {
    const item = chance.below(drawn.length)
    drawn[item] = (drawn[item] ?? 0) + 1
  }
}

/** The sum over items, each as often as it is drawn. */
function drawnSum(drawn: Uint16Array, values: Float64Array | Uint32Array): number {
  let total = 0
  for (let item = 0; item < drawn.length; item++) total += (drawn[item] ?? 0) * (values[item] ?? 0)
  return total
}

type Column = ReturnType<typeof byItems> & { readonly means: Float64Array }

const areEqual = (left: Uint32Array, right: Uint32Array): boolean => {
  for (let index = 0; index < left.length; index++) if (left[index] !== right[index]) return false
  return true
}

/**
 * The means of all columns over items drawn again and again; all columns see the same draws. Columns that share their
 * counts are counted once.
 */
function resample(columns: readonly Column[], items: number, resamples: number, seed: number): void {
  const chance = new Chance(seed)
  const drawn = new Uint16Array(items)
  for (let round = 0; round < resamples; round++) {
    drawInto(drawn, chance)
    let counted: Uint32Array | undefined
    let n = 0
    for (const { sums, counts, means } of columns) {
      if (counts !== counted) {
        n = drawnSum(drawn, counts)
        counted = counts
      }
      means[round] = n === 0 ? Number.NaN : drawnSum(drawn, sums) / n
    }
  }
}

/** The estimates for each k. Units count equally. */
export function passTable(selection: Selection, options: PassOptions): PassTable {
  const { estimators } = options
  const units = unitsOf(selection, {
    rewards: estimators.includes('best') || estimators.includes('worst'),
    votes: estimators.includes('maj'),
  })
  const placeOf = new Map<number, number>()
  const places = new Uint32Array(units.size)
  for (let unit = 0; unit < units.size; unit++) {
    const item = units.items[unit] ?? 0
    let place = placeOf.get(item)
    if (place === undefined) placeOf.set(item, (place = placeOf.size))
    places[unit] = place
  }
  const items = placeOf.size
  const wanted = options.ks.flatMap((k) => estimators.map((estimator) => ({ k, estimator })))
  const perRound = items * Math.max(1, wanted.length / 2)
  const resamples = items === 0 ? 0 : Math.min(options.resamples, Math.max(100, Math.floor(DRAWS_MAX / perRound)))
  let last: Column['counts'] | undefined
  const columns = wanted.map(({ k, estimator }) => {
    const values = valuesOf(estimator, k, units)
    const { sums, counts: own } = byItems(values, places, items)
    const counts = last !== undefined && areEqual(last, own) ? last : own
    last = counts
    return { k, estimator, values, sums, counts, means: new Float64Array(resamples) }
  })
  resample(columns, items, resamples, options.seed)
  const estimates = columns.map(({ k, estimator, values, means }) => {
    let [total, n] = [0, 0]
    for (let index = 0; index < values.length; index++) {
      const value = values[index] ?? Number.NaN
      if (Number.isNaN(value)) continue
      total += value
      n += 1
    }
    const sorted = means.filter((mean) => !Number.isNaN(mean)).sort()
    const tail = (1 - options.confidence) / 2
    const estimate: Estimate = {
      value: n === 0 ? null : total / n,
      low: n === 0 ? null : quantile(sorted, tail),
      high: n === 0 ? null : quantile(sorted, 1 - tail),
      n,
      leftOut: units.size - n,
    }
    return { k, estimator, estimate }
  })
  return {
    units: units.size,
    items,
    resamples,
    estimates: options.ks.map((k) => ({
      k,
      of: Object.fromEntries(
        estimates.filter((one) => one.k === k).map(({ estimator, estimate }) => [estimator, estimate]),
      ) as Record<Estimator, Estimate | undefined>,
    })),
  }
}
