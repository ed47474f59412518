/** Statistics over a real server: from the store, from a snapshot of the lake, and made anew from raw events. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type ServerProcess,
  type World,
  cleanUp,
  newWorld,
  runCommand,
  startServer,
} from '#tests/support/server-process.ts'
import { randomRun } from './random-run.ts'

let world: World
let server: ServerProcess

type Event = { readonly type: string; readonly data: Record<string, unknown> }

const worded = (value: number) => (Number.isFinite(value) ? value : String(value))
const known = (data: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(data).filter(([, value]) => value !== null))

const LOOK = {
  type: 'function',
  function: { name: 'look', parameters: { type: 'object', properties: { at: { type: 'integer' } }, required: ['at'] } },
}
const STATUSES = ['ok', 'tool_error', 'timeout', 'not_found', null]

/** A call, one kind or another by its number: with and without words of the environment, right and wrong by the schema. */
const callOf = (number: number): Record<string, unknown> =>
  known({
    id: 'c',
    name: number % 5 === 0 ? 'gaze' : 'look',
    tool: number % 7 === 0 ? 'look' : null,
    arguments: [{}, { at: 1 }, { at: 'here' }, '{at', null][number % 11] ?? { at: 2, of: 3 },
    status: STATUSES[number % 6] ?? null,
    valid: [true, false][number % 4] ?? null,
    error_codes: number % 9 === 0 ? ['OURS'] : null,
    attempt: number % 3,
    latency_ms: number % 8 === 0 ? null : (number * 37) % 500,
  })

/** The events that a random run is made of, some of them twice, some with other content. */
function eventsOf(seed: number): Event[] {
  const rows = randomRun(seed)
  const runId = `run-${seed}`
  const id = (name: string | null) => (name === null ? null : `${runId}/${name}`)
  const events: Event[] = [
    {
      type: 'run.started',
      data: known({ run_id: runId, kind: 'rl', correct_threshold: rows.runs[0]?.correct_threshold }),
    },
    ...rows.items.map((item) => ({
      type: 'item.registered',
      data: known({ ...item, item_id: id(item.item_id), question: '?', answer: ['A'] }),
    })),
  ]
  for (const row of rows.trajectories) {
    const name = id(row.trajectory_id)
    const { train_step: step, rollout_index: index, group_size: size, policy_version: version } = row
    events.push({
      type: 'trajectory.started',
      data: known({
        trajectory_id: name,
        run_id: runId,
        item_id: id(row.item_id) ?? 'none',
        policy_version: version,
        train_step: step,
        group_id: row.group_id,
        group_size: row.group_id === null ? null : size,
        rollout_index: index,
        ...(events.length % 3 === 0 ? { tools: [LOOK] } : {}),
      }),
    })
    const seen = row.finished ? (row.n_steps ?? 1) : 1
    for (let at = 0; at < seen; at++)
      events.push({
        type: 'step.recorded',
        data: {
          trajectory_id: name,
          run_id: runId,
          step_index: at,
          action_kind: 'answer',
          raw_output: `<answer>${at}</answer>`,
          completion_tokens: 7 + at,
          tool_calls: at < 2 ? [callOf(seed * 31 + events.length)] : [],
        },
      })
    const [score] = row.scores
    if (row.finished)
      events.push({
        type: 'trajectory.finished',
        data: known({
          trajectory_id: name,
          status: row.status,
          end_reason: row.end_reason,
          n_steps: seen,
          response_tokens: row.response_tokens,
          prediction_raw: row.prediction,
          ...(score === undefined
            ? {}
            : {
                reward: worded(score.reward),
                parts: score.parts,
                answer_match: score.answer_match,
                format_ok: score.format_ok,
              }),
        }),
      })
    for (const other of row.scores.slice(1))
      events.push({
        type: 'trajectory.scored',
        data: known({
          trajectory_id: name,
          reward_version: other.reward_version,
          reward: worded(other.reward),
          parts: other.parts,
        }),
      })
    for (const [index, training] of row.trainings.entries())
      events.push({
        type: 'trajectory.trained',
        data: known({
          trajectory_id: name,
          run_id: runId,
          train_step: training.train_step,
          substep: training.substep + 20 * index,
          policy_version: training.policy_version,
          kept: training.kept,
          drop_reason: training.drop_reason,
          advantage: Number.isFinite(training.advantage ?? 0) ? training.advantage : null,
        }),
      })
    if (events.length % 2 === 0)
      events.push({
        type: 'trajectory.annotated',
        data: {
          trajectory_id: name,
          annotation_id: `of-${events.length}`,
          codes: events.length % 4 === 0 ? ['E4'] : [],
          annotator: 'mia',
          method: 'human',
        },
      })
    if (row.n_conflicts > 0)
      events.push({
        type: 'step.recorded',
        data: { trajectory_id: name, run_id: runId, step_index: 0, action_kind: 'message', raw_output: 'other words' },
      })
  }
  return [...events, ...events.slice(-5)]
}

async function send(events: readonly Event[]): Promise<void> {
  const lines = events.map(({ type, data }, index) =>
    JSON.stringify({ specversion: '1.0', id: String(index), source: '/test', type, data }),
  )
  const answer = await fetch(`${world.url}/v1/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: lines.join('\n'),
  })
  expect([answer.status, (await answer.text()).slice(0, 500)]).toEqual([200, expect.stringContaining('accepted')])
}

const get = async (path: string) => {
  const answer = await fetch(`${world.url}${path}`)
  if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`)
  return answer
}

const RUNS = 12

beforeAll(async () => {
  world = await newWorld()
  server = startServer(world)
  await server.ready()
  for (let seed = 0; seed < RUNS; seed++) await send(eventsOf(seed))
}, 240_000)

afterAll(async () => {
  await server.sigterm()
  await cleanUp(world)
})

describe('a served store', () => {
  test('gives the numbers that raw events and steps give, to the last bit', async () => {
    const { code, stdout } = await runCommand(world, ['verify', '--numbers', '--json'])
    const found = JSON.parse(stdout) as {
      numbers: { ok: boolean; runs: { trajectories: number }[]; differences: unknown[] }
    }
    expect([found.numbers.differences, code]).toEqual([[], 0])
    expect(found.numbers.runs).toHaveLength(RUNS)
    expect(found.numbers.runs.reduce((sum, run) => sum + run.trajectories, 0)).toBeGreaterThan(100)
    // Of calls and annotations there was something to compare.
    const { rows } = (await (await get('/v1/analytics/errors?run=run-3')).json()) as {
      rows: { code: string; n_trajectories: number }[]
    }
    const named = rows.filter(({ n_trajectories: n }) => n > 0).map(({ code }) => code)
    expect(named).toEqual(expect.arrayContaining(['E1', 'E4', 'OURS', 'WRONG_TOOL']))
  }, 240_000)

  test('answers from a snapshot what it answered when that was new', async () => {
    const { rows } = (await (await get('/v1/snapshots?after=latest&wait=60&limit=1')).json()) as {
      rows: { snapshot_id: number }[]
    }
    const snapshot = rows[0]?.snapshot_id
    const paths = [
      'rewards',
      'groups',
      'advantages',
      'pass-at-k',
      'lengths',
      'staleness',
      'training',
      'counterfactual',
      'benchmarks',
      'metrics',
    ]
    const before = new Map<string, string>()
    for (const path of paths) before.set(path, await (await get(`/v1/analytics/${path}?run=run-3`)).text())
    await send([
      {
        type: 'trajectory.started',
        data: {
          trajectory_id: 'run-3/late',
          run_id: 'run-3',
          item_id: 'none',
          policy_version: 0,
          train_step: 0,
          group_id: 'late',
          group_size: 1,
        },
      },
      {
        type: 'trajectory.finished',
        data: { trajectory_id: 'run-3/late', status: 'completed', end_reason: 'answer', n_steps: 0, reward: 7 },
      },
    ])
    const now = await (await get('/v1/analytics/rewards?run=run-3&after=latest')).text()
    expect(now).not.toBe(before.get('rewards'))
    for (const path of paths)
      expect([path, await (await get(`/v1/analytics/${path}?run=run-3&snapshot=${snapshot}`)).text()]).toEqual([
        path,
        before.get(path),
      ])
  }, 240_000)

  test('writes Parquet', async () => {
    const answer = await get('/v1/analytics/rewards?run=run-3&format=parquet')
    const bytes = new Uint8Array(await answer.arrayBuffer())
    expect(new TextDecoder().decode(bytes.subarray(0, 4))).toBe('PAR1')
    expect(new TextDecoder().decode(bytes.subarray(-4))).toBe('PAR1')
  })
})
