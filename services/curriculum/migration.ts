/** How items moved between two policy versions: from bucket to bucket, forgotten, newly solved. */
import { type Fraction, reaches, within } from './fraction.ts'
import type { Tally } from './tally.ts'

/** Buckets of pass rates, by integer counts. */
export const BUCKETS = ['never', 'low', 'tail', 'middle', 'high', 'always'] as const
export type Bucket = (typeof BUCKETS)[number]

const eighths = (count: bigint): Fraction => ({ top: count, bottom: 8n })

/**
 * never: none right. low: below 1/8. tail: 1/8 to 3/8, both in it (the Tail-Patch slice). middle: above 3/8 and below
 * 5/8. high: 5/8 and more. always: all right.
 */
export function bucketOf(passed: number, n: number): Bucket {
  if (passed === 0) return 'never'
  if (passed === n) return 'always'
  if (!reaches(passed, n, eighths(1n))) return 'low'
  if (within(passed, n, eighths(3n))) return 'tail'
  return reaches(passed, n, eighths(5n)) ? 'high' : 'middle'
}

/** What became of an item. Of those that changed neither way it is none. */
export const CHANGES = ['forgotten', 'newly_solved', 'never', 'always'] as const
export type Change = (typeof CHANGES)[number]

export interface Migration {
  /** Items with at least min_n rollouts at both versions. */
  readonly n_items: number
  /** Items with rollouts at either, but too few at one of them. */
  readonly n_items_left_out: number
  /** Cells that have items, in the order of buckets. */
  readonly matrix: readonly { readonly from_bucket: Bucket; readonly to_bucket: Bucket; readonly n_items: number }[]
  /** Codes of items, in the order of their ids. */
  readonly changes: { readonly [Name in Change]: readonly number[] }
  /** The mean of pass rate after less pass rate before. Null of no items. */
  readonly mean_change: number | null
  /** The mean of what items lost, those that gained counting as 0. */
  readonly mean_loss: number | null
}

function changeOf(before: Tally, after: Tally): Change | undefined {
  if (before.passed === 0) return after.passed === 0 ? 'never' : 'newly_solved'
  if (after.passed === 0) return 'forgotten'
  return before.passed === before.n && after.passed === after.n ? 'always' : undefined
}

/**
 * Compares tallies of two policy versions, at most one for each item in each list. forgotten: some were right before
 * and none after; newly_solved: none before and some after; never: none at either; always: all at both.
 */
export function migration(
  from: readonly Tally[],
  to: readonly Tally[],
  minN: number,
  inOrder: (left: number, right: number) => number,
): Migration {
  const before = new Map(from.filter(({ n }) => n >= minN).map((tally) => [tally.item, tally]))
  const after = new Map(to.filter(({ n }) => n >= minN).map((tally) => [tally.item, tally]))
  const seen = new Set([...from, ...to].map(({ item }) => item))
  const both = [...before.keys()].filter((item) => after.has(item)).sort(inOrder)
  const cells = new Map<string, number>()
  const changes: Record<Change, number[]> = { forgotten: [], newly_solved: [], never: [], always: [] }
  let moved = 0
  let lost = 0
  for (const item of both) {
    const [one, other] = [before.get(item), after.get(item)]
    if (one === undefined || other === undefined) continue
    const cell = `${bucketOf(one.passed, one.n)} ${bucketOf(other.passed, other.n)}`
    cells.set(cell, (cells.get(cell) ?? 0) + 1)
    const change = changeOf(one, other)
    if (change !== undefined) changes[change].push(item)
    const difference = other.passed / other.n - one.passed / one.n
    moved += difference
    lost += Math.max(0, -difference)
  }
  return {
    n_items: both.length,
    n_items_left_out: seen.size - both.length,
    matrix: BUCKETS.flatMap((fromBucket) =>
      BUCKETS.map((toBucket) => ({
        from_bucket: fromBucket,
        to_bucket: toBucket,
        n_items: cells.get(`${fromBucket} ${toBucket}`) ?? 0,
      })),
    ).filter(({ n_items: n }) => n > 0),
    changes,
    mean_change: both.length === 0 ? null : moved / both.length,
    mean_loss: both.length === 0 ? null : lost / both.length,
  }
}
