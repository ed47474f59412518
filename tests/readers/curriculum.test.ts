/** Curriculum and diagnostics on 1,000 random runs, against NumPy and exact fractions. */
import { expect, it } from 'vitest'
import { select } from '#services/analytics/select.ts'
import { betweenTest, parseShare } from '#services/curriculum/fraction.ts'
import { wilson } from '#services/curriculum/interval.ts'
import { migration } from '#services/curriculum/migration.ts'
import { newestTallies, tallies } from '#services/curriculum/tally.ts'
import { agreementOf } from '#services/diagnostics/agreement.ts'
import { type CallRow, CallTable } from '#services/diagnostics/call-table.ts'
import { toolSeries } from '#services/diagnostics/tool-series.ts'
import { type Random, random as randomOf } from '#services/gym/random.ts'
import { type Played, playedFrame } from '#tests/curriculum/frames.ts'
import { readWith } from './reader.ts'

const RUNS = 1_000
const REWARDS = [-3, -1, 0, 0.1, 1, 2, Number.NaN, Number.POSITIVE_INFINITY, null]
const STATUSES = ['ok', 'ok', 'tool_error', 'timeout', 'infra', null]

function among<Value>(random: Random, values: readonly Value[]): Value {
  return values[random.int(0, values.length - 1)] as Value
}

function playedRun(random: Random): Played[] {
  return Array.from({ length: random.int(0, 120) }, () => ({
    item: among(random, ['a', 'b', 'c', 'd', 'e', null]),
    version: among(random, [1, 2, 3, null]),
    reward: among(random, REWARDS),
    correct: random.int(0, 2) === 0,
  }))
}

function callsOf(random: Random): CallRow[] {
  return Array.from({ length: random.int(0, 60) }, () => ({
    tool: among(random, ['look', 'zoom', 'count']),
    status: among(random, STATUSES),
    valid: random.int(0, 3) > 0,
    attempt: among(random, [null, 0, 1, 2]),
    latency_ms: random.int(0, 5) === 0 ? null : random.int(0, 5_000),
    codes: [],
  }))
}

/** JSON has no word for numbers that are not finite; Python reads these. */
const sent = (reward: number | null): number | string | null =>
  reward === null || Number.isFinite(reward) ? reward : String(reward).replace('Infinity', 'inf')

function computed(
  rollouts: readonly Played[],
  calls: readonly CallRow[],
  ratings: readonly (readonly number[])[],
  bounds: readonly [string, string],
) {
  const frame = playedFrame(rollouts)
  const selection = select(frame, {}, undefined)
  const all = tallies(selection)
  const name = (code: number): string => frame.items.ids.text(code) ?? ''
  const [low, high] = bounds
  const fits = betweenTest(parseShare(low, 'low'), parseShare(high, 'high'))
  const of = (version: number) => all.filter(({ policy_version: here }) => here === version)
  const { changes, ...moved } = migration(of(1), of(2), 1, (left, right) => (name(left) < name(right) ? -1 : 1))
  const one = playedFrame([{ item: 'a', version: 1, reward: 1 }])
  const table = new CallTable()
  table.put('t000000', calls)
  return {
    tallies: all.map(({ item, ...tally }) => ({ item: name(item), ...tally, ...wilson(tally.passed, tally.n) })),
    slice: {
      low,
      high,
      items: newestTallies(all)
        .filter(({ passed, n }) => fits(passed, n))
        .map(({ item }) => name(item))
        .sort(),
    },
    migration: {
      ...moved,
      changes: Object.fromEntries(Object.entries(changes).map(([change, codes]) => [change, codes.map(name)])),
    },
    tools: toolSeries(select(one, {}, undefined), table, []).map(({ statistics }) => statistics),
    agreement: agreementOf(
      ratings.map((values) => ({ raters: values.length, set: values.filter((value) => value === 1).length })),
    ),
  }
}

it(`of ${RUNS} random runs are what NumPy makes of them`, async () => {
  const runs = Array.from({ length: RUNS }, (_, seed) => {
    const random = randomOf(seed, 'curriculum')
    const rollouts = playedRun(random)
    const calls = callsOf(random)
    const ratings = Array.from({ length: random.int(0, 30) }, () =>
      Array.from({ length: random.int(1, 4) }, () => random.int(0, 1)),
    )
    const bounds = among(random, [
      ['0.125', '0.375'],
      ['1/3', '2/3'],
      ['0.1', '0.3'],
      ['0', '1'],
    ] as const)
    const ours = computed(rollouts, calls, ratings, bounds)
    return { rollouts: rollouts.map((one) => ({ ...one, reward: sent(one.reward) })), calls, ratings, ours }
  })
  const { checked, differences } = await readWith<{ checked: number; differences: string[] }>('check-curriculum.py', {
    runs,
  })
  expect(differences).toEqual([])
  expect(checked).toBeGreaterThan(50 * RUNS)
})
