import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { smallLake, trajectory, type SmallLake } from './small-lake.ts'
import { written } from './written.ts'

let lake: SmallLake
const IMAGE = 'ab'.repeat(32)
const user = (content: string) => ({ role: 'user', content })
const said = (content: string) => ({ role: 'assistant', content })

beforeEach(async () => {
  lake = await smallLake()
  await lake.add({
    images: [{ image_id: IMAGE, stored: true }],
    trajectories: [
      trajectory({ trajectory_id: 'done', n_steps: 2, prompt: [user('Q')] }),
      trajectory({ trajectory_id: 'cut', n_steps: 1, status: 'truncated', prompt: [user('R')] }),
      trajectory({ trajectory_id: 'empty', n_steps: 0 }),
    ],
    steps: [
      {
        run_id: 'r1',
        trajectory_id: 'done',
        step_index: 0,
        raw_output: 'A',
        observation: [{ ...user('seen'), images: [IMAGE] }],
        env_step_reward: 0.25,
      },
      { run_id: 'r1', trajectory_id: 'done', step_index: 1, raw_output: 'B', observation: [user('end')] },
      { run_id: 'r1', trajectory_id: 'cut', step_index: 0, raw_output: 'C', observation: [] },
    ],
    scores: [
      { trajectory_id: 'done', offset: 1, reward: 2 },
      { trajectory_id: 'cut', offset: 1, reward: -1 },
    ],
  })
})
afterEach(async () => {
  await lake.close()
})

const of = async (convention?: 'gymnasium' | 'minari' | 'rlds') =>
  written(lake, { recipe: 'transitions', options: { convention } })

describe('transitions', () => {
  it('are one row a step, whose rewards add up to that of the trajectory', async () => {
    const made = await of()
    expect(made.notTaken).toEqual({ no_steps: 1 })
    expect(await made.lines()).toEqual([
      expect.objectContaining({
        trajectory_id: 'cut',
        observation: [user('R')],
        action: said('C'),
        reward: -1,
        next_observation: [],
        terminated: false,
        truncated: true,
      }),
      expect.objectContaining({
        trajectory_id: 'done',
        step_index: 0,
        observation: [user('Q')],
        action: said('A'),
        reward: 0,
        next_observation: [user('seen')],
        next_images: [IMAGE],
        images: [],
        terminated: false,
        truncated: false,
        env_step_reward: 0.25,
        trajectory_reward: 2,
      }),
      expect.objectContaining({
        step_index: 1,
        observation: [user('seen')],
        images: [IMAGE],
        action: said('B'),
        reward: 2,
        next_observation: [user('end')],
        terminated: true,
        truncated: false,
      }),
    ])
  })

  it('in the words of Minari have one more row an episode, whose action is padding', async () => {
    const rows = await (await of('minari')).lines()
    expect(
      rows.map((row) => [
        row['episode_id'],
        row['observations'],
        row['actions'],
        row['rewards'],
        row['terminations'],
        row['truncations'],
      ]),
    ).toEqual([
      [0, [user('R')], said('C'), -1, false, true],
      [0, [], said(''), 0, false, false],
      [1, [user('Q')], said('A'), 0, false, false],
      [1, [user('seen')], said('B'), 2, true, false],
      [1, [user('end')], said(''), 0, false, false],
    ])
  })

  it('in the words of RLDS end in a step that is last, terminal only where the environment ended it', async () => {
    const rows = await (await of('rlds')).lines()
    expect(
      rows.map((row) => [
        row['is_first'],
        row['is_last'],
        row['is_terminal'],
        row['observation'],
        row['action'],
        row['reward'],
        row['discount'],
      ]),
    ).toEqual([
      [true, false, false, [user('R')], said('C'), -1, 1],
      [false, true, false, [], null, null, null],
      [true, false, false, [user('Q')], said('A'), 0, 1],
      [false, false, false, [user('seen')], said('B'), 2, 0],
      [false, true, true, [user('end')], null, null, null],
    ])
  })
})

describe('steps', () => {
  it('have their bodies and what is known of their trajectory', async () => {
    const rows = await (await written(lake, { recipe: 'steps' })).lines()
    expect(
      rows.map((row) => [row['trajectory_id'], row['step_index'], row['raw_output'], row['reward'], row['images']]),
    ).toEqual([
      ['cut', 0, 'C', -1, []],
      ['done', 0, 'A', 2, [IMAGE]],
      ['done', 1, 'B', 2, []],
    ])
  })
})

describe('items', () => {
  it('are those that were rolled out, with how often they were passed', async () => {
    await lake.add({ items: [{ item_id: 'i1', dataset: 'd', question: 'Q', answer: ['4'] }] })
    const made = await written(lake, { recipe: 'items', format: 'jsonl' })
    expect(await made.lines()).toEqual([
      expect.objectContaining({
        item_id: 'i1',
        dataset: 'd',
        question: 'Q',
        answer: ['4'],
        n_rollouts: 3,
        n_pass: 1,
        pass_rate: 0.5,
      }),
    ])
  })
})
