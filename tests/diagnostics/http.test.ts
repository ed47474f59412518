import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { EventType } from '#schemas/events.ts'
import { lakeEngine } from '#services/analytics/lake-rows.ts'
import type { Datasets } from '#services/datasets/datasets.ts'
import { silent } from '#services/logger.ts'
import { formatOffsets } from '#services/position.ts'
import { queryApp } from '#services/query/app.ts'
import { ArchiveWorld, type Running } from '#tests/support/archive-world.ts'
import { recordOf } from '#tests/support/histories.ts'

type Sent = readonly [EventType, Record<string, unknown>]

let world: ArchiveWorld
let running: Running
let app: ReturnType<typeof queryApp>

const TOOL = {
  type: 'function',
  function: { name: 'zoom', parameters: { type: 'object', properties: { x: { type: 'integer' } }, required: ['x'] } },
}

/** A rollout of one step for each list of calls, and a last one that answers. */
function rollout(
  id: string,
  given: {
    readonly item: string
    readonly version?: number
    readonly reward?: number | string | null
    readonly calls?: readonly Record<string, unknown>[][]
    readonly index?: number
    readonly group?: string
    readonly status?: string
    readonly steps?: number
    readonly finished?: boolean
  },
): Sent[] {
  const { item, version = 1, calls = [], group, index = 0 } = given
  const placed = group === undefined ? {} : { group_id: group, group_size: 2, rollout_index: index }
  const steps = [...calls.map((tool_calls) => ({ action_kind: 'tool_call', tool_calls })), { action_kind: 'answer' }]
  return [
    [
      'trajectory.started',
      {
        trajectory_id: id,
        run_id: 'r',
        item_id: item,
        policy_version: version,
        train_step: version,
        tools: [TOOL],
        ...placed,
      },
    ],
    ...steps.map((step, step_index): Sent => [
      'step.recorded',
      { trajectory_id: id, run_id: 'r', step_index, ...step },
    ]),
    ...(given.finished === false
      ? []
      : [
          [
            'trajectory.finished',
            {
              trajectory_id: id,
              status: given.status ?? 'completed',
              end_reason: 'answer',
              n_steps: given.steps ?? steps.length,
              ...(given.reward === null ? {} : { reward: given.reward ?? 0 }),
            },
          ] as Sent,
        ]),
  ]
}

const zoom = (more: Record<string, unknown>) => ({ name: 'zoom', arguments: { x: 1 }, status: 'ok', ...more })
const annotated = (id: string, annotation_id: string, codes: string[], more: Record<string, unknown>): Sent => [
  'trajectory.annotated',
  { trajectory_id: id, annotation_id, codes, ...more },
]

const EVENTS: Sent[] = [
  ['run.started', { run_id: 'r', kind: 'rl' }],
  ...rollout('t1', {
    item: 'a',
    calls: [
      [zoom({ latency_ms: 10 }), zoom({ latency_ms: 30, arguments: { y: 1 } })],
      [zoom({ latency_ms: 20, attempt: 1, status: 'timeout' })],
    ],
  }),
  ...rollout('t2', { item: 'a', reward: 1, calls: [[{ name: 'look', status: 'not_found', latency_ms: 1000 }]] }),
  ...rollout('t3', { item: 'b', calls: [[zoom({ arguments: { x: 'no' }, valid: false })]] }),
  ...rollout('t4', { item: 'b', version: 2, reward: 1, calls: [[zoom({ error_codes: ['MINE'] })]] }),
  ...rollout('t5', { item: 'a', version: 2, reward: 1 }),
  ...rollout('t6', { item: 'a', version: 2, reward: 0 }),
  ...rollout('t7', { item: 'c', version: 2, reward: 0 }),
  annotated('t1', 'h1', ['E4'], { method: 'human', annotator: 'mia', round: '1' }),
  annotated('t1', 'h2', ['E4', 'E6'], { method: 'human', annotator: 'leo', round: '1' }),
  annotated('t3', 'h3', [], { method: 'human', annotator: 'mia', round: '1' }),
  annotated('t3', 'h4', ['E4'], { method: 'human', annotator: 'leo', round: '1' }),
  annotated('t2', 'm1', ['E6'], { method: 'llm', annotator: 'judge', round: '2' }),
]

// Answers are looked at freely.
// oxlint-disable-next-line typescript/no-explicit-any
async function get(path: string): Promise<any> {
  const answer = await app.request(`http://127.0.0.1${path}`)
  const text = await answer.text()
  if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${text}`)
  return (answer.headers.get('content-type') ?? '').includes('json') ? JSON.parse(text) : text
}

async function send(...events: readonly Sent[]): Promise<string> {
  const offsets = await world.log.append(
    events.map(([type, data]) => recordOf({ type, data, time: '2026-01-01T00:00:00Z' })),
  )
  await running.project.waitFor(offsets, 10_000)
  return formatOffsets(offsets)
}

beforeAll(async () => {
  world = await ArchiveWorld.open()
  running = await world.run()
  app = queryApp({
    store: world.store,
    log: world.log,
    blobs: world.blobs,
    project: running.project,
    archive: running.archive,
    engine: lakeEngine(world.lake),
    datasets: {} as Datasets,
    logger: silent,
    clock: () => 0,
    publicUrl: 'http://127.0.0.1:7070',
  })
  await send(...EVENTS)
})
afterAll(async () => {
  await running.stop()
  await world.close()
})

const codesOf = (body: { rows: { code: string; n_trajectories: number }[] }) =>
  Object.fromEntries(body.rows.filter(({ n_trajectories: n }) => n > 0).map(({ code, n_trajectories: n }) => [code, n]))

describe('/v1/analytics/tools', () => {
  it('counts calls, failures, retries and latencies of each tool', async () => {
    const body = await get('/v1/analytics/tools?run=r&after=latest')
    expect(body).toMatchObject({ n_trajectories: 7, snapshot: null })
    expect(body.rows).toMatchObject([
      {
        tool: 'look',
        n_trajectories: 1,
        n_calls: 1,
        n_valid: 0,
        valid_share: 0,
        latency_ms_p50: 1000,
        statuses: { not_found: 1 },
      },
      {
        tool: 'zoom',
        n_trajectories: 3,
        n_calls: 5,
        call_share: 5 / 6,
        // Not the one that was refused, nor the one that lacks x, of which the sender said nothing.
        n_valid: 3,
        valid_share: 0.6,
        n_failed: 1,
        failure_share: 0.2,
        n_retries: 1,
        retry_share: 0.2,
        n_latency: 3,
        latency_ms_mean: 20,
        latency_ms_p50: 20,
        latency_ms_p95: 29,
        latency_ms_max: 30,
        statuses: { ok: 4, timeout: 1 },
      },
    ])
  })

  it('puts them apart, filters, and gives CSV', async () => {
    const body = await get('/v1/analytics/tools?run=r&by=policy_version&tool=zoom')
    expect(body.rows.map((row: Record<string, unknown>) => [row['policy_version'], row['n_calls']])).toEqual([
      [1, 4],
      [2, 1],
    ])
    expect((await get('/v1/analytics/tools?run=r&item=b')).rows).toMatchObject([{ tool: 'zoom', n_calls: 2 }])
    const csv: string = await get('/v1/analytics/tools?run=r&format=csv')
    expect(csv.split('\r\n')[0]).toContain('tool,n_trajectories,n_calls')
  })
})

describe('/v1/analytics/errors', () => {
  it('has codes by rule and by annotation, with the shares of both denominators', async () => {
    const body = await get('/v1/analytics/errors?run=r')
    expect(codesOf(body)).toEqual({ E1: 1, E2: 1, E3: 1, E4: 2, E6: 2, INFRA: 1, MINE: 1, WRONG_TOOL: 1 })
    const row = (code: string) => body.rows.find((one: { code: string }) => one.code === code)
    expect(row('E4')).toMatchObject({
      share: 2 / 7,
      share_of_errors: 2 / 4,
      share_of_annotated: 2 / 3,
      by_method: { human: 2 },
      n_calls: 0,
      n_finished: 7,
      n_with_errors: 4,
      n_annotated: 3,
    })
    expect(row('E5')).toMatchObject({ n_trajectories: 0, share: 0 })
    expect(row('E1')).toMatchObject({ by_method: { rule: 1 }, n_calls: 1 })
    // Of two trajectories that both looked at, they agree on E4 for one and differ on the other.
    expect(row('E4').agreement).toMatchObject({ n_units: 2, agreement: 0.5 })
  })

  it('takes one method, round or annotator alone', async () => {
    expect(codesOf(await get('/v1/analytics/errors?run=r&method=llm'))).toEqual({ E6: 1 })
    expect(codesOf(await get('/v1/analytics/errors?run=r&method=rule'))).toEqual({
      E1: 1,
      E2: 1,
      E3: 1,
      INFRA: 1,
      MINE: 1,
      WRONG_TOOL: 1,
    })
    expect(codesOf(await get('/v1/analytics/errors?run=r&round=1&annotator=mia'))).toEqual({ E4: 1 })
    expect(codesOf(await get('/v1/analytics/errors?run=r&policy_version=2'))).toEqual({ MINE: 1 })
  })

  it('compares two policies on the same items', async () => {
    const body = await get('/v1/analytics/errors/changes?run=r&from=1&to=2')
    expect(body).toMatchObject({
      from: 1,
      to: 2,
      n_items: 2,
      n_items_left_out: 1,
      accuracy_before: 0.25,
      accuracy_after: 0.75,
    })
    const row = (code: string) => body.rows.find((one: { code: string }) => one.code === code)
    // Item a: 1 of 2 right after, item b: 1 of 1.
    expect(row('E4')).toEqual({
      code: 'E4',
      n_before: 2,
      n_solved: 2,
      n_unsolved: 0,
      solved_share: 1,
      n_kept: 0,
      n_new: 0,
      n_after: 0,
    })
    expect(row('MINE')).toMatchObject({ n_before: 0, solved_share: null, n_new: 1, n_after: 1 })
  })

  it('knows what was sent as soon as it is folded, and stays as it was at a snapshot', async () => {
    await get('/v1/snapshots?after=latest')
    const [{ snapshot_id: snapshot }] = (await get('/v1/snapshots')).rows
    const before = await get(`/v1/analytics/errors?run=r&snapshot=${snapshot}`)
    const position = await send(
      ...rollout('t8', {
        item: 'c',
        calls: [[zoom({ arguments: '{x', status: 'timeout', attempt: 2, latency_ms: 77 })]],
      }),
      annotated('t7', 'h9', ['E6'], { method: 'human', annotator: 'mia' }),
    )
    const errors = await get(`/v1/analytics/errors?run=r&after=${position}`)
    const tools = await get(`/v1/analytics/tools?run=r&after=${position}`)
    expect(errors).toMatchObject({ snapshot: null, n_trajectories: 8 })
    expect(codesOf(errors)).toMatchObject({ E1: 2, E6: 3 })
    expect(tools.rows[1]).toMatchObject({ tool: 'zoom', n_calls: 6, n_retries: 2, latency_ms_max: 77 })
    expect(tools.rows[1].statuses).toEqual({ ok: 4, timeout: 2 })
    // None of it waited for the lake.
    expect((await get('/v1/snapshots')).rows[0].snapshot_id).toBe(snapshot)
    expect(await get(`/v1/analytics/errors?run=r&snapshot=${snapshot}`)).toEqual(before)
    expect(before).toMatchObject({ snapshot, n_trajectories: 7 })
    const parquet = await app.request('http://127.0.0.1/v1/analytics/errors?run=r&format=parquet')
    expect(
      Buffer.from(await parquet.arrayBuffer())
        .subarray(0, 4)
        .toString(),
    ).toBe('PAR1')
  })
})

describe('/v1/analytics/untrained', () => {
  it('gives each rollout the first reason that holds', async () => {
    const group = (name: string) => ({ item: 'z', version: 9, group: name })
    await send(
      ...rollout('u-trained', { ...group('g1'), reward: 1 }),
      ...rollout('u-dropped', { ...group('g1'), index: 1, reward: 0 }),
      ...rollout('u-open', { ...group('g2'), finished: false }),
      ...rollout('u-broken', { ...group('g2'), index: 1, status: 'infra_error' }),
      ...rollout('u-gap', { ...group('g3'), reward: 1, steps: 5 }),
      ...rollout('u-unscored', { ...group('g3'), index: 1, reward: null }),
      ...rollout('u-nan', { ...group('g4'), reward: 'NaN' }),
      ...rollout('u-alone', { ...group('g4'), index: 1, reward: 1 }),
      ...rollout('u-equal', { ...group('g5'), reward: 1 }),
      ...rollout('u-equal-too', { ...group('g5'), index: 1, reward: 1 }),
      ...rollout('u-again', { ...group('g5'), index: 1, reward: 0 }),
      ...rollout('u-good', { ...group('g6'), reward: 1 }),
      ...rollout('u-good-too', { ...group('g6'), index: 1, reward: 0 }),
      ...rollout('u-conflict', { ...group('g7'), reward: 1 }),
      ['trajectory.finished', { trajectory_id: 'u-conflict', status: 'aborted', end_reason: 'error', n_steps: 9 }],
      [
        'trajectory.trained',
        { trajectory_id: 'u-trained', run_id: 'r', train_step: 9, policy_version: 10, kept: true },
      ],
      [
        'trajectory.trained',
        {
          trajectory_id: 'u-dropped',
          run_id: 'r',
          train_step: 9,
          policy_version: 10,
          kept: false,
          drop_reason: 'overlong',
        },
      ],
    )
    const { rows } = await get('/v1/analytics/untrained/trajectories?run=r&policy_version=9&after=latest')
    expect(
      Object.fromEntries(
        rows.map((row: Record<string, unknown>) => [row['trajectory_id'], [row['reason'], row['detail']]]),
      ),
    ).toEqual({
      'u-trained': ['trained', null],
      'u-dropped': ['dropped', 'overlong'],
      'u-open': ['unfinished', null],
      'u-broken': ['broken', 'infra_error'],
      'u-gap': ['gap', null],
      'u-unscored': ['unscored', null],
      'u-nan': ['nonfinite', null],
      'u-alone': ['incomplete_group', null],
      'u-equal': ['zero_variance', 'all_pass'],
      'u-equal-too': ['zero_variance', 'all_pass'],
      'u-again': ['replaced', null],
      'u-good': ['unmentioned', null],
      'u-good-too': ['unmentioned', null],
      'u-conflict': ['conflicted', null],
    })
    const sums = await get('/v1/analytics/untrained?run=r&policy_version=9')
    expect(sums.rows.map((row: Record<string, unknown>) => [row['reason'], row['n']])).toEqual([
      ['trained', 1],
      ['dropped', 1],
      ['unfinished', 1],
      ['conflicted', 1],
      ['broken', 1],
      ['gap', 1],
      ['unscored', 1],
      ['nonfinite', 1],
      ['replaced', 1],
      ['incomplete_group', 1],
      ['zero_variance', 2],
      ['unmentioned', 2],
    ])
    expect(sums.rows.find((row: Record<string, unknown>) => row['reason'] === 'zero_variance')).toMatchObject({
      share: 2 / 14,
      examples: ['u-equal', 'u-equal-too'],
    })
    const one = await get('/v1/analytics/untrained/trajectories?run=r&trajectory=u-gap')
    expect(one.rows).toMatchObject([
      { trajectory_id: 'u-gap', reason: 'gap', meaning: expect.stringContaining('missing') },
    ])
  })
})
