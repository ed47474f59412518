/** Rollouts for tests of reads. */
import type { EventType } from '#schemas/events.ts'

type Sent = readonly [EventType, Record<string, unknown>, string?]

export interface RolloutOptions {
  readonly id: string
  readonly run?: string
  readonly item?: string
  readonly group?: string
  readonly index?: number
  readonly size?: number
  readonly policyVersion?: number
  readonly trainStep?: number
  readonly reward?: number | string
  readonly status?: string
  readonly steps?: number
  readonly finished?: boolean
  readonly more?: Record<string, unknown>
  readonly time?: string
}

/** The events of one rollout: a start, steps that call a tool, a last one that answers, a finish with its reward. */
export function rollout(options: RolloutOptions): Sent[] {
  const { id, run = 'r1', item = 'item-1', steps = 2, policyVersion = 0, time } = options
  const sent = (type: EventType, data: Record<string, unknown>): Sent =>
    time === undefined ? [type, data] : [type, data, time]
  const group =
    options.group === undefined
      ? {}
      : {
          group_id: options.group,
          group_size: options.size ?? 2,
          rollout_index: options.index ?? 0,
          train_step: options.trainStep ?? 1,
        }
  const start = sent('trajectory.started', {
    trajectory_id: id,
    run_id: run,
    item_id: item,
    policy_version: policyVersion,
    prompt: [{ role: 'user', content: 'Which?' }],
    tools: [{ type: 'function', function: { name: 'look' } }],
    ...group,
  })
  const middle = Array.from({ length: steps }, (_, index) => {
    const last = index === steps - 1
    const action = last
      ? { action_kind: 'answer', raw_output: '<answer>Kenya</answer>' }
      : {
          action_kind: 'tool_call',
          raw_output: null,
          tool_calls: [{ id: `c${index}`, name: 'look', arguments: { x: index } }],
          observation: [{ role: 'tool', content: `seen ${index}`, tool_call_id: `c${index}` }],
        }
    return sent('step.recorded', { trajectory_id: id, run_id: run, step_index: index, ...action })
  })
  const reward = options.reward === undefined ? {} : { reward: options.reward }
  const finish = sent('trajectory.finished', {
    trajectory_id: id,
    status: options.status ?? 'completed',
    end_reason: 'answer',
    n_steps: steps,
    ...reward,
    ...options.more,
  })
  return options.finished === false ? [start, ...middle] : [start, ...middle, finish]
}
