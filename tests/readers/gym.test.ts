/** The gym as others play it: OpenEnv's official client, and Gymnasium's own checker over clients/python. */
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { core, optionsOf, played, plays } from '#tests/support/gym-faces.ts'
import { gymWorld } from '#tests/support/gym-world.ts'
import { pythonWith, runPython } from '#tests/support/python.ts'
import { until } from '#tests/support/processes.ts'
import { cleanUp, newWorld, startServer, type World } from '#tests/support/server-process.ts'

const KEY = 'gym-key'
const call = '<think>I read it.</think><tool_call>{"tool": "easyocr", "task": "detect_and_recognize"}</tool_call>'
const answer = (text: string): string => `<think>I know it.</think><answer>${text}</answer>`

let world: World
let python: string
beforeAll(async () => {
  python = await pythonWith(join(import.meta.dirname, 'requirements-gym.txt'))
  const made = await newWorld()
  world = { ...made, env: { ...made.env, STEPSTORE_KEY: KEY } }
  await startServer(world).ready()
})
afterAll(() => cleanUp())

async function ran<Answer>(script: string, input: unknown): Promise<Answer> {
  const wrote = await runPython(python, [join(import.meta.dirname, 'python', script)], JSON.stringify(input), {
    timeoutMs: 120_000,
    env: {
      PYTHONPATH: join(import.meta.dirname, '..', '..', 'clients', 'python', 'src'),
      PYTHONDONTWRITEBYTECODE: '1',
      NO_PROXY: '127.0.0.1,localhost',
    },
  })
  return JSON.parse(wrote.trimEnd().split('\n').at(-1) ?? '') as Answer
}

interface Rollout {
  readonly reward: number | null
  readonly n_steps: number
  readonly finished: boolean
}

/** A rollout as the platform has it, once it is there. */
const rollout = (id: string): Promise<Rollout> =>
  until(
    `the rollout ${id}`,
    async () => {
      const found = await fetch(`${world.url}/v1/trajectories/${encodeURIComponent(id)}`, {
        headers: { authorization: `Bearer ${KEY}` },
      })
      const body = (await found.json()) as Rollout
      return found.ok && body.finished ? body : undefined
    },
    20_000,
  )

interface Told {
  readonly rewards: readonly (number | null)[]
  readonly texts: readonly string[]
}

it.each([
  ['the official client of OpenEnv', 'faces-openenv.py'],
  ['the environment for Gymnasium', 'faces-gymnasium.py'],
])('%s is paid and recorded as the core itself', async (_, script) => {
  const expected = await played(core)
  const found = await playedAll(async (url) => {
    const asked = plays.map((play) => ({ options: optionsOf(play), turns: play.turns }))
    return ran<readonly Told[]>(script, { url, plays: asked })
  })
  // Gymnasium has no step without a reward: there it is 0.
  const paid = expected.outcomes.map(({ rewards, texts }) => ({ rewards: rewards.map((reward) => reward ?? 0), texts }))
  expect(
    found.outcomes.map(({ rewards, texts }) => ({ rewards: rewards.map((reward) => reward ?? 0), texts })),
  ).toEqual(paid)
  expect(found.events).toEqual(expected.events)
})

async function playedAll(play: (url: string) => Promise<readonly Told[]>) {
  const small = await gymWorld()
  try {
    return { outcomes: await play(small.url), events: small.recorder.take().events }
  } finally {
    await small.close()
  }
}

interface Played {
  readonly question: string
  readonly picture: string
  readonly steps: readonly { readonly reward: number | null; readonly done: boolean; readonly text: string }[]
  readonly state: { readonly step_count: number; readonly done: boolean }
}

it('the official client of OpenEnv plays episodes unchanged, and the platform has them', async () => {
  const base = `${world.url.replace('//', `//gym:${KEY}@`)}/gym`
  const plays = [0, 1, 2].map((index) => ({
    reset: { kind: 'chart/yes-no', seed: 5, index, episode_id: `openenv ${index}`, run_id: 'openenv' },
    turns: [call, answer(index === 0 ? 'yes' : 'no')],
  }))
  const told = await ran<{ plays: readonly Played[]; refused: string }>('play-openenv.py', { url: base, plays })
  for (const [index, { steps, state, picture, question }] of told.plays.entries()) {
    expect(question).toMatch(/\?$/)
    expect(Buffer.from(picture, 'base64').subarray(1, 4).toString()).toBe('PNG')
    expect(steps.map(({ done }) => done)).toEqual([false, true])
    expect(steps[0]?.text).not.toBe('')
    expect([1, 2]).toContain(steps[1]?.reward)
    expect(state).toMatchObject({ step_count: 2, done: true })
    expect(await rollout(`openenv ${index}`)).toMatchObject({ reward: steps[1]?.reward, n_steps: 2 })
  }
  expect(told.refused).toMatch(/unknown reset option "difficulty".*VALIDATION_ERROR/)
})

it("a gym by itself passes OpenEnv's own validator", async () => {
  const alone = await newWorld({ STEPSTORE_URL: world.url, STEPSTORE_KEY: '' })
  await startServer(alone, ['gym']).ready()
  const script = ['-m', 'openenv.cli', 'validate', '--url', alone.url, '--timeout', '30']
  const report = JSON.parse(
    await runPython(python, script, '', { timeoutMs: 120_000, env: { NO_PROXY: '127.0.0.1' } }),
  ) as {
    passed: boolean
    criteria: readonly { id: string; passed: boolean }[]
  }
  expect(report.criteria.filter(({ passed }) => !passed)).toEqual([])
  expect(report.criteria.length).toBeGreaterThan(4)
})

interface Checked {
  readonly question: string
  readonly size: readonly number[]
  readonly steps: readonly { readonly reward: number; readonly terminated: boolean; readonly text: string }[]
  readonly after: string
  readonly refused: readonly string[]
  readonly open: number
  readonly twice: boolean
  readonly seen: readonly string[]
  readonly warnings: readonly string[]
}

it("clients/python passes Gymnasium's checker without a warning, and plays", async () => {
  const told = await ran<Checked>('check-gymnasium.py', {
    url: world.url,
    key: KEY,
    options: { kind: 'chart/yes-no', run_id: 'gymnasium' },
    turns: [call, answer('yes')],
  })
  expect(told.warnings).toEqual([])
  expect(told.steps.map(({ terminated }) => terminated)).toEqual([false, true])
  expect([1, 2]).toContain(told.steps[1]?.reward)
  expect(told.size.every((pixels) => pixels > 100)).toBe(true)
  expect(told.after).toBe('ResetNeeded')
  expect(told.refused[1]).toContain('did you mean family')
  expect(told.open).toBe(0)
  expect(told.twice).toBe(true)
  const [one, again, other] = told.seen
  expect(again).toBe(one)
  expect(other).not.toBe(one)
})
