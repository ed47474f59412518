/**
 * The conditions that a dataset can put on trajectories: each name once, with the kind of its values and the SQL of
 * what it looks at. Columns are those of the relations in candidates.ts (t trajectory, i item, b best score).
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
  readonly sql: string
}

const text = (known: Filter['known'], sql: string, description: string): Filter => ({
  kind: 'text',
  known,
  sql,
  description,
})

/** In the order in which a trajectory is judged: the first condition that it fails is the one that counts it. */
export const FILTERS = {
  run: text('start', 't.run_id', 'The run.'),
  family: text('start', 'i.family', 'The task family of the item.'),
  item: text('start', 't.item_id', 'The item.'),
  group: text('start', 't.group_id', 'The group.'),
  policy_version: { kind: 'integer', known: 'start', sql: 't.policy_version', description: 'The policy version.' },
  train_step: { kind: 'integer', known: 'start', sql: 't.train_step', description: 'The train step.' },
  status: { kind: 'word', words: STATUSES, known: 'outcome', sql: 't.status', description: 'How it ended.' },
  // A reward that is NaN fits no condition at all, `_ne` included.
  reward: { kind: 'real', known: 'outcome', sql: "nullif(b.reward, 'nan'::DOUBLE)", description: 'The reward.' },
  correct: { kind: 'flag', known: 'outcome', sql: 'b.correct', description: 'Whether it was right.' },
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
