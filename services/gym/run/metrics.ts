/** What a policy version came to, as metric.logged under the names that verl logs; none is made up. */
import { gymEvent, type GymEvent } from '#services/gym/loop/event.ts'

/** What metrics need of a finished rollout. */
export type Outcome = {
  readonly trajectory_id: string
  readonly status: string
  /** Null where it was not scored: it then counts in no mean of rewards. */
  readonly reward: number | null
  readonly correct: boolean
  readonly format_ok: boolean
  readonly n_tool_calls: number
  readonly n_invalid_tool_calls: number
  readonly response_tokens: number
  /** How many calls have a code by rule, such as E1. */
  readonly error_codes: Readonly<Record<string, number>>
}

export type MetricsOf = { readonly run_id: string; readonly train_step: number; readonly substep: number }

/** The metrics by name: the same for the same outcomes in any order. Empty for no rollouts. */
export function metricValues(outcomes: readonly Outcome[]): ReadonlyMap<string, number> {
  const all = outcomes.toSorted((left, right) => (left.trajectory_id < right.trajectory_id ? -1 : 1))
  const values = new Map<string, number>()
  if (all.length === 0) return values
  const rewards = all.flatMap(({ reward }) => (reward === null ? [] : [reward]))
  if (rewards.length > 0) {
    values.set('critic/rewards/mean', mean(rewards))
    values.set(
      'critic/rewards/max',
      rewards.reduce((most, reward) => Math.max(most, reward)),
    )
    values.set(
      'critic/rewards/min',
      rewards.reduce((least, reward) => Math.min(least, reward)),
    )
  }
  const share = (is: (outcome: Outcome) => boolean): number => mean(all.map((outcome) => (is(outcome) ? 1 : 0)))
  const calls = sum(all.map(({ n_tool_calls }) => n_tool_calls))
  const invalid = sum(all.map(({ n_invalid_tool_calls }) => n_invalid_tool_calls))
  values.set(
    'reward_extra_info/accuracy',
    share(({ correct }) => correct),
  )
  values.set(
    'reward_extra_info/format_ok',
    share(({ format_ok }) => format_ok),
  )
  values.set('response_length/mean', mean(all.map(({ response_tokens }) => response_tokens)))
  values.set('agent/tool_call_mean', calls / all.length)
  if (calls > 0) values.set('env/ratio_of_valid_action', (calls - invalid) / calls)
  values.set(
    'env/finish_ratio',
    share(({ status }) => status === 'completed'),
  )
  values.set('gym/rollouts', all.length)
  values.set('gym/malformed', all.filter(({ format_ok }) => !format_ok).length)
  const codes = new Set(all.flatMap(({ error_codes }) => Object.keys(error_codes)))
  for (const code of [...codes].toSorted())
    values.set(`gym/calls_with/${code}`, sum(all.map(({ error_codes }) => error_codes[code] ?? 0)))
  return values
}

/** One metric.logged for each value. */
export function metricEvents(of: MetricsOf, values: ReadonlyMap<string, number>, timeMs: number): GymEvent[] {
  return [...values].map(([name, value]) => gymEvent('metric.logged', timeMs, { ...of, name, value }))
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0)
const mean = (numbers: readonly number[]): number => sum(numbers) / Math.max(1, numbers.length)
