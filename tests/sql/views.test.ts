import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { LAKE_TABLES } from '#schemas/lake.ts'
import { ONE_RUN, rollout, sqlWorld, together, type SqlWorld } from './sql-world.ts'

let world: SqlWorld

beforeAll(async () => {
  world = await sqlWorld(
    together(
      ONE_RUN,
      rollout('a', { reward: 2, group: 'g', index: 0, at: 0, parts: { correct: 1 } }),
      rollout('b-broken', { reward: null, group: 'g', index: 1, at: 10, status: 'infra_error' }),
      rollout('b', { reward: 1, group: 'g', index: 1, at: 20, parts: { correct: 0 } }),
      rollout('c', { reward: 'NaN', group: 'h', index: 0, at: 30 }),
      rollout('d', { reward: 0.1 + 0.2, group: 'h', index: 1, at: 40 }),
    ),
  )
})
afterAll(() => world.close())

describe('the views', () => {
  it('are those that are promised, and each can be read', async () => {
    const tables = await world.rows('SHOW TABLES')
    expect(tables.map(({ name }) => name)).toEqual(
      [
        'runs',
        'items',
        'groups',
        'trajectories',
        'scores',
        'steps',
        'tool_calls',
        'metrics',
        'annotations',
        'events',
        'rollouts',
      ].sort(),
    )
    for (const { name } of tables) expect(await world.rows(`SELECT count(*) AS n FROM ${String(name)}`)).toHaveLength(1)
  })

  it('give a trajectory its item and its score, NaN right for nothing', async () => {
    expect(
      await world.rows('SELECT trajectory_id, family, reward_version, reward, correct FROM rollouts ORDER BY 1'),
    ).toEqual([
      { trajectory_id: 'a', family: 'Chart', reward_version: 'v', reward: 2, correct: true },
      { trajectory_id: 'b', family: 'Chart', reward_version: 'v', reward: 1, correct: false },
      { trajectory_id: 'b-broken', family: 'Chart', reward_version: null, reward: null, correct: null },
      { trajectory_id: 'c', family: 'Chart', reward_version: 'v', reward: 'NaN', correct: false },
      { trajectory_id: 'd', family: 'Chart', reward_version: 'v', reward: 0.30000000000000004, correct: false },
    ])
  })

  it('count a retry for the attempt that broke, and leave out what is not finite', async () => {
    expect(
      await world.rows(
        'SELECT group_id, size, expected_size, complete, n_members, reward_mean, reward_std, zero_variance FROM groups ORDER BY 1',
      ),
    ).toEqual([
      {
        group_id: 'g',
        size: 2,
        expected_size: 2,
        complete: true,
        n_members: 3,
        reward_mean: 1.5,
        reward_std: Math.SQRT1_2,
        zero_variance: false,
      },
      {
        group_id: 'h',
        size: 1,
        expected_size: 2,
        complete: false,
        n_members: 2,
        reward_mean: 0.30000000000000004,
        reward_std: null,
        zero_variance: false,
      },
    ])
  })

  it('with the name of a lake table have its columns and no other', async () => {
    for (const table of [
      'runs',
      'items',
      'trajectories',
      'scores',
      'steps',
      'tool_calls',
      'metrics',
      'annotations',
      'events',
    ] as const) {
      const columns = (await world.rows(`DESCRIBE ${table}`)).map((found) => found['column_name'])
      expect(columns).toEqual(Object.keys(LAKE_TABLES[table].columns))
    }
    // So that what is joined elsewhere can be joined here: no name is in both.
    expect(await world.rows('SELECT count(reward) AS n FROM scores JOIN trajectories USING (trajectory_id)')).toEqual([
      { n: 4 },
    ])
  })

  it('say where a column is that is looked for in trajectories', async () => {
    await expect(world.rows('SELECT avg(reward) FROM trajectories')).rejects.toMatchObject({
      code: 'bad_sql',
      hint: expect.stringContaining('rollouts'),
    })
  })
})
