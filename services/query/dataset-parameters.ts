/** The parameters of a dataset, made from its filters, and the request that they stand for. */
import { ADVANTAGES } from '#services/core/advantage.ts'
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
import { PAIRS_PER_GROUP_MAX } from '#services/datasets/recipes/asked.ts'
import { CONVENTIONS, IMAGE_MODES, PREFERENCES } from '#services/datasets/recipes/recipe.ts'
import {
  BALANCES,
  checkRequest,
  datasetName,
  LEAK_CHECKS,
  mixText,
  PARTS,
  type DatasetRequest,
  type MixPart,
  type Shaping,
} from '#services/datasets/request.ts'
import { formatOffsets } from '#services/position.ts'
import { Problem } from '#services/problem.ts'
import type { NumberCondition } from '#services/number-condition.ts'
import {
  compared,
  flag,
  integer,
  many,
  parseParameters,
  position,
  real,
  text,
  withDefault,
  word,
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

/** Shards of one dataset: more would be files of a few rows. */
export const SHARDS_MAX = 4096
const MIX_MAX = 20

const SHARD = /^\d{1,4}\/\d{1,4}$/
const MIX = /^(\d+\.?\d*|\.\d+):/

const RECIPE_OPTIONS = {
  advantage: word(ADVANTAGES, 'grpo: how advantages are computed, over the whole group. verl where it is left out.'),
  images: word(
    IMAGE_MODES,
    'How images come: hash (the name under /v1/images), url, or bytes (inside the row; in a tar as files, which is what a tar does where nothing is said).',
  ),
  preference: word(
    PREFERENCES,
    'preference: pairs of chosen and rejected (where it is left out), kto for one labelled rollout a row, ranked for one ranked list a group.',
  ),
  pairs_per_group: integer('preference: the most pairs of one group, those with the widest margin first. Default 1.', {
    minimum: 1,
    maximum: PAIRS_PER_GROUP_MAX,
  }),
  convention: word(
    CONVENTIONS,
    'transitions: by whose words: gymnasium (where it is left out), minari, or rlds; the last two have one more row an episode, which holds the last observation.',
  ),
}

const SHAPING = {
  reward_version: text('The reward version to read with, instead of that of the run.'),
  include: many(word(REASON_NAMES, 'A reason that does not leave a trajectory out.')),
  pass_rate_run: text('The run whose rollouts `item_pass_rate` is taken of.'),
  pass_rate_policy_version: integer('The policy version whose rollouts `item_pass_rate` is taken of.'),
  lineage: flag('true: `run` stands for the runs that it resumed too, each up to the train step at which it was left.'),
  since: position(
    'Only groups that were completed at or after this position: they have their size, and a member whose finish or score is newer.',
  ),
  leaks: word(
    LEAK_CHECKS,
    'Trajectories on items of a test split, of a benchmark (items with a distribution, or that an eval run rolled out), or with the same question and images as one of these: count them, drop them, or refuse the dataset.',
  ),
  holdout: real('The share of items that are held out, by hash of the item: no item is in both parts.', {
    minimum: 0,
    maximum: 1,
  }),
  part: word(PARTS, 'val: what `holdout` holds out; train: the rest.'),
  dedupe: word(['content'], 'content: of trajectories that say the same, the first in order.'),
  per_item: integer('The most trajectories for one item: the first in order, or with seed by hash.', { minimum: 1 }),
  balance: word(BALANCES, 'Cuts each value (of tool: the one called most) down to as many as the rarest has.'),
  mix: many(
    text(
      'A part of a mixture: a weight, a colon and its filters as a query string, URL-encoded, as `0.7:family=chart_qa`. Repeat for each part. Nothing is taken twice; a trajectory that fits several parts is of the first in order.',
      { pattern: MIX, meaning: 'a weight, a colon and filters, such as 0.7:family=chart_qa' },
    ),
  ),
  limit: integer(
    'The most trajectories (groups of preference, items of items): the first in order of (run_id, trajectory_id), or with seed a sample.',
    { minimum: 1 },
  ),
  seed: integer(
    'Chooses what limit, per_item, balance and mix keep: those with the lowest MD5 of `seed:trajectory_id`.',
  ),
  shard: text(
    'Part i of n as i/n, from 0/n on: disjoint, and together everything. Groups stay whole in grpo and preference.',
    {
      pattern: SHARD,
      meaning: 'i/n with i from 0 to n-1, such as 0/8',
    },
  ),
  ...RECIPE_OPTIONS,
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

function isComparison(value: unknown): value is NumberCondition {
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

/** The conditions that the parameters of filters gave. */
function conditionsOf(query: { readonly [Name in string]: unknown }): Conditions {
  const conditions: { -readonly [Name in FilterName]?: Conditions[Name] } = {}
  for (const filter of FILTER_NAMES) {
    const condition = conditionOf(query[filter])
    if (condition !== undefined) conditions[filter] = condition
  }
  return conditions
}

function bad(parameter: string, detail: string, hint: string): Problem {
  return new Problem('invalid_parameter', detail, { hint, details: { parameter } })
}

function shardOf(given: string | undefined): Shaping['shard'] {
  if (given === undefined) return undefined
  const [index = 0, of = 0] = given.split('/').map(Number)
  if (of < 1 || of > SHARDS_MAX || index >= of)
    throw bad('shard', `shard is i/n with i from 0 to n-1 and n up to ${SHARDS_MAX}, and not ${given}`, 'shard=0/8')
  return { index, of }
}

function mixPart(given: string): MixPart {
  const colon = given.indexOf(':')
  const weight = Number(given.slice(0, colon))
  if (!(weight > 0 && weight <= 1e6)) throw bad('mix', 'a weight is above 0 and at most a million', 'mix=0.7:family=…')
  try {
    return {
      weight,
      conditions: conditionsOf(parseParameters(FILTER_PARAMETERS, new URLSearchParams(given.slice(colon + 1)))),
    }
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    throw bad('mix', `in mix: ${error.message}`, error.hint ?? 'a part of a mixture takes filters and nothing else')
  }
}

function mixOf(given: readonly string[]): readonly MixPart[] | undefined {
  if (given.length === 0) return undefined
  if (given.length > MIX_MAX) throw bad('mix', `a mixture has at most ${MIX_MAX} parts`, 'join parts that are alike')
  return [...new Map(given.map(mixPart).map((part) => [mixText(part), part])).values()]
}

function sinceOf(given: DatasetQuery['since'], logId: string): string | undefined {
  if (given === undefined) return undefined
  if (given === 'latest')
    throw bad('since', 'since is a position that was given before', 'leave since out, or send 0:0')
  if (given.log !== undefined && given.log !== logId)
    throw new Problem('position_of_another_log', `since is of log ${given.log}, and this is ${logId}`, {
      hint: 'ask the server that gave the position',
    })
  return formatOffsets(given.offsets) || '0:0'
}

/**
 * The request that a path and its query stand for. Throws `not_found` for an unknown recipe or format and
 * `invalid_parameter` for what does not go together.
 */
export function datasetRequest(
  name: string,
  query: DatasetQuery & { readonly [Name in string]: unknown },
  logId: string,
): DatasetRequest {
  const { recipe, format } = datasetName(name, query.format)
  return checkRequest({
    recipe,
    format,
    shape: query.shape,
    conditions: conditionsOf(query),
    rewardVersion: query.reward_version,
    include: query.include,
    limit: query.limit,
    seed: query.seed,
    advantage: query.advantage,
    options: {
      images: query.images,
      preference: query.preference,
      pairsPerGroup: query.pairs_per_group,
      convention: query.convention,
    },
    shaping: {
      passRateRun: query.pass_rate_run,
      passRatePolicyVersion: query.pass_rate_policy_version,
      lineage: query.lineage,
      since: sinceOf(query.since, logId),
      leaks: query.leaks,
      holdout: query.holdout,
      part: query.part,
      dedupe: query.dedupe,
      perItem: query.per_item,
      balance: query.balance,
      mix: mixOf(query.mix),
      shard: shardOf(query.shard),
    },
  })
}
