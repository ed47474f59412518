/** A noisy run over all families, with their own experts and the tools that they really have: what was injected comes back. */
import Type, { type TSchema } from 'typebox'
import { Value } from 'typebox/value'
import { expect, it } from 'vitest'
import { experts, kinds } from '#services/gym/items/families.ts'
import { simulatedClock } from '#services/gym/loop/clock.ts'
import { openGym } from '#services/gym/loop/episodes.ts'
import { faultyOutput } from '#services/gym/policies/faulty-output.ts'
import { noisyPolicies } from '#services/gym/policies/noisy.ts'
import { memoryRecorder } from '#services/gym/publish/recorder.ts'
import { nothingKnown, planned } from '#services/gym/run/plan.ts'
import { playedRun } from '#services/gym/run/run.ts'
import { openTools } from '#services/gym/tools/open.ts'
import { definitions } from '#services/gym/tools/registry.ts'
import { silent } from '#services/logger.ts'

const rates = { E1: 0.15, E2: 0.2, E3: 0.25, E4: 0.05, E5: 0.15, WRONG_TOOL: 0.05, E6: 0.2 }
const ITEMS = 70
const GROUP = 4

/** Every tool answers at once with something that fits its schema: what a call is held to is real, what a tool sees is not. */
function openedTools() {
  return openTools({
    definitions,
    remotes: definitions.map(({ name }) => ({
      tool: name,
      server: 'test',
      call: async ({ definition, task }) => ({
        text: 'nothing of use',
        output: Value.Create(definition.tasks[task]?.output ?? (Type.Object({}) as TSchema)) as Record<string, unknown>,
      }),
    })),
  })
}

it('the injected rates of E1, E2, E3 and E5 come back from the diagnosis exactly', async () => {
  const recorder = memoryRecorder()
  const tools = openedTools()
  const gym = openGym({
    kinds,
    tools,
    recorder,
    clock: simulatedClock(0),
    run_id: 'noisy',
    newId: () => 'unused',
    logger: silent,
    faultyOutput: (call) => faultyOutput(call, definitions),
  })
  const { played } = await playedRun({
    gym,
    source: noisyPolicies(experts, definitions, [rates]),
    plan: planned({
      kinds,
      stream: { seed: 8, split: 'train', style: 'ordinary' },
      items: ITEMS,
      group_size: GROUP,
      run_id: 'noisy',
      policy_version: 0,
    }),
    total: ITEMS * GROUP,
    run_id: 'noisy',
    seed: 8,
    group_size: GROUP,
    policy_version: 0,
    reset: {},
    concurrency: 16,
    known: nothingKnown,
    onRollout: () => {},
    signal: new AbortController().signal,
  })
  await gym.close()
  await tools.close()
  expect(played).toBe(ITEMS * GROUP)
  const { events } = recorder.take()
  const notes = events.flatMap((event) => (event.type === 'trajectory.annotated' ? [event.data] : []))
  const said = (method: string): string[] =>
    notes
      .filter((note) => note.method === method)
      .flatMap(({ trajectory_id, step_index, codes }) => codes.map((code) => `${trajectory_id} ${step_index} ${code}`))
      .filter((line) => / (?:E1|E2|E3|E5)$/.test(line))
      .toSorted()
  expect(said('rule')).toEqual(said('injected'))
  // Of 280 rollouts each share came about within what chance allows (4 sigma), so no fault was silently left out.
  for (const code of ['E1', 'E2', 'E3', 'E5'] as const) {
    const share = said('injected').filter((line) => line.endsWith(code)).length / played
    expect(Math.abs(share - rates[code])).toBeLessThan(4 * Math.sqrt((rates[code] * (1 - rates[code])) / played))
  }
})
