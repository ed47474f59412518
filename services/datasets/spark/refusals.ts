/** What cannot be asked of Spark. It is refused by name: an answer that left it out would be other rows. */
import { Problem } from '#services/problem.ts'
import type { DatasetRequest } from '#services/datasets/request.ts'

/** Recipes that are written for Spark. */
export const SPARK_RECIPES = ['sft', 'trajectories', 'steps'] as const
export type SparkRecipe = (typeof SPARK_RECIPES)[number]

/** By parameter, why Spark cannot do it. */
const REFUSED = {
  item_pass_rate: 'fails where its rollouts are ambiguous, which one query cannot',
  lineage: 'follows runs to their parents, and Spark 4.0 has no recursion',
  since: 'looks at when groups were completed',
  leaks: 'compares questions, and may refuse the dataset, which one query cannot',
  dedupe: "hashes DuckDB's text of whole conversations",
  balance: 'cuts classes down to the size of the smallest',
  mix: 'joins several selections',
} as const

const isSpark = (recipe: string): recipe is SparkRecipe => SPARK_RECIPES.some((known) => known === recipe)

/** `parameter` may name the value with it, as include=unfinished. */
function refused(parameter: string, why: string, hint?: string): Problem {
  return new Problem('invalid_parameter', `${parameter} is not written for Spark: it ${why}`, {
    hint: hint ?? `leave ${parameter} out, or read these rows as Parquet from /v1/datasets`,
    details: { parameter: parameter.split('=')[0] },
  })
}

/** The recipe of a request that can be written as one query for Spark. Throws `invalid_parameter` naming what cannot. */
export function sparkRecipe(request: DatasetRequest): SparkRecipe {
  const { recipe, format, shape, conditions, include, options = {}, shaping = {} } = request
  if (!isSpark(recipe))
    throw refused('recipe', `is one of ${SPARK_RECIPES.join(', ')}, and not ${recipe}`, 'read it from /v1/datasets')
  if (format !== 'parquet')
    throw refused('format', `gives a table, and how that is written is up to Spark`, 'leave the format out')
  if (recipe === 'sft' && shape !== 'openai')
    throw refused('shape', `is openai here, and not ${shape}`, 'leave shape out, or read these rows from /v1/datasets')
  if (options.images === 'bytes') throw refused('images', 'is hash or url here, as no table holds the bytes')
  if (include.includes('unfinished'))
    throw refused('include=unfinished', 'reads the prompts of unfinished trajectories from raw events')
  const asked: Readonly<Record<keyof typeof REFUSED, boolean>> = {
    item_pass_rate: conditions.item_pass_rate !== undefined,
    lineage: shaping.lineage === true,
    since: shaping.since !== undefined,
    leaks: shaping.leaks !== undefined,
    dedupe: shaping.dedupe !== undefined,
    balance: shaping.balance !== undefined,
    mix: (shaping.mix ?? []).length > 0,
  }
  for (const name of Object.keys(REFUSED) as (keyof typeof REFUSED)[])
    if (asked[name]) throw refused(name, REFUSED[name])
  return recipe
}
