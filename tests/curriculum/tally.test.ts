import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { select } from '#services/analytics/select.ts'
import { betweenTest, parseShare } from '#services/curriculum/fraction.ts'
import { wilson } from '#services/curriculum/interval.ts'
import { BUCKETS, bucketOf, migration } from '#services/curriculum/migration.ts'
import { newestTallies, tallies } from '#services/curriculum/tally.ts'
import { type Played, pass, playedFrame } from './frames.ts'

const tallied = (played: readonly Played[]) => {
  const frame = playedFrame(played)
  return tallies(select(frame, {}, undefined)).map(({ item, ...rest }) => ({
    item: frame.items.ids.text(item),
    ...rest,
  }))
}

describe('a tally', () => {
  it('counts finished rollouts with a score, and leaves NaN out of mean and deviation only', () => {
    expect(
      tallied([
        { item: 'a', version: 1, reward: 2, correct: true, step: 5 },
        { item: 'a', version: 1, reward: 1, correct: false, step: 3 },
        { item: 'a', version: 1, reward: Number.NaN, step: null },
        { item: 'a', version: 1, reward: Number.POSITIVE_INFINITY, correct: true },
        { item: 'a', version: 1, reward: null },
        { item: 'a', version: 1, reward: 2, finished: false },
        { item: 'a', version: 1, reward: 2, conflicts: 1 },
        { item: null, version: 1, reward: 2 },
        { item: 'a', version: null, reward: 0 },
      ]),
    ).toEqual([
      {
        item: 'a',
        policy_version: 1,
        n: 4,
        passed: 2,
        format_ok: 3,
        nonfinite: 2,
        reward_mean: 1.5,
        reward_std: Math.SQRT1_2,
        first_train_step: 0,
        last_train_step: 5,
      },
      {
        item: 'a',
        policy_version: null,
        n: 1,
        passed: 0,
        format_ok: 0,
        nonfinite: 0,
        reward_mean: 0,
        reward_std: null,
        first_train_step: 0,
        last_train_step: 0,
      },
    ])
  })

  it('of equal rewards has a deviation of exactly 0', () => {
    const [tally] = tallied(Array.from({ length: 7 }, () => ({ item: 'a', version: 0, reward: 0.1 + 0.2 })))
    expect(tally?.reward_std).toBe(0)
  })

  it('is as a plain count has it, on any rollouts', () => {
    const played = fc.array(
      fc.record({
        item: fc.constantFrom('a', 'b', 'c', null),
        version: fc.constantFrom(0, 1, 2, null),
        reward: fc.oneof(fc.constant(null), fc.constantFrom(-1, 0, 1, 2, 0.1, Number.NaN)),
        correct: fc.boolean(),
        step: fc.constantFrom(1, 2, null),
      }),
      { maxLength: 60 },
    )
    fc.assert(
      fc.property(played, (rollouts) => {
        const counted = rollouts.filter(({ item, reward }) => item !== null && reward !== null)
        const groups = Map.groupBy(counted, ({ item, version }) => `${String(item)} ${String(version)}`)
        const expected = [...groups].map(([key, here]) => {
          const finite = here.map(({ reward }) => reward ?? 0).filter(Number.isFinite)
          const mean = finite.reduce((sum, value) => sum + value, 0) / finite.length
          const steps = here.flatMap(({ step }) => step ?? [])
          return {
            key,
            n: here.length,
            passed: here.filter(({ correct }) => correct).length,
            nonfinite: here.length - finite.length,
            mean: finite.length === 0 ? null : mean.toFixed(9),
            std:
              finite.length < 2
                ? null
                : Math.sqrt(finite.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (finite.length - 1)).toFixed(
                    9,
                  ),
            first: steps.length === 0 ? null : Math.min(...steps),
            last: steps.length === 0 ? null : Math.max(...steps),
          }
        })
        const found = tallied(rollouts).map((tally) => ({
          key: `${String(tally.item)} ${String(tally.policy_version)}`,
          n: tally.n,
          passed: tally.passed,
          nonfinite: tally.nonfinite,
          mean: tally.reward_mean?.toFixed(9) ?? null,
          std: tally.reward_std?.toFixed(9) ?? null,
          first: tally.first_train_step,
          last: tally.last_train_step,
        }))
        const byKey = (left: { key: string }, right: { key: string }) => (left.key < right.key ? -1 : 1)
        expect(found.sort(byKey)).toEqual(expected.sort(byKey))
      }),
    )
  })

  it('of the newest version of an item is chosen for each item alone', () => {
    const frame = playedFrame([
      ...pass('a', 1, 1, 2),
      ...pass('a', 3, 0, 1),
      ...pass('b', 2, 2, 2),
      { item: 'b', version: null, reward: 0 },
    ])
    expect(
      newestTallies(tallies(select(frame, {}, undefined)))
        .map(({ policy_version: version }) => version ?? 0)
        .sort((left, right) => left - right),
    ).toEqual([2, 3])
  })
})

describe('the slice', () => {
  const inside = (low: string, high: string) => betweenTest(parseShare(low, 'pass_lo'), parseShare(high, 'pass_hi'))

  it('has 1 of 8 and 3 of 8 in it, and 0 and 4 of 8 not', () => {
    const tail = inside('0.125', '0.375')
    expect([0, 1, 2, 3, 4, 5, 6, 7, 8].filter((passed) => tail(passed, 8))).toEqual([1, 2, 3])
    expect([12, 24, 37].map((eighths) => [tail(eighths, 8 * eighths), tail(3 * eighths, 8 * eighths)])).toEqual(
      Array.from({ length: 3 }, () => [true, true]),
    )
  })

  it('is decided by integers: bounds that no double holds are met, too', () => {
    const tenths = inside('0.1', '0.3')
    const thirds = inside('1/3', '2/3')
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100_000 }), (unit) => {
        expect([tenths(unit, 10 * unit), tenths(3 * unit, 10 * unit), tenths(3 * unit + 1, 10 * unit)]).toEqual([
          true,
          true,
          false,
        ])
        expect([thirds(unit, 3 * unit), thirds(2 * unit, 3 * unit), thirds(unit - 1, 3 * unit)]).toEqual([
          true,
          true,
          false,
        ])
      }),
    )
  })

  it.each(['', '.', '-0.1', '1.5', '1/0', '3/2', 'NaN', '1e-1', '0,5'])('does not take %j for a bound', (text) => {
    expect(() => parseShare(text, 'pass_lo')).toThrow(/share from 0 to 1/)
  })
})

describe("Wilson's interval", () => {
  it.each([
    [0, 8, 0, 0.324_407_564_9],
    [1, 8, 0.022_417_491_5, 0.470_888_182_2],
    [4, 8, 0.215_216_062_2, 0.784_783_937_8],
    [8, 8, 0.675_592_435_1, 1],
    [50, 100, 0.403_831_530_4, 0.596_168_469_6],
  ])('of %i of %i is where |p - share| is 1.96 deviations', (passed, n, low, high) => {
    const found = wilson(passed, n)
    expect([found.low, found.high]).toEqual([expect.closeTo(low, 6), expect.closeTo(high, 6)])
  })
})

describe('migration', () => {
  const at = (version: number, played: readonly Played[]) => {
    const frame = playedFrame(played)
    const all = tallies(select(frame, {}, undefined))
    return { frame, of: (here: number) => all.filter(({ policy_version: found }) => found === here), version }
  }

  it('puts counts of 8 into buckets', () => {
    expect([0, 1, 2, 3, 4, 5, 6, 7, 8].map((passed) => bucketOf(passed, 8))).toEqual([
      'never',
      'tail',
      'tail',
      'tail',
      'middle',
      'high',
      'high',
      'high',
      'always',
    ])
    expect(bucketOf(1, 16)).toBe('low')
    expect(bucketOf(1, 1)).toBe('always')
  })

  it('tells forgotten, newly solved, never and always', () => {
    const { frame, of } = at(0, [
      ...pass('forgotten', 1, 2, 8),
      ...pass('forgotten', 2, 0, 8),
      ...pass('new', 1, 0, 8),
      ...pass('new', 2, 1, 8),
      ...pass('never', 1, 0, 8),
      ...pass('never', 2, 0, 8),
      ...pass('always', 1, 8, 8),
      ...pass('always', 2, 8, 8),
      ...pass('better', 1, 4, 8),
      ...pass('better', 2, 8, 8),
      ...pass('once', 1, 4, 8),
      ...pass('few', 1, 4, 8),
      ...pass('few', 2, 4, 7),
    ])
    const found = migration(of(1), of(2), 8, (left, right) => left - right)
    const ids = (codes: readonly number[]) => codes.map((code) => frame.items.ids.text(code))
    expect(found).toMatchObject({
      n_items: 5,
      n_items_left_out: 2,
      mean_change: (-0.25 + 0.125 + 0.5) / 5,
      mean_loss: 0.05,
    })
    expect(Object.fromEntries(Object.entries(found.changes).map(([change, codes]) => [change, ids(codes)]))).toEqual({
      forgotten: ['forgotten'],
      newly_solved: ['new'],
      never: ['never'],
      always: ['always'],
    })
    expect(found.matrix).toContainEqual({ from_bucket: 'tail', to_bucket: 'never', n_items: 1 })
    expect(found.matrix.reduce((sum, { n_items: n }) => sum + n, 0)).toBe(5)
    expect(found.matrix.every(({ from_bucket: bucket }) => BUCKETS.includes(bucket))).toBe(true)
  })

  it('of nothing is nothing', () => {
    expect(migration([], [], 1, () => 0)).toMatchObject({ n_items: 0, matrix: [], mean_change: null, mean_loss: null })
  })
})
