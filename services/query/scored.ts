/** Trajectories with the score that they are read with, and the filters that lists and statistics share. */
import { type Kysely, type RawBuilder, sql } from 'kysely'
import type { Database } from '#schemas/tables.ts'
import { STATUSES } from '#schemas/events/trajectory.ts'
import { CORRECT_THRESHOLD, CORRECT_TOLERANCE, DEFAULT_REWARD_VERSION } from '#services/core/correct.ts'
import { type Comparison, type ParameterSet, type Parsed, compared, flag, integer, many, real, text, word } from './parameters.ts'

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
const RUN_VERSION = sql<string>`coalesce(r.reward_version, ${DEFAULT_REWARD_VERSION}::text)`

/** The rule of core/correct.ts in SQL. Postgres holds NaN to be the largest number, so it is asked for first. */
const CORRECT = sql<boolean>`case
  when s.answer_match is not null then s.answer_match
  when s.parts->>'correct' is not null then (s.parts->>'correct')::double precision <> 'NaN' and (s.parts->>'correct')::double precision >= ${1 - CORRECT_TOLERANCE}::double precision
  else s.reward <> 'NaN' and s.reward >= coalesce(r.correct_threshold, ${CORRECT_THRESHOLD}::double precision) - ${CORRECT_TOLERANCE}::double precision
end`

/**
 * The score of trajectory `t` of run `r`: under `version`, or where that is undefined under the run's. A score without a
 * version is one of the run's; where the same version came twice, the first in the log wins. With `*` all, one for each.
 */
function scoreOf(version: string | undefined): RawBuilder<JoinedScore> {
  const columns = sql`s."offset" as score_offset, s.reward, s.parts, s.answer_match, s.format_ok, ${CORRECT} as correct`
  if (version === '*') {
    return sql`(select distinct on (version) coalesce(nullif(s.reward_version, ''), ${RUN_VERSION}) as version, ${columns}
      from scores s where s.trajectory_id = t.trajectory_id order by version, s."offset")`
  }
  const wanted = version === undefined ? RUN_VERSION : sql<string>`${version}::text`
  return sql`(select ${wanted} as version, ${columns} from scores s
    where s.trajectory_id = t.trajectory_id and (s.reward_version = ${wanted} or (s.reward_version = '' and ${RUN_VERSION} = ${wanted}))
    order by s."offset" limit 1)`
}

/** Trajectories `t` with their run `r`, their item `i` and their score `score`. */
export function scoredTrajectories(db: Kysely<Database>, version: string | undefined) {
  return db
    .selectFrom('trajectories as t')
    .leftJoin('runs as r', 'r.run_id', 't.run_id')
    .leftJoin('items as i', 'i.item_id', 't.item_id')
    .leftJoinLateral(scoreOf(version).as<'score'>(sql`score`), (join) => join.onTrue())
}

const list = (values: readonly (string | number)[], type: 'text' | 'bigint' | 'double precision') => sql.join(values.map((value) => sql`${value}::${sql.raw(type)}`))

function compare(column: RawBuilder<unknown>, type: 'bigint' | 'double precision', comparison: Comparison): RawBuilder<boolean>[] {
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
  const among = (column: string, values: readonly string[]): RawBuilder<boolean>[] => (values.length === 0 ? [] : [sql`${sql.ref(column)} in (${list(values, 'text')})`])
  const is = (column: string, value: boolean | undefined): RawBuilder<boolean>[] => (value === undefined ? [] : [sql`${sql.ref(column)} = ${value}::boolean`])
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
