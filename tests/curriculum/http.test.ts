import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ArchiveView, SnapshotView } from '#services/query/deps.ts'
import { rollout } from '#tests/query/rollouts.ts'
import { type World, queryWorld } from '#tests/query/world.ts'

let world: World
let snapshot: SnapshotView | undefined

/** An archive whose newest snapshot is of what the store holds. */
const archive: ArchiveView = {
  get newest() {
    return snapshot
  },
  reach: () => Promise.resolve(snapshot),
}

const ITEM = { family: 'Chart', split: 'train', question: '?', answer: ['1'] }

/** `passed` right of `n` rollouts of an item by a version. */
const played = (item: string, version: number, passed: number, n: number, run = 'r1') =>
  Array.from({ length: n }, (_, index) =>
    rollout({
      id: `${run}/${item}/${version}/${index}`,
      run,
      item,
      group: `${item}/${version}`,
      index,
      size: n,
      policyVersion: version,
      trainStep: version,
      reward: index < passed ? 2 : 0,
      steps: 1,
    }),
  ).flat()

const post = (body: unknown) =>
  world.get('/v1/curriculum/next', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })

beforeAll(async () => {
  world = await queryWorld({ archive })
  await world.send(
    ['run.started', { run_id: 'r1', kind: 'rl' }],
    ...['a', 'b', 'c'].map(
      (id) => ['item.registered', { item_id: id, dataset: id === 'c' ? 'DocVQA' : 'ChartQA', ...ITEM }] as const,
    ),
    ...played('a', 1, 1, 8),
    ...played('a', 2, 3, 8),
    ...played('b', 1, 2, 8),
    ...played('b', 2, 0, 8),
    ...played('c', 1, 0, 8),
    ...played('c', 2, 8, 8),
    ...played('d', 2, 3, 4),
  )
  snapshot = { snapshot_id: 4, created_at: '2026-01-01T00:00:00Z', cut: world.project.offsets }
})
afterAll(() => world.close())

describe('/v1/curriculum', () => {
  it('gives pass rates by item and version, in pages, with a link to the rollouts', async () => {
    const { body } = await world.get('/v1/curriculum/pass-rates?run=r1&limit=3')
    expect(
      body.rows.map((row: Record<string, unknown>) => [
        row['item_id'],
        row['policy_version'],
        row['n_pass'],
        row['n_rollouts'],
      ]),
    ).toEqual([
      ['a', 1, 1, 8],
      ['a', 2, 3, 8],
      ['b', 1, 2, 8],
    ])
    expect(body.rows[0]).toMatchObject({
      dataset: 'ChartQA',
      family: 'Chart',
      pass_rate: 0.125,
      reward_mean: 0.25,
      first_train_step: 1,
    })
    const rest = await world.get(`/v1/curriculum/pass-rates?run=r1&limit=3&cursor=${body.next}`)
    expect(rest.body.rows.map((row: Record<string, unknown>) => row['item_id'])).toEqual(['b', 'c', 'c'])
    const last = await world.get(`/v1/curriculum/pass-rates?run=r1&limit=3&cursor=${rest.body.next}`)
    expect([last.body.rows.length, last.body.next]).toEqual([1, null])
    const url = new URL(body.rows[0].trajectories_url)
    const { body: behind } = await world.get(url.pathname + url.search)
    expect(behind.rows).toHaveLength(8)
  })

  it('gives one version, one item, and CSV', async () => {
    const history = await world.get('/v1/curriculum/pass-rates?run=r1&item=b')
    expect(history.body.rows.map((row: Record<string, unknown>) => row['pass_rate'])).toEqual([0.25, 0])
    const csv = await world.get('/v1/curriculum/pass-rates?run=r1&policy_version=1&format=csv')
    expect(String(csv.body).trim().split('\r\n')).toHaveLength(4)
    expect(csv.body).toContain('a,ChartQA,Chart,1,8,1,0.125,')
  })

  it('slices by integer counts, of the newest version unless one is named', async () => {
    const items = async (more: string) => {
      const { body } = await world.get(`/v1/curriculum/slice?run=r1${more}`)
      return {
        ids: body.rows.map((row: Record<string, unknown>) => row['item_id']),
        n: [body.n_items, body.n_items_known, body.n_items_left_out],
      }
    }
    expect(await items('')).toEqual({ ids: ['a'], n: [1, 4, 1] })
    expect(await items('&policy_version=1')).toEqual({ ids: ['a', 'b'], n: [2, 3, 0] })
    expect(await items('&min_n=1&pass_lo=3/4&pass_hi=1')).toEqual({ ids: ['c', 'd'], n: [2, 4, 0] })
    expect((await world.get('/v1/curriculum/slice?run=r1&pass_lo=2')).body).toMatchObject({
      code: 'invalid_parameter',
      parameter: 'pass_lo',
    })
    expect((await world.get('/v1/curriculum/slice?run=r1&pass_low=1')).body).toMatchObject({
      code: 'unknown_parameter',
      nearest: 'pass_lo',
    })
  })

  it('compares two versions', async () => {
    const { body } = await world.get('/v1/curriculum/migration?run=r1&from=1&to=2&min_n=8')
    expect(body).toMatchObject({
      n_items: 3,
      n_items_left_out: 1,
      forgotten: { n_items: 1, items: ['b'] },
      newly_solved: { items: ['c'] },
      never: { items: [] },
      always: { items: [] },
      mean_change: (0.25 - 0.25 + 1) / 3,
      mean_loss: 0.25 / 3,
    })
    expect(body.rows).toContainEqual({ from_bucket: 'never', to_bucket: 'always', n_items: 1 })
    const csv = await world.get('/v1/curriculum/migration?run=r1&from=1&to=2&format=csv')
    expect(String(csv.body).split('\r\n')[0]).toBe('from_bucket,to_bucket,n_items')
    expect((await world.get('/v1/curriculum/migration?run=r1&from=1')).status).toBe(400)
  })

  it('draws the same for the same body, names its snapshot and says why', async () => {
    const asked = { run: 'r1', n: 2, strategy: 'tail_patch', seed: 5 }
    const first = await post(asked)
    expect(first.body).toMatchObject({
      run: 'r1',
      snapshot: 4,
      strategy: 'tail_patch',
      seed: 5,
      n_candidates: 1,
      n_items: 4,
      target_difficulty: null,
    })
    expect(first.body.rows).toEqual([
      {
        item_id: 'a',
        dataset: 'ChartQA',
        family: 'Chart',
        policy_version: 2,
        n_rollouts: 8,
        n_pass: 3,
        pass_rate: 0.375,
        score: 0,
        why: '3 of 8 right, within 1/8 and 3/8',
      },
    ])
    expect((await post(asked)).body).toEqual(first.body)
    const weighted = await post({ run: 'r1', n: 3, strategy: 'weighted', items: ['a', 'never seen', 'c', 'a'] })
    expect(weighted.body.n_items).toBe(3)
    expect(weighted.body.rows.find((row: Record<string, unknown>) => row['item_id'] === 'never seen')).toMatchObject({
      n_rollouts: 0,
      pass_rate: null,
      why: expect.stringContaining('never rolled out'),
    })
  })

  it('aims where AdaRFT does: up with what goes well', async () => {
    const { body } = await post({ run: 'r1', n: 1, strategy: 'adarft' })
    // Train step 1 has 3 of 24 right, train step 2 has 14 of 28: down from 0 is 0, then 0 again.
    expect(body).toMatchObject({ target_difficulty: 0 })
    expect(body.rows[0]).toMatchObject({ item_id: 'c' })
    const { body: higher } = await post({
      run: 'r1',
      n: 1,
      strategy: 'adarft',
      adarft: { initial: 60, target_reward: 0.3 },
    })
    const moved = 60 + 50 * Math.tanh(2 * (3 / 24 - 0.3)) + 50 * Math.tanh(2 * (14 / 28 - 0.3))
    expect(higher.target_difficulty).toBeCloseTo(moved, 9)
    expect(higher.rows[0]).toMatchObject({ item_id: 'a', why: expect.stringContaining('difficulty 62.5') })
  })

  it.each([
    [{ n: 1, strategy: 'uniform' }, /run/],
    [{ run: 'r1', n: 0, strategy: 'uniform' }, /n /],
    [{ run: 'r1', n: 1, strategy: 'best' }, /strategy/],
    [{ run: 'r1', n: 1, strategy: 'uniform', sed: 1 }, /no member "sed"/],
    [{ run: 'r1', n: 1, strategy: 'tail_patch', pass_lo: '3/2' }, /pass_lo/],
  ])('refuses %j with what is wrong', async (body, says) => {
    const answer = await post(body)
    expect([answer.status, answer.body.detail]).toEqual([400, expect.stringMatching(says)])
  })
})
