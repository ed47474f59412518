/** verl-tool's POST /get_observation. */
import { afterEach, expect, it } from 'vitest'
import { answerTurn, callTurn, gymWorld, post, TOLD, type GymWorld } from '#tests/support/gym-world.ts'

let world: GymWorld
afterEach(() => world.close())

const item = (index: number) => ({ item_id: `chart/shown-number/train/0/000${index}-l0` })
interface Observed {
  readonly observations: readonly unknown[]
  readonly dones: readonly boolean[]
  readonly valids: readonly boolean[]
}
const ask = async (body: object): Promise<Observed> =>
  (await post(`${world.url}/get_observation`, body)).body as unknown as Observed

it('answers many trajectories, each of its own item', async () => {
  world = await gymWorld()
  const first = await ask({
    trajectory_ids: ['a', 'b'],
    actions: [callTurn, callTurn],
    extra_fields: [item(0), { qid: item(1).item_id, images: [] }],
  })
  expect(first.dones).toEqual([false, false])
  expect(first.valids).toEqual([true, true])
  expect(first.observations[0]).toContain(TOLD)
  // Only the first request need tell the item.
  const last = await ask({
    trajectory_ids: ['a', 'b'],
    actions: [answerTurn('10'), answerTurn('10')],
    finish: [true, true],
  })
  expect(last.observations).toEqual([
    { obs: '', reward: 2 },
    { obs: '', reward: 1 },
  ])
  expect(last.dones).toEqual([true, true])
})

it('the same bytes are answered the same, and the turn is taken once', async () => {
  world = await gymWorld()
  const body = JSON.stringify({ trajectory_ids: ['a'], actions: [callTurn], extra_fields: [item(0)] })
  const answers = await Promise.all(
    [1, 2, 3].map(async () => JSON.stringify((await post(`${world.url}/get_observation`, body)).body)),
  )
  const later = JSON.stringify((await post(`${world.url}/get_observation`, body)).body)
  expect(new Set([...answers, later]).size).toBe(1)
  expect(world.gym.state('a').step_count).toBe(1)
})

it('a trajectory that the trainer has stopped ends, with its last turn counted', async () => {
  world = await gymWorld()
  const open = { extra_fields: [item(0)], trajectory_ids: ['a'] }
  const { dones, observations } = await ask({ ...open, actions: [callTurn], is_last_step: [true] })
  expect(dones).toEqual([true])
  // It ran out of turns without an answer, and is paid for that as by our own limit.
  expect(observations[0]).toEqual({ obs: TOLD, reward: -1 })
  expect(world.gym.state('a')).toMatchObject({ done: true, step_count: 1, reward: -1, end_reason: 'max_turns' })
  await ask({ ...open, trajectory_ids: ['b'], actions: [callTurn] })
  await ask({ trajectory_ids: ['b'], actions: [''], finish: [true] })
  expect(world.gym.state('b')).toMatchObject({ done: true, step_count: 1, end_reason: 'user_stop' })
})

it('an action in which nothing can be read goes on, and says why', async () => {
  world = await gymWorld()
  const { observations, dones, valids } = await ask({ trajectory_ids: ['a'], actions: ['hm'], extra_fields: [item(0)] })
  expect([dones, valids]).toEqual([[false], [false]])
  expect(observations[0]).toMatchObject({ invalid_reason: expect.stringContaining('think_missing') as string })
})

it('what is wrong with one trajectory ends that one alone', async () => {
  world = await gymWorld()
  const { observations, dones, valids } = await ask({
    trajectory_ids: ['a', 'b'],
    actions: [callTurn, callTurn],
    extra_fields: [{ question: 'of another data set' }, item(1)],
  })
  expect([dones, valids]).toEqual([
    [true, false],
    [false, true],
  ])
  expect(observations[0]).toMatchObject({
    error: 'invalid',
    invalid_reason: expect.stringContaining('names no item') as string,
  })
})

it.each([
  ['lists of different lengths', { trajectory_ids: ['a'], actions: [callTurn, callTurn] }, 'actions has 2'],
  ['a trajectory named twice', { trajectory_ids: ['a', 'a'], actions: [callTurn, callTurn] }, 'twice'],
  ['an unknown field', { trajectory_ids: ['a'], action: [callTurn] }, '"action"'],
  ['actions that are no text', { trajectory_ids: ['a'], actions: [5] }, 'actions'],
  ['no trajectories', { trajectory_ids: [], actions: [] }, 'trajectory_ids'],
])('refuses %s', async (_, body, words) => {
  world = await gymWorld()
  const answer = await post(`${world.url}/get_observation`, body)
  expect(answer.status).toBe(400)
  expect(answer.body['detail']).toContain(words)
})
