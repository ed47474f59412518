/** Filters and shaping, each with what it leaves out and how that is counted. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Hono } from 'hono'
import { PUBLIC_URL, served } from './served.ts'
import { smallLake, trajectory, type SmallLake } from './small-lake.ts'

let lake: SmallLake
let app: Hono

const json = async (path: string) =>
  (await (await app.request(`${PUBLIC_URL}${path}`)).json()) as Record<string, unknown>

/** The ids of the trajectories of a dataset, in order. */
async function ids(query: string, recipe = 'trajectories'): Promise<string[]> {
  const response = await app.request(`${PUBLIC_URL}/v1/datasets/${recipe}.jsonl?${query}`)
  const body = await response.text()
  if (response.status !== 200) throw new Error(`${query}: ${body}`)
  return body
    .split('\n')
    .slice(0, -1)
    .map((line) => (JSON.parse(line) as { trajectory_id: string }).trajectory_id)
}

interface Explained {
  readonly trajectories: number
  readonly rows: number
  readonly filtered: Record<string, number>
  readonly left_out: Record<string, number>
  readonly leaks?: number
}
const counts = async (query: string) =>
  (await json(`/v1/datasets/trajectories.jsonl?${query}&explain=counts`))['counts'] as Explained

async function refused(query: string): Promise<Record<string, unknown>> {
  const response = await app.request(`${PUBLIC_URL}/v1/datasets/trajectories.jsonl?${query}`)
  expect([query, response.status]).toEqual([query, 400])
  return (await response.json()) as Record<string, unknown>
}

const item = (id: string, fields: Record<string, unknown> = {}) => ({
  item_id: id,
  dataset: 'd1',
  family: 'chart',
  split: 'train',
  question: `What is ${id}?`,
  image_ids: [],
  ...fields,
})

/** 40 rollouts: 10 items of two families, four each (two policy versions of run a), rewards by the rollout. */
const ROLLOUTS = Array.from({ length: 40 }, (_, index) => {
  const id = `t${String(index).padStart(2, '0')}`
  return trajectory({
    trajectory_id: id,
    run_id: 'a',
    item_id: `i${index % 10}`,
    group_id: `g${index % 10}`,
    group_size: 4,
    rollout_index: Math.floor(index / 10),
    policy_version: Math.floor(index / 20),
    train_step: index,
    partition: index % 2,
    first_offset: index,
    finished_offset: 100 + index,
    n_tool_calls: index % 3,
    tools_called: JSON.stringify(index % 3 === 0 ? {} : index % 3 === 1 ? { ocr: 2, zoom: 1 } : { zoom: 3 }),
    error_codes: JSON.stringify(index === 7 ? { E1: 1, E4: 2 } : {}),
    actor_model: index < 20 ? 'small' : 'large',
    prompt_tokens: 100,
    response_tokens: index,
    obs_tokens: 5,
  })
})

beforeAll(async () => {
  lake = await smallLake()
  await lake.add({
    runs: [
      { run_id: 'a' },
      { run_id: 'b', parent_run_id: 'a', resumed_at_train_step: 5 },
      { run_id: 'c', parent_run_id: 'b', resumed_at_train_step: 3 },
      { run_id: 'x', parent_run_id: 'y' },
      { run_id: 'y', parent_run_id: 'x' },
      { run_id: 'e', kind: 'eval' },
    ],
    items: [
      ...Array.from({ length: 10 }, (_, index) =>
        item(`i${index}`, { family: index < 7 ? 'chart' : 'map', split: index === 9 ? 'test' : 'train' }),
      ),
      item('twin', { question: '  what IS   i9? ' }),
      item('seen', {}),
    ],
    trajectories: [
      ...ROLLOUTS,
      trajectory({ trajectory_id: 'u0', run_id: 'b', train_step: 4, item_id: 'twin', group_id: 'gb', group_size: 2 }),
      trajectory({ trajectory_id: 'u1', run_id: 'c', train_step: 9, item_id: 'seen', n_steps: 2 }),
      trajectory({ trajectory_id: 'v0', run_id: 'x', train_step: 1, item_id: null }),
      trajectory({ trajectory_id: 'w0', run_id: 'e', item_id: 'seen' }),
    ],
    scores: ROLLOUTS.map(({ trajectory_id }, index) => ({
      trajectory_id,
      offset: 100 + index,
      reward: index % 10 < Math.floor(index / 10) * 3 ? 1 : 0,
    })),
    steps: ['u0', 'u1', 'v0'].map((id) => ({
      run_id: 'b',
      trajectory_id: id,
      step_index: 0,
      raw_output: id === 'u0' ? 'one' : 'two',
      tool_calls: [{ id: `call-${id}`, name: 'zoom', arguments: '{}' }],
    })),
  })
  app = served(lake)
})
afterAll(async () => {
  await lake.close()
})

describe('filters', () => {
  it.each([
    ['tool=ocr&run=a', 13],
    ['tool=ocr&tool=zoom&run=a', 26],
    ['error_code=E4', 1],
    ['error_code=E2', 0],
    ['tokens_gte=140&run=a', 5],
    ['n_tool_calls=2', 13],
    ['actor_model=large', 20],
    ['split=test', 4],
    ['exclude_split=test&run=a', 36],
    ['dataset=d1&family=map&run=a', 12],
    ['family=chart&correct=true&policy_version=1', 6 + 7],
    ['end_reason=answer&n_steps_gte=2', 1],
  ])('%s keeps %i', async (query, n) => {
    const { trajectories, rows, filtered, left_out: leftOut } = await counts(query)
    expect([query, rows]).toEqual([query, n])
    expect((await ids(query)).length).toBe(n)
    const out = [...Object.values(filtered), ...Object.values(leftOut)].reduce((sum, count) => sum + count, 0)
    expect(rows + out).toBe(trajectories)
  })

  it('a pass rate is that of one policy version of one run, and ambiguous otherwise', async () => {
    // Of version 0 the items 0, 1, 2 pass one of two; of version 1 items below 6 pass the first, all but item 9 the second.
    expect(await ids('run=a&policy_version=0&item_pass_rate_gte=0.5')).toEqual([
      't00',
      't01',
      't02',
      't10',
      't11',
      't12',
    ])
    expect((await counts('run=a&item_pass_rate=1&pass_rate_policy_version=1')).rows).toBe(24)
    for (const query of [
      'item_pass_rate_lt=1',
      'run=a&item_pass_rate_lt=1',
      'run=a&item_pass_rate_lt=1&explain=counts',
    ]) {
      const problem = await refused(query)
      expect([problem['code'], problem['parameter'], problem['hint']]).toEqual([
        'invalid_parameter',
        'item_pass_rate',
        'add pass_rate_run=… and pass_rate_policy_version=…',
      ])
    }
  })

  it('lineage follows the runs that were resumed, each up to where it was left', async () => {
    expect(await ids('run=c')).toEqual(['u1'])
    // b was left at 3, and of a nothing after 3 either, although b had taken it up at 5.
    expect(await ids('run=c&lineage=true')).toEqual(['t00', 't01', 't02', 'u1'])
    expect(await ids('run=b&lineage=true')).toEqual(['t00', 't01', 't02', 't03', 't04', 'u0'])
    expect(await ids('run=x&lineage=true')).toEqual(['v0'])
    expect(await ids('run=c&lineage=false')).toEqual(['u1'])
  })

  it('since keeps groups that are complete and have a member that finished or was scored after the position', async () => {
    expect((await ids('since=0:0')).length).toBe(40)
    // Partition 1 has the odd ones: group 9 finished its last there, at 139.
    expect(await ids('since=0:1000,1:138')).toEqual(['t09', 't19', 't29', 't39'])
    expect((await counts('since=0:1000,1:140')).filtered).toMatchObject({ since: 44 })
    expect((await refused('since=latest'))['parameter']).toBe('since')
  })
})

describe('shaping', () => {
  it('holds out by item: every item is in one part, and both parts together are everything', async () => {
    const all = await ids('run=a')
    const [train, val] = [await ids('run=a&holdout=0.3&part=train'), await ids('run=a&holdout=0.3&part=val')]
    const items = (some: readonly string[]) => new Set(some.map((id) => Number(id.slice(1)) % 10))
    expect([...train, ...val].sort()).toEqual(all)
    expect([...items(train)].filter((one) => items(val).has(one))).toEqual([])
    expect(val.length).toBeGreaterThan(0)
    expect(train.length).toBeGreaterThan(0)
    // The same items whatever else is asked.
    expect(items(await ids('run=a&holdout=0.3&part=val&policy_version=1&seed=3&limit=1000'))).toEqual(items(val))
  })

  it('drops what says the same, whoever called it what', async () => {
    const query = 'run=b&run=c&run=x'
    expect(await ids(`${query}&dedupe=content`)).toEqual(['u0', 'u1'])
    expect((await counts(`${query}&dedupe=content`)).filtered['dedupe']).toBe(1)
  })

  it('caps items, balances families and tools, and keeps a balance under a limit', async () => {
    expect(await ids('run=a&per_item=1')).toEqual(ROLLOUTS.slice(0, 10).map((row) => row['trajectory_id']))
    const seeded = await ids('run=a&per_item=1&seed=4')
    expect(seeded.length).toBe(10)
    expect(seeded).not.toEqual(await ids('run=a&per_item=1&seed=5'))
    const families = (some: readonly string[]) => some.filter((id) => Number(id.slice(1)) % 10 < 7).length
    const balanced = await ids('run=a&balance=family')
    expect([balanced.length, families(balanced)]).toEqual([24, 12])
    const limited = await ids('run=a&balance=family&limit=10')
    expect([limited.length, families(limited)]).toEqual([10, 5])
    expect((await counts('run=a&balance=tool')).rows).toBe(39)
    expect((await counts('run=a&balance=tool')).filtered['balance']).toBe(1)
  })

  it('shards are disjoint, together everything, and of grpo keep groups whole', async () => {
    const shards = await Promise.all([0, 1, 2].map((index) => ids(`run=a&shard=${index}/3`)))
    expect(shards.flat().sort()).toEqual(await ids('run=a'))
    expect(shards.map((shard) => shard.length)).toEqual([14, 13, 13])
  })

  it('mixes by weight, nothing twice, as much as the scarcest part allows', async () => {
    const part = (weight: number, filter: string) => `mix=${encodeURIComponent(`${weight}:${filter}`)}`
    const query = `run=a&${part(3, 'family=map')}&${part(1, 'tool=zoom&policy_version=1')}`
    const mixed = await ids(query)
    // 12 of map set the size, and a part whose filters overlap gives a trajectory only to the first of the two.
    const maps = mixed.filter((id) => Number(id.slice(1)) % 10 >= 7)
    expect([mixed.length, maps.length, new Set(mixed).size]).toEqual([16, 12, 16])
    expect(await ids(`run=a&${part(1, 'tool=zoom&policy_version=1')}&${part(3, 'family=map')}`)).not.toEqual(mixed)
    expect((await ids(`${query}&limit=8&seed=1`)).length).toBe(8)
    for (const bad of ['mix=family=map', 'mix=0:run=a', 'mix=1:limit=3', 'mix=1:famly=map']) await refused(bad)
  })

  it('finds items of test splits and eval runs, and the same question under another id', async () => {
    const query = 'run=a&run=b&run=c'
    expect((await counts(`${query}&leaks=count`)).leaks).toBe(4 + 1 + 1)
    expect((await counts(`${query}&leaks=drop`)).filtered['leaks']).toBe(6)
    expect((await refused(`${query}&leaks=refuse`))['parameter']).toBe('leaks')
    expect((await ids('run=a&exclude_split=test&leaks=refuse')).length).toBe(36)
  })

  it('goes together', async () => {
    const query =
      'run=a&family=chart&family=map&holdout=0.2&part=train&dedupe=content&per_item=3&balance=family&limit=6&seed=1&leaks=drop&since=0:0&item_pass_rate_gte=0&pass_rate_policy_version=1'
    const found = await counts(query)
    expect(found.rows).toBe((await ids(query)).length)
    expect((await ids(`${query}&shard=0/2`)).length + (await ids(`${query}&shard=1/2`)).length).toBe(found.rows)
  })

  it.each([
    'holdout=0.1',
    'part=val',
    'holdout=0&part=val',
    'holdout=1.5&part=val',
    'seed=1',
    'lineage=true',
    'shard=3/3',
    'shard=a',
    'pass_rate_run=a',
    'per_item=0',
    'balance=colour',
    'dedupe=id',
  ])('refuses %s', async (query) => {
    expect((await refused(query))['code']).toBe('invalid_parameter')
  })
})
