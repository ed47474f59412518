/**
 * What was computed of buckets, kept for each of them while its rows stay as they were. Events change a few train steps
 * of hundreds: after them only those are computed anew.
 */
import type { Bucket } from './buckets.ts'
import { at } from './columns.ts'
import type { Frame } from './frame.ts'
import type { Scores } from './scores.ts'
import type { Selection } from './select.ts'

interface Kept {
  readonly rows: Uint32Array
  /** The version of the frame that they were computed of. */
  readonly version: number
  readonly statistics: unknown
}

/** Rows of buckets that are kept of a table of scores, as a multiple of those of its frame; one takes four bytes. */
const KEPT_TIMES = 8

/** By scores, so that what was computed under one reward version is never shown for another. */
const keptOf = new WeakMap<Scores, { readonly buckets: Map<string, Kept>; rows: number }>()

/** Whether a bucket has the rows that it had, and nothing was put into them since. */
function isAsBefore({ changedAt }: Frame, { rows: before, version }: Kept, rows: Uint32Array): boolean {
  if (before.length !== rows.length) return false
  const { values } = changedAt
  for (let index = 0; index < rows.length; index++) {
    const row = rows[index] ?? 0
    if (row !== before[index] || at(values, row) > version) return false
  }
  return true
}

/**
 * The statistics of each bucket of a selection. `compute` is given those that are not what they were, and gives theirs in
 * the same order. `name` says all that they depend on besides the rows of the bucket and their scores; what is known of
 * items is no part of them.
 */
export function statisticsOfBuckets<Statistics>(
  { frame, scores }: Pick<Selection, 'frame' | 'scores'>,
  name: string,
  buckets: readonly Bucket[],
  compute: (changed: readonly Bucket[]) => readonly Statistics[],
): { readonly bucket: Bucket; readonly statistics: Statistics }[] {
  let held = keptOf.get(scores)
  if (held === undefined) keptOf.set(scores, (held = { buckets: new Map(), rows: 0 }))
  const { buckets: before } = held
  // Buckets of one list share no row, and those of other filters mostly are of other sizes.
  const keys = buckets.map(({ rows }) => `${rows.length} ${rows[0]} ${name}`)
  const known = buckets.map(({ rows }, index) => {
    const kept = before.get(keys[index] ?? '')
    return kept !== undefined && isAsBefore(frame, kept, rows) ? kept : undefined
  })
  const changed = buckets.filter((_, index) => known[index] === undefined)
  const computed = (changed.length === 0 ? [] : compute(changed)).values()
  const found = buckets.map((bucket, index) => {
    const { rows } = bucket
    const key = keys[index] ?? ''
    const now = known[index] ?? { rows, version: frame.version, statistics: computed.next().value }
    held.rows += rows.length - (before.get(key)?.rows.length ?? 0)
    // What was asked for last stands last.
    before.delete(key)
    before.set(key, now)
    return { bucket, statistics: now.statistics as Statistics }
  })
  for (const [key, { rows }] of before) {
    if (held.rows <= frame.size * KEPT_TIMES) break
    before.delete(key)
    held.rows -= rows.length
  }
  return found
}
