/** Trajectories with the score that they are read with, and the filters that lists and statistics share. */
import { type Kysely, type RawBuilder, sql } from 'kysely'
import type { Database } from '#schemas/tables.ts'
import { STATUSES } from '#schemas/events/trajectory.ts'
import { CORRECT_THRESHOLD, CORRECT_TOLERANCE, DEFAULT_REWARD_VERSION } from '#services/core/correct.ts'
import {
  type ParameterSet,
  type Parsed,
  compared,
  flag,
  integer,
  many,
  real,
  text,
  word,
} from '#services/query/parameters.ts'
import type { NumberCondition } from '#services/number-condition.ts'

/** Filters on trajectories. */
export const TRAJECTORY_FILTERS = {
  run: many(text('The run. Repeat for any of several, as with the others.')),
  item: many(text('The item.')),
  group: many(text('The group.')),
  policy_version: compared(integer('The policy version.')),
  train_step: compared(integer('The train step.')),
  status: many(word(STATUSES, 'How it ended.')),
  end_reason: many(text('Why it ended.')),
  actor_model: many(text('The model that acts.')),
  dataset: many(text('The data set of the item.')),
  family: many(text('The task family of the item.')),
  split: many(text('The split of the item.')),
  correct: flag('Whether it is right.'),
  answer_match: flag('Whether the answer matches.'),
  format_ok: flag('Whether every turn kept to the grammar.'),
  reward: compared(real('The reward.')),
  n_steps: compared(integer('Steps, as the finish says.')),
  n_tool_calls: compared(integer('Tool calls.')),
  reward_version: text('The reward version to read with, instead of that of the run.'),
} satisfies ParameterSet

export type TrajectoryFilters = Parsed<typeof TRAJECTORY_FILTERS>

/** The columns of a score as it is joined to a trajectory. */
export interface JoinedScore {
  readonly version: string | null
  readonly score_offset: number | null
  readonly reward: number | null
  readonly parts: Record<string, unknown> | null
  readonly answer_match: boolean | null
  readonly format_ok: boolean | null
  readonly correct: boolean | null
}

/** The reward version of the run of `r`. */
const RUN_VERSION = sql<string>`coalesce(r.reward_version, ${sql.lit(DEFAULT_REWARD_VERSION)})`

/** The rule of core/correct.ts in SQL, over a chosen score `s`. Postgres holds NaN to be the largest number, so it is asked for first. */
const CORRECT = sql<boolean>`case
  when s.reward is null then null
  when s.answer_match is not null then s.answer_match
  when s.parts->>'correct' is not null then (s.parts->>'correct')::double precision <> 'NaN' and (s.parts->>'correct')::double precision >= ${sql.lit(1 - CORRECT_TOLERANCE)}
  else s.reward <> 'NaN' and s.reward >= coalesce(r.correct_threshold, ${sql.lit(CORRECT_THRESHOLD)}) - ${sql.lit(CORRECT_TOLERANCE)}
end`

const COLUMNS = ['reward', 'parts', 'answer_match', 'format_ok'] as const

/** All scores of trajectory `t` of run `r`, one for each version: where the same came twice, the first in the log. */
const ALL_SCORES = sql<JoinedScore>`(select s.*, ${CORRECT} as correct from (
  select distinct on (version) coalesce(nullif(x.reward_version, ''), ${RUN_VERSION}) as version, x."offset" as score_offset, ${sql.join(COLUMNS.map((name) => sql.ref(`x.${name}`)))}
  from scores x where x.trajectory_id = t.trajectory_id order by version, x."offset") s)`

/**
 * Of `named` (the score with the wanted version) and `plain` (the one without a version, which is one of the run's) the
 * first in the log. A choice between joined rows, and no subquery for each row: over 100,000 trajectories that is what
 * lets the planner join by hash.
 */
function chosenScore(wanted: RawBuilder<string>): RawBuilder<JoinedScore> {
  const isNamed = sql`(plain."offset" is null or named."offset" < plain."offset")`
  const choose = (name: string, as: string) =>
    sql`case when ${isNamed} then ${sql.ref(`named.${name}`)} else ${sql.ref(`plain.${name}`)} end as ${sql.ref(as)}`
  return sql`(select s.*, ${CORRECT} as correct from (
    select case when named."offset" is not null or plain."offset" is not null then ${wanted} end as version, ${choose('offset', 'score_offset')}, ${sql.join(COLUMNS.map((name) => choose(name, name)))}) s)`
}

/**
 * Trajectories `t` with their run `r`, their item `i` and their score `score`: under `version`, or where that is
 * undefined under the run's. With `*` there is a row for each score.
 */
export function scoredTrajectories(db: Kysely<Database>, version: string | undefined) {
  const wanted = version === undefined || version === '*' ? RUN_VERSION : sql<string>`${version}::text`
  const score = version === '*' ? ALL_SCORES : chosenScore(wanted)
  return db
    .selectFrom('trajectories as t')
    .leftJoin('runs as r', 'r.run_id', 't.run_id')
    .leftJoin('items as i', 'i.item_id', 't.item_id')
    .leftJoin('scores as named', (join) =>
      join.onRef('named.trajectory_id', '=', 't.trajectory_id').on(sql<boolean>`named.reward_version = ${wanted}`),
    )
    .leftJoin('scores as plain', (join) =>
      join
        .onRef('plain.trajectory_id', '=', 't.trajectory_id')
        .on(sql<boolean>`plain.reward_version = '' and ${RUN_VERSION} = ${wanted}`),
    )
    .leftJoinLateral(score.as<'score'>(sql`score`), (join) => join.onTrue())
}

const list = (values: readonly (string | number)[], type: 'text' | 'bigint' | 'double precision') =>
  sql.join(values.map((value) => sql`${value}::${sql.raw(type)}`))

function compare(
  column: RawBuilder<unknown>,
  type: 'bigint' | 'double precision',
  comparison: NumberCondition,
): RawBuilder<boolean>[] {
  const found: RawBuilder<boolean>[] = []
  const bound = (operator: string, value: number | undefined) => {
    if (value !== undefined) found.push(sql`${column} ${sql.raw(operator)} ${value}::${sql.raw(type)}`)
  }
  if (comparison.any.length > 0) found.push(sql`${column} in (${list(comparison.any, type)})`)
  if (comparison.ne.length > 0) found.push(sql`${column} not in (${list(comparison.ne, type)})`)
  bound('>=', comparison.gte)
  bound('<=', comparison.lte)
  bound('>', comparison.gt)
  bound('<', comparison.lt)
  // For Postgres NaN is above every number; for people it is no number at all.
  if (type === 'double precision' && found.length > 0) found.push(sql`${column} <> 'NaN'`)
  return found
}

/** The conditions that filters mean, over the tables of `scoredTrajectories`. */
export function conditions(filters: TrajectoryFilters): RawBuilder<boolean>[] {
  const among = (column: string, values: readonly string[]): RawBuilder<boolean>[] =>
    values.length === 0 ? [] : [sql`${sql.ref(column)} in (${list(values, 'text')})`]
  const is = (column: string, value: boolean | undefined): RawBuilder<boolean>[] =>
    value === undefined ? [] : [sql`${sql.ref(column)} = ${value}::boolean`]
  return [
    ...among('t.run_id', filters.run),
    ...among('t.item_id', filters.item),
    ...among('t.group_id', filters.group),
    ...among('t.status', filters.status),
    ...among('t.end_reason', filters.end_reason),
    ...among('t.actor_model', filters.actor_model),
    ...among('i.dataset', filters.dataset),
    ...among('i.family', filters.family),
    ...among('i.split', filters.split),
    ...is('score.correct', filters.correct),
    ...is('score.answer_match', filters.answer_match),
    ...is('score.format_ok', filters.format_ok),
    ...compare(sql.ref('t.policy_version'), 'bigint', filters.policy_version),
    ...compare(sql.ref('t.train_step'), 'bigint', filters.train_step),
    ...compare(sql.ref('t.n_steps'), 'bigint', filters.n_steps),
    ...compare(sql.ref('t.n_tool_calls'), 'bigint', filters.n_tool_calls),
    ...compare(sql.ref('score.reward'), 'double precision', filters.reward),
  ]
}

/** All of the conditions, or true where there are none. */
export function allOf(found: readonly RawBuilder<boolean>[]): RawBuilder<boolean> {
  return found.length === 0 ? sql`true` : sql`(${sql.join(found, sql` and `)})`
}
