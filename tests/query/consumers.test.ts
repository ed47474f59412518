import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { emptyStore } from '#services/project/doubt.ts'
import { startProject } from '#services/project/project.ts'
import { silent } from '#services/logger.ts'
import { queryApp } from '#services/query/app.ts'
import type { Datasets } from '#services/datasets/datasets.ts'
import { rollout } from './rollouts.ts'
import { type World, NOW, PUBLIC_URL, queryWorld } from './world.ts'

let world: World

beforeEach(async () => {
  world = await queryWorld()
})
afterEach(async () => {
  await world.close()
})

const post = (path: string, body: unknown) =>
  world.get(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
const next = (body: Record<string, unknown> = {}, name = 'trainer') =>
  post(`/v1/consumers/${name}/next`, { wait_s: 0, ...body })
const ack = (lease: string, name = 'trainer') => post(`/v1/consumers/${name}/ack`, { lease })
const names = (answer: { body: { groups: { group_id: string }[] } }) =>
  answer.body.groups.map((group) => group.group_id)

/** A group of two, with one rollout missing where it is not complete. */
const group = (
  id: string,
  options: { complete?: boolean; version?: number; rewards?: readonly number[]; run?: string; time?: string } = {},
) =>
  (options.rewards ?? [0, 1]).slice(0, options.complete === false ? 1 : 2).flatMap((reward, index) =>
    rollout({
      id: `${options.run ?? 'r1'}/${id}/${index}`,
      run: options.run ?? 'r1',
      group: id,
      index,
      reward,
      policyVersion: options.version ?? 0,
      ...(options.time === undefined ? {} : { time: options.time }),
    }),
  )

describe('a consumer', () => {
  test('is given each completed group once, and the same lease until it acknowledges it', async () => {
    await world.send(...group('g1'), ...group('g2'), ...group('half', { complete: false }))
    const first = await next({ max: 1 })
    expect([names(first), first.body.lease]).toEqual([['g1'], 'trainer:1'])
    expect(first.body.groups[0]).toMatchObject({ complete: true, size: 2, run_id: 'r1' })
    expect(first.body.dataset).toContain('/v1/datasets/grpo.parquet?run=r1&group=g1&after=')
    expect((await next({ max: 5 })).body).toMatchObject({ lease: 'trainer:1', groups: [{ group_id: 'g1' }] })
    expect((await ack('trainer:1')).status).toBe(200)
    expect((await ack('trainer:1')).status).toBe(200)
    expect(names(await next())).toEqual(['g2'])
    expect((await world.get('/v1/consumers/trainer')).body).toMatchObject({
      lease: 'trainer:2',
      n_leases: 2,
      n_groups: 2,
    })
    await ack('trainer:2')
    expect((await next()).body).toMatchObject({ lease: null, groups: [] })
    await world.send(...rollout({ id: 'r1/half/1', group: 'half', index: 1, reward: 1 }), ...group('g3'))
    const last = await next()
    expect(names(last).sort()).toEqual(['g3', 'half'])
    await ack(last.body.lease)
    // A late retry and a new score touch the group again; it is not given twice.
    await world.send(...rollout({ id: 'again', group: 'g1', index: 0, reward: 1 }), [
      'trajectory.scored',
      { trajectory_id: 'r1/g2/0', reward_version: 'other', reward: 3 },
    ])
    expect(names(await next())).toEqual([])
    expect((await world.get('/v1/consumers')).body.rows.map((row: { consumer: string }) => row.consumer)).toEqual([
      'trainer',
    ])
  })

  test('waits for a group, and is given it when its last score comes after its finish', async () => {
    const unscored = [0, 1].flatMap((index) => rollout({ id: `t${index}`, group: 'g', index }))
    await world.send(...unscored)
    expect(names(await next())).toEqual([])
    const waiting = next({ wait_s: 20 })
    await world.send(
      ['trajectory.scored', { trajectory_id: 't0', reward_version: 'default', reward: 1 }],
      ['trajectory.scored', { trajectory_id: 't1', reward_version: 'default', reward: 0 }],
    )
    expect(names(await waiting)).toEqual(['g'])
  })

  test('that asks twice at once has one lease', async () => {
    await world.send(...Array.from({ length: 6 }, (_, index) => group(`g${index}`)).flat())
    const answers = await Promise.all(Array.from({ length: 5 }, () => next({ max: 2 })))
    expect(new Set(answers.map((answer) => JSON.stringify([answer.body.lease, names(answer)])))).toEqual(
      new Set([JSON.stringify(['trainer:1', ['g0', 'g1']])]),
    )
    expect(names(await next({ max: 3 }, 'other'))).toEqual(['g0', 'g1', 'g2'])
  })

  test('takes what its filter and its bounds on staleness and age allow, and keeps to its filter', async () => {
    await world.send(
      ...group('old', { version: 1, time: '2025-12-01T00:00:00Z' }),
      ...group('stale', { version: 1 }),
      ...group('same', { version: 5, rewards: [1, 1] }),
      ...group('good', { version: 4 }),
      ...group('r2', { version: 5, run: 'r2' }),
    )
    const filter = { run: 'r1', zero_variance: false }
    const answer = await next({ filter, max_staleness: 1 })
    expect([names(answer), answer.body.skipped]).toEqual([['good'], 2])
    await ack(answer.body.lease)
    // Given up: not given later, although asked for without the bound.
    expect(names(await next({ filter: 'zero_variance=false&run=r1' }))).toEqual([])
    expect((await next({ filter: { run: 'r2' } })).status).toBe(409)
    expect(names(await next({ filter: { run: 'r1' }, max_age_s: 3 * 86_400 }, 'aged')).sort()).toEqual([
      'good',
      'same',
      'stale',
    ])
    expect(names(await next({ filter: { run: 'r1' }, max_staleness: 1, policy_version: 2 }, 'told')).sort()).toEqual([
      'good',
      'old',
      'same',
      'stale',
    ])
  })

  test('has its place after the store was lost', async () => {
    await world.send(...group('g1'), ...group('g2'), ...group('g3'))
    await ack((await next({ max: 1 })).body.lease)
    expect(names(await next({ max: 1 }))).toEqual(['g2'])
    await world.project.stop()
    await emptyStore(world.store)
    const project = await startProject({ log: world.log, store: world.store, logger: silent })
    const app = queryApp({
      store: world.store,
      log: world.log,
      blobs: world.blobs,
      project,
      archive: { newest: undefined, reach: () => Promise.resolve(undefined) },
      datasets: {} as Datasets,
      logger: silent,
      clock: () => NOW,
      publicUrl: PUBLIC_URL,
    })
    const asked = async (path: string, body: unknown) =>
      (await (
        await app.request(`http://127.0.0.1${path}`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(body),
        })
      ).json()) as {
        lease: string
        groups: { group_id: string }[]
      }
    try {
      const again = await asked('/v1/consumers/trainer/next', { wait_s: 5, max: 1 })
      expect([again.lease, again.groups.map((one) => one.group_id)]).toEqual(['trainer:2', ['g2']])
      await asked('/v1/consumers/trainer/ack', { lease: again.lease })
      expect((await asked('/v1/consumers/trainer/next', { wait_s: 0 })).groups.map((one) => one.group_id)).toEqual([
        'g3',
      ])
    } finally {
      await project.stop()
    }
  })

  test('gets every group exactly once, whatever order things happen in', async () => {
    let nth = 0
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(fc.integer({ min: 0, max: 3 }), fc.constant('next' as const), fc.constant('ack' as const)), {
          minLength: 4,
          maxLength: 14,
        }),
        async (actions) => {
          const run = `run${nth++}`
          const sent = new Map<number, number>()
          const given: string[] = []
          let open: string | undefined
          const take = async () => {
            const answer = await next({ filter: { run }, max: 2 }, run)
            if (answer.body.lease !== null && answer.body.lease !== open) given.push(...names(answer))
            open = answer.body.lease ?? undefined
          }
          for (const action of actions) {
            if (action === 'next') await take()
            else if (action === 'ack') {
              if (open !== undefined) await ack(open, run)
              open = undefined
            } else {
              const index = sent.get(action) ?? 0
              sent.set(action, index + 1)
              await world.send(
                ...rollout({ id: `${run}/${action}/${index}`, run, group: `g${action}`, index, reward: index }),
              )
            }
          }
          for (let found = -1; found !== given.length;) {
            if (open !== undefined) await ack(open, run)
            found = given.length
            await take()
          }
          const complete = [...sent].filter(([, n]) => n >= 2).map(([name]) => `g${name}`)
          expect([...given].sort()).toEqual(complete.sort())
        },
      ),
      { numRuns: 15 },
    )
  })
})

describe('bad input', () => {
  test('of another type than JSON takes no lease: any page may send it', async () => {
    const answer = await world.get('/v1/consumers/trainer/ack', {
      method: 'POST',
      headers: { 'content-type': 'text/plain' },
      body: '{"lease": "trainer:1"}',
    })
    expect([answer.status, answer.body.code]).toEqual([415, 'unsupported_media_type'])
  })

  test('names the member that is wrong, and the nearest known one', async () => {
    expect((await post('/v1/consumers/trainer/next', { wate_s: 1 })).body).toMatchObject({
      member: 'wate_s',
      hint: 'did you mean wait_s?',
    })
    const body = { run: 'r', n: 1, strategy: 'uniform', min_n: 0 }
    expect((await post('/v1/curriculum/next', body)).body).toMatchObject({ code: 'invalid', member: 'min_n' })
  })

  test('what makes no sense is 400, and says what would', async () => {
    const asked: readonly (readonly [string, unknown])[] = [
      ['/v1/consumers/trainer/next', { max: 0 }],
      ['/v1/consumers/trainer/next', { max: 1000 }],
      ['/v1/consumers/trainer/next', { wait: 1 }],
      ['/v1/consumers/trainer/next', { filter: { colour: 'red' } }],
      ['/v1/consumers/trainer/next', { filter: 5 }],
      ['/v1/consumers/a%20b/next', {}],
      ['/v1/consumers/trainer/ack', { lease: 7 }],
      ['/v1/consumers/trainer/ack', []],
      ['/v1/consumers/trainer/ack', { leese: 'x' }],
    ]
    for (const [path, body] of asked) {
      const answer = await post(path, body)
      expect([path, body, answer.status, typeof answer.body.hint]).toEqual([path, body, 400, 'string'])
    }
  })

  test('a lease that was never given is 404', async () => {
    for (const lease of ['trainer:1', 'x:1', 'trainer:0', '']) expect((await ack(lease)).status).toBe(404)
    expect((await world.get('/v1/consumers/nobody')).status).toBe(404)
  })
})
