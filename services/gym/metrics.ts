import { gymEvent } from '#services/gym/loop/event.ts'
import type { PlayedRollout } from './episode.ts'
import type { GymEvent } from '#services/gym/loop/event.ts'

/** What metrics need of a rollout; its events are let go. */
export type Outcome = Pick<
  PlayedRollout,
  'status' | 'n_tool_calls' | 'n_valid_tool_calls' | 'response_tokens' | 'ended_ms'
> & { readonly reward: number; readonly correct: boolean }

/** The outcome of a rollout. */
export function outcomeOf(rollout: PlayedRollout): Outcome {
  const { status, n_tool_calls, n_valid_tool_calls, response_tokens, ended_ms, score } = rollout
  return {
    status,
    n_tool_calls,
    n_valid_tool_calls,
    response_tokens,
    ended_ms,
    reward: score.reward,
    correct: score.answer_match,
  }
}

/** Metrics under the names that verl logs, worked out of the rollouts of the step; none is made up. */
export function stepMetrics(run_id: string, version: number, played: readonly Outcome[], timeMs: number): GymEvent[] {
  const rewards = played.map((rollout) => rollout.reward)
  const calls = sum(played.map((rollout) => rollout.n_tool_calls))
  const values: Record<string, number> = {
    'critic/rewards/mean': mean(rewards),
    'critic/rewards/max': rewards.reduce((most, reward) => Math.max(most, reward)),
    'critic/rewards/min': rewards.reduce((least, reward) => Math.min(least, reward)),
    'reward_extra_info/accuracy': summary(played).accuracy,
    'response_length/mean': mean(played.map((rollout) => rollout.response_tokens)),
    'agent/tool_call_mean': calls / played.length,
    'env/ratio_of_valid_action': calls === 0 ? 0 : sum(played.map((rollout) => rollout.n_valid_tool_calls)) / calls,
    'env/finish_ratio': mean(played.map((rollout) => (rollout.status === 'completed' ? 1 : 0))),
  }
  return Object.entries(values).map(([name, value]) =>
    gymEvent('metric.logged', timeMs, { run_id, train_step: version, substep: 0, name, value }),
  )
}

/** The share of right answers (whatever their form) and the mean reward. */
export function summary(played: readonly Outcome[]): { accuracy: number; mean_reward: number } {
  return {
    accuracy: mean(played.map((rollout) => (rollout.correct ? 1 : 0))),
    mean_reward: mean(played.map((rollout) => rollout.reward)),
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}

function mean(numbers: readonly number[]): number {
  return numbers.length === 0 ? 0 : sum(numbers) / numbers.length
}
