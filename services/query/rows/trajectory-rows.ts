/** The rows of /v1/trajectories: what the store knows of a trajectory, with its score. */
import { type Kysely, sql } from 'kysely'
import type { Database, Row } from '#schemas/tables.ts'
import { anyReal } from '#services/query/reading.ts'
import { type JoinedScore, scoredTrajectories } from './scored.ts'

/** A trajectory of the store with its joined score. */
export type ScoredRow = Row<'trajectories'> & JoinedScore

/** All columns of a trajectory and of its score. */
export function wholeRows(db: Kysely<Database>, version: string | undefined) {
  return scoredTrajectories(db, version)
    .selectAll('t')
    .select([
      'score.version',
      'score.score_offset',
      'score.reward',
      'score.parts',
      'score.answer_match',
      'score.format_ok',
      'score.correct',
    ])
}

/** Whether a trajectory is finished and every step from 0 on is here. */
export function isDense(row: Row<'trajectories'>): boolean {
  return (
    row.finished_offset !== null && row.n_steps === row.n_steps_seen && (row.step_index_max ?? -1) === row.n_steps - 1
  )
}

/** A trajectory as the API shows it in lists. */
export function trajectoryRow(row: ScoredRow): Record<string, unknown> {
  return {
    trajectory_id: row.trajectory_id,
    run_id: row.run_id,
    item_id: row.item_id,
    group_id: row.group_id,
    group_size: row.group_size,
    rollout_index: row.rollout_index,
    policy_version: row.policy_version,
    train_step: row.train_step,
    substep: row.substep,
    actor_model: row.actor_model,
    finished: row.finished_offset !== null,
    status: row.status,
    end_reason: row.end_reason,
    reward: anyReal(row.reward),
    reward_version: row.reward === null ? null : row.version,
    parts: row.parts,
    correct: row.correct,
    answer_match: row.answer_match,
    format_ok: row.format_ok,
    n_steps: row.n_steps,
    n_steps_seen: row.n_steps_seen,
    dense: isDense(row),
    n_tool_calls: row.n_tool_calls,
    n_invalid_tool_calls: row.n_invalid_tool_calls,
    tools_called: row.tools,
    error_codes: row.error_codes,
    prediction: row.prediction,
    prompt_tokens: row.prompt_tokens ?? row.step_prompt_tokens_max,
    response_tokens: row.response_tokens ?? row.step_completion_tokens,
    obs_tokens: row.obs_tokens ?? row.step_obs_tokens,
    n_annotations: row.n_annotations,
    n_duplicates: row.n_duplicates,
    n_conflicts: row.n_conflicts,
    n_late: row.n_late,
    started_at: row.started_at,
    finished_at: row.finished_at,
    first_event_at: row.first_event_at,
    last_event_at: row.last_event_at,
  }
}

/** How many missing step indexes an answer names. */
export const MISSING_SHOWN = 100

/** A gap in the steps of a trajectory, [from, to). */
interface Hole {
  readonly trajectory_id: string
  readonly from: number
  readonly to: number
}

/** The steps that are not here, as ranges between those that are, of each of these trajectories. */
export async function holes(db: Kysely<Database>, trajectoryIds: readonly string[]): Promise<Map<string, Hole[]>> {
  const found = new Map<string, Hole[]>()
  if (trajectoryIds.length === 0) return found
  const ids = sql.join(trajectoryIds.map((id) => sql`${id}::text`))
  const { rows } = await sql<Hole>`
    select trajectory_id, "from", "to" from (
      select trajectory_id, coalesce(lag(step_index) over (partition by trajectory_id order by step_index), -1) + 1 as "from", step_index as "to"
      from steps where trajectory_id in (${ids})
      union all
      select trajectory_id, coalesce(step_index_max, -1) + 1, n_steps from trajectories where trajectory_id in (${ids}) and n_steps is not null
    ) gaps where "to" > "from" order by trajectory_id, "from"`.execute(db)
  for (const hole of rows) {
    const known = found.get(hole.trajectory_id)
    if (known === undefined) found.set(hole.trajectory_id, [hole])
    else known.push(hole)
  }
  return found
}

/** How many steps the holes miss, and the first of them. */
export function missingSteps(found: readonly Hole[]): { readonly count: number; readonly shown: readonly number[] } {
  const shown: number[] = []
  let count = 0
  for (const { from, to } of found) {
    count += to - from
    for (let index = from; index < to && shown.length < MISSING_SHOWN; index++) shown.push(index)
  }
  return { count, shown }
}
