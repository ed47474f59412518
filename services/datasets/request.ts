/** What is asked for, in one canonical form: equal requests give the same text and the same key, however they were written. */
import { createHash } from 'node:crypto'
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
  /** The most rows: the first in order, or with a seed those with the lowest hash of seed and trajectory_id. */
  readonly limit: number | undefined
  readonly seed: number | undefined
}

/** A request for one snapshot: the same bytes for ever. */
export interface PinnedRequest {
  readonly request: DatasetRequest
  readonly snapshotId: number
}

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
  const recipe = RECIPE_NAMES.find((known) => known === recipeName)
  if (recipe === undefined) throw unknownName('recipe', recipeName, RECIPE_NAMES)
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
  if (request.seed !== undefined && request.limit === undefined) {
    throw new Problem('invalid_parameter', 'seed says which rows a limit keeps', {
      hint: 'add limit=…',
      details: { parameter: 'seed' },
    })
  }
  return request
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

/** The query string that stands for a request: sorted, without repetitions and defaults. */
export function canonicalQuery(request: DatasetRequest, snapshotId?: number): string {
  const conditions = FILTER_NAMES.flatMap((name) => {
    const condition = request.conditions[name]
    return condition === undefined ? [] : conditionPairs(name, condition)
  })
  const optional = (name: string, value: string | number | undefined): Pair[] =>
    value === undefined ? [] : [[name, String(value)]]
  const pairs = [
    ...conditions,
    ...request.include.map((reason): Pair => ['include', reason]),
    ...optional('reward_version', request.rewardVersion),
    ...optional('limit', request.limit),
    ...optional('seed', request.seed),
    ...optional('snapshot', snapshotId),
  ]
  const written = pairs.map(([name, value]) => `${name}=${escaped(value)}`)
  return [...new Set(written)].sort(byCodeUnits).join('&')
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
