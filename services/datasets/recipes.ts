/** What datasets there are: recipes (what a row is), formats (how rows are written) and shapes (how messages look). */
import { grpo } from './recipes/grpo.ts'
import { items } from './recipes/items.ts'
import { preference } from './recipes/preference.ts'
import type { Recipe } from './recipes/recipe.ts'
import { sft } from './recipes/sft.ts'
import { steps } from './recipes/steps.ts'
import { trajectories } from './recipes/trajectories.ts'
import { transitions } from './recipes/transitions.ts'

export { SHAPES, type Shape } from './shapes/shape.ts'

export interface Format {
  readonly mediaType: string
  readonly description: string
}

export const FORMATS = {
  parquet: { mediaType: 'application/vnd.apache.parquet', description: 'Apache Parquet, zstd.' },
  jsonl: {
    mediaType: 'application/x-ndjson',
    description: 'One JSON object a line. Absent fields of a message are left out; NaN and infinities are null.',
  },
  arrow: {
    mediaType: 'application/vnd.apache.arrow.file',
    description: 'An Apache Arrow IPC file (Feather 2), not compressed.',
  },
  csv: { mediaType: 'text/csv', description: 'Comma-separated with a header; what is nested is JSON text.' },
  tar: {
    mediaType: 'application/x-tar',
    description: 'WebDataset: for each row NNNNNNNNN.json and its images as NNNNNNNNN.<n>.<png|jpg|webp>.',
  },
} as const satisfies Record<string, Format>

export type FormatName = keyof typeof FORMATS

export const FORMAT_NAMES = Object.keys(FORMATS) as FormatName[]

const ALL_RECIPES = { sft, grpo, preference, transitions, steps, trajectories, items } as const

export type RecipeName = keyof typeof ALL_RECIPES

export const RECIPES: Readonly<Record<RecipeName, Recipe>> = ALL_RECIPES

export const RECIPE_NAMES = Object.keys(RECIPES) as RecipeName[]
