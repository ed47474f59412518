/**
 * What a recipe is: from the trajectories that were selected to rows in a fixed order, as SQL. It finds the temporary
 * tables `kept` (one row for each selected trajectory, with `part`), `known` and `best` (every trajectory of the
 * snapshot and its score), and leaves the relations `rows` (in order) and `not_taken` (why, n).
 */
import type { Gathering } from '#services/lake/jobs.ts'
import type { Advantage } from '#services/core/advantage.ts'
import type { LakeFiles } from '#services/datasets/files.ts'
import type { Reason } from '#services/datasets/filters.ts'
import type { Shape } from '#services/datasets/shapes/shape.ts'

/** How images come into rows: their hashes, URLs, or their bytes. */
export const IMAGE_MODES = ['hash', 'url', 'bytes'] as const
export type ImageMode = (typeof IMAGE_MODES)[number]

/** What a row of `preference` is. */
export const PREFERENCES = ['pairs', 'kto', 'ranked'] as const
export type Preference = (typeof PREFERENCES)[number]

/** By whose words `transitions` are written. */
export const CONVENTIONS = ['gymnasium', 'minari', 'rlds'] as const
export type Convention = (typeof CONVENTIONS)[number]

/** What may be asked of recipes beyond the selection. Absent is the default. */
export interface RecipeOptions {
  readonly images?: ImageMode | undefined
  readonly preference?: Preference | undefined
  readonly pairsPerGroup?: number | undefined
  readonly convention?: Convention | undefined
}

/** What a recipe is asked for. */
export interface Asked {
  readonly shape: Shape
  readonly options: RecipeOptions
  readonly advantage: Advantage | undefined
  readonly include: readonly Reason[]
}

export interface RecipeContext extends Asked {
  readonly files: LakeFiles
  /** How many parts the rows are gathered in; `kept.part` may go beyond the last one, which takes the rest. */
  readonly parts: number
}

/** Columns with their DuckDB types, in order. Columns of images hold hashes here. */
export type Columns = Readonly<Record<string, string>>

export interface Recipe {
  readonly description: string
  /** The shapes it can be written in. */
  readonly shapes: readonly Shape[]
  columns(asked: Asked): Columns
  /** The columns that hold images, by hash: lists of them. */
  readonly imageColumns: readonly string[]
  /** Why a selected trajectory may give no row, beside what a shape cannot express. */
  readonly reasons: Readonly<Record<string, string>>
  /** Statements that leave `rows` and `not_taken`. */
  statements(context: RecipeContext): Gathering[]
}
