/** The faces over HTTP: the same rewards and events for the same items and turns. tests/readers has the clients in Python. */
import { expect, it } from 'vitest'
import { batch, core, openEnv, played, verlTool } from '#tests/support/gym-faces.ts'
import { answerTurn, gymWorld, post } from '#tests/support/gym-world.ts'

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
