/** The gym of real servers: beside the other programs, and alone with a platform that comes later. */
import { request } from 'node:http'
import { afterEach, expect, it, vi } from 'vitest'
import { until } from '#tests/support/processes.ts'
import { cleanUp, newWorld, nothingLeft, startServer, type World } from '#tests/support/server-process.ts'
import { post } from '#tests/support/gym-world.ts'
import { openEnvClient } from '#tests/support/openenv-client.ts'

// Several lives of a whole server, on a machine with other work.
vi.setConfig({ testTimeout: 120_000 })
afterEach(() => cleanUp())

const answer = '<think>I guess.</think><answer>yes</answer>'

/** Whether a trajectory has arrived, and ended. */
const arrived = (world: World, id: string): Promise<unknown> =>
  until(
    `the trajectory ${id}`,
    async () => {
      const found = await fetch(`${world.url}/v1/trajectories/${encodeURIComponent(id)}`)
      return found.ok && ((await found.json()) as { finished: boolean }).finished ? true : undefined
    },
    20_000,
  )

/** What a client hears that would rather speak another protocol. */
const statusOffering = (upgrade: string, url: string): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    const asked = request(url, { headers: { connection: 'Upgrade', upgrade } }, (answer) => {
      answer.resume()
      resolve(answer.statusCode)
    })
    asked.on('error', reject).end()
  })

it('beside the other programs it is there when it is asked for, records what is played, and ends with them', async () => {
  const world = await newWorld()
  const server = startServer(world)
  await server.ready()
  const client = await openEnvClient(`${world.url}/gym`)
  const begun = await client.say({ type: 'reset', data: { family: 'chart', episode_id: 'one', run_id: 'r' } })
  expect(begun.type).toBe('observation')
  const done = await client.say({ type: 'step', data: { text: answer } })
  expect(done.data['done']).toBe(true)
  await arrived(world, 'one')
  expect(await statusOffering('h2c', `${world.url}/v1/gym`)).toBe(200)
  expect(await statusOffering('h2c', `${world.url}/healthz`)).toBe(200)
  // An episode that is open when the server stops is told as aborted, and the socket ends.
  await client.say({ type: 'reset', data: { family: 'chart', episode_id: 'two', run_id: 'r' } })
  expect((await server.sigterm()).code).toBe(0)
  expect(await client.closed).toBeGreaterThan(0)
  await nothingLeft(world, server.group)
  await startServer(world).ready()
  await arrived(world, 'two')
})

it('alone it plays while the platform is away, and sends what was played when it comes, also after a kill', async () => {
  const platform = await newWorld()
  const alone = await newWorld({ STEPSTORE_URL: platform.url })
  const gym = startServer(alone, ['gym'])
  await gym.ready()
  const begun = await post(`${alone.url}/v1/gym/episodes`, { episodes: [{ trajectory_id: 'early', run_id: 'r' }] })
  expect(begun.status).toBe(200)
  const { body } = await post(`${alone.url}/v1/gym/steps`, { steps: [{ episode_id: 'early', action: answer }] })
  expect((body['steps'] as { done: boolean }[])[0]?.done).toBe(true)
  await gym.sigkill()
  const again = startServer(alone, ['gym'])
  await again.ready()
  await startServer(platform).ready()
  await arrived(platform, 'early')
})

it('a setting of remote tools that makes no sense is said where the gym is asked', async () => {
  const world = await newWorld({ STEPSTORE_GYM_TOOLS: '{"groundingdimo": {"url": "http://x", "wire": "openai"}}' })
  const server = startServer(world, ['gym'])
  await expect(server.ready()).rejects.toThrow(/STEPSTORE_GYM_TOOLS: there is no tool/)
})
