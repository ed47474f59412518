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
  /** What the rows and the statistics take. */
  readonly bytes: number
}

/** Bytes that are kept of a table of scores for each row of its frame, which itself takes 700. */
const KEPT_BYTES_EACH = 96

/** By scores, so that what was computed under one reward version is never shown for another. */
const keptOf = new WeakMap<Scores, { readonly buckets: Map<string, Kept>; bytes: number }>()

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
 * items is no part of them. `bytesOf` says what large ones take; without it they count nothing beside the rows.
 */
export function statisticsOfBuckets<Statistics>(
  { frame, scores }: Pick<Selection, 'frame' | 'scores'>,
  name: string,
  buckets: readonly Bucket[],
  compute: (changed: readonly Bucket[]) => readonly Statistics[],
  bytesOf: (statistics: Statistics) => number = () => 0,
): { readonly bucket: Bucket; readonly statistics: Statistics }[] {
  let held = keptOf.get(scores)
  if (held === undefined) keptOf.set(scores, (held = { buckets: new Map(), bytes: 0 }))
  const { buckets: before } = held
  // Buckets of one list share no row, and those of other filters mostly are of other sizes.
  const keys = buckets.map(({ rows }) => `${rows.length} ${rows[0]} ${name}`)
  const known = buckets.map(({ rows }, index) => {
    const kept = before.get(keys[index] ?? '')
    return kept !== undefined && isAsBefore(frame, kept, rows) ? kept : undefined
  })
  const changed = buckets.filter((_, index) => known[index] === undefined)
  const computed = (changed.length === 0 ? [] : compute(changed)).values()
  const now = buckets.map(({ rows }, index): Kept => {
    const kept = known[index]
    if (kept !== undefined) return kept
    const statistics = computed.next().value as Statistics
    return { rows, version: frame.version, statistics, bytes: rows.byteLength + bytesOf(statistics) }
  })
  const forget = (key: string): void => {
    held.bytes -= before.get(key)?.bytes ?? 0
    before.delete(key)
  }
  const bytesMax = frame.size * KEPT_BYTES_EACH
  // A list that does not fit would push out all others and itself.
  const fits = now.reduce((sum, { bytes }) => sum + bytes, 0) <= bytesMax
  for (const [index, key] of keys.entries()) {
    forget(key)
    const one = now[index]
    if (!fits || one === undefined) continue
    // What was asked for last stands last.
    before.set(key, one)
    held.bytes += one.bytes
  }
  for (const key of before.keys()) {
    if (held.bytes <= bytesMax) break
    forget(key)
  }
  return buckets.map((bucket, index) => ({ bucket, statistics: now[index]?.statistics as Statistics }))
}
