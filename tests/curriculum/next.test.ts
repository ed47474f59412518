import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseShare } from '#services/curriculum/fraction.ts'
import { luckOf } from '#services/curriculum/luck.ts'
import {
  ADARFT,
  type Candidate,
  type NextOptions,
  STRATEGIES,
  drawNext,
  targetDifficulty,
} from '#services/curriculum/next.ts'
import type { Tally } from '#services/curriculum/tally.ts'

const tally = (passed: number, n: number): Tally => ({
  item: 0,
  policy_version: 1,
  n,
  passed,
  format_ok: 0,
  nonfinite: 0,
  reward_mean: 0,
  reward_std: null,
  first_train_step: 0,
  last_train_step: 0,
})
const OPTIONS: NextOptions = {
  strategy: 'uniform',
  n: 4,
  seed: 7,
  minN: 1,
  low: parseShare('1/8', ''),
  high: parseShare('3/8', ''),
  target: 0,
}

const candidates = fc
  .uniqueArray(
    fc.record({
      id: fc.string({ minLength: 1, maxLength: 12 }),
      n: fc.integer({ min: 0, max: 16 }),
      share: fc.integer({ min: 0, max: 16 }),
    }),
    {
      selector: ({ id }) => id,
      maxLength: 40,
    },
  )
  .map((found): Candidate[] =>
    found.map(({ id, n, share }) => ({ item_id: id, tally: n === 0 ? undefined : tally(Math.min(share, n), n) })),
  )

describe('what is drawn', () => {
  it('is the same for the same seed, in whatever order items come, and no item twice', () => {
    fc.assert(
      fc.property(
        candidates,
        fc.constantFrom(...STRATEGIES),
        fc.nat(),
        fc.integer({ min: 1, max: 50 }),
        (pool, strategy, seed, n) => {
          const options = { ...OPTIONS, strategy, seed, n, target: 40 }
          const { drawn, n_candidates: found } = drawNext(pool, options)
          expect(drawNext(pool.toReversed(), options).drawn).toEqual(drawn)
          expect(new Set(drawn.map(({ item_id: id }) => id)).size).toBe(drawn.length)
          expect(drawn.length).toBe(Math.min(n, found))
          expect(drawn.every(({ why }) => why !== '')).toBe(true)
        },
      ),
    )
  })

  it('of more is the same and more: what comes first does not depend on n', () => {
    fc.assert(
      fc.property(candidates, fc.constantFrom(...STRATEGIES), fc.nat(), (pool, strategy, seed) => {
        const few = drawNext(pool, { ...OPTIONS, strategy, seed, n: 3 }).drawn
        expect(drawNext(pool, { ...OPTIONS, strategy, seed, n: 10 }).drawn.slice(0, few.length)).toEqual(few)
      }),
    )
  })

  it('fits its strategy', () => {
    const of8 = Array.from({ length: 9 }, (_, passed): Candidate => ({
      item_id: `i${passed}`,
      tally: tally(passed, 8),
    }))
    const pool = [...of8, { item_id: 'few', tally: tally(1, 4) }, { item_id: 'new', tally: undefined }]
    const ids = (options: Partial<NextOptions>) =>
      drawNext(pool, { ...OPTIONS, n: 99, ...options }).drawn.map(({ item_id: id }) => id)
    expect(ids({ strategy: 'tail_patch', minN: 8 }).sort()).toEqual(['i1', 'i2', 'i3'])
    expect(ids({ strategy: 'dapo' }).sort()).toEqual(['few', 'i1', 'i2', 'i3', 'i4', 'i5', 'i6', 'i7'])
    expect(ids({ strategy: 'balanced', low: parseShare('1/4', ''), high: parseShare('3/4', '') }).sort()).toEqual([
      'few',
      'i2',
      'i3',
      'i4',
      'i5',
      'i6',
    ])
    expect(ids({ strategy: 'frontier' })[0]).toBe('i4')
    expect(ids({ strategy: 'frontier' }).slice(-2).sort()).toEqual(['i0', 'i8'])
    expect(ids({ strategy: 'uniform' })).toHaveLength(11)
    expect(ids({ strategy: 'weighted' })).toHaveLength(11)
    // Difficulty 100 (1 - pass rate): 62.5 for 3 of 8.
    expect(ids({ strategy: 'adarft', target: 62 }).slice(0, 2)).toEqual(['i3', 'i4'])
    expect(ids({ strategy: 'adarft', target: 0 })[0]).toBe('i8')
  })

  it('by weight comes as often as its weight says, by lot as often as any other', () => {
    const pool: Candidate[] = [
      { item_id: 'even', tally: tally(4, 8) },
      { item_id: 'hard', tally: tally(0, 8) },
      { item_id: 'new', tally: undefined },
    ]
    const weights = { even: 0.25, hard: 0.09, new: 0.25 }
    const total = 0.59
    const seeds = 20_000
    const firsts = (strategy: 'weighted' | 'uniform') => {
      const found: Record<string, number> = {}
      for (let seed = 0; seed < seeds; seed++) {
        const [first] = drawNext(pool, { ...OPTIONS, strategy, seed, n: 1 }).drawn
        found[first?.item_id ?? ''] = (found[first?.item_id ?? ''] ?? 0) + 1
      }
      return found
    }
    const near = (share: number) => expect.closeTo(seeds * share, -2.6)
    for (const [id, weight] of Object.entries(weights)) expect(firsts('weighted')[id]).toEqual(near(weight / total))
    for (const id of Object.keys(weights)) expect(firsts('uniform')[id]).toEqual(near(1 / 3))
  })
})

describe('luck', () => {
  it('lies evenly between 0 and 1, also for ids that differ in little', () => {
    const bins = Array.from({ length: 10 }, () => 0)
    for (let index = 0; index < 20_000; index++) {
      const luck = luckOf(index % 7, `chartqa/train/${index}`)
      expect(luck > 0 && luck < 1).toBe(true)
      const bin = Math.floor(luck * 10)
      bins[bin] = (bins[bin] ?? 0) + 1
    }
    // Chi squared with 9 degrees of freedom is below 27.9 in 999 of 1000 cases.
    expect(bins.reduce((sum, count) => sum + (count - 2000) ** 2 / 2000, 0)).toBeLessThan(27.9)
  })

  it('of one seed says nothing of the next', () => {
    let both = 0
    for (let index = 0; index < 10_000; index++)
      if (luckOf(1, `i${index}`) < 0.5 === luckOf(2, `i${index}`) < 0.5) both += 1
    expect(both).toBeGreaterThan(4_800)
    expect(both).toBeLessThan(5_200)
  })
})

describe('the target of AdaRFT', () => {
  it('moves by 50 tanh(2 (share - 0.5)) a train step, within 0 and 100', () => {
    expect(targetDifficulty([], ADARFT)).toBe(0)
    expect(targetDifficulty([1], ADARFT)).toBeCloseTo(38.0797, 4)
    expect(targetDifficulty([1, 1, 1, 1], ADARFT)).toBe(100)
    expect(targetDifficulty([0], ADARFT)).toBe(0)
    expect(targetDifficulty([0.75, 0.5, 0.25], { ...ADARFT, initial: 10 })).toBeCloseTo(10, 9)
  })
})
