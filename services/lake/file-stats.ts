/** What the catalog notes of a file, by column, so that whoever filters need not open it. */
import { lakeColumns, type LakeTableName } from '#schemas/lake.ts'
import type { Span } from './column-leaf.ts'

/** What a file holds of a column. */
export interface ColumnStats {
  readonly min?: string | number
  readonly max?: string | number
  readonly null_count: number
}

/** The columns that filters use. */
const FILTERED = new Set(
  'partition offset run_id trajectory_id item_id group_id image_id policy_version train_step step_index reward_version name status type verdict first_offset finished_offset'.split(
    ' ',
  ),
)

/** Columns of which only is noted how often they are null: a dataset reads other columns where there is none. */
const COUNTED = new Set(['raw_output'])

/** Whether filters use a column. */
export const isFilteredColumn = (name: string): boolean => FILTERED.has(name)

interface Entry {
  readonly key: string
  readonly value: unknown
}

/** What DuckDB says of the columns of a file that it wrote. */
export function statsOfCopy(table: LakeTableName, given: unknown): Record<string, ColumnStats> {
  const types = lakeColumns(table)
  const stats: Record<string, ColumnStats> = {}
  for (const { key, value } of given as readonly Entry[]) {
    const name = key.slice(1, -1)
    if (!FILTERED.has(name) && !COUNTED.has(name)) continue
    const found = new Map((value as readonly Entry[]).map((entry) => [entry.key, String(entry.value)]))
    const typed = (text: string): string | number => (types[name] === 'VARCHAR' ? text : Number(text))
    const [min, max] = [found.get('min'), found.get('max')]
    stats[name] = {
      ...(min === undefined || max === undefined || COUNTED.has(name) ? {} : { min: typed(min), max: typed(max) }),
      null_count: Number(found.get('null_count') ?? 0),
    }
  }
  return stats
}

/** What we know of the columns of a file that we wrote. */
export function statsOfSpans(spans: ReadonlyMap<string, Span>): Record<string, ColumnStats> {
  const stats: Record<string, ColumnStats> = {}
  for (const [name, { nulls, low, high }] of spans) {
    if (!FILTERED.has(name) && !COUNTED.has(name)) continue
    const isKnown = FILTERED.has(name) && low !== undefined && high !== undefined
    const shown = (bound: Buffer | number): string | number => (typeof bound === 'number' ? bound : bound.toString())
    stats[name] = { ...(isKnown ? { min: shown(low), max: shown(high) } : {}), null_count: nulls }
  }
  return stats
}
