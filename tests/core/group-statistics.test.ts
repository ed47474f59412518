import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Advantage, advantages, deviation } from '#services/core/advantage.ts'
import { isCorrect } from '#services/core/correct.ts'
import { type Candidate, summariseGroup } from '#services/core/group.ts'
import { passAtK, passEstimates, passHatK } from '#services/core/pass-at-k.ts'

const rounded = (values: readonly (number | null)[], digits: number) =>
  values.map((value) => Number((value ?? NaN).toFixed(digits)))
const right = (k: number) => Array.from({ length: 8 }, (_, index) => (index < k ? 2 : 1))
const rewards = fc.array(
  fc.oneof(fc.constantFrom(-3, -1, 0, 1, 2), fc.double({ noNaN: true, noDefaultInfinity: true, min: -100, max: 100 })),
  { minLength: 2, maxLength: 12 },
)

describe('advantages of a group of eight', () => {
  test.each([
    [1, 1.125, 0.3536, 2.475, -0.354],
    [2, 1.25, 0.4629, 1.62, -0.54],
    [3, 1.375, 0.5175, 1.208, -0.725],
    [4, 1.5, 0.5345, 0.935, -0.935],
  ])('%i right', (k, _mean, std, high, low) => {
    expect(deviation(right(k), 1)?.toFixed(4)).toBe(std.toFixed(4))
    expect(rounded(advantages(right(k), 'verl'), 3)).toEqual(right(k).map((reward) => (reward === 2 ? high : low)))
  })

  test.each([0, 8])('%i right: all are 0', (k) => {
    for (const kind of ['verl', 'population', 'dr_grpo', 'rloo'] as const)
      expect(advantages(right(k), kind)).toEqual(right(k).map(() => 0))
  })

  test('of mixed rewards', () => {
    const mixed = [2, 1, -1, -1.5, -2, -3, 2, 1]
    expect(deviation(mixed, 1)?.toFixed(4)).toBe('1.9261')
    expect(rounded(advantages(mixed, 'verl'), 4)).toEqual([
      1.1357, 0.6165, -0.4218, -0.6814, -0.941, -1.4602, 1.1357, 0.6165,
    ])
  })
})

test('a single member: verl takes mean 0 and deviation 1, rloo its reward', () => {
  expect(advantages([3], 'verl')).toEqual([3 / (1 + 1e-6)])
  expect(advantages([3], 'dr_grpo')).toEqual([3])
  expect(advantages([3], 'rloo')).toEqual([3])
  expect(advantages([3], 'none')).toEqual([null])
})

test('advantages agree with formulas written another way', () => {
  fc.assert(
    fc.property(rewards, (given) => {
      const n = given.length
      // Deviations from pairs of values, which need no mean.
      let pairs = 0
      for (const left of given) for (const other of given) pairs += (left - other) ** 2
      const population = Math.sqrt(pairs / (2 * n * n))
      const sample = Math.sqrt(pairs / (2 * n * (n - 1)))
      given.forEach((reward, index) => {
        const fromMean = given.reduce((total, other) => total + (reward - other), 0) / n
        const close = (kind: Advantage, expected: number) =>
          expect(advantages(given, kind)[index]).toBeCloseTo(expected, 6)
        close('dr_grpo', fromMean)
        close('rloo', (fromMean * n) / (n - 1))
        if (sample > 1e-3) {
          close('verl', fromMean / (sample + 1e-6))
          close('population', fromMean / (population + 1e-6))
        }
      })
    }),
  )
})

/** C(n, k), exactly. */
function choose(n: bigint, k: bigint): bigint {
  let result = 1n
  for (let index = 0n; index < k; index++) result = (result * (n - index)) / (index + 1n)
  return k > n ? 0n : result
}

/** A quotient of big numbers to 15 digits. */
const ratio = (over: bigint, under: bigint) => Number((over * 10n ** 18n) / under) / 1e18

test('pass@k and pass^k agree with exact binomials', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 400 }), fc.nat(), fc.nat(), (n, chosen, drawn) => {
      const passed = chosen % (n + 1)
      const k = 1 + (drawn % n)
      const all = choose(BigInt(n), BigInt(k))
      expect(passAtK(n, passed, k)).toBeCloseTo(1 - ratio(choose(BigInt(n - passed), BigInt(k)), all), 12)
      expect(passHatK(n, passed, k)).toBeCloseTo(ratio(choose(BigInt(passed), BigInt(k)), all), 12)
    }),
  )
})

test('pass@k and pass^k agree with counting every subset', () => {
  for (let n = 1; n <= 9; n++) {
    for (let passed = 0; passed <= n; passed++) {
      const subsets = Array.from({ length: 2 ** n }, (_, bits) =>
        Array.from({ length: n }, (__, index) => (bits >> index) & 1),
      )
      for (let k = 1; k <= n; k++) {
        const drawn = subsets.filter((subset) => subset.reduce((total, bit) => total + bit, 0) === k)
        const some = drawn.filter((subset) => subset.some((bit, index) => bit === 1 && index < passed)).length
        const every = drawn.filter((subset) => subset.every((bit, index) => bit === 0 || index < passed)).length
        expect(passAtK(n, passed, k)).toBeCloseTo(some / drawn.length, 12)
        expect(passHatK(n, passed, k)).toBeCloseTo(every / drawn.length, 12)
      }
    }
  }
})

test('items with too few rollouts are left out and counted; none at all is null', () => {
  const counts = [
    { n: 4, passed: 2, items: 3 },
    { n: 1, passed: 1, items: 2 },
  ]
  expect(passEstimates(counts, [1, 2, 8])).toEqual([
    { k: 1, pass_at_k: (3 * 0.5 + 2) / 5, pass_hat_k: (3 * 0.5 + 2) / 5, n_items: 5, n_items_left_out: 0 },
    { k: 2, pass_at_k: 1 - 1 / 6, pass_hat_k: 1 / 6, n_items: 3, n_items_left_out: 2 },
    { k: 8, pass_at_k: null, pass_hat_k: null, n_items: 0, n_items_left_out: 5 },
  ])
})

describe('correct', () => {
  const score = { reward: 0, answer_match: null, parts: null }
  test.each([
    ['answer_match comes first', { ...score, answer_match: false, reward: 5, parts: { correct: 1 } }, 1, false],
    ['then the part', { ...score, parts: { correct: 1 } }, 1, true],
    ['a part of NaN is not right', { ...score, reward: 5, parts: { correct: 'NaN' } }, 1, false],
    ['then the reward, to 1e-6', { ...score, reward: 0.9999995 }, 1, true],
    ['and no further', { ...score, reward: 0.999 }, 1, false],
    ['against the threshold of the run', { ...score, reward: 1.5, parts: { format: 1 } }, 2, false],
    ['NaN reaches nothing', { ...score, reward: NaN }, -5, false],
  ])('%s', (_name, given, threshold, expected) => {
    expect(isCorrect(given, threshold)).toBe(expected)
  })
})

describe('a group', () => {
  const member = (more: Partial<Candidate> & { trajectory_id: string }): Candidate => ({
    partition: 0,
    first_offset: 0,
    rollout_index: null,
    status: 'completed',
    reward: 1,
    correct: false,
    ...more,
  })
  const summary = (members: readonly Candidate[], expected: number | null = null) =>
    summariseGroup(members, expected, 'verl')

  test('counts finished members with a finite reward', () => {
    const { size, complete } = summary(
      [
        member({ trajectory_id: 'a' }),
        member({ trajectory_id: 'b', status: 'truncated' }),
        member({ trajectory_id: 'c', status: 'aborted' }),
        member({ trajectory_id: 'd', status: null, reward: null, correct: null }),
        member({ trajectory_id: 'e', reward: NaN }),
      ],
      3,
    )
    expect([size, complete]).toEqual([2, false])
  })

  test('takes the first in log order for each rollout_index; the rest are extra', () => {
    const { members, size } = summary([
      member({ trajectory_id: 'late', rollout_index: 0, first_offset: 9, reward: 7 }),
      member({ trajectory_id: 'early', rollout_index: 0, first_offset: 1, reward: 2 }),
      member({ trajectory_id: 'other', rollout_index: 1, first_offset: 5 }),
    ])
    expect(members.map(({ candidate, extra }) => [candidate.trajectory_id, extra])).toEqual([
      ['early', false],
      ['late', true],
      ['other', false],
    ])
    expect(size).toBe(2)
    expect(members[1]?.advantage).toBeNull()
  })

  test('lets a retry count where the first attempt broke', () => {
    const { members, size } = summary([
      member({
        trajectory_id: 'broken',
        rollout_index: 0,
        first_offset: 1,
        status: 'infra_error',
        reward: null,
        correct: null,
      }),
      member({ trajectory_id: 'retry', rollout_index: 0, first_offset: 2 }),
    ])
    expect(size).toBe(1)
    expect(members.find(({ candidate }) => candidate.trajectory_id === 'broken')?.extra).toBe(true)
  })

  test.each([
    ['all_pass', true, true, 1],
    ['all_fail', false, false, 1],
    ['uniform_other', true, false, 1],
  ] as const)('of equal rewards is %s', (kind, left, other, reward) => {
    const given = summary([
      member({ trajectory_id: 'a', correct: left, reward }),
      member({ trajectory_id: 'b', correct: other, reward }),
    ])
    expect([given.zero_variance, given.zero_variance_kind, given.reward_std]).toEqual([true, kind, 0])
  })

  test('of one has no deviation, and of none no mean', () => {
    expect(summary([member({ trajectory_id: 'a' })])).toMatchObject({
      reward_mean: 1,
      reward_std: null,
      reward_std_population: 0,
      zero_variance: false,
      complete: null,
    })
    expect(summary([])).toMatchObject({ reward_mean: null, reward_std: null, size: 0 })
  })

  test('comes to the same whatever order its members are given in', () => {
    const members = fc
      .array(
        fc.record({
          partition: fc.nat({ max: 3 }),
          first_offset: fc.nat({ max: 5 }),
          rollout_index: fc.option(fc.nat({ max: 3 })),
          status: fc.constantFrom('completed', 'aborted', null),
          reward: fc.option(fc.double()),
          correct: fc.option(fc.boolean()),
        }),
        { maxLength: 8 },
      )
      .map((given) => given.map((one, index): Candidate => ({ ...one, trajectory_id: `t${index}` })))
    fc.assert(
      fc.property(members, fc.nat(), (given, turn) => {
        const turned = given.map((_, index) => given[(index + turn) % given.length]).filter((one) => one !== undefined)
        expect(summary(turned.reverse())).toEqual(summary(given))
      }),
    )
  })
})
