/** The demo as a person runs it: what it prints opens, what it trains on can be trained on, and a second run adds nothing. */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { cleanUp, newWorld, runCommand, startServer, type World } from '#tests/support/server-process.ts'
import { SFT_RULES } from '#tests/datasets/shape-rules.ts'
import type { Shape } from '#services/datasets/recipes.ts'

// A whole demo twice, and a server beside other work.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 240_000 })

type Json = Record<string, unknown>

interface Facts {
  readonly added: number
  readonly holdings: Record<string, number>
  readonly versions: readonly { right: number; reward: number; rollouts: number }[]
  readonly group: { group_id: string; members: Json[] }
  readonly picture: string
}

let demo: Facts
let again: Facts
/** The demo's folder, served on. */
let world: World

beforeAll(async () => {
  const played = await newWorld()
  const once = async (): Promise<Facts> => {
    const { code, stdout, stderr } = await runCommand(played, ['demo', '--exit', '--json'])
    if (code !== 0) throw new Error(stderr)
    return JSON.parse(stdout) as Facts
  }
  demo = await once()
  again = await once()
  world = { ...played, dataDir: join(played.dataDir, 'demo') }
  await startServer(world).ready()
})
afterAll(() => cleanUp())

const json = async (path: string): Promise<Json> => (await (await fetch(`${world.url}${path}`)).json()) as Json
const rows = async (path: string): Promise<Json[]> => (await json(path))['rows'] as Json[]

describe('the demo', () => {
  it('plays 480 rollouts that become better from version to version', () => {
    expect(demo.holdings).toMatchObject({ items: 20, groups: 60, trajectories: 480, images: 20 })
    expect(demo.versions.map(({ rollouts }) => rollouts)).toEqual([160, 160, 160])
    const [first = 0, second = 0, third = 0] = demo.versions.map(({ right }) => right)
    expect(first).toBeLessThan(second)
    expect(second).toBeLessThan(third)
  })

  it('adds nothing when it is run again', () => {
    expect(again.added).toBe(0)
    expect(again.holdings).toEqual(demo.holdings)
    expect(again.versions).toEqual(demo.versions)
  })

  it('has a picture, tool calls and rewards by URL', async () => {
    const picture = Buffer.from(await (await fetch(`${world.url}${demo.picture}`)).arrayBuffer())
    expect(demo.picture.endsWith(createHash('sha256').update(picture).digest('hex'))).toBe(true)
    expect(picture.subarray(1, 4).toString()).toBe('PNG')
    const [member] = demo.group.members
    const whole = await json(`/v1/trajectories/${encodeURIComponent(String(member?.['trajectory_id']))}`)
    const steps = whole['steps'] as Json[]
    expect(whole['reward']).toBe(member?.['reward'])
    expect(steps.length).toBe(member?.['n_steps'])
    const calls = steps.flatMap(({ tool_calls: made }) => (made ?? []) as Json[])
    expect(calls.length).toBeGreaterThan(0)
    for (const call of calls) expect(call).toMatchObject({ tool: expect.any(String), latency_ms: expect.any(Number) })
    const tools = await rows('/v1/analytics/tools?run=demo-rl')
    expect(tools.reduce((sum, row) => sum + Number(row['n_calls']), 0)).toBe(demo.holdings['tool calls'])
  })

  it('shows the faults of each version by their codes', async () => {
    const found = await rows('/v1/analytics/errors?run=demo-rl&by=policy_version')
    const share = (version: number, code: string): number =>
      Number(found.find((row) => row['policy_version'] === version && row['code'] === code)?.['share'] ?? 0)
    for (const code of ['E1', 'E2', 'E3', 'E4', 'E5', 'E6', 'NO_TOOL'])
      expect([code, share(0, code)]).not.toEqual([code, 0])
    for (const code of ['E1', 'E2', 'E6', 'NO_TOOL']) expect(share(2, code)).toBeLessThan(share(0, code))
  })

  it('logs metrics that are what the API counts', async () => {
    const logged = await rows('/v1/analytics/metrics?run=demo-rl')
    const rewards = await rows('/v1/analytics/rewards?run=demo-rl')
    for (const [train_step, row] of rewards.entries()) {
      const of = (name: string) =>
        Number(logged.find((metric) => metric['train_step'] === train_step && metric['name'] === name)?.['value'])
      expect(of('critic/rewards/mean')).toBeCloseTo(Number(row['reward_mean']), 9)
      expect(of('reward_extra_info/accuracy')).toBeCloseTo(Number(row['correct_share']), 9)
      expect(of('gym/rollouts')).toBe(row['n'])
    }
  })

  it.each(Object.keys(SFT_RULES) as Shape[])('gives rows that train in the shape %s', async (shape) => {
    const answer = await fetch(`${world.url}/v1/datasets/sft.jsonl?run=demo-rl&reward_gte=2&shape=${shape}`)
    expect(answer.status).toBe(200)
    const lines = (await answer.text()).trim().split('\n')
    const right = demo.versions.reduce((sum, { right: share, rollouts }) => sum + share * rollouts, 0)
    expect(lines.length).toBeGreaterThan(200)
    expect(lines.length).toBeLessThanOrEqual(Math.round(right))
    const faults = lines
      .map((line) => SFT_RULES[shape](JSON.parse(line) as Json))
      .filter((fault) => fault !== undefined)
    expect(faults).toEqual([])
  })

  it('agrees with itself', async () => {
    const { code, stdout } = await runCommand(world, ['verify', '--json', '--numbers'])
    expect([code, JSON.parse(stdout)]).toMatchObject([0, { ok: true, differences: [] }])
  })
})
