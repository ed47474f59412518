/** Frames of few words: a rollout for each line of (item, policy version, reward). */
import { type Frame, frameOf } from '#services/analytics/frame.ts'
import type { FrameRun, TrajectoryRow } from '#services/analytics/frame-rows.ts'
import { scoreOf, trajectory } from '#tests/analytics/rows.ts'

export interface Played {
  readonly item: string | null
  readonly version: number | null
  readonly reward: number | null
  readonly correct?: boolean
  readonly step?: number | null
  readonly conflicts?: number
  readonly finished?: boolean
  readonly run?: string
}

const RUN: FrameRun = {
  run_id: 'r',
  kind: 'rl',
  reward_version: null,
  correct_threshold: null,
  group_size: null,
  before_train_step: null,
}

function row(played: Played, index: number): TrajectoryRow {
  const { item, version, reward, step = 0, conflicts = 0, finished = true, run = 'r' } = played
  return trajectory(`t${String(index).padStart(6, '0')}`, {
    run_id: run,
    first_offset: index,
    last_offset: index,
    finished,
    item_id: item,
    policy_version: version,
    train_step: step,
    status: finished ? 'completed' : null,
    end_reason: null,
    n_steps: 1,
    n_steps_seen: 1,
    n_tool_calls: 0,
    n_conflicts: conflicts,
    scores:
      reward === null
        ? []
        : [scoreOf(reward, { offset: index, answer_match: played.correct ?? null, format_ok: reward > 0 })],
  })
}

export function playedFrame(played: readonly Played[], runs: readonly FrameRun[] = [RUN]): Frame {
  return frameOf({ runs, trajectories: played.map(row), items: [] })
}

/** `passed` right and the rest wrong of `n` rollouts of an item. */
export function pass(item: string, version: number, passed: number, n: number): Played[] {
  return Array.from({ length: n }, (_, index) => ({
    item,
    version,
    reward: index < passed ? 2 : 1,
    correct: index < passed,
    step: version,
  }))
}
