/** The faces of a gym, driven one by one: the same items and turns through each of them. */
import type { GymEvent } from '#services/gym/loop/event.ts'
import { answerTurn, callTurn, gymWorld, post, type GymWorld } from '#tests/support/gym-world.ts'
import { openEnvClient } from '#tests/support/openenv-client.ts'

/** What is played: an item of the stream, and the turns. */
export interface Play {
  readonly index: number
  readonly turns: readonly string[]
}

export const plays: readonly Play[] = [
  { index: 0, turns: [callTurn, answerTurn('10')] },
  { index: 1, turns: [answerTurn('99')] },
  { index: 2, turns: ['no tags at all', callTurn, answerTurn('12')] },
  { index: 3, turns: [callTurn, callTurn, callTurn] },
  { index: 4, turns: [`<think>${'again and '.repeat(40)}</think><answer>14</answer>`] },
]

export interface Outcome {
  readonly rewards: readonly (number | null)[]
  readonly texts: readonly string[]
}

export type Face = (world: GymWorld, options: Record<string, unknown>, turns: readonly string[]) => Promise<Outcome>

export const core: Face = async ({ gym }, options, turns) => {
  const { episode_id } = await gym.reset(options)
  const steps = []
  for (const turn of turns) steps.push(await gym.step(episode_id, turn))
  return { rewards: steps.map(({ reward }) => reward), texts: steps.map(({ observation }) => observation.text) }
}

export const openEnv: Face = async ({ url }, options, turns) => {
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

export const batch: Face = async ({ url }, options, turns) => {
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

export const verlTool: Face = async ({ url }, options, turns) => {
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

/** The options of a play. */
export const optionsOf = ({ index }: Play): Record<string, unknown> => ({
  index,
  seed: 3,
  level: 0,
  trajectory_id: `play ${index}`,
})

/** Plays everything through one face, in a gym of its own. */
export async function played(face: Face): Promise<{ outcomes: Outcome[]; events: GymEvent[] }> {
  const world = await gymWorld()
  try {
    const outcomes: Outcome[] = []
    for (const play of plays) outcomes.push(await face(world, optionsOf(play), play.turns))
    return { outcomes, events: world.recorder.take().events }
  } finally {
    await world.close()
  }
}
