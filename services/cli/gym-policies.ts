/** The policy of a run, and the rollouts that it plays. */
import { Problem } from '#services/problem.ts'
import { experts, kinds } from '#services/gym/items/families.ts'
import type { Difficulty } from '#services/gym/items/difficulty.ts'
import { chosenById } from '#services/gym/items/kinds.ts'
import type { GymEvent } from '#services/gym/loop/event.ts'
import type { Gym } from '#services/gym/loop/gym.ts'
import { expertPolicies } from '#services/gym/policies/expert.ts'
import { noisyPolicies } from '#services/gym/policies/noisy.ts'
import { openAiPolicies } from '#services/gym/policies/openai.ts'
import { randomPolicies } from '#services/gym/policies/random.ts'
import { replayPolicy } from '#services/gym/policies/replay.ts'
import type { Policy } from '#services/gym/policies/policy.ts'
import type { PolicySource } from '#services/gym/policies/source.ts'
import { knownRollouts, planned, type KnownRollouts, type Planned } from '#services/gym/run/plan.ts'
import { abortedEvents } from '#services/gym/run/run-events.ts'
import { callableTools } from '#services/gym/tools/offered.ts'
import type { Tools } from '#services/gym/tools/tools.ts'
import { fields, textOf, type Client } from './client.ts'
import type { RunOrder } from './gym-order.ts'
import { allRows, trajectoriesOf, type StoredRollout } from './gym-world.ts'
import { noSuchRun, storedRun } from './gym-stored-run.ts'

export type Around = {
  readonly server: Client
  readonly gym: Gym
  readonly tools: Tools
  readonly chance: () => number
  readonly nowMs: number
}

export type Sourced = {
  readonly source: PolicySource
  readonly plan: Iterable<Planned>
  readonly total: number
  readonly known: KnownRollouts
  /** How many rollouts of this policy version ended before, of the plan or not. */
  readonly ended: number
  /** Ends the rollouts that a crash left open. */
  readonly unended: readonly GymEvent[]
}

/** Puts together what is to be played, and by whom. */
export async function sourceOf(order: RunOrder, around: Around): Promise<Sourced> {
  const { server, nowMs } = around
  const there = await trajectoriesOf(server, order.run_id, order.policy_version)
  const known = knownRollouts(there)
  const unended = abortedEvents(
    order.run_id,
    there.filter(({ finished }) => !finished),
    nowMs,
  )
  const ended = there.filter((rollout) => rollout.ended).length
  if (order.policy === 'replay') return { ...(await replayed(order, server)), known, ended, unended }
  const { difficulty, stream, items, group_size, run_id, policy_version } = order
  if (difficulty !== undefined) recall(difficulty, there)
  const plan = planned({
    kinds,
    stream,
    items,
    group_size,
    run_id,
    policy_version,
    ...(difficulty === undefined ? {} : { rising: { difficulty, known } }),
  })
  return { source: scripted(order, around), plan, total: items * group_size, known, ended, unended }
}

/** Tells of the answers of an earlier try, level by level as they came, so that levels go on rising from where they were. */
function recall(difficulty: Difficulty, there: readonly StoredRollout[]): void {
  const answers = there
    .filter(({ ended }) => ended)
    .map(({ item_id, correct }) => ({ ...chosenById(kinds, item_id), correct }))
    .toSorted((left, right) => left.request.level - right.request.level || left.request.index - right.request.index)
  for (const { kind, request, correct } of answers) difficulty.answered(kind, request.level, correct)
}

function scripted(order: RunOrder, { gym, tools, chance }: Around): PolicySource {
  const { definitions } = tools
  switch (order.policy) {
    case 'noisy':
      return noisyPolicies(experts, definitions, [order.rates])
    case 'random':
      return randomPolicies(callableTools(tools))
    case 'openai':
      return openAiPolicies({ ...order.openai, url: order.url, image: (id) => gym.image(id)?.bytes, chance })
    case 'expert':
    case 'replay':
      return expertPolicies(experts)
  }
}

/** The stored trajectories, each once: their items, and the turns that were written. Only those that ended are replayed. */
async function replayed(order: RunOrder, server: Client): Promise<Pick<Sourced, 'source' | 'plan' | 'total'>> {
  const from = order.from ?? ''
  const found: { trajectory_id: string; item_id: string }[] = []
  const keep = (row: Readonly<Record<string, unknown>>): void => {
    const [trajectory_id, item_id, status] = ['trajectory_id', 'item_id', 'status'].map((name) => textOf(row[name]))
    if ((status === 'completed' || status === 'truncated') && trajectory_id !== undefined && item_id !== undefined)
      found.push({ trajectory_id, item_id })
  }
  for await (const row of allRows(server, '/v1/trajectories', { run: from, after: 'latest', wait: '30' })) keep(row)
  if (found.length === 0) keep(await trajectoryNamed(server, from))
  if (found.length === 0) {
    throw new Problem('not_found', `there is nothing to replay of ${from.slice(0, 80)}`, {
      hint: 'give a run of the gym, or one of its trajectories that ended',
    })
  }
  const plan = found.map(({ trajectory_id, item_id }, rollout_index): Planned => ({
    chosen: chosenById(kinds, item_id),
    item_id,
    group_id: `${order.run_id}/v${order.policy_version}/${item_id}`,
    rollout_index,
    first_id: `${order.run_id}/v${order.policy_version}/replay/${rollout_index}`,
    reset: { derived_from_trajectory_id: trajectory_id },
  }))
  const stored = new Map(plan.map(({ first_id }, index) => [first_id, found[index]?.trajectory_id ?? '']))
  const source: PolicySource = {
    actor_model: 'replay',
    sampling: { policy: 'replay', from },
    policy: ({ first_id }) => {
      let policy: Policy | undefined
      return {
        turn: async (seen, signal) => {
          policy ??= replayPolicy(await rawTurns(server, stored.get(first_id) ?? ''))
          return policy.turn(seen, signal)
        },
      }
    },
  }
  return { source, plan, total: plan.length }
}

/** One trajectory; empty where the name is that of a run. Throws `not_found` where it is neither's. */
async function trajectoryNamed(server: Client, id: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return fields(await server.get(`/v1/trajectories/${encodeURIComponent(id)}`))
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== 'not_found') throw error
    if ((await storedRun(server, id)) !== undefined) return {}
    throw await noSuchRun(server, id, 'there is no run and no trajectory', '--from takes the id of either')
  }
}

async function rawTurns(server: Client, trajectoryId: string): Promise<string[]> {
  const turns: string[] = []
  for await (const row of allRows(server, `/v1/trajectories/${encodeURIComponent(trajectoryId)}/steps`, {}))
    turns.push(textOf(row['raw_output']) ?? '')
  return turns
}
