/** A gym alone: where it publishes, and what it says when it cannot. */
import { createServer, type Server } from 'node:http'
import { mkdtemp, rm } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { readConfig } from '#services/config.ts'
import { startGymAlone } from '#services/serve/gym-alone.ts'
import { post } from '#tests/support/gym-world.ts'

let folder: string
let opened: (() => Promise<void>)[]
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stepstore-gym-alone-'))
  opened = []
})
afterEach(async () => {
  for (const close of opened.toReversed()) await close()
  await rm(folder, { recursive: true })
})

async function gymAlone(env: Readonly<Record<string, string>>) {
  const said: string[] = []
  const config = readConfig({ DATA_DIR: folder, ...env }, { PROGRAMS: 'gym' })
  const gym = await startGymAlone({ config, write: (line) => said.push(line), clock: () => new Date() })
  opened.push(() => gym.close())
  return { gym, said }
}

/** A server that answers everything with this status, and keeps what was posted. */
async function platform(status: number): Promise<{ url: string; lines: string[] }> {
  const lines: string[] = []
  const server: Server = createServer((incoming, response) => {
    let body = ''
    incoming.setEncoding('latin1').on('data', (piece: string) => (body += piece))
    incoming.on('end', () => {
      if (incoming.url === '/v1/events') lines.push(...body.split('\n').filter((line) => line !== ''))
      response.writeHead(status).end('{}')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  opened.push(async () => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, lines }
}

it('its own port is not where it publishes', () => {
  expect(readConfig({}, { PROGRAMS: 'gym', PORT: '7071' }).url).toBe('http://127.0.0.1:7070')
  expect(readConfig({ PORT: '7071' }).url).toBe('http://127.0.0.1:7071')
  expect(readConfig({ STEPSTORE_URL: 'http://store:1' }, { PROGRAMS: 'gym' }).url).toBe('http://store:1')
})

it.each([
  {},
  { PORT: '7071', STEPSTORE_URL: 'http://localhost:7071' },
  { PORT: '7071', HOST: '0.0.0.0', STEPSTORE_KEY: 'k', STEPSTORE_URL: 'http://[::1]:7071/gym' },
])('it refuses to publish to itself: %j', async (env) => {
  await expect(gymAlone(env)).rejects.toMatchObject({
    message: expect.stringContaining('publish to itself'),
    hint: expect.stringContaining('STEPSTORE_URL'),
    details: { misuse: true },
  })
})

it('it warns where nobody answers, and only there', async () => {
  const away = await gymAlone({ PORT: '0', STEPSTORE_URL: 'http://127.0.0.1:9' })
  expect(away.said.join('')).toMatch(/no server answers at STEPSTORE_URL.*npm start/)
  const { url } = await platform(200)
  const there = await gymAlone({ PORT: '0', STEPSTORE_URL: url })
  expect(there.said).toEqual([])
})

it('where it cannot publish, that is what trainers are told, and no fault of their requests', async () => {
  const { url } = await platform(404)
  const { gym } = await gymAlone({ PORT: '0', STEPSTORE_URL: url })
  await post(`${gym.url}/reset`, { family: 'chart' })
  await expect.poll(async () => (await fetch(`${gym.url}/readyz`)).status, { timeout: 10_000 }).toBe(503)
  const { status, body } = await post(`${gym.url}/reset`, { family: 'chart' })
  expect([status, body['code']]).toEqual([503, 'unavailable'])
  expect(body['detail']).toContain('cannot publish')
  expect(body['hint']).toContain('STEPSTORE_URL')
})

it('a run of its own bears a name for URLs, and ends with it', async () => {
  const { url, lines } = await platform(200)
  const { gym } = await gymAlone({ PORT: '0', STEPSTORE_URL: url })
  await post(`${gym.url}/v1/gym/episodes`, { episodes: [{ family: 'chart' }, { family: 'chart', run_id: 'theirs' }] })
  await gym.close()
  const events = lines.map((line) => JSON.parse(line) as { type: string; data: { run_id: string } })
  const runs = (type: string) => events.filter((event) => event.type === type).map(({ data }) => data.run_id)
  const [own] = runs('run.started')
  expect(own).toMatch(/^gym-\d{4}-\d\d-\d\dT\d\d-\d\d-[0-9a-f]{4}$/)
  expect(runs('run.started')).toEqual([own, 'theirs'])
  expect(runs('run.finished')).toEqual([own])
  expect(events.at(-1)?.type).toBe('run.finished')
})
