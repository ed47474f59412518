/** The metrics of a run of the gym, worked out of what the server has. */
import type { GymEvent } from '#services/gym/loop/event.ts'
import { metricEvents, metricValues, type Outcome } from '#services/gym/run/metrics.ts'
import { fields, numberOf, textOf, type Client } from './client.ts'
import type { Summarised } from './gym-summary.ts'
import { allRows } from './gym-world.ts'

/**
 * What a policy version came to, as metric.logged at its train step: over all of its finished rollouts, those of earlier
 * tries included. Metrics never change, so a run that grew is logged again under the next substep; nothing where the
 * last ones still hold.
 */
export async function runMetrics(
  server: Client,
  { run_id, policy_version }: Summarised,
  nowMs: number,
): Promise<GymEvent[]> {
  const after = { run: run_id, after: 'latest', wait: '60' }
  const outcomes: Outcome[] = []
  for await (const row of allRows(server, '/v1/trajectories', { ...after, policy_version: String(policy_version) })) {
    const outcome = outcomeOf(row)
    if (outcome !== undefined) outcomes.push(outcome)
  }
  const logged = new Map<number, Map<string, unknown>>()
  for await (const row of allRows(server, '/v1/analytics/metrics', { ...after, train_step: String(policy_version) })) {
    const substep = numberOf(row['substep'])
    const values = logged.get(substep) ?? new Map<string, unknown>()
    logged.set(substep, values.set(textOf(row['name']) ?? '', row['value']))
  }
  const values = metricValues(outcomes)
  const last = Math.max(-1, ...logged.keys())
  const known = logged.get(last)
  const holds = known?.size === values.size && [...values].every(([name, value]) => known.get(name) === value)
  return holds ? [] : metricEvents({ run_id, train_step: policy_version, substep: last + 1 }, values, nowMs)
}

/** Undefined for a rollout that did not end by itself. */
function outcomeOf(row: Readonly<Record<string, unknown>>): Outcome | undefined {
  const status = textOf(row['status'])
  if (status !== 'completed' && status !== 'truncated') return undefined
  const codes = Object.entries(fields(row['error_codes'])).map(([code, n]) => [code, numberOf(n)] as const)
  return {
    trajectory_id: textOf(row['trajectory_id']) ?? '',
    status,
    reward: typeof row['reward'] === 'number' ? row['reward'] : null,
    correct: row['correct'] === true,
    format_ok: row['format_ok'] === true,
    n_tool_calls: numberOf(row['n_tool_calls']),
    n_invalid_tool_calls: numberOf(row['n_invalid_tool_calls']),
    response_tokens: numberOf(row['response_tokens']),
    error_codes: Object.fromEntries(codes),
  }
}
