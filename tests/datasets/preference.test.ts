import { afterEach, describe, expect, it } from 'vitest'
import { smallLake, trajectory, type SmallLake } from './small-lake.ts'
import { written } from './written.ts'

let lake: SmallLake | undefined
afterEach(async () => {
  await lake?.close()
  lake = undefined
})

interface Played {
  readonly id: string
  readonly reward: number | null
  readonly prompt?: string
  readonly index?: number
  readonly group?: string | null
  readonly steps?: number
}

async function groups(played: readonly Played[]): Promise<SmallLake> {
  lake = await smallLake()
  await lake.add({
    trajectories: played.map(({ id, prompt = 'Q', index = null, group = 'g', steps = 1 }, at) =>
      trajectory({
        trajectory_id: id,
        n_steps: steps,
        group_id: group,
        rollout_index: index,
        partition: 0,
        first_offset: at,
        prompt: [{ role: 'user', content: prompt }],
      }),
    ),
    steps: played.flatMap(({ id, steps = 1 }) =>
      Array.from({ length: steps }, (_, at) => ({
        run_id: 'r1',
        trajectory_id: id,
        step_index: at,
        raw_output: `${id}/${at}`,
      })),
    ),
    scores: played.flatMap(({ id, reward }) => (reward === null ? [] : [{ trajectory_id: id, offset: 1, reward }])),
  })
  return lake
}

const four: readonly Played[] = [
  { id: 'a', reward: 0 },
  { id: 'b', reward: 1 },
  { id: 'c', reward: 0.5 },
  { id: 'd', reward: 1 },
]

async function pairsOf(own: SmallLake, pairsPerGroup?: number): Promise<unknown[]> {
  const { lines } = await written(own, { recipe: 'preference', options: { pairsPerGroup } })
  return (await lines()).map((row) => [row['chosen_trajectory_id'], row['rejected_trajectory_id'], row['margin']])
}

describe('pairs', () => {
  it('are of the best against the worst, the widest margins first, never of equal rewards', async () => {
    const own = await groups(four)
    expect(await pairsOf(own)).toEqual([['b', 'a', 1]])
    expect(await pairsOf(own, 3)).toEqual([
      ['b', 'a', 1],
      ['d', 'a', 1],
      ['b', 'c', 0.5],
    ])
    const all = [
      ['b', 'a', 1],
      ['d', 'a', 1],
      ['b', 'c', 0.5],
      ['c', 'a', 0.5],
      ['d', 'c', 0.5],
    ]
    expect(await pairsOf(own, 1000)).toEqual(all)
  })

  it('are what TRL reads: a prompt, and two completions after it', async () => {
    const [row] = await (await written(await groups(four), { recipe: 'preference' })).lines()
    expect(row).toMatchObject({
      prompt: [{ role: 'user', content: 'Q' }],
      chosen: [{ role: 'assistant', content: 'b/0' }],
      rejected: [{ role: 'assistant', content: 'a/0' }],
      chosen_reward: 1,
      rejected_reward: 0,
    })
  })

  it('stay within what is selected, one prompt and one group, and count the rest', async () => {
    const own = await groups([
      { id: 'a', reward: 0, index: 0 },
      { id: 'b', reward: 1, index: 1 },
      { id: 'again', reward: 5, index: 1 },
      { id: 'other', reward: 2, prompt: 'Q2', index: 2 },
      { id: 'alone', reward: 1, group: 'h' },
      { id: 'none', reward: 1, group: null },
      { id: 'unscored', reward: null, index: 3 },
    ])
    const made = await written(own, { recipe: 'preference' })
    expect([made.rows, made.notTaken]).toEqual([
      1,
      { extra: 1, no_contrast: 1, no_group: 1, no_reward: 1, other_prompt: 1 },
    ])
    const selected = await written(own, { recipe: 'preference', conditions: { reward: { any: [], ne: [], gte: 1 } } })
    expect(selected.rows).toBe(0)
  })

  it('in sharegpt are only of rollouts that are one answer', async () => {
    const own = await groups([...four.slice(0, 2), { id: 'long', reward: 9, steps: 2 }])
    const made = await written(own, { recipe: 'preference', shape: 'sharegpt' })
    expect(made.notTaken).toEqual({ several_turns: 1 })
    expect((await made.lines())[0]).toMatchObject({
      conversations: [{ from: 'human', value: 'Q' }],
      chosen: { from: 'gpt', value: 'b/0' },
      rejected: { from: 'gpt', value: 'a/0' },
    })
  })
})

describe('other rows of preferences', () => {
  it('are labels for KTO by right and wrong', async () => {
    const { lines } = await written(await groups(four), { recipe: 'preference', options: { preference: 'kto' } })
    expect((await lines()).map((row) => [row['trajectory_id'], row['label']])).toEqual([
      ['a', false],
      ['b', true],
      ['c', false],
      ['d', true],
    ])
  })

  it('are ranked lists, best first', async () => {
    const { lines } = await written(await groups(four), { recipe: 'preference', options: { preference: 'ranked' } })
    expect(await lines()).toEqual([
      expect.objectContaining({
        trajectory_ids: ['b', 'd', 'c', 'a'],
        rewards: [1, 1, 0.5, 0],
        completions: ['b', 'd', 'c', 'a'].map((id) => [{ role: 'assistant', content: `${id}/0` }]),
      }),
    ])
  })

  it('say what they are of where a shape has no word for them', async () => {
    const own = await groups(four)
    const asked = { recipe: 'preference', shape: 'swift', options: { preference: 'ranked' } } as const
    await expect(written(own, asked)).rejects.toMatchObject({
      code: 'invalid_parameter',
      details: { parameter: 'shape' },
    })
  })
})
