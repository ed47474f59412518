/** Requests that make no sense, or too much of it: each gets an answer that says what is wrong, or what it asked for. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Hono } from 'hono'
import { PUBLIC_URL, served } from './served.ts'
import { smallLake, trajectory, type SmallLake } from './small-lake.ts'

const PATH = '/v1/datasets/trajectories.jsonl'
/** What clients take in all headers together, at the least: fetch of Node. */
const HEADERS_CHARS_MAX = 16 * 1024

let lake: SmallLake
let app: Hono

beforeEach(async () => {
  lake = await smallLake()
  await lake.add({
    trajectories: [1, 2, 3].map((index) => trajectory({ trajectory_id: `t${index}`, item_id: `item-${index}` })),
  })
  app = served(lake)
})
afterEach(async () => {
  await lake.close()
})

const get = async (path: string) => {
  const answer = await app.request(`${PUBLIC_URL}${path}`)
  return { status: answer.status, headers: answer.headers, text: await answer.text() }
}
const json = async (path: string) => {
  const { status, text } = await get(path)
  return { status, body: JSON.parse(text) as Record<string, unknown> }
}
const lines = (text: string) =>
  text
    .split('\n')
    .slice(0, -1)
    .map((line) => (JSON.parse(line) as { trajectory_id: string }).trajectory_id)
const headerChars = (headers: Headers) =>
  [...headers].reduce((sum, [name, value]) => sum + name.length + value.length, 0)

describe('an operator', () => {
  it.each([
    ['reward_between=1', 'reward_between'],
    ['reward%5Bgte%5D=1', 'reward[gte]'],
    ['run_gte=a', 'run_gte'],
    ['status_ne=completed', 'status_ne'],
    ['correct_gt=true', 'correct_gt'],
  ])('that is not there is refused: %s', async (query, parameter) => {
    const { status, body } = await json(`${PATH}?${query}`)
    expect([status, body['code'], body['detail']]).toEqual([
      400,
      'unknown_parameter',
      expect.stringContaining(parameter),
    ])
  })
})

describe('a filter that contradicts itself', () => {
  it.each(['n_steps_gte=5&n_steps_lt=5', 'policy_version=0&policy_version_ne=0', 'split=test&exclude_split=test'])(
    'is an empty set that says so: %s',
    async (query) => {
      const answer = await get(`${PATH}?${query}`)
      expect([answer.status, answer.text, answer.headers.get('stepstore-rows')]).toEqual([200, '', '0'])
      expect(answer.headers.get('stepstore-notice')).toMatch(/^0 rows: of 3 trajectories 3 do not fit /)
    },
  )
})

const save = (filter: unknown) =>
  app.request(`${PUBLIC_URL}/v1/recipes`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'many', recipe: 'trajectories', filter }),
  })

describe('a filter with 10,000 values', () => {
  it('is refused with how many there may be, in a URL and saved', async () => {
    const items = Array.from({ length: 10_000 }, (_, index) => `i${index}`)
    const refused = {
      code: 'invalid_parameter',
      detail: 'item is given 10000 times, and may come 200 times',
      hint: 'ask 200 at a time',
      parameter: 'item',
    }
    const asked = await json(`${PATH}?${items.map((item) => `item=${item}`).join('&')}`)
    expect(asked).toEqual({ status: 400, body: expect.objectContaining(refused) })
    const saved = await save({ item: items })
    expect([saved.status, await saved.json()]).toEqual([400, expect.objectContaining(refused)])
  })
})

describe('a filter that is as long as it may be', () => {
  const items = ['item-2', 'item-3', ...Array.from({ length: 198 }, (_, index) => `${index}-${'x'.repeat(200)}`)]

  it('is answered in headers that clients take, and its pin names the URL', async () => {
    const query = items.map((item) => `item=${item}`).join('&')
    const answer = await get(`${PATH}?${query}`)
    expect([answer.status, lines(answer.text)]).toEqual([200, ['t2', 't3']])
    expect(headerChars(answer.headers)).toBeLessThan(HEADERS_CHARS_MAX)
    const { body } = await json(`${PATH}/pin?${query}`)
    expect((await get(String(body['url']).slice(PUBLIC_URL.length))).text).toBe(answer.text)
  })

  it('and was saved is pinned and divided by the name that it has', async () => {
    expect((await save({ item: items })).status).toBe(201)
    const answer = await get('/v1/datasets/@many.jsonl?status=completed&wait=5')
    const location = `${PUBLIC_URL}/v1/datasets/@many:1.jsonl?snapshot=1&status=completed`
    expect([answer.headers.get('content-location'), lines(answer.text)]).toEqual([location, ['t2', 't3']])
    await lake.add({ trajectories: [trajectory({ trajectory_id: 't4', item_id: 'item-2' })] })
    expect((await save({ item: items.slice(1) })).status).toBe(201)
    const pinned = await get(location.slice(PUBLIC_URL.length))
    expect([pinned.headers.get('cache-control'), pinned.text]).toEqual([
      'private, max-age=31536000, immutable',
      answer.text,
    ])
    const pin = await json('/v1/datasets/@many:1.jsonl/pin?snapshot=1&status=completed')
    expect(pin.body['url']).toBe(location)
    const { body } = await json('/v1/datasets/@many:1.jsonl/shards?snapshot=1&n=2')
    const urls = body['urls'] as string[]
    expect(urls[0]).toBe(`${PUBLIC_URL}/v1/datasets/@many:1.jsonl?shard=0%2F2&snapshot=1`)
    const parts = await Promise.all(urls.map(async (url) => lines((await get(url.slice(PUBLIC_URL.length))).text)))
    expect(parts.flat().toSorted()).toEqual(['t2', 't3'])
  })
})
