import { afterEach, expect, it } from 'vitest'
import type { GymTools } from '#schemas/http-gym.ts'
import { openTools } from '#services/gym/tools/open.ts'
import { definitions } from '#services/gym/tools/registry.ts'
import {
  answerTurn,
  callTurn,
  gymWorld,
  post,
  sameTools,
  type GymWorld,
  type GymWorldOptions,
} from '#tests/support/gym-world.ts'

let world: GymWorld | undefined
afterEach(async () => {
  await world?.close()
  world = undefined
})
async function open(options: GymWorldOptions = {}): Promise<GymWorld> {
  world = await gymWorld(options)
  return world
}

interface Begun {
  readonly episode_id: string
  readonly observation: { readonly images: readonly { data?: string; url?: string; image_id: string }[] }
  readonly problem?: { readonly code: string; readonly hint: string }
}
interface Taken {
  readonly episode_id: string
  readonly reward: number | null
  readonly done: boolean
  readonly step_index: number
  readonly problem?: { readonly code: string; readonly status: number }
}

const begin = async ({ url }: GymWorld, episodes: readonly unknown[], more: object = {}) =>
  (await post(`${url}/v1/gym/episodes`, { episodes, ...more })).body['episodes'] as Begun[]
const take = async ({ url }: GymWorld, steps: readonly unknown[]) =>
  (await post(`${url}/v1/gym/steps`, { steps })).body['steps'] as Taken[]

it('plays many episodes at once', async () => {
  const here = await open()
  const begun = await begin(
    here,
    [0, 1, 2].map((index) => ({ index })),
  )
  expect(new Set(begun.map(({ episode_id }) => episode_id)).size).toBe(3)
  const called = await take(
    here,
    begun.map(({ episode_id }) => ({ episode_id, action: callTurn })),
  )
  expect(called.every(({ done }) => !done)).toBe(true)
  const answered = await take(
    here,
    begun.map(({ episode_id }, index) => ({ episode_id, action: answerTurn(String(index === 1 ? 0 : index + 10)) })),
  )
  expect(answered.map(({ reward }) => reward)).toEqual([2, 1, 2])
})

it('what is wrong with one of many costs that one alone', async () => {
  const here = await open()
  const begun = await begin(here, [{ index: 0 }, { indx: 1 }, 'no object', { index: 2 }])
  expect(begun.map(({ problem }) => problem?.code)).toEqual([undefined, 'invalid', 'invalid', undefined])
  expect(begun[1]?.problem?.hint).toContain('did you mean index')
  const [first] = begun
  const taken = await take(here, [
    { episode_id: first?.episode_id, action: callTurn },
    { episode_id: 'nobody', action: callTurn },
    { episode_id: begun[3]?.episode_id, action: { tex: '' } },
  ])
  expect(taken.map(({ problem }) => problem?.code)).toEqual([undefined, 'episode_unknown', 'invalid'])
})

it('the room for episodes ends with a problem that says when to come again', async () => {
  const here = await open({ episodes_max: 2 })
  const begun = await begin(here, [{}, {}, {}])
  expect(begun.map(({ problem }) => problem?.code)).toEqual([undefined, undefined, 'too_many'])
})

it('a step that is sent again with its place is taken once and answered the same', async () => {
  const here = await open()
  const [begun] = await begin(here, [{}])
  const step = { episode_id: begun?.episode_id, action: callTurn, step_index: 0 }
  const first = await take(here, [step])
  expect(await take(here, [step])).toEqual(first)
  expect(here.gym.state(begun?.episode_id ?? '').step_count).toBe(1)
  const [other] = await take(here, [{ ...step, action: answerTurn('10') }])
  expect(other?.problem).toMatchObject({ code: 'conflict', status: 409 })
  const last = { episode_id: begun?.episode_id, action: answerTurn('10'), step_index: 1 }
  expect(await take(here, [last])).toEqual(await take(here, [last]))
})

it('two steps of one episode at the same time are refused', async () => {
  const here = await open({ tools: sameTools(100) })
  const [begun] = await begin(here, [{}])
  const taken = await take(
    here,
    [1, 2].map(() => ({ episode_id: begun?.episode_id, action: callTurn })),
  )
  expect(taken.map(({ problem }) => problem?.code)).toEqual([undefined, 'conflict'])
})

it('pictures come inline, or by a link that works while the episode is open', async () => {
  const here = await open()
  const [inline] = await begin(here, [{ index: 1 }])
  const [link] = await begin(here, [{ index: 1 }], { pictures: 'link' })
  const path = link?.observation.images[0]?.url ?? ''
  expect(link?.observation.images[0]?.data).toBeUndefined()
  const bytes = Buffer.from(await (await fetch(`${here.url}${path}`)).arrayBuffer())
  expect(bytes.toString('base64')).toBe(inline?.observation.images[0]?.data)
  for (const one of [inline, link]) {
    const ended = await fetch(`${here.url}/v1/gym/episodes/${encodeURIComponent(one?.episode_id ?? '')}`, {
      method: 'DELETE',
    })
    expect(ended.status).toBe(204)
  }
  expect((await fetch(`${here.url}${path}`)).status).toBe(404)
})

it('an episode is looked at and ended by its id', async () => {
  const here = await open()
  await begin(here, [{ trajectory_id: 'run a/1' }])
  const url = `${here.url}/v1/gym/episodes/${encodeURIComponent('run a/1')}`
  expect(await (await fetch(url)).json()).toMatchObject({ episode_id: 'run a/1', done: false, step_count: 0 })
  await fetch(url, { method: 'DELETE' })
  expect(await (await fetch(url)).json()).toMatchObject({ done: true, end_reason: 'user_stop' })
  expect((await fetch(`${here.url}/v1/gym/episodes/nobody`, { method: 'DELETE' })).status).toBe(404)
})

it.each([
  ['no JSON', '{', 400, 'invalid'],
  ['a list', '[]', 400, 'invalid'],
  ['an unknown field', { episodes: [{}], picture: 'link' }, 400, 'invalid'],
  ['no episodes', { episodes: [] }, 400, 'invalid'],
  ['too many episodes', { episodes: Array.from({ length: 1001 }, () => ({})) }, 400, 'invalid'],
  ['an unknown form of pictures', { episodes: [{}], pictures: 'jpeg' }, 400, 'invalid'],
  ['a body beyond bounds', `{"episodes": [{"run_id": "${'x'.repeat(33 * 1024 * 1024)}"}]}`, 413, 'too_large'],
])('refuses %s', async (_, body, status, code) => {
  const { url } = await open()
  const answer = await post(`${url}/v1/gym/episodes`, body)
  expect(answer.status).toBe(status)
  expect(answer.body).toMatchObject({ code, status })
  expect(answer.headers.get('content-type')).toBe('application/problem+json')
})

it('refuses other methods, unknown routes and unknown parameters', async () => {
  const { url } = await open()
  const method = await fetch(`${url}/v1/gym/episodes`)
  expect([method.status, method.headers.get('allow')]).toEqual([405, 'POST'])
  const route = (await (await fetch(`${url}/v1/gym/episode`)).json()) as { hint: string }
  expect(route.hint).toContain('/v1/gym/episodes')
  expect(((await (await fetch(`${url}/health?verbose=1`)).json()) as { code: string }).code).toBe('unknown_parameter')
})

it('tells what can be asked, and how it is', async () => {
  const here = await open()
  await begin(here, [{}])
  expect(await (await fetch(`${here.url}/v1/gym`)).json()).toMatchObject({
    families: ['chart'],
    kinds: [{ kind: 'chart/shown-number', levels: [{ size: 20 }, { size: 10 }] }],
    episodes_open: 1,
    episodes_max: 1000,
  })
  expect(await (await fetch(`${here.url}/metrics`)).json()).toMatchObject({ episodes_open: 1, active_requests: 1 })
  const text = await (await fetch(`${here.url}/metrics`, { headers: { accept: 'text/plain' } })).text()
  expect(text).toContain('# TYPE stepstore_gym_episodes_open gauge\nstepstore_gym_episodes_open 1\n')
})

it('says that it is not ready, and why, while what is played cannot be recorded', async () => {
  let troubles: readonly string[] = []
  const { url } = await open({ troubles: () => troubles })
  const asked = async () => {
    const ready = await fetch(`${url}/readyz`)
    const health = (await (await fetch(`${url}/health`)).json()) as object
    return [ready.status, await ready.json(), health]
  }
  expect(await asked()).toEqual([200, { ready: true, reasons: [] }, { status: 'healthy' }])
  troubles = ['the buffer is full']
  expect(await asked()).toEqual([503, { ready: false, reasons: troubles }, { status: 'degraded' }])
})

it('tells every tool with its subset, aliases, limits, and the schemas of arguments and answers', async () => {
  const tools = openTools()
  const here = await open({ tools })
  const { tools: told } = (await (await fetch(`${here.url}/v1/gym/tools`)).json()) as GymTools
  await tools.close()
  expect(told.map(({ name }) => name)).toEqual(definitions.map(({ name }) => name))
  for (const { tasks, timeout_ms, aliases } of told) {
    expect([timeout_ms > 0, aliases.length > 0, tasks.length > 0]).toEqual([true, true, true])
    for (const { arguments: given, output } of tasks) {
      expect(given).toMatchObject({ type: 'object', additionalProperties: false })
      expect(output).toMatchObject({ type: 'object' })
    }
  }
  const chart = told.find(({ name }) => name === 'chartmoe')
  expect(chart).toMatchObject({ runs: 'local', callable: true, offered_to: ['chart', 'geospatial'] })
  expect(chart?.tasks.find(({ task }) => task === 'answer')?.subset).toBe('QAAnalysis')
  expect(told.find(({ name }) => name === 'deplot')).toMatchObject({ runs: 'remote', callable: false })
})

it('its OpenAPI document names every route that it has', async () => {
  const { url } = await open()
  const { paths } = (await (await fetch(`${url}/openapi.json`)).json()) as {
    paths: Record<string, Record<string, unknown>>
  }
  for (const [path, methods] of Object.entries(paths)) {
    const real = path.replace(/\{\w+\}/, 'x')
    for (const method of Object.keys(methods)) {
      const answer = await fetch(`${url}${real}`, { method: method.toUpperCase() })
      expect([path, answer.status]).not.toEqual([path, 405])
      const { detail = '' } = answer.status === 404 ? ((await answer.json()) as { detail?: string }) : {}
      expect(detail).not.toContain('there is no route')
    }
  }
})
