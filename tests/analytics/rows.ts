/** Rows of frames for tests: what is not said is as dull as can be. */
import type { FrameRows, FrameRun, ItemRow, ScoreRow, TrajectoryRow } from '#services/analytics/frame-rows.ts'

let offset = 0

/** A score under the run's version. */
export function scoreOf(reward: number, more: Partial<ScoreRow> = {}): ScoreRow {
  return { reward_version: '', offset: offset++, reward, parts: null, answer_match: null, format_ok: null, ...more }
}

/** A finished trajectory of run `run`. */
export function trajectory(id: string, more: Partial<TrajectoryRow> = {}): TrajectoryRow {
  offset += 10
  return {
    trajectory_id: id,
    run_id: 'run',
    partition: 0,
    first_offset: offset,
    last_offset: offset + 5,
    finished: true,
    item_id: 'item',
    group_id: null,
    group_size: null,
    rollout_index: null,
    policy_version: 0,
    train_step: 1,
    substep: 0,
    actor_model: null,
    status: 'completed',
    end_reason: 'answer',
    n_steps: 2,
    n_steps_seen: 2,
    n_tool_calls: 1,
    n_invalid_tool_calls: 0,
    tools: {},
    error_codes: {},
    prompt_tokens: null,
    response_tokens: null,
    obs_tokens: null,
    step_prompt_tokens_max: null,
    step_completion_tokens: 0,
    step_obs_tokens: 0,
    prediction: null,
    n_conflicts: 0,
    scores: [],
    trainings: [],
    ...more,
  }
}

/** The members of a group with these rewards. */
export function groupOf(
  group: string,
  rewards: readonly number[],
  options: { readonly size?: number; readonly score?: Partial<ScoreRow>; readonly row?: Partial<TrajectoryRow> } = {},
): TrajectoryRow[] {
  return rewards.map((reward, index) =>
    trajectory(`${group}/${index}`, {
      group_id: group,
      group_size: options.size ?? rewards.length,
      rollout_index: index,
      scores: [scoreOf(reward, options.score)],
      ...options.row,
    }),
  )
}

/** A run with these trajectories. */
export function runOf(
  trajectories: readonly TrajectoryRow[],
  items: readonly ItemRow[] = [],
  run: Partial<FrameRun> = {},
): FrameRows {
  const one = {
    run_id: 'run',
    kind: 'rl',
    reward_version: null,
    correct_threshold: null,
    group_size: null,
    before_train_step: null,
  }
  return { runs: [{ ...one, ...run }], trajectories, items }
}

/** A registered item. */
export function item(id: string, more: Partial<ItemRow> = {}): ItemRow {
  return { item_id: id, dataset: 'ChartQA', family: 'chart', split: 'test', distribution: 'id', ...more }
}
