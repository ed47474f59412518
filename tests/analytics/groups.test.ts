import { describe, expect, test } from 'vitest'
import { advantageTable } from '#services/analytics/advantage-table.ts'
import type { TrajectoryRow } from '#services/analytics/frame-rows.ts'
import { frameOf } from '#services/analytics/frame.ts'
import { groupSeries } from '#services/analytics/group-series.ts'
import { groupsOf } from '#services/analytics/grouped.ts'
import { select } from '#services/analytics/select.ts'
import { ADVANTAGES } from '#services/core/advantage.ts'
import { isCorrect } from '#services/core/correct.ts'
import { type Candidate, summariseGroup } from '#services/core/group.ts'
import { randomRun } from './random-run.ts'
import { groupOf, runOf } from './rows.ts'

type Given = Candidate & { readonly row: TrajectoryRow }

/** A row as the group of /v1/groups sees it. */
function candidate(row: TrajectoryRow, threshold: number): Given {
  const scores = row.scores.filter(({ reward_version: version }) => version === '' || version === 'default')
  const score = scores.sort((left, right) => left.offset - right.offset)[0]
  return {
    row,
    trajectory_id: row.trajectory_id,
    partition: row.partition,
    first_offset: row.first_offset,
    rollout_index: row.rollout_index,
    status: row.status,
    reward: score?.reward ?? null,
    correct: score === undefined ? null : isCorrect(score, threshold),
  }
}

describe('groups over columns', () => {
  test('are those of /v1/groups on 200 random runs, to the last bit', () => {
    let compared = 0
    for (let seed = 0; seed < 200; seed++) {
      const rows = randomRun(seed)
      const [run] = rows.runs
      const selection = select(frameOf(rows), { conflicted: true }, undefined)
      const groups = groupsOf(selection)
      const { frame } = selection
      for (let group = 0; group < groups.size; group++) {
        const id = frame.groups.ids[groups.codes[group] ?? 0]
        const members = rows.trajectories.filter((row) => row.group_id === id)
        const said = members.sort((left, right) => left.first_offset - right.first_offset)
        const expected = said.find((row) => row.group_size !== null)?.group_size ?? run?.group_size ?? null
        for (const kind of ADVANTAGES) {
          const summary = summariseGroup(
            said.map((row) => candidate(row, run?.correct_threshold ?? 1)),
            expected,
            kind,
          )
          const nullable = (value: number | undefined) => (value === undefined || Number.isNaN(value) ? null : value)
          expect(nullable(groups.mean[group])).toBe(summary.reward_mean)
          expect(nullable(groups.std[group])).toBe(summary.reward_std)
          expect(nullable(groups.stdPopulation[group])).toBe(summary.reward_std_population)
          expect(groups.zeroVariance[group] === 1).toBe(summary.zero_variance)
          expect(
            [null, true, false][(groups.complete[group] ?? -1) === -1 ? 0 : groups.complete[group] === 1 ? 1 : 2],
          ).toBe(summary.complete)
          const table = advantageTable(selection, kind, { incomplete: true, tolerance: 0 })
          for (const { candidate: member, advantage } of summary.members) {
            const row = frame.rowOf(member.trajectory_id) ?? -1
            expect(nullable(table.advantage[row])).toBe(advantage)
            compared += 1
          }
        }
      }
    }
    expect(compared).toBeGreaterThan(5000)
  })

  test('give the advantages of the fixtures', () => {
    const advantagesOf = (rewards: readonly number[]) => {
      const selection = select(frameOf(runOf(groupOf('g', rewards))), {}, undefined)
      const table = advantageTable(selection, 'verl', { incomplete: false, tolerance: 0 })
      return Array.from(table.rows, (row) => Number((table.advantage[row] ?? 0).toFixed(4)))
    }
    expect(advantagesOf([2, 1, -1, -1.5, -2, -3, 2, 1])).toEqual([
      1.1357, 0.6165, -0.4218, -0.6814, -0.941, -1.4602, 1.1357, 0.6165,
    ])
    expect(advantagesOf([2, 1, 1, 1, 1, 1, 1, 1]).map((value) => value.toFixed(3))).toEqual([
      '2.475',
      ...Array<string>(7).fill('-0.354'),
    ])
    expect(advantagesOf([1, 1, 1, 1, 1, 1, 1, 1])).toEqual([0, 0, 0, 0, 0, 0, 0, 0])
  })
})

describe('the series', () => {
  const wrong = { parts: { correct: 0 } }
  const right = { parts: { correct: 1 } }

  test('shows that a filter on the deviation keeps groups that are all wrong', () => {
    const rows = runOf([
      ...groupOf('shaped', [1, 1, -1, -1], { score: wrong }),
      ...groupOf('flat', [-1, -1, -1, -1], { score: wrong }),
      ...groupOf('all right', [2, 2, 2, 2], { score: right }),
    ])
    const [series] = groupSeries(select(frameOf(rows), {}, undefined), false)
    expect(series).toMatchObject({
      groups: 3,
      zero_variance: 2,
      all_fail: 1,
      all_pass: 1,
      outcome_all_fail: 2,
      outcome_all_pass: 1,
      all_fail_kept_by_std: 1,
      dapo_kept_by_reward: 1,
      dapo_kept_by_outcome: 0,
      dapo_kept_share: 0,
    })
  })

  test('counts incomplete groups and leaves them out of everything else', () => {
    const rows = runOf([...groupOf('whole', [2, 1]), ...groupOf('short', [2, -3], { size: 3 })])
    const selection = select(frameOf(rows), {}, undefined)
    const [series] = groupSeries(selection, false)
    expect(series).toMatchObject({ groups: 2, complete: 1, incomplete: 1, outcome_all_pass: 1, outcome_mixed: 0 })
    expect(series?.mean_std).toBeCloseTo(Math.SQRT1_2, 12)
    expect(groupSeries(selection, true)[0]?.mean_std).toBeGreaterThan(2)
  })

  test('keeps a late member and a second one for a place apart', () => {
    const [first, second, third] = groupOf('g', [2, 1, 5])
    const rows = runOf([
      { ...first, group_size: 2 },
      { ...second, group_size: 2 },
      { ...third, group_size: 2, rollout_index: 1 },
    ] as TrajectoryRow[])
    const groups = groupsOf(select(frameOf(rows), {}, undefined))
    expect([Array.from(groups.rewards.subarray(0, groups.memberStarts[1])), groups.complete[0]]).toEqual([[2, 1], 1])
  })
})
