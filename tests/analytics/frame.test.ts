import { describe, expect, test } from 'vitest'
import type { TrajectoryRow } from '#services/analytics/frame-rows.ts'
import { Frame, frameOf } from '#services/analytics/frame.ts'
import { benchmarkTable } from '#services/analytics/benchmarks.ts'
import { passTable } from '#services/analytics/pass.ts'
import { rewardSeries } from '#services/analytics/rewards.ts'
import { sameNumbers } from '#services/analytics/same-numbers.ts'
import { select } from '#services/analytics/select.ts'
import { Draw, randomRun } from './random-run.ts'
import { item, runOf, scoreOf, trajectory } from './rows.ts'

const rewardsOf = (rows: readonly TrajectoryRow[], version?: string) => {
  const [found] = rewardSeries(select(frameOf(runOf(rows)), {}, version), [])
  return found?.statistics
}

describe('a frame', () => {
  test('that grew in pieces, in any order, gives the same numbers', () => {
    for (let seed = 0; seed < 100; seed++) {
      const rows = randomRun(seed)
      const draw = new Draw(seed)
      const pieces = new Frame({ runs: rows.runs, trajectories: [], items: [] })
      const shuffled = [...rows.trajectories].sort(() => draw.real() - 0.5)
      // As it came: unfinished first, then whole; some rows twice.
      for (const row of shuffled)
        if (draw.chance(0.4))
          pieces.update({
            trajectories: [{ ...row, finished: false, status: null, scores: row.scores.slice(0, 1), trainings: [] }],
            items: [],
          })
      for (const row of shuffled) pieces.update({ trajectories: [row], items: [] })
      pieces.update({ trajectories: shuffled.slice(0, 5), items: rows.items })
      const { differences, trajectories } = sameNumbers(frameOf(rows), pieces, () => true)
      expect([seed, differences]).toEqual([seed, []])
      expect(trajectories).toBeGreaterThan(0)
    }
  })

  test('that lacks a trajectory, or has another reward, is told from the whole', () => {
    const rows = randomRun(7)
    const [first, ...rest] = rows.trajectories.filter(({ n_conflicts: n, finished }) => n === 0 && finished)
    if (first === undefined) throw new Error('an empty run')
    const whole = { ...rows, trajectories: [first, ...rest] }
    const all = () => true
    expect(sameNumbers(frameOf(whole), frameOf({ ...whole, trajectories: rest }), all).differences).not.toEqual([])
    const other = { ...first, scores: [scoreOf(1.0000000000000002)] }
    expect(
      sameNumbers(frameOf(whole), frameOf({ ...whole, trajectories: [other, ...rest] }), all).differences,
    ).not.toEqual([])
  })
})

describe('rewards', () => {
  test('that are NaN or infinite are counted and in no mean', () => {
    const rows = [1, Number.NaN, Number.POSITIVE_INFINITY, 3].map((reward, index) =>
      trajectory(`t${index}`, { scores: [scoreOf(reward)] }),
    )
    expect(rewardsOf(rows)).toMatchObject({ n: 4, n_nonfinite: 2, reward_mean: 2, reward_max: 3, n_unscored: 0 })
  })

  test('that are missing are counted apart', () => {
    const rows = [trajectory('a'), trajectory('b', { scores: [scoreOf(2)] }), trajectory('c', { finished: false })]
    expect(rewardsOf(rows)).toMatchObject({ n: 1, n_unscored: 1, reward_mean: 2, reward_std: null })
  })

  test('of two scores of one version, the first in the log counts', () => {
    const named = scoreOf(5, { reward_version: 'default', offset: 3 })
    const row = trajectory('a', { scores: [scoreOf(2, { offset: 4 }), named] })
    expect(rewardsOf([row])?.reward_mean).toBe(5)
    expect(rewardsOf([trajectory('a', { scores: [scoreOf(2, { offset: 2 }), named] })])?.reward_mean).toBe(2)
  })

  test('of another version stand beside those of the run', () => {
    const row = trajectory('a', { scores: [scoreOf(2), scoreOf(-1, { reward_version: 'sparse' })] })
    expect([rewardsOf([row])?.reward_mean, rewardsOf([row], 'sparse')?.reward_mean]).toEqual([2, -1])
    expect(rewardsOf([row], 'nobody')).toMatchObject({ n: 0, n_unscored: 1, reward_mean: null })
  })

  test('have the quantiles of the straight line', () => {
    const rows = [1, 2, 3, 10].map((reward, index) => trajectory(`t${index}`, { scores: [scoreOf(reward)] }))
    const found = rewardsOf(rows)
    expect([found?.reward_p50, found?.reward_p10?.toFixed(6), found?.reward_p90?.toFixed(6)]).toEqual([
      2.5,
      '1.300000',
      '7.900000',
    ])
  })
})

describe('benchmarks', () => {
  const SETS = [
    ['ChartQA', 1250, 77.04, 'id'],
    ['Geometry3K', 600, 60.5, 'id'],
    ['GeoQA', 500, 70.2, 'id'],
    ['UniGeo', 750, 68, 'id'],
    ['MapQA', 2000, 71.95, 'id'],
    ['TABMWP', 970, 80, 'ood'],
    ['AI2D', 810, 70, 'ood'],
    ['PlotQA', 2000, 75.05, 'ood'],
    ['CLEVR-Math', 930, 70, 'ood'],
    ['IconQA', 1500, 69.9333, 'ood'],
    ['MathVista', 1000, 69.9, 'ood'],
  ] as const

  test('have ID, OOD and All as means over data sets, not over items', () => {
    const items = SETS.flatMap(([dataset, n, , distribution]) =>
      Array.from({ length: n }, (_, index) => item(`${dataset}/${index}`, { dataset, distribution })),
    )
    const rows = SETS.flatMap(([dataset, n, accuracy]) =>
      Array.from({ length: n }, (_, index) =>
        trajectory(`${dataset}/${index}`, {
          item_id: `${dataset}/${index}`,
          scores: [
            scoreOf(index < Math.round((n * accuracy) / 100) ? 2 : 1, {
              answer_match: index < Math.round((n * accuracy) / 100),
            }),
          ],
        }),
      ),
    )
    const table = benchmarkTable(select(frameOf(runOf(rows, items)), {}, undefined))
    const means = table.filter(({ kind }) => kind === 'mean')
    expect(
      means.map(({ dataset, n_datasets: n, accuracy }) => [dataset, n, (100 * (accuracy ?? 0)).toFixed(2)]),
    ).toEqual([
      ['ID', 5, '69.54'],
      ['OOD', 6, '72.48'],
      ['All', 11, '71.14'],
    ])
    const all = means.at(-1)
    expect((100 * (all?.n_correct ?? 0)) / (all?.n_items ?? 1)).not.toBeCloseTo(71.14, 1)
  })

  test('count an item under the family and data set that it was registered with first, and leave out what was not', () => {
    const rows = runOf(
      [
        trajectory('a', { item_id: 'known', scores: [scoreOf(2)] }),
        trajectory('b', { item_id: 'unknown', scores: [scoreOf(2)] }),
      ],
      [item('known')],
    )
    const table = benchmarkTable(select(frameOf(rows), {}, undefined))
    expect(table.map(({ dataset, n_items: n }) => [dataset, n])).toEqual([
      ['ChartQA', 1],
      [null, 1],
      ['ID', 1],
      ['All', 1],
    ])
  })
})

describe('pass@k', () => {
  const rows = runOf(
    Array.from({ length: 150 }, (_, index) =>
      trajectory(`t${String(index).padStart(3, '0')}`, {
        item_id: `item ${(index * index) % 37}`,
        scores: [scoreOf(index % 3 === 0 ? 2 : 1, { answer_match: index % 3 === 0 })],
      }),
    ),
  )
  const options = { ks: [2], estimators: ['pass'] as const, confidence: 0.9, resamples: 500 }
  const passOf = (seed: number) =>
    passTable(select(frameOf(rows), {}, undefined), { ...options, seed }).estimates[0]?.of.pass

  test('has intervals that are the same for the same seed, and others for another', () => {
    expect(passOf(1)).toEqual(passOf(1))
    const ends = [1, 2, 3, 4, 5, 6].map((seed) => `${passOf(seed)?.low} ${passOf(seed)?.high}`)
    expect(new Set(ends).size).toBeGreaterThan(1)
  })

  test('has intervals around the estimate, as far as the deviation over items says', () => {
    const found = passOf(3)
    const [low, value, high] = [found?.low ?? 0, found?.value ?? 0, found?.high ?? 0]
    expect(low).toBeLessThan(value)
    expect(high).toBeGreaterThan(value)
    const perItem = passTable(select(frameOf(rows), {}, undefined), { ...options, ks: [1], seed: 1, resamples: 0 })
    expect(perItem.items).toBe(19)
    expect(high - low).toBeGreaterThan(0.02)
    expect(high - low).toBeLessThan(0.4)
  })
})
