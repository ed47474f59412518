/** What is kept about a dataset that was built: what was asked, of which state, what came out and what did not. */
import { REASON_NAMES, type Reason } from './filters.ts'
import { LEAKS } from './selection.ts'
import type { FormatName, RecipeName, Shape } from './recipes.ts'

/** Counts of trajectories. `trajectories` = `rows` + all of `filtered` + all of `left_out`. */
export interface Counts {
  /** Trajectories known at the snapshot; where runs are asked for, of other runs the finished ones. */
  readonly trajectories: number
  /** Those in the dataset. */
  readonly rows: number
  /** By filter (the first that it fails) and by what shaped the dataset, such as `limit`. */
  readonly filtered: Readonly<Record<string, number>>
  /** By reason, those of the recipe and of the shape included once the dataset is built. */
  readonly left_out: Readonly<Record<string, number>>
  /** With leaks=count: trajectories in the dataset on items whose answers are to stay unseen. */
  readonly leaks?: number
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
 * Counts from the rows (left_out, n) of a compiled query, and from those (why, n) of what was selected and gave no row:
 * it is not in the dataset, so that every trajectory is counted once.
 */
export function countsFrom(
  given: readonly (readonly [string | null, number])[],
  notTaken: readonly (readonly [string, number])[] = [],
): Counts {
  const about = given.filter(([why]) => why !== LEAKS)
  const byWhy = new Map(given)
  const filtered: Record<string, number> = {}
  for (const [why, n] of about) if (why?.startsWith('filter:') === true) filtered[why.slice('filter:'.length)] = n
  const leftOut = Object.fromEntries(REASON_NAMES.map((reason) => [reason, byWhy.get(reason) ?? 0])) as Record<
    Reason,
    number
  >
  const leaks = byWhy.get(LEAKS)
  return {
    trajectories: about.reduce((sum, [, n]) => sum + n, 0),
    rows: (byWhy.get(null) ?? 0) - notTaken.reduce((sum, [, n]) => sum + n, 0),
    filtered,
    left_out: { ...leftOut, ...Object.fromEntries(notTaken) },
    ...(leaks === undefined ? {} : { leaks }),
  }
}
