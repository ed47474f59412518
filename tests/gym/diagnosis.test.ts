import { afterEach, describe, expect, it } from 'vitest'
import { faultyOutput } from '#services/gym/policies/faulty-output.ts'
import { noisyPolicies, type NoiseRates } from '#services/gym/policies/noisy.ts'
import { nothingKnown, planned } from '#services/gym/run/plan.ts'
import { playedRun } from '#services/gym/run/run.ts'
import { idler, loopWorld, numberExpert, numberKind, teller, type LoopWorld } from './loop-world.ts'

const open: LoopWorld[] = []
afterEach(async () => {
  for (const { gym, tools } of open.splice(0)) {
    await gym.close()
    await tools.close()
  }
})

/** Plays items by a noisy expert, and answers what was said of each rollout: by rule, and by the policy itself. */
async function diagnosed(rates: NoiseRates, items = 60) {
  const definitions = [teller, idler]
  const world = await loopWorld({ faultyOutput: (call) => faultyOutput(call, definitions) })
  open.push(world)
  const results: string[] = []
  await playedRun({
    gym: world.gym,
    source: noisyPolicies({ others: numberExpert }, definitions, [rates]),
    plan: planned({
      kinds: [numberKind],
      stream: { kind: numberKind.kind, seed: 5, split: 'train', style: 'ordinary' },
      items,
      group_size: 2,
      run_id: 'noisy',
      policy_version: 0,
    }),
    total: items * 2,
    run_id: 'noisy',
    seed: 5,
    group_size: 2,
    policy_version: 0,
    reset: {},
    concurrency: 8,
    known: nothingKnown,
    onRollout: ({ trajectory_id }) => results.push(trajectory_id),
    signal: new AbortController().signal,
  })
  const notes = world.events('trajectory.annotated')
  const of = (method: string) =>
    notes
      .filter((note) => note.method === method)
      .flatMap(({ trajectory_id, step_index, codes }) =>
        codes.map((code) => `${trajectory_id} ${step_index ?? '-'} ${code}`),
      )
      .toSorted()
  return {
    rollouts: results.length,
    rule: of('rule'),
    injected: of('injected'),
    finished: world.events('trajectory.finished'),
  }
}

const among = (notes: readonly string[], codes: readonly string[]): string[] =>
  notes.filter((note) => codes.some((code) => note.endsWith(` ${code}`)))

describe('the diagnosis', () => {
  it('gives back exactly the faults that were made: which rollout, which step, which code', async () => {
    const byRule = ['E1', 'E2', 'E3', 'E5']
    const { rule, injected, rollouts } = await diagnosed({ E1: 0.2, E2: 0.2, E3: 0.2, E5: 0.2 })
    expect(rollouts).toBe(120)
    for (const code of byRule) expect(among(injected, [code]).length).toBeGreaterThan(10)
    expect(rule).toEqual(injected)
  })

  it('does not take the word for a bad output where there was none to spoil', async () => {
    const world = await loopWorld()
    open.push(world)
    const call = '<think>a</think><tool_call>{"tool": "teller", "task": "tell"}</tool_call>'
    const { episode_id } = await world.gym.reset()
    await world.gym.step(episode_id, { raw: call, injected: ['E5', 'E4'] })
    expect(world.events('trajectory.annotated')).toMatchObject([{ codes: ['E4'], method: 'injected' }])
  })

  it('leaves to the policy what no rule can tell', async () => {
    const { rule, injected } = await diagnosed({ E4: 0.3, E6: 0.4, WRONG_TOOL: 0.3 })
    for (const code of ['E4', 'E6', 'WRONG_TOOL']) expect(among(injected, [code]).length).toBeGreaterThan(20)
    expect(rule).toEqual([])
  })

  it('finds those that ask no tool, and nothing where nothing is wrong', async () => {
    const skipping = await diagnosed({ no_tool: 1 }, 5)
    expect(skipping.rule).toHaveLength(10)
    expect(among(skipping.rule, ['NO_TOOL'])).toEqual(skipping.rule)
    const sound = await diagnosed({}, 5)
    expect([...sound.rule, ...sound.injected]).toEqual([])
    expect(sound.finished.map(({ reward }) => reward)).toEqual(Array.from({ length: 10 }, () => 2))
  })

  it('sees turns of bad form and thoughts that repeat in the reward', async () => {
    const malformed = await diagnosed({ malformed: 1 }, 5)
    expect(new Set(malformed.finished.map(({ reward }) => reward))).toEqual(new Set([-1]))
    const stuck = await diagnosed({ repetition: 1 }, 10)
    expect(new Set(stuck.finished.map(({ reward }) => reward))).toEqual(new Set([-1.5, -2, -3]))
  })
})
