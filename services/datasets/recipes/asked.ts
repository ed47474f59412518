/** Whether what is asked of a recipe goes together, and how it is written in a query. */
import { Problem } from '#services/problem.ts'
import { RECIPES, type FormatName, type RecipeName } from '#services/datasets/recipes.ts'
import type { Asked, ImageMode, RecipeOptions } from './recipe.ts'

/** What a request says that concerns its recipe. */
export interface RecipeRequest extends Asked {
  readonly recipe: RecipeName
  readonly format: FormatName
}

/** The most pairs that a group may give. */
export const PAIRS_PER_GROUP_MAX = 1000

/** A tar holds the images themselves; everything else names them. */
export function imageMode({ format, options }: Pick<RecipeRequest, 'format' | 'options'>): ImageMode {
  return options.images ?? (format === 'tar' ? 'bytes' : 'hash')
}

function clash(parameter: string, detail: string, hint: string): Problem {
  return new Problem('invalid_parameter', detail, { hint, details: { parameter } })
}

/** Throws `invalid_parameter` where a recipe cannot be written as it is asked for. */
export function checkRecipe(request: RecipeRequest): void {
  const { recipe, format, shape, options, advantage } = request
  const made = RECIPES[recipe]
  const { shapes } = made
  if (!shapes.includes(shape))
    throw clash('shape', `${recipe} cannot be written as ${shape}`, `${recipe} takes shape=${shapes.join(', ')}`)
  if (options.images !== undefined && made.imageColumns.length === 0)
    throw clash('images', `${recipe} has no images`, 'leave out images')
  if (options.images === 'bytes' && format === 'csv')
    throw clash(
      'images',
      'csv holds no bytes',
      'ask for images=hash or images=url, or for parquet, arrow, jsonl or tar',
    )
  const only = (name: string, value: unknown, of: RecipeName) => {
    if (value !== undefined && recipe !== of) throw clash(name, `${name} says how ${of} is made`, `leave out ${name}`)
  }
  only('preference', options.preference, 'preference')
  only('pairs_per_group', options.pairsPerGroup, 'preference')
  only('convention', options.convention, 'transitions')
  if (advantage !== undefined && recipe !== 'grpo')
    throw clash('advantage', 'advantage says how grpo is made', 'leave out advantage')
  if (options.pairsPerGroup !== undefined && (options.preference ?? 'pairs') !== 'pairs')
    throw clash('pairs_per_group', 'pairs_per_group is of pairs', 'leave out one of pairs_per_group and preference')
  if (recipe === 'preference' && Object.keys(made.columns(request)).every((name) => name in GROUP_ONLY))
    throw clash('shape', `preference=${options.preference ?? 'pairs'} cannot be written as ${shape}`, 'leave out shape')
}

/** Keys of a preference row: what has no other columns is nothing. */
const GROUP_ONLY: Readonly<Record<string, true>> = {
  run_id: true,
  group_id: true,
  item_id: true,
  policy_version: true,
  train_step: true,
  trajectory_id: true,
  trajectory_ids: true,
  reward: true,
  rewards: true,
}

/** The options as parameters of a canonical query: only what is not the default. */
export function recipeOptionPairs({ format, options }: Pick<RecipeRequest, 'format' | 'options'>): [string, string][] {
  const { images, preference, pairsPerGroup, convention }: RecipeOptions = options
  const unless = (name: string, value: string | number | undefined, usual: string | number): [string, string][] =>
    value === undefined || value === usual ? [] : [[name, String(value)]]
  return [
    ...unless('images', images, imageMode({ format, options: {} })),
    ...unless('preference', preference, 'pairs'),
    ...unless('pairs_per_group', pairsPerGroup, 1),
    ...unless('convention', convention, 'gymnasium'),
  ]
}
