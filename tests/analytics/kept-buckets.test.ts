/** What is kept of buckets while a run goes on is what is computed of all rows anew, and only what changed is computed. */
import { describe, expect, it } from 'vitest'
import type { TrajectoryRow } from '#services/analytics/frame-rows.ts'
import { benchmarkTable } from '#services/analytics/benchmarks.ts'
import { type Bucket, bucketsOf } from '#services/analytics/buckets.ts'
import { counterfactualSeries, formulasOf } from '#services/analytics/counterfactual.ts'
import { type Frame, frameOf } from '#services/analytics/frame.ts'
import { statisticsOfBuckets } from '#services/analytics/kept-buckets.ts'
import { lengthSeries } from '#services/analytics/lengths.ts'
import { ESTIMATORS, passTable } from '#services/analytics/pass.ts'
import { rewardSeries } from '#services/analytics/rewards.ts'
import { type FrameFilter, select } from '#services/analytics/select.ts'
import { Draw } from './random-run.ts'
import { item, runOf, scoreOf, trajectory } from './rows.ts'

const ITEMS = ['a', 'b', 'c'].map((id) => item(`item-${id}`, { dataset: `set-${id}` }))

/** A trajectory as events could leave it at any moment: what was scored stays so. */
function drawn(draw: Draw, answers: Draw, number: number, before: TrajectoryRow | undefined): TrajectoryRow {
  const group = number >> 2
  return trajectory(`t${number}`, {
    item_id: draw.one(['item-a', 'item-b', 'item-c']),
    group_id: `g${group}`,
    group_size: 4,
    rollout_index: number & 3,
    // Now and then a member is played at another step than its group.
    train_step: (group >> 2) + (draw.chance(0.02) ? 1 : 0),
    // Versions lie apart in the order of rows, so that what is kept of each is put together again.
    policy_version: answers.chance(0.05) ? null : number % 5,
    prediction: answers.one(['A', 'B', 'C', null]),
    finished: draw.chance(0.9),
    status: draw.one(['completed', 'truncated', 'failed']),
    n_steps: draw.below(9),
    response_tokens: draw.chance(0.8) ? draw.below(500) : null,
    scores: draw.chance(0.1)
      ? (before?.scores ?? [])
      : [
          scoreOf(draw.one([0, 1, 2, Number.NaN]), {
            parts: { correct: draw.below(2), ...(draw.chance(0.01) ? { late: 1 } : {}) },
          }),
          scoreOf(draw.real(), { reward_version: 'second' }),
        ],
  })
}

/** Everything that is kept by bucket, as a frame tells it. */
function told(frame: Frame, filter: FrameFilter, version: string | undefined): unknown {
  const selection = select(frame, filter, version)
  const formulas = formulasOf(selection, ['stored', 'difficulty_adaptive'], ['correct * 2 - n_steps', 'group_mean'])
  const pass = { ks: [1, 2, 5], estimators: ESTIMATORS, confidence: 0.9, resamples: 20, seed: 3 }
  const units = [
    passTable(selection, pass),
    passTable(selection, { ...pass, ks: [4, 1, 2] }),
    benchmarkTable(selection),
  ]
  const buckets = (['train_step', 'dataset'] as const).flatMap((by) =>
    [
      ...rewardSeries(selection, [by]),
      ...lengthSeries(selection, [by], 400),
      ...counterfactualSeries(selection, [by], formulas, false),
      ...counterfactualSeries(selection, [by], formulasOf(selection, ['sparse'], []), true),
    ].map(({ bucket, statistics }) => ({ ...bucket.by, ...statistics })),
  )
  return [...units, ...buckets]
}

describe('buckets that are kept', () => {
  it('tell what a frame of the same rows tells that was never asked before', () => {
    const [draw, answers] = [new Draw(3), new Draw(4)]
    const rows = new Map<string, TrajectoryRow>()
    const put = (count: number): TrajectoryRow[] => {
      return Array.from({ length: count }, () => {
        const number = draw.below(rows.size + 40)
        const row = drawn(draw, answers, number, rows.get(`t${number}`))
        rows.set(row.trajectory_id, row)
        return row
      })
    }
    const live = frameOf(runOf(put(300), ITEMS))
    for (let round = 0; round < 60; round++) {
      const added = put(draw.below(5))
      const renamed = draw.chance(0.1) ? [item('item-b', { dataset: `set-${draw.one(['b', 'c'])}` })] : []
      live.update({ trajectories: added, items: renamed })
      const items = ITEMS.map(({ item_id: id }) => item(id, { dataset: datasetOf(live, id) }))
      const anew = frameOf(runOf([...rows.values()], items))
      for (const filter of [{}, { datasets: ['set-a'] }])
        for (const version of [undefined, 'second'])
          expect(told(live, filter, version)).toEqual(told(anew, filter, version))
    }
  })

  it('are computed anew where a row changed, came or left, and nowhere else', () => {
    const at = (id: string, step: number) => trajectory(id, { train_step: step, scores: [scoreOf(1)] })
    const frame = frameOf(runOf([at('a', 1), at('b', 1), at('c', 2), at('d', 3)]))
    const computed = (filter: FrameFilter = {}): unknown[] => {
      const selection = select(frame, filter, undefined)
      const asked: unknown[] = []
      statisticsOfBuckets(selection, 'test', bucketsOf(selection, ['train_step']), (changed) => {
        asked.push(...changed.map(({ by }) => by.train_step))
        return changed
      })
      return asked
    }
    expect(computed()).toEqual([1, 2, 3])
    expect(computed()).toEqual([])
    frame.update({ trajectories: [at('c', 2)], items: [item('item')] })
    expect(computed()).toEqual([2])
    frame.update({ trajectories: [at('b', 3), at('e', 4)], items: [] })
    expect(computed()).toEqual([1, 3, 4])
    frame.update({ trajectories: [], items: [item('item', { dataset: 'other' })] })
    expect(computed()).toEqual([])
    expect(
      computed({ trainStep: { any: [3], ne: [], gte: undefined, lte: undefined, gt: undefined, lt: undefined } }),
    ).toEqual([])
  })
})

describe('units that are kept', () => {
  /** The value of each estimator of 2 rollouts, after every update. */
  const told = (frame: Frame) => {
    const options = { ks: [2], estimators: ESTIMATORS, confidence: 0.9, resamples: 0, seed: 0 }
    const { units, estimates } = passTable(select(frame, {}, undefined), options)
    return [units, ...ESTIMATORS.map((name) => estimates[0]?.of[name]?.value)]
  }
  const rollout = (id: string, prediction: string, reward: number, version = 0) =>
    trajectory(id, { prediction, policy_version: version, scores: [scoreOf(reward)] })

  it('are computed again where a reward, an answer or a version changed', () => {
    const other = [rollout('c', 'A', 1, 1), rollout('d', 'A', 1, 1)]
    const frame = frameOf(runOf([rollout('a', 'A', 1), rollout('b', 'A', 0), ...other]))
    const put = (row: TrajectoryRow) => {
      frame.update({ trajectories: [row], items: [] })
      return told(frame)
    }
    expect(told(frame)).toEqual([2, 1, 0.5, 1, 0.5, 0.75])
    expect(put(rollout('b', 'B', 2))).toEqual([2, 1, 1, 1.5, 1, 1])
    expect(put(rollout('b', 'B', -3, 2))).toEqual([3, 1, 1, 1, 1, 1])
    expect(put(rollout('b', 'B', 0, 1))).toEqual([2, 1, 1 / 3, 1, 1 / 3, 2 / 3])
  })

  it('are of one k each', () => {
    const selection = select(frameOf(runOf([rollout('a', 'A', 1), rollout('b', 'A', 0)])), {}, undefined)
    const options = { estimators: ESTIMATORS, confidence: 0.9, resamples: 0, seed: 0 }
    const passOf = (k: number) => passTable(selection, { ...options, ks: [k] }).estimates[0]?.of.pass?.value
    expect([passOf(1), passOf(2), passOf(3), passOf(1)]).toEqual([0.5, 1, null, 0.5])
  })

  it('are added up in the order of their first rows, not of their versions', () => {
    const rows = [rollout('a', 'A', 1e16, 1), rollout('b', 'A', -1e16, 2), rollout('c', 'A', 1, 0)]
    const options = { ks: [1], estimators: ESTIMATORS, confidence: 0.9, resamples: 0, seed: 0 }
    const { estimates } = passTable(select(frameOf(runOf(rows)), {}, undefined), options)
    expect(estimates[0]?.of.best?.value).toBe(1 / 3)
  })
})

describe('what is kept', () => {
  const frame = frameOf(
    runOf(['a', 'b', 'c'].map((id, step) => trajectory(id, { train_step: step, scores: [scoreOf(1)] }))),
  )
  /** How many of the three buckets are computed for a list whose statistics take so many bytes each. */
  const computed = (name: string, bytes: number): number => {
    const selection = select(frame, {}, undefined)
    let asked = 0
    const compute = (changed: readonly Bucket[]) => {
      asked = changed.length
      return changed
    }
    statisticsOfBuckets(selection, name, bucketsOf(selection, ['train_step']), compute, () => bytes)
    return asked
  }

  it('is not a list that would not fit, and what fits stays beside it', () => {
    expect([computed('small', 0), computed('small', 0)]).toEqual([3, 0])
    expect([computed('large', 1000), computed('large', 1000)]).toEqual([3, 3])
    expect(computed('small', 0)).toBe(0)
  })

  it('makes room for what is asked for, the oldest first', () => {
    for (const name of ['one', 'two', 'three']) expect(computed(name, 40)).toBe(3)
    expect([computed('three', 40), computed('two', 40)]).toEqual([0, 0])
    expect(computed('one', 40)).toBe(3)
  })
})

const datasetOf = ({ items }: Frame, id: string): string => items.dataset.get(items.ids.codeOf(id) ?? -1) ?? ''
