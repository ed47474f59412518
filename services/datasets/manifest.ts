/** What is kept about a dataset that was built: what was asked, of which state, what came out and what did not. */
import { REASON_NAMES, type Reason } from './filters.ts'
import type { FormatName, RecipeName, Shape } from './recipes.ts'

/** Counts of trajectories. `trajectories` = `rows` + all of `filtered` + all of `left_out`. */
export interface Counts {
  /** Trajectories known at the snapshot. */
  readonly trajectories: number
  /** Those in the dataset. */
  readonly rows: number
  /** By filter (the first that it fails) and by `limit`. */
  readonly filtered: Readonly<Record<string, number>>
  /** By reason. */
  readonly left_out: Readonly<Record<Reason, number>>
}

export interface Manifest {
  readonly manifest_version: 1
  readonly build: string
  readonly recipe: RecipeName
  readonly format: FormatName
  readonly shape: Shape
  /** The canonical filter, as a query string without the snapshot. */
  readonly filter: string
  readonly snapshot: number
  readonly snapshot_created_at: string
  readonly log_id: string
  /** The dataset has exactly the records below these offsets. */
  readonly offsets: string
  readonly counts: Counts
  readonly rows: number
  readonly bytes: number
  readonly sha256: string
  /** The blob key of the bytes. */
  readonly object: string
  readonly engine: string
  readonly lineage: { readonly lake_files: readonly string[] }
  readonly created_at: string
}

/**
 * Counts from the rows (left_out, n) of a compiled query. What the limit cut off is what was in and not written.
 */
export function countsFrom(given: readonly (readonly [string | null, number])[], limit: number | undefined): Counts {
  const byWhy = new Map(given)
  const inside = byWhy.get(null) ?? 0
  const rows = limit === undefined ? inside : Math.min(inside, limit)
  const filtered: Record<string, number> = {}
  const add = (name: string, n: number) => {
    if (n > 0) filtered[name] = (filtered[name] ?? 0) + n
  }
  for (const [why, n] of given) if (why?.startsWith('filter:')) add(why.slice('filter:'.length), n)
  add('limit', inside - rows)
  const leftOut = Object.fromEntries(REASON_NAMES.map((reason) => [reason, byWhy.get(reason) ?? 0])) as Record<
    Reason,
    number
  >
  const trajectories = given.reduce((sum, [, n]) => sum + n, 0)
  return { trajectories, rows, filtered: filtered, left_out: leftOut }
}
