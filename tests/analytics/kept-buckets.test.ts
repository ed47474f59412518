/** What is kept of buckets while a run goes on is what is computed of all rows anew, and only what changed is computed. */
import { describe, expect, it } from 'vitest'
import type { TrajectoryRow } from '#services/analytics/frame-rows.ts'
import { bucketsOf } from '#services/analytics/buckets.ts'
import { counterfactualSeries, formulasOf } from '#services/analytics/counterfactual.ts'
import { type Frame, frameOf } from '#services/analytics/frame.ts'
import { statisticsOfBuckets } from '#services/analytics/kept-buckets.ts'
import { lengthSeries } from '#services/analytics/lengths.ts'
import { rewardSeries } from '#services/analytics/rewards.ts'
import { type FrameFilter, select } from '#services/analytics/select.ts'
import { Draw } from './random-run.ts'
import { item, runOf, scoreOf, trajectory } from './rows.ts'

const ITEMS = ['a', 'b', 'c'].map((id) => item(`item-${id}`, { dataset: `set-${id}` }))

/** A trajectory as events could leave it at any moment: what was scored stays so. */
function drawn(draw: Draw, number: number, before: TrajectoryRow | undefined): TrajectoryRow {
  const group = number >> 2
  return trajectory(`t${number}`, {
    item_id: draw.one(['item-a', 'item-b', 'item-c']),
    group_id: `g${group}`,
    group_size: 4,
    rollout_index: number & 3,
    // Now and then a member is played at another step than its group.
    train_step: (group >> 2) + (draw.chance(0.02) ? 1 : 0),
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
  return (['train_step', 'dataset'] as const).flatMap((by) =>
    [
      ...rewardSeries(selection, [by]),
      ...lengthSeries(selection, [by], 400),
      ...counterfactualSeries(selection, [by], formulas, false),
      ...counterfactualSeries(selection, [by], formulasOf(selection, ['sparse'], []), true),
    ].map(({ bucket, statistics }) => ({ ...bucket.by, ...statistics })),
  )
}

describe('buckets that are kept', () => {
  it('tell what a frame of the same rows tells that was never asked before', () => {
    const draw = new Draw(3)
    const rows = new Map<string, TrajectoryRow>()
    const put = (count: number): TrajectoryRow[] => {
      return Array.from({ length: count }, () => {
        const number = draw.below(rows.size + 40)
        const row = drawn(draw, number, rows.get(`t${number}`))
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

const datasetOf = ({ items }: Frame, id: string): string => items.dataset.get(items.ids.codeOf(id) ?? -1) ?? ''
