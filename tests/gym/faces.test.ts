/** All faces of one gym: the same rewards and events for the same items and turns. */
import { expect, it } from 'vitest'
import type { GymEvent } from '#services/gym/loop/event.ts'
import { answerTurn, callTurn, gymWorld, post, type GymWorld } from '#tests/support/gym-world.ts'
import { openEnvClient } from '#tests/support/openenv-client.ts'

/** What is played: an item of the stream, and the turns. */
interface Play {
  readonly index: number
  readonly turns: readonly string[]
}

const plays: readonly Play[] = [
  { index: 0, turns: [callTurn, answerTurn('10')] },
  { index: 1, turns: [answerTurn('99')] },
  { index: 2, turns: ['no tags at all', callTurn, answerTurn('12')] },
  { index: 3, turns: [callTurn, callTurn, callTurn] },
  { index: 4, turns: [`<think>${'again and '.repeat(40)}</think><answer>14</answer>`] },
]

interface Outcome {
  readonly rewards: readonly (number | null)[]
  readonly texts: readonly string[]
}

type Face = (world: GymWorld, options: Record<string, unknown>, turns: readonly string[]) => Promise<Outcome>

const core: Face = async ({ gym }, options, turns) => {
  const { episode_id } = await gym.reset(options)
  const steps = []
  for (const turn of turns) steps.push(await gym.step(episode_id, turn))
  return { rewards: steps.map(({ reward }) => reward), texts: steps.map(({ observation }) => observation.text) }
}

const openEnv: Face = async ({ url }, options, turns) => {
  const client = await openEnvClient(url)
  const { trajectory_id, ...data } = options
  await client.say({ type: 'reset', data: { ...data, episode_id: trajectory_id } })
  const answers = []
  for (const text of turns) answers.push(await client.say({ type: 'step', data: { text } }))
  await client.close()
  return {
    rewards: answers.map(({ data: told }) => told['reward'] as number | null),
    texts: answers.map(({ data: told }) => (told['observation'] as { text: string }).text),
  }
}

const batch: Face = async ({ url }, options, turns) => {
  const begun = await post(`${url}/v1/gym/episodes`, { episodes: [options] })
  const { episode_id } = (begun.body['episodes'] as { episode_id: string }[])[0] as { episode_id: string }
  const rewards: (number | null)[] = []
  const texts: string[] = []
  for (const [step_index, action] of turns.entries()) {
    const { body } = await post(`${url}/v1/gym/steps`, { steps: [{ episode_id, action, step_index }] })
    const [step] = body['steps'] as { reward: number | null; observation: { text: string } }[]
    rewards.push(step?.reward ?? null)
    texts.push(step?.observation.text ?? '')
  }
  return { rewards, texts }
}

const verlTool: Face = async ({ url }, options, turns) => {
  const { trajectory_id, ...gym } = options
  const rewards: (number | null)[] = []
  const texts: string[] = []
  for (const action of turns) {
    const { body } = await post(`${url}/get_observation`, {
      trajectory_ids: [trajectory_id],
      actions: [action],
      finish: [false],
      is_last_step: [false],
      extra_fields: [{ gym, question: 'as the trainer has it', current_step: rewards.length }],
    })
    const [observation] = body['observations'] as (string | { obs: string; reward?: number })[]
    rewards.push(typeof observation === 'object' ? (observation.reward ?? null) : null)
    texts.push(typeof observation === 'object' ? observation.obs : (observation ?? ''))
  }
  return { rewards, texts }
}

/** Plays everything through one face, in a gym of its own. */
async function played(face: Face): Promise<{ outcomes: Outcome[]; events: GymEvent[] }> {
  const world = await gymWorld()
  try {
    const outcomes: Outcome[] = []
    for (const { index, turns } of plays)
      outcomes.push(await face(world, { index, seed: 3, level: 0, trajectory_id: `play ${index}` }, turns))
    return { outcomes, events: world.recorder.take().events }
  } finally {
    await world.close()
  }
}

it.each([
  ['OpenEnv', openEnv],
  ['batch', batch],
  ['verl-tool', verlTool],
] as const)('%s pays the same and tells the same events as the core', async (_, face) => {
  const expected = await played(core)
  expect(expected.outcomes.map(({ rewards }) => rewards.at(-1))).toEqual([2, 1, -1, -1, -3])
  const found = await played(face)
  expect(found.outcomes).toEqual(expected.outcomes)
  expect(found.events).toEqual(expected.events)
})

it('the stateless step of OpenEnv pays a single turn the same', async () => {
  const world = await gymWorld()
  const { body } = await post(`${world.url}/step`, { action: { text: answerTurn('11') }, index: 1, seed: 3, level: 0 })
  expect(body).toMatchObject({ reward: 2, done: true, observation: { end_reason: 'answer' } })
  expect(world.gym.counts().episodes_open).toBe(0)
  await world.close()
})
