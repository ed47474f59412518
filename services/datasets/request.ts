/** What is asked for, in one canonical form: equal requests give the same text and the same key, however they were written. */
import { createHash } from 'node:crypto'
import type { Advantage } from '#services/core/advantage.ts'
import { nearest } from '#services/core/nearest.ts'
import { Problem } from '#services/problem.ts'
import {
  COMPARISONS,
  FILTER_NAMES,
  type Condition,
  type Conditions,
  type FilterName,
  type FilterValue,
  type Reason,
} from './filters.ts'
import { checkRecipe, recipeOptionPairs } from './recipes/asked.ts'
import type { RecipeOptions } from './recipes/recipe.ts'
import { FORMAT_NAMES, RECIPE_NAMES, type FormatName, type RecipeName, type Shape } from './recipes.ts'

/** A dataset, apart from the snapshot that it is taken of. */
export interface DatasetRequest {
  readonly recipe: RecipeName
  readonly format: FormatName
  readonly shape: Shape
  readonly conditions: Conditions
  /** Reads scores under this version; undefined for that of each run. */
  readonly rewardVersion: string | undefined
  /** Reasons that do not leave a trajectory out. */
  readonly include: readonly Reason[]
  /** The most of what the recipe counts by: the first in order, or with a seed those with the lowest hash of seed and id. */
  readonly limit: number | undefined
  readonly seed: number | undefined
  /** How the recipe computes advantages; undefined for its own default. */
  readonly advantage?: Advantage | undefined
  /** What else is asked of the recipe, beyond the selection. */
  readonly options?: RecipeOptions | undefined
  readonly shaping?: Shaping | undefined
}

/** How items whose answers are to stay unseen are looked for. */
export const LEAK_CHECKS = ['count', 'drop', 'refuse'] as const

export const BALANCES = ['family', 'dataset', 'tool'] as const

export const PARTS = ['train', 'val'] as const

/** One part of a mixture: trajectories that fit its filters, and its share. */
export interface MixPart {
  readonly weight: number
  readonly conditions: Conditions
}

/** What a request asks beyond filters. Everything may be left out, and everything goes together. */
export interface Shaping {
  /** The rollouts that `item_pass_rate` is taken of, where they are not those of the filters. */
  readonly passRateRun?: string | undefined
  readonly passRatePolicyVersion?: number | undefined
  /** Whether `run` stands for the runs that it resumed, too. */
  readonly lineage?: boolean | undefined
  /** Only groups that were completed at or after these offsets, in the plain form; 0:0 for all that are complete. */
  readonly since?: string | undefined
  readonly leaks?: (typeof LEAK_CHECKS)[number] | undefined
  /** The share of items that are held out, and which of the two parts is asked for. */
  readonly holdout?: number | undefined
  readonly part?: (typeof PARTS)[number] | undefined
  readonly dedupe?: 'content' | undefined
  readonly perItem?: number | undefined
  readonly balance?: (typeof BALANCES)[number] | undefined
  readonly mix?: readonly MixPart[] | undefined
  /** Part `index` of `of`, from 0 on. */
  readonly shard?: { readonly index: number; readonly of: number } | undefined
}

/** A request for one snapshot: the same bytes for ever. */
export interface PinnedRequest {
  readonly request: DatasetRequest
  readonly snapshotId: number
}

/** The shape that is meant where none is named. */
export const DEFAULT_SHAPE: Shape = 'openai'

/** The longest text in a filter, in bytes of UTF-8: that of an id. */
const TEXT_BYTES_MAX = 256
const CONTROL = /\p{Cc}/u

/**
 * Reads `sft.parquet`, or `sft` with the format beside it. Throws `not_found` naming what there is, and
 * `invalid_parameter` where the two disagree or no format is given.
 */
export function datasetName(name: string, format: FormatName | undefined): { recipe: RecipeName; format: FormatName } {
  const dot = name.lastIndexOf('.')
  const recipeName = dot < 0 ? name : name.slice(0, dot)
  const recipe = checkRecipeName(recipeName)
  if (dot < 0) {
    if (format !== undefined) return { recipe, format }
    throw new Problem('invalid_parameter', `${recipe} needs a format`, {
      hint: `ask for ${recipe}.parquet, or add format=parquet`,
      details: { parameter: 'format' },
    })
  }
  const extension = FORMAT_NAMES.find((known) => known === name.slice(dot + 1))
  if (extension === undefined) throw unknownName('format', name.slice(dot + 1), FORMAT_NAMES)
  if (format !== undefined && format !== extension) {
    throw new Problem('invalid_parameter', `format is ${format}, but the path ends in .${extension}`, {
      hint: 'leave out one of them',
      details: { parameter: 'format' },
    })
  }
  return { recipe, format: extension }
}

/** The recipe of a name. Throws `not_found` naming what there is. */
export function checkRecipeName(name: string): RecipeName {
  const recipe = RECIPE_NAMES.find((known) => known === name)
  if (recipe === undefined) throw unknownName('recipe', name, RECIPE_NAMES)
  return recipe
}

function unknownName(what: 'recipe' | 'format', given: string, known: readonly string[]): Problem {
  const near = nearest(given, known)
  return new Problem(
    'not_found',
    `there is no dataset ${what} ${JSON.stringify(given.slice(0, 80))}; there are ${known.join(', ')}`,
    {
      hint: near === undefined ? 'GET /v1/datasets lists recipes, formats and filters' : `did you mean ${near}?`,
    },
  )
}

/** Throws `invalid_parameter` where a text could be no id. */
function checkText(name: string, value: FilterValue): void {
  if (typeof value !== 'string') return
  if (value === '' || CONTROL.test(value) || Buffer.byteLength(value) > TEXT_BYTES_MAX) {
    throw new Problem('invalid_parameter', `${name} is 1 to ${TEXT_BYTES_MAX} bytes without control characters`, {
      details: { parameter: name },
    })
  }
}

/** Checks what the types cannot say. Throws `invalid_parameter`. */
export function checkRequest(request: DatasetRequest): DatasetRequest {
  for (const name of FILTER_NAMES) for (const value of request.conditions[name]?.any ?? []) checkText(name, value)
  if (request.rewardVersion !== undefined) checkText('reward_version', request.rewardVersion)
  if (request.rewardVersion === '*') {
    throw new Problem('invalid_parameter', 'a dataset has one row a trajectory, so it takes one reward version', {
      hint: 'name the version, or leave it out for that of the run',
      details: { parameter: 'reward_version' },
    })
  }
  checkRecipe({ ...request, advantage: request.advantage, options: request.options ?? {} })
  checkShaping(request)
  return request
}

function clash(parameter: string, detail: string, hint: string): Problem {
  return new Problem('invalid_parameter', detail, { hint, details: { parameter } })
}

/** Throws `invalid_parameter` where one parameter needs another, or cannot be with it. */
function checkShaping({ conditions, limit, seed, shaping = {} }: DatasetRequest): void {
  const { holdout, part, lineage, perItem, balance, mix = [] } = shaping
  if (seed !== undefined && limit === undefined && perItem === undefined && balance === undefined && mix.length === 0)
    throw clash('seed', 'seed says which trajectories limit, per_item, balance and mix keep', 'add limit=…')
  if (holdout !== undefined && part === undefined)
    throw clash('part', 'holdout needs the part that is asked for', 'add part=train or part=val')
  if (part !== undefined && holdout === undefined)
    throw clash('holdout', 'part needs the share that is held out', 'add holdout=0.05')
  if (holdout !== undefined && !(holdout > 0 && holdout < 1))
    throw clash('holdout', 'holdout is a share between 0 and 1, such as 0.05', 'for everything leave holdout out')
  if (lineage === true && conditions.run === undefined)
    throw clash('lineage', 'lineage follows the runs that are asked for, and none is', 'add run=…')
  const isRate = [conditions, ...mix.map((one) => one.conditions)].some((one) => one.item_pass_rate !== undefined)
  if (!isRate && (shaping.passRateRun !== undefined || shaping.passRatePolicyVersion !== undefined))
    throw clash(
      shaping.passRateRun === undefined ? 'pass_rate_policy_version' : 'pass_rate_run',
      'pass_rate_run and pass_rate_policy_version say what item_pass_rate is taken of',
      'add item_pass_rate_gte=… or item_pass_rate_lte=…',
    )
  for (const { conditions: ofPart } of mix)
    for (const name of FILTER_NAMES) for (const value of ofPart[name]?.any ?? []) checkText(name, value)
}

type Pair = readonly [name: string, value: string]

function conditionPairs(name: FilterName, condition: Condition<FilterValue>): Pair[] {
  const any = condition.any.map((value): Pair => [name, String(value)])
  const ne = condition.ne.map((value): Pair => [`${name}_ne`, String(value)])
  const rest = COMPARISONS.flatMap((comparison): Pair[] => {
    const value = condition[comparison]
    return value === undefined ? [] : [[`${name}_${comparison}`, String(value)]]
  })
  return [...any, ...ne, ...rest]
}

/**
 * Percent-encoding that comes through readers unchanged: only `A-Za-z0-9-_.~` and escapes. Readers that decode some
 * escapes on the way (fsspec, Hugging Face) change nothing, since the server looks at decoded values.
 */
function escaped(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

function byCodeUnits(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0
}

function conditionsPairs(conditions: Conditions): Pair[] {
  return FILTER_NAMES.flatMap((name) => {
    const condition = conditions[name]
    return condition === undefined ? [] : conditionPairs(name, condition)
  })
}

/** The parameter whose values have an order: a trajectory that fits several parts is of the first. */
const ORDERED = 'mix'

/** Pairs as a query string: sorted, without repetitions. */
function written(pairs: readonly Pair[]): string {
  const byNameAndValue = ([left, leftValue]: Pair, [right, rightValue]: Pair) =>
    byCodeUnits(left, right) || (left === ORDERED ? 0 : byCodeUnits(escaped(leftValue), escaped(rightValue)))
  const texts = [...pairs].sort(byNameAndValue).map(([name, value]) => `${name}=${escaped(value)}`)
  return [...new Set(texts)].join('&')
}

function optional(name: string, value: string | number | boolean | undefined): Pair[] {
  return value === undefined ? [] : [[name, String(value)]]
}

/** A part of a mixture as its parameter has it: `0.7:family=chart_qa&correct=true`. */
export function mixText({ weight, conditions }: MixPart): string {
  return `${weight}:${written(conditionsPairs(conditions))}`
}

function shapingPairs({ shard, mix = [], ...rest }: Shaping): Pair[] {
  return [
    ...optional('pass_rate_run', rest.passRateRun),
    ...optional('pass_rate_policy_version', rest.passRatePolicyVersion),
    // false is what is meant where nothing is said.
    ...optional('lineage', rest.lineage === true ? true : undefined),
    ...optional('since', rest.since),
    ...optional('leaks', rest.leaks),
    ...optional('holdout', rest.holdout),
    ...optional('part', rest.part),
    ...optional('dedupe', rest.dedupe),
    ...optional('per_item', rest.perItem),
    ...optional('balance', rest.balance),
    ...mix.map((part): Pair => ['mix', mixText(part)]),
    ...optional('shard', shard === undefined ? undefined : `${shard.index}/${shard.of}`),
  ]
}

/** The query string that stands for a request: sorted, without repetitions and defaults. */
export function canonicalQuery(request: DatasetRequest, snapshotId?: number): string {
  return written([
    ...conditionsPairs(request.conditions),
    ...request.include.map((reason): Pair => ['include', reason]),
    ...optional('reward_version', request.rewardVersion),
    ...optional('limit', request.limit),
    ...optional('seed', request.seed),
    ...optional('advantage', request.advantage),
    ...optional('shape', request.shape === DEFAULT_SHAPE ? undefined : request.shape),
    ...recipeOptionPairs({ format: request.format, options: request.options ?? {} }),
    ...shapingPairs(request.shaping ?? {}),
    ...optional('snapshot', snapshotId),
  ])
}

/** A canonical filter without a snapshot, pinned to one. */
export function pinnedQuery(filter: string, snapshotId: number): string {
  const pairs = [...new URLSearchParams(filter)]
  return written([...pairs, ['snapshot', String(snapshotId)]])
}

/** The path and query of a request, below the public URL. */
export function datasetPath(request: DatasetRequest, snapshotId?: number): string {
  const query = canonicalQuery(request, snapshotId)
  return `/v1/datasets/${request.recipe}.${request.format}${query === '' ? '' : `?${query}`}`
}

/** The name of a pinned request in blobs: the SHA-256 of its path and query. */
export function buildKey({ request, snapshotId }: PinnedRequest): string {
  return createHash('sha256').update(datasetPath(request, snapshotId)).digest('hex')
}
