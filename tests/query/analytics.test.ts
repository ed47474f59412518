import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { frames } from '#services/analytics/frames.ts'
import { sameNumbers } from '#services/analytics/same-numbers.ts'
import { Draw } from '#tests/analytics/random-run.ts'
import { rollout } from './rollouts.ts'
import { type World, queryWorld } from './world.ts'

let world: World

beforeAll(async () => {
  world = await queryWorld()
})

afterAll(async () => {
  await world.close()
})

const rewardOf = (run: string, step: number, index: number, reward: number, more: Record<string, unknown> = {}) =>
  rollout({
    id: `${run}/${step}/${index}`,
    run,
    group: `${run}/${step}`,
    index,
    trainStep: step,
    policyVersion: step,
    reward,
    more: { parts: { rep: 0, format: 1, correct: reward >= 2 ? 1 : 0 }, ...more },
  })

const rowsOf = async (path: string) => (await world.get(`/v1/analytics/${path}`)).body.rows

describe('a training that crashed and resumed', () => {
  beforeAll(async () => {
    const steps = (run: string, from: number, to: number, reward: number) =>
      Array.from({ length: to - from }, (_, index) => rewardOf(run, from + index, 0, reward)).flat()
    await world.send(
      ['run.started', { run_id: 'sft', kind: 'sft' }],
      ['run.started', { run_id: 'a', kind: 'rl', parent_run_id: 'sft' }],
      ['run.started', { run_id: 'b', kind: 'rl', parent_run_id: 'a', resumed_at_train_step: 2 }],
      ['run.started', { run_id: 'c', kind: 'rl', parent_run_id: 'b', resumed_at_train_step: 3 }],
      ...steps('a', 0, 4, 1),
      ...steps('b', 2, 5, 2),
      ...steps('c', 3, 6, 3),
      ['metric.logged', { run_id: 'a', train_step: 1, name: 'kl', value: 0.1 }],
      ['metric.logged', { run_id: 'a', train_step: 3, name: 'kl', value: 9 }],
      ['metric.logged', { run_id: 'c', train_step: 3, substep: 10, name: 'kl', value: 'NaN' }],
      ['metric.logged', { run_id: 'c', train_step: 3, substep: 1, name: 'kl', value: 0.3 }],
    )
  })

  test('is one chain with lineage=true, each ancestor cut where the next began', async () => {
    const rows = await rowsOf('rewards?run=c&lineage=true')
    expect(rows.map((row: Record<string, unknown>) => [row['train_step'], row['n'], row['reward_mean']])).toEqual([
      [0, 1, 1],
      [1, 1, 1],
      [2, 1, 2],
      [3, 1, 3],
      [4, 1, 3],
      [5, 1, 3],
    ])
    expect(rows[0].trajectories_url).toContain('run=a')
    expect(rows[5].trajectories_url).toContain('run=c')
  })

  test('is its own steps alone without', async () => {
    expect((await rowsOf('rewards?run=c')).map((row: Record<string, unknown>) => row['train_step'])).toEqual([3, 4, 5])
  })

  test('has the metrics that are named, by repeating or with commas, also of a name with a comma in it', async () => {
    await world.send(
      ['metric.logged', { run_id: 'named', train_step: 1, name: 'kl', value: 1 }],
      ['metric.logged', { run_id: 'named', train_step: 1, name: 'entropy', value: 2 }],
      ['metric.logged', { run_id: 'named', train_step: 1, name: 'loss', value: 3 }],
      ['metric.logged', { run_id: 'named', train_step: 1, name: 'kl,loss', value: 4 }],
    )
    const named = async (query: string) =>
      (await rowsOf(`metrics?run=named&${query}`)).map((row: Record<string, unknown>) => row['name'])
    expect(await named('name=kl,entropy')).toEqual(['entropy', 'kl'])
    expect(await named('name=kl&name=loss')).toEqual(['kl', 'loss'])
    expect(await named('name=kl,loss')).toEqual(['kl', 'kl,loss', 'loss'])
    const [row] = await rowsOf('training?run=named&name=kl,entropy')
    expect(Object.keys(row.metrics).sort()).toEqual(['entropy', 'kl'])
    expect((await world.get('/v1/analytics/metrics?run=named&name=kl,')).body).toMatchObject({
      code: 'invalid_parameter',
      parameter: 'name',
    })
  })

  test('has the metrics of the chain, sub-steps as whole numbers', async () => {
    const rows = await rowsOf('metrics?run=c&lineage=true')
    expect(
      rows.map((row: Record<string, unknown>) => [row['run_id'], row['train_step'], row['substep'], row['value']]),
    ).toEqual([
      ['a', 1, 0, 0.1],
      ['c', 3, 1, 0.3],
      ['c', 3, 10, 'NaN'],
    ])
  })
})

describe('statistics', () => {
  beforeAll(async () => {
    await world.send(
      ['run.started', { run_id: 'r', kind: 'rl' }],
      [
        'item.registered',
        { item_id: 'item-1', dataset: 'ChartQA', family: 'chart', split: 'test', question: '?', answer: ['x'] },
      ],
      ...rewardOf('r', 0, 0, 2),
      ...rewardOf('r', 0, 1, 1),
      ...rewardOf('r', 1, 0, 2),
      ...rewardOf('r', 1, 1, 2),
      ['trajectory.scored', { trajectory_id: 'r/0/0', reward_version: 'sparse', reward: 1 }],
      [
        'trajectory.trained',
        {
          trajectory_id: 'r/0/0',
          run_id: 'r',
          train_step: 0,
          substep: 10,
          policy_version: 2,
          kept: true,
          advantage: 0.7071057811,
        },
      ],
      [
        'trajectory.trained',
        {
          trajectory_id: 'r/0/1',
          run_id: 'r',
          train_step: 0,
          substep: 1,
          policy_version: 1,
          kept: false,
          drop_reason: 'overlong',
          advantage: 0.5,
        },
      ],
    )
  })

  test('of several reward versions stand side by side', async () => {
    const rows = await rowsOf('rewards?run=r&reward_version=*&by=run')
    expect(rows.map((row: Record<string, unknown>) => [row['reward_version'], row['n'], row['reward_mean']])).toEqual([
      ['default', 4, 1.75],
      ['sparse', 1, 1],
    ])
  })

  test('compare advantages with those of the trainer and list the differences', async () => {
    const { body } = await world.get('/v1/analytics/advantages?run=r&differs=true')
    expect(body).toMatchObject({ n: 4, n_compared: 2, n_different: 1, agreement: { verl: 1, rloo: 0 } })
    expect(body.rows).toMatchObject([
      { trajectory_id: 'r/0/1', trainer_advantage: 0.5, trainer_substep: 1, drop_reason: 'overlong', differs: true },
    ])
    const both = await rowsOf('advantages?run=r&advantage=population&limit=2')
    expect(both[0].advantage).toBeCloseTo(1, 5)
  })

  test('of what the trainer said are by whole sub-steps', async () => {
    const rows = await rowsOf('training?run=r')
    expect(rows).toMatchObject([
      { train_step: 0, substep: 1, n_dropped: 1, drop_reasons: { overlong: 1 }, staleness_mean: 1, n_different: 1 },
      { train_step: 0, substep: 10, n_kept: 1, staleness_mean: 2, n_compared: 1, n_different: 0 },
    ])
    expect(await rowsOf('staleness?run=r')).toMatchObject([
      { substep: 1, counts: [{ staleness: 1, n: 1 }] },
      { substep: 10, counts: [{ staleness: 2, n: 1 }] },
    ])
  })

  test('by other formulas', async () => {
    const rows = await rowsOf('counterfactual?run=r&by=run&formula=dense,sparse&expression=reward%20*%202')
    expect(rows.map((row: Record<string, unknown>) => [row['formula'], row['mean']])).toEqual([
      ['dense', 0.625],
      ['sparse', 0.75],
      ['reward * 2', 3.5],
    ])
    const { status, body } = await world.get('/v1/analytics/counterfactual?run=r&expression=reword')
    expect([status, body.code]).toEqual([400, 'invalid_parameter'])
    expect(body.hint).toContain('did you mean reward?')
  })

  test('as CSV have all rows, with parts as columns', async () => {
    const { body, headers } = await world.get('/v1/analytics/rewards?run=r&format=csv')
    const [head = '', first = '', ...rest] = String(body).trimEnd().split('\r\n')
    expect(headers.get('content-type')).toContain('text/csv')
    const columns = head.split(',')
    expect(columns).toEqual(expect.arrayContaining(['train_step', 'reward_mean', 'parts_correct_mean']))
    expect(columns).not.toContain('family')
    expect(first.split(',')[columns.indexOf('parts_correct_mean')]).toBe('0.5')
    expect(rest).toHaveLength(1)
  })

  test('go on page by page', async () => {
    const first = await world.get('/v1/analytics/advantages?run=r&limit=3')
    const second = await world.get(`/v1/analytics/advantages?run=r&limit=3&cursor=${first.body.next}`)
    const ids = [...first.body.rows, ...second.body.rows].map((row: { trajectory_id: string }) => row.trajectory_id)
    expect(ids).toEqual(['r/0/0', 'r/0/1', 'r/1/0', 'r/1/1'])
    expect(second.body.next).toBeNull()
  })

  test('link to the trajectories behind them', async () => {
    const [row] = await rowsOf('rewards?run=r&family=chart')
    const url = new URL(row.trajectories_url)
    const { body } = await world.get(url.pathname + url.search)
    expect(body.rows).toHaveLength(row.n)
    expect(url.searchParams.get('family')).toBe('chart')
  })

  test('count an item that is registered under two families under the first', async () => {
    await world.send([
      'item.registered',
      { item_id: 'item-1', dataset: 'GeoQA', family: 'geometry', split: 'test', question: '?', answer: ['x'] },
    ])
    const rows = await rowsOf('rewards?run=r&by=family,dataset')
    expect(rows.map((row: Record<string, unknown>) => [row['family'], row['dataset'], row['n']])).toEqual([
      ['chart', 'ChartQA', 4],
    ])
  })

  test('refuse what they do not know', async () => {
    for (const [path, code] of [
      ['rewards?run=r&famly=chart', 'unknown_parameter'],
      ['rewards?run=r&by=famly', 'invalid_parameter'],
      ['groups?run=r&reward_version=*', 'invalid_parameter'],
      ['pass-at-k?run=r&k=17&also=maj', 'invalid_parameter'],
      ['rewards?run=r&format=csv&cursor=x', 'invalid_parameter'],
      ['rewards?run=r&after=0:999&wait=0', 'behind'],
      ['rewards?run=r&snapshot=7', 'not_found'],
    ])
      expect([path, (await world.get(`/v1/analytics/${path}`)).body.code]).toEqual([path, code])
  })
})

describe('a frame that is kept', () => {
  const draw = new Draw(5)
  const batch = () =>
    Array.from({ length: 1 + draw.below(4) }, (_, index) => {
      const id = `g${draw.below(5)}/${draw.below(6)}`
      const [group = '', place = '0'] = id.split('/')
      const item = `i${draw.below(3)}`
      const events = rollout({
        id,
        run: 'x',
        group,
        index: Number(place),
        trainStep: 1,
        size: 4,
        reward: draw.below(3),
        item,
      })
      switch (draw.below(5)) {
        case 0:
          return events.slice(0, 2)
        case 1:
          return [['trajectory.scored', { trajectory_id: id, reward_version: 'late', reward: index }] as const]
        case 2:
          return [
            [
              'item.registered',
              { item_id: item, dataset: 'D', family: 'F', split: 'test', question: '?', answer: ['x'] },
            ] as const,
          ]
        default:
          return events
      }
    }).flat()

  test('says after each batch what one that is read anew says', async () => {
    const kept = frames({ store: world.store })
    for (let round = 0; round < 25; round++) {
      await world.send(...batch())
      const { frame } = await kept.read(['x'], false)
      const anew = (await frames({ store: world.store }).read(['x'], false)).frame
      expect(sameNumbers(anew, frame, () => true).differences).toEqual([])
      expect(frame.size).toBe(anew.size)
    }
    expect((await kept.read(['x'], false)).frame.size).toBeGreaterThan(10)
  })

  test('is the same for reads at the same moment, and stands for a position that it includes', async () => {
    const kept = frames({ store: world.store })
    const found = await Promise.all([kept.read(['x'], false), kept.read(['x'], false), kept.read(['x'], false)])
    expect(new Set(found.map(({ frame }) => frame)).size).toBe(1)
    expect([...(found[0]?.offsets.values() ?? [])]).toEqual((await world.log.bounds()).map(({ end }) => end))
  })

  test('is read anew when other rows were put in the place of those it was read from', async () => {
    const kept = frames({ store: world.store })
    const before = await kept.read(['x'], false)
    const copy = async (from: string, to: string) => {
      await sql.raw(`alter table ${from} rename to ${to}`).execute(world.store.db)
    }
    await sql`create table another (like trajectories including all)`.execute(world.store.db)
    await sql`insert into another select * from trajectories where run_id = 'x' order by trajectory_id limit 3`.execute(
      world.store.db,
    )
    await copy('trajectories', 'before')
    await copy('another', 'trajectories')
    const swapped = await kept.read(['x'], false)
    await copy('trajectories', 'another')
    await copy('before', 'trajectories')
    await sql`drop table another`.execute(world.store.db)
    expect(swapped.frame.size).toBe(3)
    expect((await kept.read(['x'], false)).frame.size).toBe(before.frame.size)
  })

  test('makes room for others, and refuses what is too large', async () => {
    const small = frames({ store: world.store, bytesMax: 1 })
    const first = (await small.read(['x'], false)).frame
    await small.read(['r'], false)
    expect((await small.read(['x'], false)).frame).not.toBe(first)
    await expect(frames({ store: world.store, rowsMax: 1 }).read(['x'], false)).rejects.toMatchObject({
      code: 'too_large',
    })
  })
})
