import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { formatPosition, parsePosition } from '#services/position.ts'
import { rollout } from './rollouts.ts'
import { type World, queryWorld } from './world.ts'

let world: World

beforeAll(async () => {
  world = await queryWorld()
  await world.send(['run.started', { run_id: 'r1', kind: 'eval' }], ...rollout({ id: 'a', reward: 1 }))
})

afterAll(async () => {
  await world.close()
})

describe('positions', () => {
  test('every read carries the position that it includes', async () => {
    const { headers } = await world.get('/v1/runs?after=latest')
    const { log, offsets } = parsePosition(headers.get('stepstore-position') ?? '')
    const ends = new Map(
      (await world.log.bounds()).map(({ end }, partition) => [partition, end] as const).filter(([, end]) => end > 0),
    )
    expect([log, new Map(offsets)]).toEqual([world.log.id, ends])
  })

  test('a read after a position sees what was sent before it', async () => {
    const position = await world.send(['run.started', { run_id: 'just now', kind: 'rl' }])
    const { body } = await world.get(`/v1/runs/just%20now?after=${position}`)
    expect(body.state).toBe('running')
  })

  test.each(['0:999', '0:1,3:999'])('after=%s waits, then says so', async (after) => {
    const { status, headers, body } = await world.get(`/v1/runs?after=${after}&wait=0.05`)
    expect([status, body.code, headers.get('retry-after')]).toEqual([503, 'behind', '1'])
  })

  test('after may repeat, and all must be reached', async () => {
    expect((await world.get('/v1/runs?after=0:0&after=latest')).status).toBe(200)
    expect((await world.get('/v1/runs?after=0:0&after=1:999&wait=0')).status).toBe(503)
  })

  test('of another log is refused', async () => {
    const { status, body } = await world.get(`/v1/runs?after=${formatPosition('other-log', new Map([[0, 1]]))}`)
    expect([status, body.code]).toEqual([400, 'position_of_another_log'])
  })

  test.each(['nonsense', '9:1', '0:-1', ''])('after=%s is no position', async (after) => {
    const { status, body } = await world.get(`/v1/runs?after=${after}`)
    expect([status, body.code]).toEqual([400, 'invalid_parameter'])
  })

  test('/v1/position tells where reads and log are', async () => {
    const { body } = await world.get('/v1/position?after=latest')
    expect(body.position).toBe(body.log_end)
    expect(body.partitions).toBe(4)
  })
})

describe('mistakes', () => {
  test.each([
    ['/v1/trajectories?runs=r1', 'unknown_parameter', 'did you mean run?'],
    ['/v1/trajectories?reward_gt=abc', 'invalid_parameter', undefined],
    ['/v1/trajectories?rewards_gte=1', 'unknown_parameter', 'did you mean reward_gte?'],
    ['/v1/trajectories?status=complete', 'invalid_parameter', 'did you mean status=completed?'],
    ['/v1/trajectories?limit=1001', 'invalid_parameter', undefined],
    ['/v1/trajectories?limit=1&limit=2', 'invalid_parameter', undefined],
    ['/v1/trajectories?correct=yes', 'invalid_parameter', undefined],
    ['/v1/trajectories?run=', 'invalid_parameter', undefined],
    ['/v1/trajectories?wait=61', 'invalid_parameter', undefined],
    ['/v1/trajectories?cursor=%21%21', 'invalid_parameter', undefined],
    ['/v1/runs?run_gte=1', 'unknown_parameter', undefined],
  ])('%s', async (path, code, hint) => {
    const { status, headers, body } = await world.get(path)
    expect([status, body.code, headers.get('content-type')]).toEqual([400, code, 'application/problem+json'])
    if (hint !== undefined) expect(body.hint).toBe(hint)
  })

  test('an unknown route names the nearest', async () => {
    const { status, body } = await world.get('/v1/trajectory/a')
    expect([status, body.code]).toEqual([404, 'not_found'])
    expect(body.hint).toContain('/v1/trajectories/a')
  })

  test.each([
    ['POST', '/v1/runs', 'GET, HEAD'],
    ['GET', '/v1/events', 'POST'],
    ['PATCH', '/v1/quarantine/x', 'GET, HEAD, DELETE'],
  ])('%s %s is 405', async (method, path, allow) => {
    const response = await world.request(path, { method })
    expect([response.status, response.headers.get('allow')]).toEqual([405, allow])
  })

  test('HEAD answers as GET without a body', async () => {
    const response = await world.request('/v1/runs', { method: 'HEAD' })
    expect([response.status, await response.text(), response.headers.has('stepstore-position')]).toEqual([
      200,
      '',
      true,
    ])
  })
})

describe('runs', () => {
  test('have counts; those that only events name are implied', async () => {
    await world.send(...rollout({ id: 'x', run: 'unstarted', reward: 'Infinity' }), [
      'run.finished',
      { run_id: 'r1', status: 'completed' },
    ])
    const { body } = await world.get('/v1/runs')
    const byId = new Map(body.rows.map((row: { run_id: string }) => [row.run_id, row]))
    expect(byId.get('r1')).toMatchObject({
      state: 'finished',
      status: 'completed',
      n_trajectories: 1,
      n_finished: 1,
      n_steps: 2,
      n_tool_calls: 1,
      n_scores: 1,
      n_nonfinite: 0,
      reward_version: 'default',
      correct_threshold: 1,
    })
    expect(byId.get('unstarted')).toMatchObject({ state: 'implied', n_nonfinite: 1 })
  })

  test('one run has its settings, checkpoints and sizes', async () => {
    await world.send(['policy.published', { run_id: 'r1', policy_version: 0, train_step: 0 }])
    const { body } = await world.get('/v1/runs/r1')
    expect(body).toMatchObject({
      settings: { kind: 'eval' },
      n_items: 1,
      n_groups: 0,
      policies: [{ policy_version: 0, train_step: 0 }],
    })
  })
})

describe('items', () => {
  test('have their pass rates by run and policy version', async () => {
    await world.send(
      [
        'item.registered',
        {
          item_id: 'item-9',
          dataset: 'D',
          family: 'F',
          split: 'test',
          question: 'q'.repeat(400),
          answer: ['a'],
          image_ids: ['a'.repeat(64)],
        },
      ],
      ...rollout({ id: 'i1', run: 'r9', item: 'item-9', reward: 1 }),
      ...rollout({ id: 'i2', run: 'r9', item: 'item-9', reward: 0 }),
      ...rollout({ id: 'i3', run: 'r9', item: 'item-9', reward: 1, policyVersion: 1 }),
    )
    const { body } = await world.get('/v1/items/item-9')
    expect(body.question).toHaveLength(400)
    expect(body.images).toMatchObject([{ image_id: 'a'.repeat(64), stored: false, url: null }])
    expect(body.pass_rates).toEqual([
      { run_id: 'r9', policy_version: 0, n_rollouts: 2, n_pass: 1, pass_rate: 0.5 },
      { run_id: 'r9', policy_version: 1, n_rollouts: 1, n_pass: 1, pass_rate: 1 },
    ])
    expect((await world.get('/v1/items?run=r9')).body.rows.map((row: { item_id: string }) => row.item_id)).toEqual([
      'item-9',
    ])
  })
})

test('with a key, every request must bear it', async () => {
  const guarded = await queryWorld({ key: 'open sesame' })
  try {
    expect((await guarded.get('/v1/runs')).body.code).toBe('unauthorized')
    expect((await guarded.get('/v1/runs', { headers: { authorization: 'Bearer open sesame' } })).status).toBe(200)
    expect((await guarded.get('/v1/runs?token=open%20sesame')).status).toBe(200)
    expect((await guarded.get('/v1/runs?token=wrong')).status).toBe(401)
  } finally {
    await guarded.close()
  }
})
