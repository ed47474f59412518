/** pass@k, pass^k, best@k, worst@k and maj@k over the items of a selection, with intervals by resampling items. */
import { passAtK, passHatK } from '#services/core/pass-at-k.ts'
import { Chance } from './chance.ts'
import { at } from './columns.ts'
import { type Votes, bestWeights, majorityOf } from './draws.ts'
import type { Selection } from './select.ts'
import { quantile } from './statistics.ts'

/** What can be estimated of k rollouts. `pass` is pass@k, `pass_hat` pass^k. */
export const ESTIMATORS = ['pass', 'pass_hat', 'best', 'worst', 'maj'] as const
export type Estimator = (typeof ESTIMATORS)[number]

/** The rollouts of one item by one policy version. */
interface Unit {
  readonly item: number
  readonly n: number
  readonly right: number
  /** Finite rewards from the least; empty where they are not wanted. */
  readonly rewards: Float64Array
  readonly answers: readonly Votes[]
}

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

/** Votes of one unit at most: a unit with more rollouts votes with its first ones. What a vote costs grows with the fourth power. */
export const VOTES_MAX = 64
/** The largest k of maj@k. */
export const MAJORITY_K_MAX = 16

/** Answers are compared trimmed, without case, any white space as one space. */
const normal = (answer: string) => answer.trim().toLowerCase().replaceAll(/\s+/g, ' ')

/** The answers of some rows. A rollout without an answer votes for none, which is never right. */
function votesOf({ frame, scores }: Selection, rows: readonly number[], normals: Map<number, string>): Votes[] {
  const byAnswer = new Map<string | null, { n: number; right: number }>()
  for (const row of rows.slice(0, VOTES_MAX)) {
    const code = frame.prediction.code(row)
    let answer: string | null = null
    if (code >= 0) {
      answer = normals.get(code) ?? normal(frame.prediction.dictionary.text(code) ?? '')
      normals.set(code, answer)
    }
    const votes = byAnswer.get(answer) ?? { n: 0, right: 0 }
    votes.n += 1
    if (answer !== null && scores.correct.values[row] === 1) votes.right += 1
    byAnswer.set(answer, votes)
  }
  return [...byAnswer.values()].sort((left, right) => left.n - right.n || left.right - right.right)
}

/** The units of a selection: finished trajectories with an item and a score, by (item, policy_version). */
function unitsOf(selection: Selection, estimators: readonly Estimator[]): Unit[] {
  const { frame, rows, scores } = selection
  const versions = new Map<number, number>()
  const places = new Map<number, number>()
  const found: { readonly item: number; readonly rows: number[] }[] = []
  for (let index = 0; index < rows.length; index++) {
    const row = rows[index] ?? 0
    const item = frame.item.codes[row] ?? -1
    if (item < 0 || frame.finished.values[row] !== 1 || (scores.correct.values[row] ?? -1) < 0) continue
    // No policy version is one of its own; NaN is a key like any other to a Map.
    const value = at(frame.policyVersion.values, row)
    let version = versions.get(value)
    if (version === undefined) versions.set(value, (version = versions.size))
    const key = version * frame.items.ids.size + item
    const place = places.get(key)
    if (place === undefined) {
      places.set(key, found.length)
      found.push({ item, rows: [row] })
    } else found[place]?.rows.push(row)
  }
  const rewarded = estimators.includes('best') || estimators.includes('worst')
  const voted = estimators.includes('maj')
  const normals = new Map<number, string>()
  return found.map(({ item, rows: unit }) => {
    let right = 0
    for (const row of unit) if (scores.correct.values[row] === 1) right += 1
    const rewards = rewarded
      ? Float64Array.from(unit, (row) => at(scores.reward.values, row))
          .filter((value) => Number.isFinite(value))
          .sort()
      : new Float64Array(0)
    return { item, n: unit.length, right, rewards, answers: voted ? votesOf(selection, unit, normals) : [] }
  })
}

/** Values from the least, or from the greatest, by their weights. */
function weighted(sorted: Float64Array, weights: Float64Array, fromGreatest: boolean): number {
  let total = 0
  const last = sorted.length - 1
  for (let place = 0; place <= last; place++)
    total += (weights[place] ?? 0) * (sorted[fromGreatest ? last - place : place] ?? 0)
  return total
}

/** The value of a unit for one k, or NaN where it has too few rollouts. Equal units are computed once. */
function valueOf(estimator: Estimator, k: number): (unit: Unit) => number {
  const known = new Map<string, number>()
  const remembered = (key: string, compute: () => number): number => {
    let value = known.get(key)
    if (value === undefined) known.set(key, (value = compute()))
    return value
  }
  const weights = new Map<number, Float64Array>()
  const weightsOf = (n: number): Float64Array => {
    let found = weights.get(n)
    if (found === undefined) weights.set(n, (found = bestWeights(n, k)))
    return found
  }
  switch (estimator) {
    case 'pass':
      return ({ n, right }) => (n < k ? Number.NaN : passAtK(n, right, k))
    case 'pass_hat':
      return ({ n, right }) => (n < k ? Number.NaN : passHatK(n, right, k))
    case 'best':
      return ({ rewards }) => (rewards.length < k ? Number.NaN : weighted(rewards, weightsOf(rewards.length), false))
    case 'worst':
      return ({ rewards }) => (rewards.length < k ? Number.NaN : weighted(rewards, weightsOf(rewards.length), true))
    case 'maj':
      return ({ n, answers }) =>
        n < k
          ? Number.NaN
          : remembered(answers.map((votes) => `${votes.n}/${votes.right}`).join(), () => majorityOf(answers, k))
  }
}

/** Sums and counts of the values of each item: resampling draws items, with all of their units. */
function byItems(units: readonly Unit[], values: Float64Array, places: Uint32Array, items: number) {
  const sums = new Float64Array(items)
  const counts = new Uint32Array(items)
  for (let index = 0; index < units.length; index++) {
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

type Column = ReturnType<typeof byItems> & { readonly means: Float64Array }

/** The means of all columns over items drawn again and again; all columns see the same draws. */
function resample(columns: readonly Column[], items: number, resamples: number, seed: number): void {
  const chance = new Chance(seed)
  const drawn = new Uint16Array(items)
  for (let round = 0; round < resamples; round++) {
    drawInto(drawn, chance)
    for (const { sums, counts, means } of columns) {
      let [total, n] = [0, 0]
      for (let item = 0; item < items; item++) {
        const times = drawn[item] ?? 0
        total += times * (sums[item] ?? 0)
        n += times * (counts[item] ?? 0)
      }
      means[round] = n === 0 ? Number.NaN : total / n
    }
  }
}

/** The estimates for each k. Units count equally. */
export function passTable(selection: Selection, options: PassOptions): PassTable {
  const units = unitsOf(selection, options.estimators)
  const placeOf = new Map<number, number>()
  const places = Uint32Array.from(units, ({ item }) => {
    let place = placeOf.get(item)
    if (place === undefined) placeOf.set(item, (place = placeOf.size))
    return place
  })
  const items = placeOf.size
  const wanted = options.ks.flatMap((k) => options.estimators.map((estimator) => ({ k, estimator })))
  const perRound = items * Math.max(1, wanted.length / 2)
  const resamples = items === 0 ? 0 : Math.min(options.resamples, Math.max(100, Math.floor(DRAWS_MAX / perRound)))
  const columns = wanted.map(({ k, estimator }) => {
    const values = Float64Array.from(units, valueOf(estimator, k))
    return { k, estimator, values, ...byItems(units, values, places, items), means: new Float64Array(resamples) }
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
      leftOut: units.length - n,
    }
    return { k, estimator, estimate }
  })
  return {
    units: units.length,
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
