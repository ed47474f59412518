/** What verify finds. Bounded: the first differences are listed, all are counted. */

/** One difference between the log and something made from it. */
export interface Difference {
  /** Where: `store.steps`, `lake.events`, `file`, `object`. */
  readonly where: string
  /** What it is about: a key, a path, or a place in the log. */
  readonly key: string
  /** What is wrong, in words. */
  readonly what: string
  readonly expected?: unknown
  readonly found?: unknown
}

/** Accepted, unique facts below the position. */
export interface Counts {
  events: number
  trajectories: number
  steps: number
  tool_calls: number
}

/** Facts of one run in one partition, as the log has them. */
export interface RunCounts {
  readonly run_id: string
  readonly partition: number
  trajectories: number
  steps: number
}

export interface VerifyReport {
  readonly ok: boolean
  /** Everything was compared below this position. */
  readonly position: string
  readonly snapshot: number | null
  readonly counts: Counts
  readonly runs: readonly RunCounts[]
  readonly differences: readonly Difference[]
  /** All differences, also those that are not listed. */
  readonly n_differences: number
  /** What could not be compared and why, such as records that the log no longer holds. */
  readonly notes: readonly string[]
}

/** Differences that are listed at most. */
const LISTED_MAX = 200

/** Collects differences. */
export class Differences {
  readonly listed: Difference[] = []
  count = 0

  add(difference: Difference): void {
    this.count += 1
    if (this.listed.length < LISTED_MAX) this.listed.push(difference)
  }

  /** Adds one where two values are not the same; compares as JSON. */
  compare(where: string, key: string, what: string, expected: unknown, found: unknown): void {
    if (!same(expected, found)) this.add({ where, key, what, expected, found })
  }
}

/** Whether two row values are the same. Numbers compare as numbers, NaN equals itself, JSON by content and order. */
export function same(left: unknown, right: unknown): boolean {
  if (Object.is(left, right)) return true
  if (typeof left === 'number' && typeof right === 'number') return left === right
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) return false
  return JSON.stringify(left) === JSON.stringify(right)
}
