/**
 * The conditions that a dataset can put on trajectories: each name once, with the kind of its values and the SQL of
 * what it looks at. Columns are those of the relations in candidates.ts (t trajectory, i item, b best score, p pass rate).
 */
import { STATUSES } from '#schemas/events/trajectory.ts'

/** How a filter's values are read and compared. */
export type FilterKind = 'text' | 'word' | 'integer' | 'real' | 'flag'

export interface Filter {
  readonly kind: FilterKind
  readonly description: string
  /** The words it takes, where it takes no others. */
  readonly words?: readonly string[]
  /**
   * `start` is known when a trajectory starts, `outcome` only when it is over. What fails a `start` filter is never
   * counted as unfinished, gap or conflicted; what is one of these is never judged by its outcome.
   */
  readonly known: 'start' | 'outcome'
  /** What it looks at, in SQL that every engine knows; with `of: 'keys'` that is JSON text, of which it means the names. */
  readonly sql: string
  readonly of?: 'keys'
  /**
   * How a row stands to the values: `is` one of them (the usual), `has` one of them in its list, or `is_not` any of
   * them, where a row without a value passes.
   */
  readonly holds?: 'has' | 'is_not'
}

const text = (known: Filter['known'], sql: string, description: string): Filter => ({
  kind: 'text',
  known,
  sql,
  description,
})

const integer = (known: Filter['known'], sql: string, description: string): Filter => ({
  kind: 'integer',
  known,
  sql,
  description,
})

const flag = (sql: string, description: string): Filter => ({ kind: 'flag', known: 'outcome', sql, description })

/** What the finish says, and where it says nothing what the steps say; null where neither does. */
const TOKENS = `nullif(coalesce(t.prompt_tokens, t.step_prompt_tokens_max, 0) + coalesce(t.response_tokens, t.step_completion_tokens, 0)
  + coalesce(t.obs_tokens, t.step_obs_tokens, 0), 0)`

/** In the order in which a trajectory is judged: the first condition that it fails is the one that counts it. */
export const FILTERS = {
  run: text('start', 't.run_id', 'The run.'),
  family: text('start', 'i.family', 'The task family of the item.'),
  dataset: text('start', 'i.dataset', 'The data set of the item.'),
  split: text('start', 'i.split', 'The split of the item.'),
  exclude_split: {
    ...text('start', 'i.split', 'A split whose items are left out; items without a split stay.'),
    holds: 'is_not',
  },
  item: text('start', 't.item_id', 'The item.'),
  group: text('start', 't.group_id', 'The group.'),
  policy_version: integer('start', 't.policy_version', 'The policy version.'),
  train_step: integer('start', 't.train_step', 'The train step.'),
  actor_model: text('start', 't.actor_model', 'The model that acts.'),
  item_pass_rate: {
    kind: 'real',
    known: 'start',
    sql: 'p.pass_rate',
    description:
      'The share of right ones among the rollouts of the item by one policy version of one run: `pass_rate_run` and `pass_rate_policy_version`, else `run` and `policy_version`.',
  },
  status: { kind: 'word', words: STATUSES, known: 'outcome', sql: 't.status', description: 'How it ended.' },
  end_reason: text('outcome', 't.end_reason', 'Why it ended.'),
  n_steps: integer('outcome', 'coalesce(t.n_steps, t.n_steps_seen)', 'Steps.'),
  n_tool_calls: integer('outcome', 't.n_tool_calls', 'Tool calls.'),
  tokens: integer('outcome', TOKENS, 'Tokens of prompt, response and observations together.'),
  tool: { ...text('outcome', 't.tools_called', 'A tool that was called.'), of: 'keys', holds: 'has' },
  error_code: { ...text('outcome', 't.error_codes', 'An error code that was set.'), of: 'keys', holds: 'has' },
  // A reward that is NaN fits no condition at all, `_ne` included.
  reward: {
    kind: 'real',
    known: 'outcome',
    sql: "nullif(b.reward, CAST('nan' AS DOUBLE))",
    description: 'The reward.',
  },
  correct: flag('b.correct', 'Whether it was right.'),
  answer_match: flag('b.answer_match', 'Whether the answer matched.'),
  format_ok: flag('b.format_ok', 'Whether every turn kept to the grammar.'),
} as const satisfies Record<string, Filter>

export type FilterName = keyof typeof FILTERS

/** The names of all filters, in the order of judgement. */
export const FILTER_NAMES = Object.keys(FILTERS) as FilterName[]

/** Why a trajectory that fits is left out all the same, unless `include` names the reason. */
export const REASONS = {
  unfinished: 'It has no trajectory.finished.',
  gap: 'Steps are missing.',
  conflicted: 'An event about it came again with other content.',
  missing_image: 'The bytes of an image that it refers to are not held.',
} as const

export type Reason = keyof typeof REASONS

export const REASON_NAMES = Object.keys(REASONS) as Reason[]

/** Conditions on one column; all must hold. `any` lists accepted values; where it is empty, all are. */
export interface Condition<Value> {
  readonly any: readonly Value[]
  readonly ne: readonly Value[]
  readonly gte?: Value | undefined
  readonly lte?: Value | undefined
  readonly gt?: Value | undefined
  readonly lt?: Value | undefined
}

/** The operators beside equality, in the order of canonical queries. */
export const COMPARISONS = ['gte', 'lte', 'gt', 'lt'] as const

export type FilterValue = string | number | boolean

/** What a request asks of trajectories. A filter that is not there lets everything pass. */
export type Conditions = { readonly [Name in FilterName]?: Condition<FilterValue> }
