import { chartTool } from './chart-tool.ts'
import { gymEvent, instant } from '#services/gym/loop/event.ts'
import { scriptedPolicy } from './policy.ts'
import { promptMessages, promptText } from '#services/gym/loop/prompt.ts'
import { random } from './random.ts'
import { vistaReward } from '#services/gym/loop/reward.ts'
import { maxCompletionTokens, takenStep } from './step.ts'
import { estimatedTokens } from '#services/gym/loop/tokens.ts'
import type { EventData } from '#schemas/events.ts'
import type { GymEvent } from '#services/gym/loop/event.ts'
import type { GymItem } from './item.ts'
import type { Score } from '#services/gym/loop/reward.ts'
import type { Step } from './step.ts'

/** The most turns of a rollout, the answer included. */
export const maxTurns = 3

/** Which rollout to play. `group_id` is the prompt at one train step; its rollouts differ in `rollout_index`. */
export type Rollout = {
  readonly item: GymItem
  readonly run_id: string
  readonly policy_version: number
  readonly group_id: string
  readonly group_size: number
  readonly rollout_index: number
  /** Simulated, in ms since 1970. */
  readonly started_ms: number
}

export type PlayedRollout = {
  readonly trajectory_id: string
  /** trajectory.started, step.recorded for each turn, trajectory.finished. */
  readonly events: readonly GymEvent[]
  readonly score: Score
  readonly status: 'completed' | 'truncated'
  readonly n_steps: number
  readonly n_tool_calls: number
  readonly n_valid_tool_calls: number
  readonly response_tokens: number
  readonly ended_ms: number
}

/** Plays one rollout. A pure function of its argument: playing it again gives the same events. */
export function playedRollout(rollout: Rollout): PlayedRollout {
  const { item, run_id, policy_version, rollout_index } = rollout
  const trajectory_id = `${rollout.group_id}/${rollout_index}`
  const policy = scriptedPolicy(item, policy_version, rollout_index)
  const clock = random(item.seed, 'item', item.index, 'policy', policy_version, rollout_index, 'clock')
  const promptTokens = estimatedTokens(promptText(item), 1)
  const steps: Step[] = []
  let context = promptTokens
  let now = rollout.started_ms
  let end: 'answer' | 'max_turns' | 'max_tokens' = 'max_turns'
  while (steps.length < maxTurns) {
    const raw = policy.turn(steps.at(-1)?.heard ?? null)
    const step = takenStep({ trajectory_id, run_id, item, index: steps.length, context, now, clock, raw })
    steps.push(step)
    now = step.ended_ms
    context += (step.data.completion_tokens ?? 0) + (step.data.obs_tokens ?? 0)
    if (step.data.finish_reason === 'length') end = 'max_tokens'
    else if (step.data.action_kind === 'answer') end = 'answer'
    if (end !== 'max_turns') break
  }
  const status = end === 'answer' ? 'completed' : 'truncated'
  const score = vistaReward(
    steps.map((step) => step.raw),
    item.key,
  )
  const totals = totalsOf(steps)
  return {
    trajectory_id,
    events: [
      gymEvent('trajectory.started', rollout.started_ms, startedData(rollout, trajectory_id)),
      ...steps.map((step) => gymEvent('step.recorded', step.ended_ms, step.data)),
      gymEvent('trajectory.finished', now, {
        trajectory_id,
        run_id,
        status,
        end_reason: end,
        n_steps: steps.length,
        ...scoreData(score),
        prompt_tokens: promptTokens,
        ...totals.tokens,
        wall_ms: now - rollout.started_ms,
        ended_at: instant(now),
      }),
    ],
    score,
    status,
    n_steps: steps.length,
    n_tool_calls: totals.calls.length,
    n_valid_tool_calls: totals.calls.filter((call) => call.valid === true).length,
    response_tokens: totals.tokens.response_tokens,
    ended_ms: now,
  }
}

function startedData(rollout: Rollout, trajectory_id: string): EventData<'trajectory.started'> {
  const { item, run_id, policy_version, group_id, group_size, rollout_index } = rollout
  return {
    trajectory_id,
    run_id,
    item_id: item.item_id,
    policy_version,
    group_id,
    group_size,
    rollout_index,
    train_step: policy_version,
    substep: 0,
    actor_model: `scripted-v${policy_version}`,
    sampling: { policy: 'scripted', seed: item.seed, max_completion_tokens: maxCompletionTokens },
    prompt: promptMessages(item),
    tools: [chartTool],
    max_turns: maxTurns,
    started_at: instant(rollout.started_ms),
  }
}

function scoreData(score: Score) {
  return {
    reward: score.reward,
    parts: score.parts,
    answer_match: score.answer_match,
    format_ok: score.format_ok,
    format_violations: [...score.format_violations],
    match_method: score.match_method,
    prediction_raw: score.prediction_raw,
    prediction_norm: score.prediction_norm,
  }
}

function totalsOf(steps: readonly Step[]) {
  const sum = (count: (data: Step['data']) => number): number =>
    steps.reduce((total, step) => total + count(step.data), 0)
  return {
    tokens: {
      response_tokens: sum((data) => data.completion_tokens ?? 0),
      think_tokens: sum((data) => estimatedTokens(data.think_text ?? '')),
      obs_tokens: sum((data) => data.obs_tokens ?? 0),
    },
    calls: steps.flatMap((step) => step.data.tool_calls ?? []),
  }
}
