/**
 * The same rows once more, from the raw events of the lake and its steps alone: nothing that the projection or the archive
 * folded is read. What is computed from them is what the numbers must be.
 */
import { sqlText } from '#services/lake/engine.ts'
import { type FrameSql, type LakePaths, EVENT_DATA, relation } from './lake-rows.ts'

const texts = (values: readonly string[]) => values.map(sqlText).join(', ')

const STARTED = `type = 'trajectory.started' AND verdict = 'accepted'`
const FINISHED = `type = 'trajectory.finished' AND verdict = 'accepted'`

const said = (name: string, event: string) => `any_value(data ->> '$.${name}') FILTER (${event}) AS ${name}`
const counted = (name: string, event: string) =>
  `TRY_CAST(any_value(data ->> '$.${name}') FILTER (${event}) AS BIGINT) AS ${name}`

/** Statements and queries that read these runs from raw events and steps. */
export function rawSql(runIds: readonly string[], paths: LakePaths): FrameSql {
  const events = relation('events', paths)
  const mine = `SELECT trajectory_id FROM ${events} WHERE trajectory_id IS NOT NULL AND verdict = 'accepted'
    GROUP BY trajectory_id HAVING min(run_id) IN (${texts(runIds)})`
  return {
    prepare: [
      `CREATE TEMP TABLE told AS SELECT trajectory_id, run_id, type, verdict, "partition", "offset",
        CASE WHEN type <> 'step.recorded' THEN ${EVENT_DATA} END AS data
      FROM ${events} WHERE verdict IN ('accepted', 'conflict') AND trajectory_id IN (${mine})`,
      `CREATE TEMP TABLE walked AS SELECT trajectory_id, count(*) AS n_steps_seen, sum(n_tool_calls) AS n_tool_calls,
        coalesce(sum(completion_tokens), 0) AS step_completion_tokens, coalesce(sum(obs_tokens), 0) AS step_obs_tokens, max(prompt_tokens) AS step_prompt_tokens_max
      FROM ${relation('steps', paths)} WHERE trajectory_id IN (SELECT trajectory_id FROM told) GROUP BY trajectory_id`,
      `CREATE TEMP TABLE mine AS
      SELECT t.*, coalesce(n_steps_seen, 0)::BIGINT AS n_steps_seen, coalesce(n_tool_calls, 0)::BIGINT AS n_tool_calls, 0 AS n_invalid_tool_calls,
        coalesce(step_completion_tokens, 0)::BIGINT AS step_completion_tokens, coalesce(step_obs_tokens, 0)::BIGINT AS step_obs_tokens, step_prompt_tokens_max
      FROM (SELECT trajectory_id, min(run_id) FILTER (verdict = 'accepted') AS run_id, min("partition") AS "partition", min("offset") AS first_offset,
          max("offset") AS last_offset, count(*) FILTER (${FINISHED}) > 0 AS finished, count(*) FILTER (verdict = 'conflict') AS n_conflicts,
          ${['item_id', 'group_id', 'actor_model'].map((name) => said(name, STARTED)).join(', ')},
          ${['group_size', 'rollout_index', 'policy_version', 'train_step'].map((name) => counted(name, STARTED)).join(', ')},
          CASE WHEN count(*) FILTER (${STARTED}) > 0 THEN coalesce(TRY_CAST(any_value(data ->> '$.substep') FILTER (${STARTED}) AS BIGINT), 0) END AS substep,
          ${['status', 'end_reason'].map((name) => said(name, FINISHED)).join(', ')},
          ${['n_steps', 'prompt_tokens', 'response_tokens', 'obs_tokens'].map((name) => counted(name, FINISHED)).join(', ')},
          any_value(data ->> '$.prediction_raw') FILTER (${FINISHED}) AS prediction
        FROM told GROUP BY trajectory_id) t LEFT JOIN walked w ON w.trajectory_id = t.trajectory_id`,
      `CREATE TEMP TABLE said AS
      SELECT trajectory_id, list({reward_version: CASE WHEN type = 'trajectory.scored' THEN coalesce(data ->> '$.reward_version', '') ELSE '' END, "offset": "offset",
        reward: data ->> '$.reward', parts: CAST(data -> '$.parts' AS VARCHAR), answer_match: TRY_CAST(data ->> '$.answer_match' AS BOOLEAN),
        format_ok: TRY_CAST(data ->> '$.format_ok' AS BOOLEAN)} ORDER BY "offset") AS scores
      FROM told WHERE verdict = 'accepted' AND type IN ('trajectory.scored', 'trajectory.finished') AND (data ->> '$.reward') IS NOT NULL
      GROUP BY trajectory_id`,
      `CREATE TEMP TABLE trained AS
      SELECT trajectory_id, list({"offset": "offset", train_step: TRY_CAST(data ->> '$.train_step' AS BIGINT), substep: coalesce(TRY_CAST(data ->> '$.substep' AS BIGINT), 0),
        policy_version: TRY_CAST(data ->> '$.policy_version' AS BIGINT), kept: TRY_CAST(data ->> '$.kept' AS BOOLEAN), drop_reason: data ->> '$.drop_reason',
        advantage: data ->> '$.advantage'} ORDER BY "offset") AS trainings
      FROM told WHERE type = 'trajectory.trained' AND verdict = 'accepted' GROUP BY trajectory_id`,
    ],
    items: `SELECT data ->> '$.item_id' AS item_id, data ->> '$.dataset' AS dataset, data ->> '$.family' AS family, data ->> '$.split' AS split,
        data ->> '$.distribution' AS distribution
      FROM (SELECT ${EVENT_DATA} AS data FROM ${events} WHERE type = 'item.registered' AND verdict = 'accepted')`,
  }
}
