/** Shaping that cuts by rank or by hash, said once for every engine. `unit` is the column that limit and shard count by. */
import type { DatasetRequest } from './request.ts'
import { sqlText } from './sql.ts'

/** `run_id` and `trajectory_id` are ordered by their bytes. */
export const ORDER = 'run_id NULLS LAST, trajectory_id'

/** By hash of seed and id, or in the order of rows. */
export const drawn = (seed: number | undefined, key: string, order: string): string =>
  seed === undefined ? order : `md5(${sqlText(`${seed}:`)} || ${key}), ${key}`

/** Of the trajectories that are in: those that have a place which is left out. */
export interface Cut {
  readonly why: 'per_item' | 'limit' | 'shard'
  /** Which of them have a place at all. */
  readonly among: string
  /** Places are counted for each value of this column; undefined for over all. */
  readonly each: string | undefined
  /** What the places are in order of, equals sharing one. */
  readonly order: string
  /** Whether a place is left out. */
  readonly leavesOut: (place: string) => string
}

/** The first few of each item. */
export const perItemCut = (perItem: number, seed: number | undefined): Cut => ({
  why: 'per_item',
  among: 'item_id IS NOT NULL',
  each: 'item_id',
  order: drawn(seed, 'trajectory_id', ORDER),
  leavesOut: (place) => `${place} > ${perItem}`,
})

/** The first units. `order` is that of units. */
export const limitCut = (limit: number, seed: number | undefined, order: string): Cut => ({
  why: 'limit',
  among: 'true',
  each: undefined,
  order: drawn(seed, 'unit', order),
  leavesOut: (place) => `${place} > ${limit}`,
})

/** Units in order of their key are dealt out in turn: the shards are disjoint, and together they are everything. */
export const shardCut = ({ index, of }: { index: number; of: number }, order: string): Cut => ({
  why: 'shard',
  among: 'true',
  each: undefined,
  order,
  leavesOut: (place) => `(${place} - 1) % ${of} <> ${index}`,
})

/** Units of one run after the other. */
export const BY_UNIT = 'run_id NULLS LAST, unit'

/** Hex digits of a hash that are compared: 52 bits, which a double holds exactly. */
const HASH_DIGITS = 13

/** What the other part has: items whose hash lies below the share are `val`, the others `train`, whatever else is asked. */
export function heldOut(holdout: number, part: NonNullable<DatasetRequest['shaping']>['part']): string {
  const below = Math.round(holdout * 16 ** HASH_DIGITS)
    .toString(16)
    .padStart(HASH_DIGITS, '0')
  const held = `substr(md5(coalesce(item_id, trajectory_id)), 1, ${HASH_DIGITS}) < ${sqlText(below)}`
  return part === 'val' ? `NOT (${held})` : held
}
