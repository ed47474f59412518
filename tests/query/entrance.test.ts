import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { operationRoutes } from '#services/query/routes/operation-routes.ts'
import type { QueryDeps } from '#services/query/deps.ts'
import { rollout } from './rollouts.ts'
import { encoded, PUBLIC_URL, queryWorld, type World } from './world.ts'

let world: World

beforeAll(async () => {
  world = await queryWorld()
  await world.send(...rollout({ id: 'first/0', run: 'a/b', group: 'g/1' }))
})

afterAll(async () => {
  await world.close()
})

describe('the root', () => {
  test('leads a browser to the pages', async () => {
    const { status, headers } = await world.get('/', { headers: { accept: 'text/html,application/xhtml+xml,*/*' } })
    expect([status, headers.get('location')]).toEqual([303, '/docs'])
  })

  test('tells other clients where to begin', async () => {
    const { status, body } = await world.get('/', { headers: { accept: '*/*' } })
    expect([status, body.docs, body.openapi]).toEqual([200, `${PUBLIC_URL}/docs`, `${PUBLIC_URL}/openapi.json`])
  })
})

test.each([
  '/',
  '/healthz',
  '/readyz',
  '/openapi.json',
  '/v1/position',
  '/v1/runs',
  `/v1/trajectories/${encoded('first/0')}`,
  `/v1/trajectories/${encoded('first/0')}/steps`,
  '/v1/no-such-route',
  '/v1/runs/nobody',
])('the JSON of %s ends with a newline', async (path) => {
  expect(await (await world.request(path)).text()).toMatch(/[^\n]\n$/)
})

test.each([
  ['/v1/trajectories/first/0', '/v1/trajectories/first%2F0'],
  ['/v1/trajectories/first/0/steps', '/v1/trajectories/first%2F0/steps'],
  ['/v1/runs/a/b', '/v1/runs/a%2Fb'],
  ['/v1/groups/g/1', '/v1/groups/g%2F1'],
])('%s is told to be written %s, and that works', async (path, encodedPath) => {
  const { status, body } = await world.get(path)
  expect([status, body.code]).toEqual([404, 'not_found'])
  expect(body.hint).toMatch(new RegExp(`%2F: ${encodedPath}$`))
  expect((await world.get(encodedPath)).status).toBe(200)
})

describe('readiness', () => {
  const ready = async (deps: QueryDeps): Promise<{ status: number; body: unknown }> => {
    const found = operationRoutes(20).find(({ path }) => path === '/readyz')
    const answer = await found?.handle?.(deps, () => '', new Request('http://localhost/readyz'))
    return { status: answer?.status ?? 0, body: await answer?.json() }
  }
  const well = (): QueryDeps => ({
    ...world,
    archive: { newest: undefined, reach: () => Promise.resolve(undefined) },
    logger: () => {},
    clock: () => 0,
    publicUrl: PUBLIC_URL,
  })

  test('is false with the reason while the store hangs', async () => {
    const hanging = new Proxy(world.store.db, {
      get: (target, name, self) =>
        name === 'executeQuery' || name === 'getExecutor'
          ? () => new Promise(() => {})
          : (Reflect.get(target, name, self) as unknown),
    })
    expect(await ready({ ...well(), store: { ...world.store, db: hanging } })).toMatchObject({
      status: 503,
      body: { ready: false, reasons: [{ code: 'not_answering', detail: expect.stringContaining('the store') }] },
    })
  })

  test('is false with the reason while the log fails', async () => {
    const log = { ...well().log, bounds: () => Promise.reject(new Error('no broker')) }
    expect(await ready({ ...well(), log })).toMatchObject({
      status: 503,
      body: { ready: false, reasons: [{ code: 'not_answering', detail: expect.stringContaining('the log') }] },
    })
  })
})
