/** pass@k, pass^k, best@k, worst@k and maj@k over the items of a selection, with intervals by resampling items. */
import { passAtK, passHatK } from '#services/core/pass-at-k.ts'
import { type Bucket, bucketsOf } from './buckets.ts'
import { at, joinedRows } from './columns.ts'
import { bestWeights, majorityOf } from './draws.ts'
import { statisticsOfBuckets } from './kept-buckets.ts'
import { type Units, unitsOf } from './pass-units.ts'
import { byItems, resampled } from './resampling.ts'
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

/** Draws of items in all, each k counted as one: 6 million take about 20 ms. */
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

/** A column of values: one estimator of one k. */
interface Wanted {
  readonly k: number
  readonly estimator: Estimator
}

/** Units of a list of rows, with what was computed of each. */
interface UnitValues {
  readonly items: Uint32Array
  /** The first row of each, which says where it stands among all. */
  readonly firsts: Uint32Array
  /** A column for each that is wanted; NaN where a unit has too few rollouts. */
  readonly columns: readonly Float64Array[]
}

/** The values of the units of each of these buckets, of which no two share a policy version: so no unit is in two. */
function valuesOfBuckets(selection: Selection, buckets: readonly Bucket[], wanted: readonly Wanted[]): UnitValues[] {
  const estimators = new Set(wanted.map(({ estimator }) => estimator))
  const rows = joinedRows(buckets.map((bucket) => bucket.rows))
  const units = unitsOf(
    { ...selection, rows },
    { rewards: estimators.has('best') || estimators.has('worst'), votes: estimators.has('maj') },
  )
  const columns = wanted.map(({ k, estimator }) => {
    const values = new Float64Array(units.size)
    const of = valueOf(estimator, k, units)
    for (let unit = 0; unit < values.length; unit++) values[unit] = of(unit)
    return values
  })
  const versions = selection.frame.policyVersion.values
  let to = 0
  return buckets.map((bucket) => {
    const version = at(versions, bucket.rows[0] ?? 0)
    const from = to
    while (to < units.size && Object.is(at(versions, units.firsts[to] ?? 0), version)) to += 1
    return {
      items: units.items.slice(from, to),
      firsts: units.firsts.slice(from, to),
      columns: columns.map((values) => values.slice(from, to)),
    }
  })
}

const bytesOf = ({ items, firsts, columns }: UnitValues): number =>
  items.byteLength + firsts.byteLength + columns.reduce((sum, { byteLength }) => sum + byteLength, 0)

/** The values of all units of a selection, in the order of their first rows. Those of a policy version are kept. */
function unitValues(selection: Selection, wanted: readonly Wanted[]): Omit<UnitValues, 'firsts'> {
  const name = `pass ${wanted.map(({ k, estimator }) => `${estimator}@${k}`).join(' ')}`
  const parts = statisticsOfBuckets(
    selection,
    name,
    bucketsOf(selection, ['policy_version']),
    (changed) => valuesOfBuckets(selection, changed, wanted),
    bytesOf,
  ).map(({ statistics }) => statistics)
  const { frame, rows } = selection
  const isFirst = new Uint8Array(frame.size)
  for (const { firsts } of parts) for (const row of firsts) isFirst[row] = 1
  const places = new Uint32Array(frame.size)
  let size = 0
  for (let index = 0; index < rows.length; index++) {
    const row = rows[index] ?? 0
    if (isFirst[row] === 1) places[row] = size++
  }
  const items = new Uint32Array(size)
  const columns = wanted.map(() => new Float64Array(size))
  for (const part of parts) {
    const placesHere = part.firsts.map((row) => places[row] ?? 0)
    scatter(part.items, placesHere, items)
    for (const [column, values] of columns.entries()) scatter(part.columns[column] ?? values, placesHere, values)
  }
  return { items, columns }
}

/** Puts each value where it belongs. */
function scatter(values: Float64Array | Uint32Array, places: Uint32Array, into: Float64Array | Uint32Array): void {
  for (let index = 0; index < places.length; index++) into[places[index] ?? 0] = values[index] ?? 0
}

/** The place of the item of each unit, in the order in which items come. */
function itemPlaces(codes: Uint32Array, itemCodes: number): { readonly places: Uint32Array; readonly items: number } {
  const placeOf = new Int32Array(itemCodes).fill(-1)
  const places = new Uint32Array(codes.length)
  let items = 0
  for (let unit = 0; unit < codes.length; unit++) {
    const code = codes[unit] ?? 0
    if ((placeOf[code] ?? -1) < 0) placeOf[code] = items++
    places[unit] = placeOf[code] ?? 0
  }
  return { places, items }
}

/** The estimates for each k. Units count equally. */
export function passTable(selection: Selection, options: PassOptions): PassTable {
  const { estimators } = options
  const wanted = options.ks.flatMap((k) => estimators.map((estimator) => ({ k, estimator })))
  const units = unitValues(selection, wanted)
  const size = units.items.length
  const { places, items } = itemPlaces(units.items, selection.frame.items.ids.size)
  const perRound = items * Math.max(1, wanted.length / 2)
  const resamples = items === 0 ? 0 : Math.min(options.resamples, Math.max(100, Math.floor(DRAWS_MAX / perRound)))
  const columns = units.columns.map((values) => byItems(values, places, items))
  const means = resampled(columns, items, resamples, options.seed)
  const estimates = columns.map(({ total, n }, column) => {
    const sorted = (means[column] ?? new Float64Array(0)).filter((mean) => !Number.isNaN(mean)).sort()
    const tail = (1 - options.confidence) / 2
    const estimate: Estimate = {
      value: n === 0 ? null : total / n,
      low: n === 0 ? null : quantile(sorted, tail),
      high: n === 0 ? null : quantile(sorted, 1 - tail),
      n,
      leftOut: size - n,
    }
    return { ...wanted[column], estimate }
  })
  return {
    units: size,
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
