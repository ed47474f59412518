/** The parameters of a dataset, made from its filters, and the request that they stand for. */
import {
  FILTER_NAMES,
  FILTERS,
  REASON_NAMES,
  type Condition,
  type Conditions,
  type Filter,
  type FilterName,
  type FilterValue,
} from '#services/datasets/filters.ts'
import { FORMAT_NAMES, SHAPES } from '#services/datasets/recipes.ts'
import { checkRequest, datasetName, type DatasetRequest } from '#services/datasets/request.ts'
import {
  compared,
  flag,
  integer,
  many,
  real,
  text,
  withDefault,
  word,
  type Comparison,
  type Parameter,
  type ParameterSet,
  type Parsed,
} from './parameters.ts'
import { READ_PARAMETERS } from './route.ts'

function parameterOf(filter: Filter): Parameter<unknown> {
  const { kind, description, words } = filter
  switch (kind) {
    case 'text':
      return many(text(description))
    case 'word':
      return many(word(words ?? [], description))
    case 'integer':
      return compared(integer(description))
    case 'real':
      return compared(real(description))
    case 'flag':
      return flag(description)
  }
}

const FILTER_PARAMETERS: ParameterSet = Object.fromEntries(
  FILTER_NAMES.map((name) => [name, parameterOf(FILTERS[name])]),
)

const SHAPING = {
  reward_version: text('The reward version to read with, instead of that of the run.'),
  include: many(word(REASON_NAMES, 'A reason that does not leave a trajectory out.')),
  limit: integer('The most rows: the first in order of (run_id, trajectory_id), or with seed a sample.', {
    minimum: 1,
  }),
  seed: integer('Chooses the rows that limit keeps: those with the lowest MD5 of `seed:trajectory_id`.'),
  shape: withDefault(word(SHAPES, 'How messages are written.'), 'openai'),
  format: word(FORMAT_NAMES, 'The format, where the path has no extension.'),
}

const STATE = {
  snapshot: integer(
    'The snapshot, by its number: pins the URL to bytes that never change. The newest where it is left out.',
    { minimum: 1 },
  ),
  ...READ_PARAMETERS,
}

/** All parameters of a dataset. */
export const DATASET_PARAMETERS = {
  ...FILTER_PARAMETERS,
  ...SHAPING,
  ...STATE,
  explain: word(['counts'], 'counts: gives the counts of trajectories in and out instead of the dataset.'),
}

type DatasetQuery = Parsed<typeof SHAPING & typeof STATE>

function isComparison(value: unknown): value is Comparison {
  return typeof value === 'object' && value !== null && 'gte' in value
}

/** What a filter's parameter gave, as a condition; undefined where it did not come. */
function conditionOf(value: unknown): Condition<FilterValue> | undefined {
  if (value === undefined) return undefined
  if (isComparison(value)) {
    const { any, ne, gte, lte, gt, lt } = value
    const isEmpty = any.length === 0 && ne.length === 0 && [gte, lte, gt, lt].every((bound) => bound === undefined)
    return isEmpty ? undefined : { any, ne, gte, lte, gt, lt }
  }
  const any = (Array.isArray(value) ? value : [value]) as readonly FilterValue[]
  return any.length === 0 ? undefined : { any, ne: [] }
}

/**
 * The request that a path and its query stand for. Throws `not_found` for an unknown recipe or format and
 * `invalid_parameter` for what does not go together.
 */
export function datasetRequest(
  name: string,
  query: DatasetQuery & { readonly [Name in string]: unknown },
): DatasetRequest {
  const { recipe, format } = datasetName(name, query.format)
  const conditions: { -readonly [Name in FilterName]?: Conditions[Name] } = {}
  for (const filter of FILTER_NAMES) {
    const condition = conditionOf(query[filter])
    if (condition !== undefined) conditions[filter] = condition
  }
  return checkRequest({
    recipe,
    format,
    shape: query.shape,
    conditions,
    rewardVersion: query.reward_version,
    include: query.include,
    limit: query.limit,
    seed: query.seed,
  })
}
