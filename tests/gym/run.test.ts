import { afterEach, describe, expect, it } from 'vitest'
import type { Problem } from '#services/problem.ts'
import { risingDifficulty } from '#services/gym/items/difficulty.ts'
import { chosenById, chosenInStream, familiesOf, itemId } from '#services/gym/items/kinds.ts'
import { expertPolicies } from '#services/gym/policies/expert.ts'
import { randomPolicies } from '#services/gym/policies/random.ts'
import { replayPolicy } from '#services/gym/policies/replay.ts'
import type { PolicySource } from '#services/gym/policies/source.ts'
import { random } from '#services/gym/random.ts'
import { knownRollouts, nothingKnown, planned, type KnownRollouts } from '#services/gym/run/plan.ts'
import { playedRun, type RunOptions } from '#services/gym/run/run.ts'
import { loopWorld, numberExpert, numberKind, type LoopWorld } from './loop-world.ts'

const open: LoopWorld[] = []
afterEach(async () => {
  for (const { gym, tools } of open.splice(0)) {
    await gym.close()
    await tools.close()
  }
})
const expert = expertPolicies({ others: numberExpert })

async function world(): Promise<LoopWorld> {
  const made = await loopWorld()
  open.push(made)
  return made
}

async function run({ gym }: LoopWorld, source: PolicySource, options: Partial<RunOptions> & { items?: number } = {}) {
  const { items = 6, ...more } = options
  return playedRun({
    gym,
    source,
    plan: planned({
      kinds: [numberKind],
      stream: { kind: numberKind.kind, seed: 1, split: 'train', style: 'ordinary' },
      items,
      group_size: 3,
      run_id: 'r',
      policy_version: 2,
    }),
    total: items * 3,
    run_id: 'r',
    seed: 1,
    group_size: 3,
    policy_version: 2,
    reset: {},
    concurrency: 4,
    known: nothingKnown,
    onRollout: () => {},
    signal: new AbortController().signal,
    ...more,
  })
}

const idsOf = ({ events }: LoopWorld) =>
  events('trajectory.finished').map(({ trajectory_id, status }) => ({ trajectory_id, status }))

describe('a run', () => {
  it('plays every rollout of every group once, under ids that follow from its plan', async () => {
    const one = await world()
    expect(await run(one, expert)).toEqual({ played: 18, known: 0 })
    const started = one.events('trajectory.started')
    expect(started).toHaveLength(18)
    expect(new Set(started.map(({ trajectory_id }) => trajectory_id)).size).toBe(18)
    const groups = Map.groupBy(started, ({ group_id }) => group_id)
    expect(
      [...groups.values()].map((members) =>
        members.map(({ rollout_index }) => rollout_index ?? -1).toSorted((a, b) => a - b),
      ),
    ).toEqual(Array.from({ length: 6 }, () => [0, 1, 2]))
    const other = await world()
    await run(other, expert, { concurrency: 1 })
    const idsIn = (events: typeof started) => events.map(({ trajectory_id }) => trajectory_id).toSorted()
    expect(idsIn(other.events('trajectory.started'))).toEqual(idsIn(started))
  })

  it('gone on with plays what is missing, and gives rollouts that were cut short another try', async () => {
    const before = await world()
    let turns = 0
    const dying: PolicySource = {
      ...expert,
      policy: (facts) => {
        const policy = expert.policy(facts)
        return {
          turn: async (seen, signal) => {
            if (++turns > 14) throw new Error('killed')
            return policy.turn(seen, signal)
          },
        }
      },
    }
    await expect(run(before, dying)).rejects.toThrow('killed')
    const first = idsOf(before)
    const ended = first.filter(({ status }) => status === 'completed')
    const cut = first.filter(({ status }) => status === 'aborted')
    expect(ended.length).toBeGreaterThan(2)
    expect(cut.length).toBeGreaterThan(0)
    const known: KnownRollouts = knownRollouts(
      first.map(({ trajectory_id, status }) => ({ trajectory_id, group_id: '', ended: status === 'completed' })),
    )
    const after = await world()
    expect(await run(after, expert, { known })).toEqual({ played: 18 - ended.length, known: ended.length })
    const second = idsOf(after).map(({ trajectory_id }) => trajectory_id)
    for (const { trajectory_id } of cut) expect(second).toContain(`${trajectory_id}.1`)
    expect(second.filter((id) => first.some(({ trajectory_id }) => trajectory_id === id))).toEqual([])
  })

  it('guesses are far below the expert', async () => {
    const guessing = await world()
    await run(guessing, randomPolicies([], { tools: false }), { items: 20 })
    const right = guessing.events('trajectory.finished').filter(({ answer_match }) => answer_match === true)
    expect(right.length).toBeLessThan(60 * 0.35)
  })
})

describe('a replay', () => {
  it('writes the same turns and gets the same reward', async () => {
    const first = await world()
    await run(first, expert, { items: 1 })
    const steps = first.events('step.recorded')
    const [finished] = first.events('trajectory.finished')
    const raw = steps
      .filter(({ trajectory_id }) => trajectory_id === finished?.trajectory_id)
      .map(({ raw_output }) => raw_output ?? '')
    const again = await world()
    const source: PolicySource = { actor_model: 'replay', sampling: {}, policy: () => replayPolicy(raw) }
    await run(again, source, { items: 1 })
    expect(again.events('trajectory.finished')[0]).toMatchObject({
      reward: finished?.reward,
      n_steps: finished?.n_steps,
    })
  })
})

describe('items', () => {
  const chosen = chosenInStream([numberKind], { seed: 4, split: 'test', style: 'unseen' }, 5)

  it('are found again by their ids', () => {
    const id = itemId(chosen.kind, chosen.request)
    expect(id).toBe('others/number/test/4/0005-l1-unseen')
    expect(chosenById([numberKind], id)).toEqual(chosen)
  })

  it('of a stream over families take the families in turn', () => {
    const kinds = (['chart/a', 'chart/b', 'others/c'] as const).map((kind) => ({
      ...numberKind,
      kind,
      family: kind.startsWith('chart') ? ('chart' as const) : ('others' as const),
    }))
    const stream = { seed: 0, split: 'train', style: 'ordinary' } as const
    const ids = [0, 1, 2, 3, 4, 5].map((index) => {
      const { kind, request } = chosenInStream(kinds, stream, index)
      return itemId(kind, request)
    })
    expect(ids).toEqual([
      'chart/a/train/0/0000-l0',
      'others/c/train/0/0000-l0',
      'chart/b/train/0/0000-l0',
      'others/c/train/0/0001-l1',
      'chart/a/train/0/0001-l1',
      'others/c/train/0/0002-l0',
    ])
  })

  it('of an unknown family are refused', () => {
    expect(() => familiesOf('chart,documents')).toThrow(/no family "documents"/)
    try {
      familiesOf('documents')
    } catch (error) {
      expect((error as Problem).hint).toMatch(/did you mean document\?/)
    }
  })
})

describe('difficulty', () => {
  it('rises when enough of the hardest are right, and stays in its window', () => {
    const kind = { ...numberKind, levels: [{}, {}, {}, {}] }
    const difficulty = risingDifficulty({ looked_at: 10, pass: 0.8 })
    const answer = (level: number, right: number, wrong: number): void => {
      for (let count = 0; count < right + wrong; count++) difficulty.answered(kind, level, count >= wrong)
    }
    answer(0, 7, 3)
    expect(difficulty.window(kind)).toEqual([0, 0])
    answer(0, 5, 0)
    expect(difficulty.window(kind)).toEqual([0, 1])
    answer(0, 50, 0)
    expect(difficulty.window(kind)).toEqual([0, 1])
    answer(1, 10, 0)
    expect(difficulty.window(kind)).toEqual([1, 2])
    answer(2, 10, 0)
    answer(3, 100, 0)
    expect(difficulty.window(kind)).toEqual([2, 3])
    const chance = random('levels')
    const levels = new Set(Array.from({ length: 100 }, () => difficulty.level(kind, chance)))
    expect([...levels].toSorted((a, b) => a - b)).toEqual([2, 3])
  })
})
