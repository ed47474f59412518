/** A served gym among strangers: what they send is bounded, and makes it fetch nothing. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { openTools } from '#services/gym/tools/open.ts'
import { answerTurn, gymWorld, post, type GymWorld, type GymWorldOptions } from '#tests/support/gym-world.ts'
import { openEnvClient } from '#tests/support/openenv-client.ts'
import { until } from '#tests/support/processes.ts'

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})
async function world(options: GymWorldOptions = {}): Promise<GymWorld> {
  const made = await gymWorld(options)
  closing.push(() => made.close())
  return made
}

interface Begun {
  readonly episode_id?: string
  readonly problem?: { readonly code: string; readonly status: number }
}
const begin = async ({ url }: GymWorld, episodes: readonly object[]): Promise<readonly Begun[]> =>
  (await post(`${url}/v1/gym/episodes`, { episodes, pictures: 'link' })).body['episodes'] as Begun[]

it('of 10,000 episodes 1,000 are begun, and the others are told when to come again', async () => {
  const here = await world()
  const codes = new Map<string, number>()
  for (let batch = 0; batch < 10; batch++) {
    for (const { problem } of await begin(
      here,
      Array.from({ length: 1000 }, () => ({ index: 1 })),
    )) {
      const code = problem?.code ?? 'begun'
      codes.set(code, (codes.get(code) ?? 0) + 1)
    }
  }
  expect(Object.fromEntries(codes)).toEqual({ begun: 1000, too_many: 9000 })
})

it('episodes that nobody steps end, and make room', async () => {
  const here = await world({ idleMs: 50, episodes_max: 2 })
  await begin(here, [{}, {}])
  await until('the episodes end', () => (here.gym.counts().episodes_open === 0 ? true : undefined))
  const ended = here.recorder.take().events.flatMap((event) => (event.type === 'trajectory.finished' ? [event] : []))
  expect(ended.map(({ data }) => [data.status, data.end_reason])).toEqual([
    ['aborted', 'time_limit'],
    ['aborted', 'time_limit'],
  ])
  expect((await begin(here, [{}]))[0]?.problem).toBeUndefined()
})

it('an action of 1 MB ends its episode through every face, and no more of it is kept than may be', async () => {
  const here = await world()
  const action = 'word '.repeat(210_000)
  const [begun] = await begin(here, [{ trajectory_id: 'batch' }])
  const { body } = await post(`${here.url}/v1/gym/steps`, { steps: [{ episode_id: begun?.episode_id, action }] })
  expect(body['steps']).toMatchObject([{ done: true, end_reason: 'max_tokens', reward: -3 }])
  const router = { trajectory_ids: ['verl'], actions: [action], extra_fields: [{ gym: { index: 1 } }] }
  expect((await post(`${here.url}/get_observation`, router)).body).toMatchObject({ dones: [true] })
  const client = await openEnvClient(here.url)
  await client.say({ type: 'reset', data: { episode_id: 'openenv' } })
  expect((await client.say({ type: 'step', data: { text: action } })).data).toMatchObject({ done: true, reward: -3 })
  await client.close()
  const steps = here.recorder.take().events.flatMap((event) => (event.type === 'step.recorded' ? [event.data] : []))
  expect(steps.map(({ trajectory_id }) => trajectory_id)).toEqual(['batch', 'verl', 'openenv'])
  for (const step of steps) expect(JSON.stringify(step).length).toBeLessThan(130_000)
})

it('a message that is too large closes its socket, and the gym goes on', async () => {
  const here = await world()
  const client = await openEnvClient(here.url)
  void client.say({ type: 'step', data: { text: 'x'.repeat(5 * 1024 * 1024) } })
  expect(await client.closed).toBe(1009)
  expect((await begin(here, [{}]))[0]?.problem).toBeUndefined()
})

it.each([
  ['batch', (url: string) => post(`${url}/v1/gym/episodes`, { episodes: [{ difficulty: 3 }] })],
  ['verl-tool', (url: string) => router(url, { gym: { difficulty: 3 } })],
  ['OpenEnv over HTTP', (url: string) => post(`${url}/reset`, { difficulty: 3 })],
])('reset arguments that nobody knows are refused: %s', async (_, ask) => {
  const here = await world()
  const { body } = await ask(here.url)
  expect(JSON.stringify(body)).toContain('unknown reset option')
  expect(here.gym.counts().episodes_started).toBe(0)
})

const router = (url: string, extra: object, action = answerTurn('1')) =>
  post(`${url}/get_observation`, { trajectory_ids: ['t'], actions: [action], extra_fields: [extra] })

it('no address that a client sends is ever asked, and no file opened', async () => {
  const asked: string[] = []
  const bait = createServer((incoming, response) => {
    asked.push(incoming.url ?? '')
    response.end()
  })
  await new Promise<void>((resolve) => bait.listen(0, '127.0.0.1', resolve))
  closing.push(() => new Promise((resolve) => bait.close(resolve)))
  const url = `http://127.0.0.1:${(bait.address() as AddressInfo).port}/bait.png`
  const tools = openTools({ threads: 1 })
  closing.push(() => tools.close())
  const here = await world({ tools })
  const file = 'file:///etc/passwd'
  const call = (value: object): string => `<think>a</think><tool_call>${JSON.stringify(value)}</tool_call>`
  const calls = [
    call({ tool: 'easyocr', task: 'recognize_only', arguments: { image: url } }),
    call({ tool: 'easyocr', task: 'recognize_only', image: url, image_path: file }),
    call({ tool: 'grounding_dino', task: 'detect', arguments: { caption: url } }),
    call({ tool: 'text_cdl', arguments: { question: `${url} ${file}` } }),
    call({ tool: url, arguments: { url } }),
  ]
  for (const [place, action] of calls.entries()) {
    const extra = { gym: { index: place, sampling: { url, images: [file] } }, images: [url, file], image: url }
    const { body } = await post(`${here.url}/get_observation`, {
      trajectory_ids: [`t${place}`],
      actions: [action],
      extra_fields: [extra],
    })
    expect(JSON.stringify(body)).not.toContain('root:')
  }
  const begun = await begin(here, [{ sampling: { picture: url } }])
  expect(begun[0]?.problem).toBeUndefined()
  expect((await begin(here, [{ picture: url }]))[0]?.problem?.code).toBe('invalid')
  expect(asked).toEqual([])
})
