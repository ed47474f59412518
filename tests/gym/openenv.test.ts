import { afterEach, describe, expect, it } from 'vitest'
import {
  answerTurn,
  callTurn,
  gymWorld,
  post,
  TOLD,
  type GymWorld,
  type GymWorldOptions,
} from '#tests/support/gym-world.ts'
import { openEnvClient, type OpenEnvClient } from '#tests/support/openenv-client.ts'
import { until } from '#tests/support/processes.ts'

let world: GymWorld | undefined
afterEach(async () => {
  await world?.close()
  world = undefined
})

async function connected(options: GymWorldOptions = {}): Promise<{ world: GymWorld; client: OpenEnvClient }> {
  const made = await gymWorld(options)
  world = made
  return { world: made, client: await openEnvClient(made.url) }
}
const reset = (data: object = {}) => ({ type: 'reset', data })
const step = (text: string) => ({ type: 'step', data: { text } })

it('a reset tells the question and sends the picture as a named field', async () => {
  const { client } = await connected()
  const { type, data } = await client.say(reset({ index: 2, episode_id: 'mine' }))
  expect(type).toBe('observation')
  expect(data).toMatchObject({
    reward: null,
    done: false,
    observation: {
      episode_id: 'mine',
      question: 'Which number is shown?',
      turns_left: 3,
      item_id: 'chart/shown-number/train/0/0002-l0',
    },
  })
  const [image] = (data['observation'] as { images: { media_type: string; data: string; image_id: string }[] }).images
  expect(image?.media_type).toBe('image/png')
  expect(
    Buffer.from(image?.data ?? '', 'base64')
      .subarray(1, 4)
      .toString(),
  ).toBe('PNG')
})

it('a step tells what the tool said, the last one the reward with its parts', async () => {
  const { client } = await connected()
  await client.say(reset())
  const first = await client.say(step(callTurn))
  expect(first.data).toMatchObject({
    reward: null,
    done: false,
    observation: { action_kind: 'tool_call', valid: true },
  })
  expect((first.data['observation'] as { text: string }).text).toContain(TOLD)
  const last = await client.say(step(answerTurn('10')))
  expect(last.data).toMatchObject({
    reward: 2,
    done: true,
    observation: { score: { parts: { rep: 0, format: 1, correct: 1 } } },
  })
})

it('state tells the episode, and that there is none before the first reset', async () => {
  const { client } = await connected()
  expect(await client.say({ type: 'state' })).toEqual({ type: 'state', data: { episode_id: null, step_count: 0 } })
  await client.say(reset({ episode_id: 'e' }))
  await client.say(step(callTurn))
  expect((await client.say({ type: 'state' })).data).toMatchObject({ episode_id: 'e', step_count: 1, turns_left: 2 })
})

it('a second reset ends the first episode, and leaving ends the last', async () => {
  const { world: here, client } = await connected()
  await client.say(reset({ episode_id: 'one' }))
  await client.say(reset({ episode_id: 'two' }))
  expect(here.gym.state('one')).toMatchObject({ done: true, end_reason: 'user_stop' })
  expect(here.gym.counts().episodes_open).toBe(1)
  await client.close()
  await until('the episode ends', () => (here.gym.state('two').done ? true : undefined))
})

it('close is answered by closing', async () => {
  const { client } = await connected()
  void client.say({ type: 'close' })
  expect(await client.closed).toBe(1005)
})

it('steps that are sent ahead are answered in their order', async () => {
  const { client } = await connected()
  const answers = await Promise.all([
    client.say(reset()),
    client.say(step(callTurn)),
    client.say(step(answerTurn('10'))),
    client.say({ type: 'state' }),
  ])
  expect(answers.map(({ type }) => type)).toEqual(['observation', 'observation', 'observation', 'state'])
  expect(answers[2]?.data['reward']).toBe(2)
})

describe('what is wrong is said with the code of OpenEnv', () => {
  it.each([
    ['text that is no JSON', 'hello', 'INVALID_JSON', /Invalid JSON/],
    ['JSON that is no object', '[1]', 'VALIDATION_ERROR', /no JSON object/],
    ['an unknown type', { type: 'rest' }, 'UNKNOWN_TYPE', /reset, step, state or close/],
    ['an unknown reset argument', reset({ famly: 'chart' }), 'VALIDATION_ERROR', /did you mean family/],
    ['a wrong value', reset({ seed: -1 }), 'VALIDATION_ERROR', /seed is -1/],
    [
      'an item that is none',
      reset({ item_id: 'chart/shown-numbr/train/0/0000-l0' }),
      'VALIDATION_ERROR',
      /chart\/shown-number/,
    ],
    ['an id given twice', reset({ episode_id: 'a', trajectory_id: 'b' }), 'VALIDATION_ERROR', /the same thing/],
    ['a step before a reset', step('x'), 'EXECUTION_ERROR', /no episode yet/],
    ['a step without text', { type: 'step', data: { txt: 'x' } }, 'VALIDATION_ERROR', /did you mean text/],
    ['a step of a wrong type', { type: 'step', data: { text: 5 } }, 'VALIDATION_ERROR', /text/],
  ])('%s', async (_, message, code, words) => {
    const { client } = await connected()
    const { type, data } = await client.say(message)
    expect(type).toBe('error')
    expect(data['code']).toBe(code)
    expect(data['message']).toMatch(words)
    // The session goes on.
    expect((await client.say(reset())).type).toBe('observation')
  })

  it('a step after the end', async () => {
    const { client } = await connected()
    await client.say(reset())
    await client.say(step(answerTurn('10')))
    const { data } = await client.say(step(callTurn))
    expect(data).toMatchObject({ code: 'EXECUTION_ERROR', problem: 'episode_over' })
  })

  it('a session too many, and a reset beyond the room', async () => {
    const { world: here, client } = await connected({ episodes_max: 1 })
    await here.gym.reset()
    expect((await client.say(reset())).data).toMatchObject({ code: 'CAPACITY_REACHED' })
    const second = await openEnvClient(here.url)
    expect((await second.heard()).data).toMatchObject({ code: 'CAPACITY_REACHED', active_sessions: 1, max_sessions: 1 })
    expect(await second.closed).toBe(1013)
  })

  it('a session without a message', async () => {
    const { client } = await connected({ idleMs: 60 })
    expect((await client.heard()).data['code']).toBe('SESSION_ERROR')
    expect(await client.closed).toBe(1001)
  })
})

it('a key is asked for, and taken as a password or a token', async () => {
  const made = await gymWorld({ key: 'k+1' })
  world = made
  await expect(openEnvClient(made.url)).rejects.toThrow('401')
  expect((await post(`${made.url}/reset`, {})).status).toBe(401)
  const client = await openEnvClient(made.url.replace('//', '//gym:k%2B1@'))
  expect((await client.say(reset())).type).toBe('observation')
  await client.close()
  expect((await fetch(`${made.url}/health?token=k%2B1`)).status).toBe(200)
})

it('everything is found under /gym too, where a port is shared', async () => {
  const made = await gymWorld()
  world = made
  expect(await (await fetch(`${made.url}/gym/health`)).json()).toEqual({ status: 'healthy' })
  const client = await openEnvClient(`${made.url}/gym`)
  expect((await client.say(reset())).type).toBe('observation')
  await client.close()
})

it('a WebSocket elsewhere is refused in words', async () => {
  const made = await gymWorld()
  world = made
  await expect(openEnvClient(`${made.url}/elsewhere`)).rejects.toThrow('404')
})

it('tells what it is, and schemas that name every field that it sends', async () => {
  const { world: here, client } = await connected()
  expect(await (await fetch(`${here.url}/metadata`)).json()).toMatchObject({ name: 'stepstore-gym' })
  const { observation } = (await (await fetch(`${here.url}/schema`)).json()) as { observation: { properties: object } }
  const begun = await client.say(reset())
  const taken = await client.say(step(callTurn))
  for (const { data } of [begun, taken])
    for (const name of Object.keys(data['observation'] as object)) expect(observation.properties).toHaveProperty(name)
})

it('a stateless reset leaves no episode open', async () => {
  const made = await gymWorld()
  world = made
  const { status, body } = await post(`${made.url}/reset`, { index: 1 })
  expect(status).toBe(200)
  expect(body).toMatchObject({ done: false, reward: null, observation: { turns_left: 3 } })
  expect(made.gym.counts().episodes_open).toBe(0)
  const refused = await post(`${made.url}/reset`, { difficulty: 3 })
  expect(refused.body).toMatchObject({ code: 'invalid', status: 422 })
})

it.each([
  ['/reset', { difficulty: 3 }],
  ['/reset', '{'],
  ['/reset', { seed: 'x' }],
  ['/step', {}],
  ['/step', { action: { txt: 'x' } }],
  ['/step', { action: { text: 5 } }],
  ['/step', { action: { text: 'x' }, timeout_s: -1 }],
])('what does not fit is 422, as in the server of OpenEnv: %s %j', async (path, body) => {
  const made = await gymWorld()
  world = made
  expect((await post(`${made.url}${path}`, body)).status).toBe(422)
  expect(made.gym.counts().episodes_open).toBe(0)
})

it('lists its tools over MCP, and says where they are called', async () => {
  const { world: here, client } = await connected()
  const list = { jsonrpc: '2.0', id: 1, method: 'tools/list' }
  const tools = [{ name: 'EasyOCR', inputSchema: { type: 'object' } }]
  expect((await post(`${here.url}/mcp`, list)).body).toEqual({ jsonrpc: '2.0', id: 1, result: { tools } })
  expect(await client.say({ type: 'mcp', data: list })).toMatchObject({ type: 'mcp', data: { result: { tools } } })
  const called = await post(`${here.url}/mcp`, { ...list, method: 'tools/call', params: { name: 'EasyOCR' } })
  expect(called.body).toMatchObject({ error: { code: -32601, message: expect.stringContaining('/ws') as string } })
  expect((await post(`${here.url}/mcp`, {})).body).toMatchObject({ id: null, error: { code: -32600 } })
  expect((await post(`${here.url}/mcp`, '{')).body).toMatchObject({ id: null, error: { code: -32700 } })
  const socket = await openEnvClient(here.url, 'mcp')
  expect(await socket.say(list)).toEqual({ jsonrpc: '2.0', id: 1, result: { tools } })
  expect(await socket.say('{')).toMatchObject({ error: { code: -32700 } })
  await socket.close()
})
