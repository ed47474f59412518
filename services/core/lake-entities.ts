/** Rows of the lake tables that change: trajectories, runs and images, from the row of the store and the events behind it. */
import type { EventData } from '#schemas/events.ts'
import type { Row } from '#schemas/tables.ts'
import type { ReadEvent } from './event-reader.ts'
import { instantFromMs } from './instant.ts'
import { jsonText, messageRow } from './lake-message.ts'
import { fieldsBeyond, type LakeRow } from './lake-place.ts'

/** Fields of trajectory.started and trajectory.finished that have a column, or that another table holds. */
const STARTED_COLUMNS = new Set(
  'trajectory_id run_id item_id policy_version group_id group_size rollout_index train_step substep actor_model sampling prompt tools started_at'.split(
    ' ',
  ),
)
const FINISHED_COLUMNS = new Set(
  'trajectory_id status end_reason n_steps run_id reward parts answer_match format_ok format_violations match_method prediction_raw prediction_norm advantage prompt_tokens response_tokens obs_tokens ended_at'.split(
    ' ',
  ),
)

const dayOf = (appendedAtMs: number): string => instantFromMs(appendedAtMs).slice(0, 10)

/** The events behind a trajectory's row, as far as there are any, and when the log appended its finish. */
export interface TrajectoryEvents {
  readonly started: ReadEvent | undefined
  readonly finished: ReadEvent | undefined
  readonly finishedAppendedAtMs: number
}

/** The row of a finished trajectory. */
export function trajectoryRow(
  row: Row<'trajectories'>,
  { started, finished, finishedAppendedAtMs }: TrajectoryEvents,
): LakeRow {
  const start = started?.data as EventData<'trajectory.started'> | undefined
  const finish = finished?.data as EventData<'trajectory.finished'> | undefined
  return {
    run_id: row.run_id,
    trajectory_id: row.trajectory_id,
    item_id: row.item_id,
    group_id: row.group_id,
    group_size: row.group_size,
    rollout_index: row.rollout_index,
    policy_version: row.policy_version,
    train_step: row.train_step,
    substep: row.substep,
    actor_model: row.actor_model,
    status: row.status,
    end_reason: row.end_reason,
    partition: row.partition,
    first_offset: row.first_offset,
    finished_offset: row.finished_offset,
    last_offset: row.lake_offset,
    started_at: row.started_at,
    finished_at: row.finished_at,
    first_event_at: row.first_event_at,
    last_event_at: row.last_event_at,
    n_steps: row.n_steps,
    n_steps_seen: row.n_steps_seen,
    step_index_max: row.step_index_max,
    n_tool_calls: row.n_tool_calls,
    n_invalid_tool_calls: row.n_invalid_tool_calls,
    tools_called: jsonText(row.tools),
    error_codes: jsonText(row.error_codes),
    prompt_tokens: row.prompt_tokens,
    response_tokens: row.response_tokens,
    obs_tokens: row.obs_tokens,
    step_prompt_tokens_max: row.step_prompt_tokens_max,
    step_completion_tokens: row.step_completion_tokens,
    step_obs_tokens: row.step_obs_tokens,
    n_conflicts: row.n_conflicts,
    n_late: row.n_late,
    n_annotations: row.n_annotations,
    image_ids: row.image_ids,
    prompt: start?.prompt?.map(messageRow),
    tools: jsonText(start?.tools),
    sampling: jsonText(start?.sampling),
    prediction_raw: finish?.prediction_raw,
    prediction_norm: finish?.prediction_norm,
    advantage: finish?.advantage,
    started_extra: start === undefined ? null : fieldsBeyond(start, STARTED_COLUMNS),
    finished_extra: finish === undefined ? null : fieldsBeyond(finish, FINISHED_COLUMNS),
    dt: dayOf(finishedAppendedAtMs),
  }
}

/** The row of a run; `started` is its run.started event, where that has come. */
export function runRow(row: Row<'runs'>, started: ReadEvent | undefined, firstAppendedAtMs: number): LakeRow {
  return {
    run_id: row.run_id,
    partition: row.partition,
    first_offset: row.first_offset,
    last_offset: row.last_offset,
    kind: row.kind,
    algorithm: row.algorithm,
    base_model: row.base_model,
    parent_run_id: row.parent_run_id,
    resumed_at_train_step: row.resumed_at_train_step,
    reward_version: row.reward_version,
    correct_threshold: row.correct_threshold,
    group_size: row.group_size,
    started_at: row.started_at,
    finished_at: row.finished_at,
    status: row.status,
    settings: jsonText(started?.data),
    dt: dayOf(firstAppendedAtMs),
  }
}

/** The row of an image that was described, stored or both. */
export function imageRow(row: Row<'images'>, firstAppendedAtMs: number): LakeRow {
  return {
    image_id: row.image_id,
    partition: row.partition,
    first_offset: row.first_offset,
    last_offset: row.last_offset,
    media_type: row.media_type,
    bytes: row.bytes,
    width: row.width,
    height: row.height,
    role: row.role,
    parent_image_id: row.parent_image_id,
    stored: row.stored,
    dt: dayOf(firstAppendedAtMs),
  }
}
