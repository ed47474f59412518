import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { openAiPolicies, type OpenAiOptions } from '#services/gym/policies/openai.ts'
import { loopWorld, type LoopWorld } from './loop-world.ts'

type Body = {
  model: string
  messages: { role: string; content: string | { type: string; image_url?: { url: string } }[] }[]
  stop: string[]
  logprobs?: boolean
}
type Answer = { status: number; body: unknown; headers?: Record<string, string> }

const servers: Server[] = []
const worlds: LoopWorld[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) server.close()
  for (const { gym, tools } of worlds.splice(0)) {
    await gym.close()
    await tools.close()
  }
})

/** A small OpenAI-compatible server: `answer` says what comes of the nth request. */
async function endpoint(answer: (body: Body, nth: number) => Answer) {
  const seen: { body: Body; authorization: string | undefined }[] = []
  const server = createServer((request, response) => {
    const pieces: Buffer[] = []
    request.on('data', (piece: Buffer) => pieces.push(piece))
    request.on('end', () => {
      const body = JSON.parse(Buffer.concat(pieces).toString()) as Body
      seen.push({ body, authorization: request.headers.authorization })
      const { status, body: said, headers } = answer(body, seen.length)
      response.writeHead(status, { 'content-type': 'application/json', ...headers })
      response.end(typeof said === 'string' ? said : JSON.stringify(said))
    })
  }).listen(0, '127.0.0.1')
  servers.push(server)
  await once(server, 'listening')
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, seen }
}

const completion = (content: string, more: Record<string, unknown> = {}) => ({
  status: 200,
  body: {
    choices: [{ message: { role: 'assistant', content }, finish_reason: 'stop', ...more }],
    usage: { prompt_tokens: 900, completion_tokens: 20 },
  },
})

const callOpen = '<think>Ask.</think><tool_call>{"tool":"teller","task":"tell"}'

/** A model that asks the teller and then says what it said, as a server with a stop word would give it. */
function asking(body: Body): Answer {
  const said = /number: (\d+)/.exec(JSON.stringify(body.messages.at(-1)))?.[1]
  return said === undefined ? completion(callOpen) : completion(`<think>Heard.</think><answer>${said}</answer>`)
}

async function playing(url: string, options: Partial<OpenAiOptions> = {}) {
  const world = await loopWorld()
  worlds.push(world)
  const source = openAiPolicies({
    url,
    model: 'm',
    key: 'secret',
    image: (id) => world.gym.image(id)?.bytes,
    chance: () => 0,
    wait: async () => {},
    ...options,
  })
  const play = async (index: number) => {
    const { episode_id, observation, family, question, choices, item_id } = await world.gym.reset({ index })
    const policy = source.policy({
      seed: 0,
      item_id,
      family,
      policy_version: 0,
      rollout_index: 0,
      first_id: episode_id,
    })
    for (let { messages } = observation; ; messages = world.gym.state(episode_id).messages) {
      const seen = { family, question, choices, image_ids: [], messages, turns_left: 1, heard: [] }
      const result = await world.gym.step(episode_id, await policy.turn(seen, new AbortController().signal))
      if (result.done) return result
    }
  }
  return { world, source, play }
}

describe('a model behind an endpoint', () => {
  it('is sent the picture and the whole history, stops at the call, and is recorded', async () => {
    const { url, seen } = await endpoint(asking)
    const { world, play } = await playing(url)
    expect(await play(0)).toMatchObject({ reward: 2, end_reason: 'answer' })
    const [first, second] = seen.map(({ body }) => body)
    expect(seen[0]?.authorization).toBe('Bearer secret')
    expect(first).toMatchObject({ model: 'm', stop: ['</tool_call>'] })
    const [part] = (first?.messages[1]?.content ?? []) as { image_url?: { url: string } }[]
    const sent = Buffer.from(part?.image_url?.url.replace('data:image/png;base64,', '') ?? '', 'base64')
    expect(sent.equals(Buffer.from(world.images()[0]?.bytes ?? []))).toBe(true)
    expect(second?.messages.map(({ role }) => role)).toEqual(['system', 'user', 'assistant', 'user'])
    const steps = world.events('step.recorded')
    expect(steps[0]?.raw_output).toBe(`${callOpen}</tool_call>`)
    expect(steps[0]).toMatchObject({ prompt_tokens: 900, completion_tokens: 20, turn_format_ok: true })
  })

  it('tells token ids and log probabilities where the server gives them', async () => {
    const { url } = await endpoint(() =>
      completion('<think>a</think><answer>1</answer>', {
        token_ids: [1, 2],
        logprobs: {
          content: [
            { token: 'a', logprob: -0.5 },
            { token: 'b', logprob: -0.25 },
          ],
        },
      }),
    )
    const { world, play } = await playing(url)
    await play(0)
    expect(world.events('step.recorded')[0]).toMatchObject({
      completion_token_ids: [1, 2],
      logprobs: [-0.5, -0.25],
      loss_mask: [1, 1],
    })
  })

  it('tries again what may pass: overload, faults, garbage; and asks for no token ids where they are refused', async () => {
    const waits: number[] = []
    const faults: Answer[] = [
      { status: 400, body: { error: 'unknown field return_token_ids' } },
      { status: 429, body: {}, headers: { 'retry-after': '7' } },
      { status: 500, body: 'oops' },
      { status: 200, body: 'no JSON' },
    ]
    const { url, seen } = await endpoint((body, nth) => faults[nth - 1] ?? asking(body))
    const { play, source } = await playing(url, { wait: async (ms) => void waits.push(ms) })
    expect(await play(0)).toMatchObject({ reward: 2 })
    expect(source.use()).toEqual({ requests: 6, tokens: 1840, retries: 4 })
    expect(waits.slice(0, 2)).toEqual([0, 7000])
    expect(seen.map(({ body }) => body.logprobs)).toEqual([true, undefined, undefined, undefined, undefined, undefined])
  })

  it('keeps the key out of what it says, follows no redirect, and reads no more than an answer can be', async () => {
    const quoting = await endpoint(() => ({ status: 400, body: { error: 'Incorrect API key provided: secret' } }))
    const { play } = await playing(quoting.url, { retries: 1 })
    const refusal: unknown = await play(0).catch((error: unknown) => error)
    expect(String(refusal)).toContain('********')
    expect(JSON.stringify([refusal, String(refusal)])).not.toContain('secret')
    const other = await endpoint(asking)
    const moved = await endpoint(() => ({
      status: 307,
      body: {},
      headers: { location: `${other.url}/chat/completions` },
    }))
    await expect((await playing(moved.url, { retries: 0 })).play(0)).rejects.toMatchObject({ code: 'unavailable' })
    expect(other.seen).toEqual([])
    const huge = await endpoint(() => ({ status: 200, body: 'x'.repeat(33 * 1024 * 1024) }))
    await expect((await playing(huge.url, { retries: 0 })).play(0)).rejects.toThrow(/over \d+ bytes/)
  })

  it('is recorded without the key, and with counts and ids of tokens as far as they make sense', async () => {
    const { url } = await endpoint(() => ({
      status: 200,
      body: {
        choices: [{ message: { content: '<think>a</think><answer>1</answer>' }, token_ids: [1, -2] }],
        usage: { prompt_tokens: 9e15, completion_tokens: 9e15 },
      },
    }))
    const { world, play } = await playing(url)
    await play(0)
    const [step] = world.events('step.recorded')
    expect(step).toMatchObject({ prompt_tokens: 1e9, completion_tokens: 1e9 })
    expect(step).not.toHaveProperty('completion_token_ids')
    const told = [step, world.events('trajectory.started'), world.events('trajectory.finished')]
    expect(JSON.stringify(told)).not.toContain('secret')
  })

  it('gives up after its retries, at a refusal, and when the budget is spent', async () => {
    const down = await endpoint(() => ({ status: 503, body: {} }))
    await expect((await playing(down.url, { retries: 2 })).play(0)).rejects.toMatchObject({ code: 'unavailable' })
    expect(down.seen).toHaveLength(3)
    const closed = await endpoint(() => ({ status: 401, body: {} }))
    await expect((await playing(closed.url)).play(0)).rejects.toMatchObject({ hint: 'set OPENAI_API_KEY' })
    const costly = await endpoint(asking)
    const { play } = await playing(costly.url, { budget_tokens: 1000 })
    await expect(play(0).then(() => play(1))).rejects.toMatchObject({ code: 'too_many' })
    expect(costly.seen).toHaveLength(2)
  })
})
