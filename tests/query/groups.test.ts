import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { rollout } from './rollouts.ts'
import { type World, encoded, queryWorld } from './world.ts'

let world: World

const GROUP = 'r1/t1/"it"'

beforeAll(async () => {
  world = await queryWorld()
  const eight = (group: string, right: number, trainStep: number, size = 8) =>
    Array.from({ length: 8 }, (_, index) =>
      rollout({
        id: `${group}/${index}`,
        group,
        size,
        index,
        trainStep,
        item: `item of ${group}`,
        reward: index < right ? 2 : 1,
        more: { parts: { format: 1, correct: index < right ? 1 : 0 } },
      }),
    ).flat()
  await world.send(
    ['run.started', { run_id: 'r1', kind: 'rl' }],
    ...eight(GROUP, 2, 1),
    ...eight('all right', 8, 1),
    ...eight('all wrong', 0, 2),
    ...eight('short', 3, 2, 9),
    ...rollout({ id: 'retry', group: GROUP, size: 8, index: 0, trainStep: 1, item: `item of ${GROUP}`, reward: -9 }),
    ...rollout({ id: 'same name', run: 'r2', group: GROUP, size: 2, index: 0, reward: 1 }),
  )
})

afterAll(async () => {
  await world.close()
})

describe('a group', () => {
  test('has its members side by side, with advantages', async () => {
    const { body } = await world.get(`/v1/groups/${encoded(GROUP)}?run=r1`)
    expect(body).toMatchObject({
      group_id: GROUP,
      run_id: 'r1',
      train_step: 1,
      policy_version: 0,
      expected_size: 8,
      size: 8,
      complete: true,
      reward_mean: 1.25,
      zero_variance: false,
      zero_variance_kind: null,
    })
    expect(body.reward_std.toFixed(4)).toBe('0.4629')
    expect(body.members).toHaveLength(9)
    const counted = body.members.filter((member: { extra: boolean }) => !member.extra)
    expect(counted.map((member: { advantage: number }) => Number(member.advantage.toFixed(3)))).toEqual([
      1.62, 1.62, -0.54, -0.54, -0.54, -0.54, -0.54, -0.54,
    ])
    expect(body.members.filter((member: { extra: boolean }) => member.extra)).toMatchObject([
      { trajectory_id: 'retry', advantage: null },
    ])
  })

  test.each([
    ['dr_grpo', 0.75],
    ['rloo', 0.857],
    ['population', 1.732],
    ['none', null],
  ])('advantage=%s', async (kind, expected) => {
    const { body } = await world.get(`/v1/groups/${encoded(GROUP)}?run=r1&advantage=${kind}`)
    const [first] = body.members
    expect(first.advantage === null ? null : Number(first.advantage.toFixed(3))).toBe(expected)
  })

  test('whose id occurs in two runs needs the run', async () => {
    const { status, body } = await world.get(`/v1/groups/${encoded(GROUP)}`)
    expect([status, body.code, body.runs]).toEqual([400, 'invalid_parameter', ['r1', 'r2']])
    expect((await world.get(`/v1/groups/${encoded(GROUP)}?run=r2`)).body.members).toHaveLength(1)
  })

  test('that is unknown is 404', async () => {
    expect((await world.get('/v1/groups/none')).status).toBe(404)
  })
})

describe('the list', () => {
  const names = async (query: string) =>
    (await world.get(`/v1/groups?run=r1${query}`)).body.rows.map((row: { group_id: string }) => row.group_id)

  test.each([
    ['', ['all right', 'all wrong', GROUP, 'short']],
    ['&complete=false', ['short']],
    ['&zero_variance=true', ['all right', 'all wrong']],
    ['&zero_variance_kind=all_fail', ['all wrong']],
    ['&train_step=2', ['all wrong', 'short']],
    ['&item=item of short', ['short']],
  ])('run=r1%s', async (query, expected) => {
    expect((await names(query)).sort()).toEqual([...expected].sort())
  })

  test('pages give every group once', async () => {
    const seen: string[] = []
    for (let cursor = ''; ;) {
      const { body } = await world.get(`/v1/groups?limit=2${cursor}`)
      seen.push(...body.rows.map((row: { run_id: string; group_id: string }) => `${row.run_id} ${row.group_id}`))
      if (body.next === null) break
      cursor = `&cursor=${body.next}`
    }
    expect(seen).toHaveLength(5)
    expect(new Set(seen).size).toBe(5)
  })
})

describe('analytics', () => {
  test('pass@k and pass^k, with what was left out', async () => {
    const { body } = await world.get('/v1/analytics/pass-at-k?run=r1&k=1,8,9')
    expect(
      body.estimates.map((estimate: Record<string, unknown>) => [
        estimate['k'],
        estimate['n_items'],
        estimate['n_items_left_out'],
      ]),
    ).toEqual([
      [1, 4, 0],
      [8, 4, 0],
      [9, 1, 3],
    ])
    const [one, eight] = body.estimates
    // 2 of 9 (the retry counts here), 8 of 8, 0 of 8 and 3 of 8.
    expect(one.pass_at_k).toBeCloseTo((2 / 9 + 1 + 0 + 3 / 8) / 4, 12)
    expect(eight.pass_hat_k).toBeCloseTo(1 / 4, 12)
  })

  test('of nothing is null', async () => {
    const { body } = await world.get('/v1/analytics/pass-at-k?run=nobody&k=2')
    expect(body.estimates).toEqual([{ k: 2, pass_at_k: null, pass_hat_k: null, n_items: 0, n_items_left_out: 0 }])
  })

  test('needs a run, and a k that makes sense', async () => {
    expect((await world.get('/v1/analytics/pass-at-k')).body).toMatchObject({
      code: 'invalid_parameter',
      parameter: 'run',
    })
    expect((await world.get('/v1/analytics/pass-at-k?run=r1&k=0')).body).toMatchObject({
      code: 'invalid_parameter',
      parameter: 'k',
    })
  })

  test('groups by train step', async () => {
    const { body } = await world.get('/v1/analytics/groups?run=r1')
    expect(body.rows).toMatchObject([
      { train_step: 1, groups: 2, complete: 2, all_pass: 1, all_fail: 0, zero_variance: 1, effective_share: 0.5 },
      {
        train_step: 2,
        groups: 2,
        complete: 1,
        incomplete: 1,
        all_fail: 1,
        zero_variance: 1,
        effective_share: 0,
        mean_std: 0,
      },
    ])
    const whole = await world.get('/v1/analytics/groups?run=r1&include=incomplete')
    expect(whole.body.rows[1]).toMatchObject({ groups: 2, complete: 1, all_fail: 1, effective_share: 0.5 })
    expect(whole.body.rows[1].mean_std).toBeCloseTo(Math.sqrt((3 * 0.625 ** 2 + 5 * 0.375 ** 2) / 7) / 2, 12)
  })

  test('groups by train step in pages', async () => {
    const first = await world.get('/v1/analytics/groups?run=r1&limit=1')
    const second = await world.get(`/v1/analytics/groups?run=r1&limit=1&cursor=${first.body.next}`)
    expect([first.body.rows[0].train_step, second.body.rows[0].train_step, second.body.next]).toEqual([1, 2, null])
  })

  test('leaves conflicted trajectories out unless they are asked for', async () => {
    await world.send(...rollout({ id: 'clash', run: 'r5', group: 'g', size: 1, reward: 2 }), [
      'step.recorded',
      { trajectory_id: 'clash', run_id: 'r5', step_index: 0, action_kind: 'message', raw_output: 'other words' },
    ])
    expect((await world.get('/v1/analytics/pass-at-k?run=r5&k=1')).body.estimates[0].n_items).toBe(0)
    expect((await world.get('/v1/analytics/pass-at-k?run=r5&k=1&include=conflicted')).body.estimates[0].n_items).toBe(1)
    expect((await world.get('/v1/analytics/groups?run=r5')).body.rows).toEqual([])
    expect((await world.get('/v1/analytics/groups?run=r5&include=conflicted')).body.rows).toHaveLength(1)
  })
})
