/** A run of the gym that is killed, and a server that is killed under it: gone on with, nothing is doubled and nothing is missing. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
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
})
