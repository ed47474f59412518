import { describe, expect, test } from 'vitest'
import { advantageTable } from '#services/analytics/advantage-table.ts'
import { benchmarkTable } from '#services/analytics/benchmarks.ts'
import { counterfactualSeries, formulasOf } from '#services/analytics/counterfactual.ts'
import { frameOf } from '#services/analytics/frame.ts'
import { groupSeries } from '#services/analytics/group-series.ts'
import { ESTIMATORS, passTable } from '#services/analytics/pass.ts'
import { rewardSeries } from '#services/analytics/rewards.ts'
import { type Selection, select } from '#services/analytics/select.ts'
import { keptOf, stalenessOf, trainedSteps } from '#services/analytics/trained.ts'
import type { Advantage } from '#services/core/advantage.ts'
import { randomRun } from '#tests/analytics/random-run.ts'
import { readWith } from './reader.ts'

/** JSON with words for what it has none of. */
const worded = (_: string, value: unknown): unknown =>
  typeof value === 'number' && !Number.isFinite(value) ? String(value) : value

function advantagesOf(selection: Selection, kind: Advantage) {
  const { rows, advantage } = advantageTable(selection, kind, { incomplete: false, tolerance: 1e-4 })
  return Array.from(rows, (row) => [selection.frame.trajectoryIds[row], advantage[row]])
}

function oursOf(seed: number) {
  const rows = randomRun(seed)
  const selection = select(frameOf(rows), {}, undefined)
  const pass = passTable(selection, { ks: [1, 2, 3], estimators: ESTIMATORS, confidence: 0.95, resamples: 0, seed: 0 })
  return {
    seed,
    rows: rows.trajectories,
    run: rows.runs[0],
    items: rows.items,
    ours: {
      rewards: rewardSeries(selection, ['train_step']).map(({ bucket, statistics }) => ({
        ...bucket.by,
        ...statistics,
      })),
      groups: groupSeries(selection, false),
      advantages: Object.fromEntries(
        (['verl', 'population', 'dr_grpo', 'rloo'] as const).map((kind) => [kind, advantagesOf(selection, kind)]),
      ),
      pass: pass.estimates.map(({ k, of }) => ({
        k,
        n: of.pass?.n,
        leftOut: of.pass?.leftOut,
        ...Object.fromEntries(ESTIMATORS.map((name) => [name, of[name]?.value])),
      })),
      benchmarks: benchmarkTable(selection),
      counterfactual: Object.fromEntries(
        counterfactualSeries(
          selection,
          [],
          formulasOf(selection, ['dense', 'sparse', 'difficulty_adaptive'], []),
          false,
        ).map(({ statistics }) => [statistics.formula, statistics]),
      ),
      trained: trainedSteps(selection).map((step) => ({
        train_step: step.train_step,
        substep: step.substep,
        ...keptOf(selection, step),
        ...stalenessOf(selection, step),
      })),
    },
  }
}

describe('statistics of 1,000 random runs', () => {
  test('are what NumPy and the published formulas give', async () => {
    const runs = Array.from({ length: 1000 }, (_, seed) => oursOf(seed))
    const input: unknown = JSON.parse(JSON.stringify({ runs }, worded))
    const { checked, differences } = await readWith<{ checked: number; differences: string[] }>(
      'check-numbers.py',
      input,
    )
    expect(differences).toEqual([])
    expect(checked).toBeGreaterThan(100_000)
  })
})
