/** A run of the gym that is killed, and a server that is killed under it: gone on with, nothing is doubled and nothing is missing. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { cleanUp, newWorld, runCommand, startServer, type World } from '#tests/support/server-process.ts'

const RUN = 'killed run'
const ITEMS = 6
const GROUP = 4
const ORDER = [
  'gym',
  'run',
  '--policy',
  'noisy',
  '--families',
  'geometry,scientific',
  '--run',
  RUN,
  '--concurrency',
  '3',
]
const SIZE = ['--items', String(ITEMS), '--group-size', String(GROUP), '--seed', '3']

afterEach(async () => {
  await cleanUp()
})

async function read(world: World, path: string): Promise<Record<string, unknown>> {
  return (await (await fetch(`${world.url}${path}`)).json()) as Record<string, unknown>
}

const finished = async (world: World): Promise<number> =>
  Number((await read(world, `/v1/runs/${encodeURIComponent(RUN)}`))['n_finished'] ?? 0)

describe('a run of the gym', () => {
  it(
    'killed with SIGKILL and started again plays what is missing, and says what the API says',
    { timeout: 180_000 },
    async () => {
      const world = await newWorld()
      const server = startServer(world)
      await server.ready()
      const { PATH = '' } = process.env
      const killed = spawn('node', ['bin/stepstore.js', ...ORDER, ...SIZE], {
        detached: true,
        stdio: 'ignore',
        env: { PATH, DATA_DIR: world.dataDir, STEPSTORE_URL: world.url },
      })
      const gone = once(killed, 'exit')
      await expect.poll(() => finished(world), { timeout: 60_000, interval: 50 }).toBeGreaterThan(2)
      process.kill(-Number(killed.pid), 'SIGKILL')
      await gone

      const second = await runCommand(world, [...ORDER, ...SIZE, '--json'])
      expect(second.stderr).toContain('were there already')
      const summary = JSON.parse(second.stdout) as {
        trajectories: number
        accuracy: number
        mean_reward: number
        items: number
      }
      expect(summary).toMatchObject({ items: ITEMS, trajectories: ITEMS * GROUP })

      const run = encodeURIComponent(RUN)
      const [rewards] = (await read(world, `/v1/analytics/rewards?run=${run}&after=latest`))['rows'] as Record<
        string,
        number
      >[]
      expect(rewards).toMatchObject({
        n: summary.trajectories,
        reward_mean: summary.mean_reward,
        correct_share: summary.accuracy,
      })
      const [groups] = (await read(world, `/v1/analytics/groups?run=${run}`))['rows'] as Record<string, number>[]
      expect(groups).toMatchObject({ groups: ITEMS, complete: ITEMS, incomplete: 0 })
      const facts = await read(world, `/v1/runs/${run}`)
      expect(facts).toMatchObject({ n_conflicts: 0, n_late: 0, state: 'finished' })
      expect(facts['n_trajectories']).toBe(facts['n_finished'])

      const third = await runCommand(world, [...ORDER, ...SIZE, '--json'])
      expect(JSON.parse(third.stdout)).toMatchObject({ ...summary, position: expect.anything() })
      const verified = await runCommand(world, ['verify', '--json'])
      expect(JSON.parse(verified.stdout)).toMatchObject({ ok: true, differences: [] })
    },
  )

  it(
    'whose server is killed with SIGKILL and started again goes on by itself, and nothing is doubled',
    { timeout: 180_000 },
    async () => {
      const world = await newWorld()
      const server = startServer(world)
      await server.ready()
      const running = runCommand(world, [...ORDER, '--items', '12', '--group-size', '4', '--json'])
      await expect.poll(() => finished(world), { timeout: 60_000, interval: 50 }).toBeGreaterThan(2)
      await server.sigkill()
      await startServer(world).ready()
      const { code, stdout, stderr } = await running
      expect([code, stderr]).toEqual([0, expect.stringContaining('trying again')])
      const summary = JSON.parse(stdout) as Record<string, unknown>
      expect(summary).toMatchObject({ items: 12, trajectories: 48 })
      const run = encodeURIComponent(RUN)
      const facts = await read(world, `/v1/runs/${run}?after=latest`)
      expect(facts).toMatchObject({ n_trajectories: 48, n_finished: 48, n_conflicts: 0, n_late: 0, state: 'finished' })
      expect((await read(world, `/v1/gaps?run=${run}`))['rows']).toEqual([])
      const verified = await runCommand(world, ['verify', '--json'])
      expect(JSON.parse(verified.stdout)).toMatchObject({ ok: true, differences: [] })
    },
  )

  it(
    'by a simulated clock is the same to the byte in two empty servers, and its metrics are what the API says',
    { timeout: 180_000 },
    async () => {
      const order = [...ORDER, ...SIZE, '--clock', 'simulated', '--json']
      const [first, second] = [await recorded(order), await recorded(order)]
      expect(first.lines.length).toBeGreaterThan(100)
      expect(second.lines.toSorted()).toEqual(first.lines.toSorted())
      const run = encodeURIComponent(RUN)
      const logged = await rows(second.world, `/v1/analytics/metrics?run=${run}&after=latest`)
      const [rewards] = await rows(second.world, `/v1/analytics/rewards?run=${run}`)
      const value = (name: string, substep = 0): unknown =>
        logged.find((row) => row['name'] === name && row['substep'] === substep)?.['value']
      expect(value('critic/rewards/mean')).toBeCloseTo(Number(rewards?.['reward_mean']), 9)
      expect(value('reward_extra_info/accuracy')).toBeCloseTo(Number(rewards?.['correct_share']), 9)
      expect(value('reward_extra_info/format_ok')).toBeCloseTo(Number(rewards?.['format_ok_share']), 9)
      expect(value('gym/rollouts')).toBe(rewards?.['n'])
      const [errors] = [await rows(second.world, `/v1/analytics/errors?run=${run}`)]
      for (const { code, n_calls: calls } of errors)
        if (Number(calls) > 0) expect([code, value(`gym/calls_with/${String(code)}`)]).toEqual([code, calls])

      // Gone on with, the run has other metrics: they come beside the first ones.
      const more = ['--items', String(ITEMS + 2), '--group-size', String(GROUP), '--seed', '3']
      const grown = await runCommand(second.world, [...ORDER, ...more, '--clock', 'simulated', '--json'])
      expect(JSON.parse(grown.stdout)).toMatchObject({ trajectories: (ITEMS + 2) * GROUP })
      const after = await rows(second.world, `/v1/analytics/metrics?run=${run}&after=latest&name=gym/rollouts`)
      expect(after.map(({ substep, value: n }) => [substep, n])).toEqual([
        [0, ITEMS * GROUP],
        [1, (ITEMS + 2) * GROUP],
      ])
      expect(await read(second.world, `/v1/runs/${run}`)).toMatchObject({ n_conflicts: 0 })
    },
  )

  it(
    'with rising levels begins with the easiest, and goes up when enough of them are right',
    { timeout: 180_000 },
    async () => {
      const world = await newWorld()
      await startServer(world).ready()
      const order = ['gym', 'run', '--policy', 'expert', '--kind', 'spatial/count', '--level', 'rising', '--run', RUN]
      const levels = async (): Promise<number[]> => {
        const items = await rows(world, `/v1/items?run=${encodeURIComponent(RUN)}&limit=1000&after=latest`)
        return items
          .map(({ item_id: id }) => /\/(\d{4})-l(\d)$/.exec(String(id)) ?? [])
          .toSorted(([, left = ''], [, right = '']) => (left < right ? -1 : 1))
          .map(([, , level]) => Number(level))
      }
      // The window opens after 32 answers of the highest level, 80 % of them right.
      const first = await runCommand(world, [...order, '--items', '32', '--concurrency', '1', '--json'])
      expect(JSON.parse(first.stdout)).toMatchObject({ items: 32 })
      expect(await levels()).toEqual(Array.from({ length: 32 }, () => 0))
      const second = await runCommand(world, [...order, '--items', '48', '--concurrency', '1', '--json'])
      expect(JSON.parse(second.stdout)).toMatchObject({ items: 48 })
      const risen = (await levels()).slice(32)
      expect(new Set(risen)).toEqual(new Set([0, 1]))
    },
  )
})

const rows = async (world: World, path: string): Promise<Record<string, unknown>[]> =>
  (await read(world, path))['rows'] as Record<string, unknown>[]

/** Plays into a server of its own, and keeps every event that was sent there. */
async function recorded(order: readonly string[]): Promise<{ world: World; lines: string[] }> {
  const world = await newWorld()
  await startServer(world).ready()
  const lines: string[] = []
  const passOn = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const pieces: Buffer[] = []
    for await (const piece of incoming) pieces.push(piece as Buffer)
    const body = Buffer.concat(pieces)
    if (incoming.url === '/v1/events') lines.push(...body.toString().trim().split('\n'))
    const { method = 'GET', url = '/', headers } = incoming
    const type = headers['content-type']
    const answer = await fetch(`${world.url}${url}`, {
      method,
      ...(type === undefined ? {} : { headers: { 'content-type': type } }),
      ...(method === 'GET' || method === 'HEAD' ? {} : { body }),
    })
    response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? 'text/plain' })
    response.end(Buffer.from(await answer.arrayBuffer()))
  }
  const between = createServer((incoming, response) => {
    passOn(incoming, response).catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => between.listen(0, '127.0.0.1', resolve))
  try {
    const { port } = between.address() as AddressInfo
    const through = { ...world, env: { ...world.env, STEPSTORE_URL: `http://127.0.0.1:${port}` } }
    const { code, stderr } = await runCommand(through, order)
    expect([code, code === 0 ? '' : stderr]).toEqual([0, ''])
    return { world, lines }
  } finally {
    between.closeAllConnections()
    between.close()
  }
}
