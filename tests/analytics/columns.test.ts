/** Formulas over whole columns and groups over all buckets at once give what they give row by row and bucket by bucket. */
import { describe, expect, it } from 'vitest'
import { bucketsOf } from '#services/analytics/buckets.ts'
import { Chance } from '#services/analytics/chance.ts'
import { counterfactualRewards, counterfactualSeries, formulasOf } from '#services/analytics/counterfactual.ts'
import { CHUNK_ROWS } from '#services/analytics/formula-columns.ts'
import { frameOf } from '#services/analytics/frame.ts'
import { groupLayout, groupLayouts, groupsStayApart } from '#services/analytics/grouped.ts'
import { unitsOf } from '#services/analytics/pass-units.ts'
import { byItems, resampled } from '#services/analytics/resampling.ts'
import { select } from '#services/analytics/select.ts'
import { runOf, scoreOf, trajectory } from './rows.ts'

const EXPRESSIONS = [
  'if(correct == 1 and n_steps > 3, reward ^ 2 / 3, -abs(reward - group_mean)) + min(format, 0.5, n_steps) - max(rep, 1)',
  'not (correct or format < 1) * sqrt(n_steps) + clamp(reward, 0, 1.5) - log(1 + response_tokens) * floor(reward) - sign(-correct)',
]

/** More rows than two chunks, of which some lack a part, some are unfinished, and every tenth group lies in two steps. */
function rows(count: number) {
  return Array.from({ length: count }, (_, index) =>
    trajectory(`t${String(index).padStart(6, '0')}`, {
      item_id: `i${index >> 4}`,
      group_id: `g${index >> 2}`,
      group_size: index % 9 === 0 ? 5 : 4,
      rollout_index: 3 - (index & 3),
      train_step: (index >> 6) + ((index >> 2) % 10 === 0 ? index & 1 : 0),
      policy_version: index >> 7,
      n_steps: index % 11,
      response_tokens: (index * 7) % 500,
      finished: index % 13 > 0,
      prediction: index % 5 === 0 ? null : ` Answer  ${index % 3}`,
      scores: [
        scoreOf(((index * 31) % 17) / 7, {
          parts: { rep: 0, correct: index % 2, ...(index % 19 === 0 ? {} : { format: (index % 3) / 2 }) },
        }),
      ],
    }),
  )
}

const selection = select(frameOf(runOf(rows(CHUNK_ROWS * 2 + 321))), {}, undefined)

describe('columns', () => {
  it('computes a formula over chunks as it computes it row by row', () => {
    const { frame, scores } = selection
    const groupMean = new Map<number, number>()
    for (const { statistics } of counterfactualSeries(selection, [], formulasOf(selection, [], ['group_mean']), true))
      expect(statistics.n).toBeGreaterThan(CHUNK_ROWS)
    const means = counterfactualRewards(selection, formulasOf(selection, [], ['group_mean'])[0]?.formula ?? never())
    for (const row of selection.rows) groupMean.set(row, means.get(row) ?? Number.NaN)
    for (const { formula } of formulasOf(selection, [], EXPRESSIONS)) {
      const found = counterfactualRewards(selection, formula)
      let [present, absent] = [0, 0]
      for (const row of selection.rows) {
        const valueOf: Record<string, number | null> = {
          reward: scores.reward.get(row),
          group_mean: groupMean.get(row) ?? null,
          n_steps: frame.nSteps.get(row),
          response_tokens: frame.responseTokens.get(row),
        }
        const values = formula.names.map(
          (name) => (name in valueOf ? valueOf[name] : scores.parts.get(name)?.get(row)) ?? Number.NaN,
        )
        const isHere = frame.finished.get(row) === true && !values.some((value) => Number.isNaN(value))
        expect(found.get(row)).toBe(isHere ? formula.compute(values) : null)
        if (isHere) present += 1
        else absent += 1
      }
      expect(Math.min(present, absent)).toBeGreaterThan(100)
    }
  })

  it('lays out the groups of all buckets as those of each bucket, also of a group that lies in two', () => {
    const buckets = bucketsOf(selection, ['train_step'])
    const lists = buckets.map((bucket) => bucket.rows)
    const { layout, firsts } = groupLayouts(selection.frame, lists)
    expect(groupsStayApart(selection.frame, lists)).toBe(false)
    expect(groupsStayApart(selection.frame, lists.slice(0, 1))).toBe(true)
    expect(layout.size).toBeGreaterThan(groupLayout(selection).size)
    for (const [index, bucket] of buckets.entries()) {
      const alone = groupLayout({ ...selection, rows: bucket.rows })
      const [first, end] = [firsts[index] ?? 0, firsts[index + 1] ?? 0]
      expect([...layout.codes.subarray(first, end)]).toEqual([...alone.codes])
      expect([...layout.rows.subarray(layout.starts[first], layout.starts[end])]).toEqual([...alone.rows])
      expect([...layout.trainStep.subarray(first, end)]).toEqual([...alone.trainStep])
      expect([...layout.expectedSize.subarray(first, end)]).toEqual([...alone.expectedSize])
    }
  })

  it('gives each bucket the statistics that it has alone', () => {
    const formulas = formulasOf(selection, ['stored', 'dense'], EXPRESSIONS.slice(1))
    const all = counterfactualSeries(selection, ['train_step'], formulas, false)
    for (const bucket of bucketsOf(selection, ['train_step'])) {
      const alone = counterfactualSeries({ ...selection, rows: bucket.rows }, [], formulas, false)
      const here = all.filter(({ bucket: { by } }) => by.train_step === bucket.by.train_step)
      expect(here.map(({ statistics }) => statistics)).toEqual(alone.map(({ statistics }) => statistics))
    }
  })

  it('gathers units with their rewards sorted and their votes by answer, as lists would', () => {
    const { frame, scores } = selection
    const units = unitsOf(selection, { rewards: true, votes: true })
    const lists = Map.groupBy(
      [...selection.rows].filter((row) => frame.finished.get(row) === true && scores.correct.get(row) !== null),
      (row) => `${frame.item.get(row)} ${frame.policyVersion.get(row)}`,
    )
    expect(units.size).toBe(lists.size)
    for (const [unit, list] of [...lists.values()].entries()) {
      expect(units.n[unit]).toBe(list.length)
      expect(units.right[unit]).toBe(list.filter((row) => scores.correct.get(row) === true).length)
      const rewards = list.map((row) => scores.reward.get(row) ?? Number.NaN).sort((left, right) => left - right)
      expect([...units.rewards.subarray(units.rewardStarts[unit], units.rewardStarts[unit + 1])]).toEqual(rewards)
      const answers = Map.groupBy(list, (row) => frame.prediction.get(row)?.trim().toLowerCase().replace('  ', ' '))
      const votes = [...answers].map(([answer, given]) => ({
        n: given.length,
        right: answer === undefined ? 0 : given.filter((row) => scores.correct.get(row) === true).length,
      }))
      votes.sort((left, right) => left.n - right.n || left.right - right.right)
      expect(units.patterns[units.pattern[unit] ?? -1]).toEqual(votes)
    }
  })
})

describe('resampling', () => {
  it('gives columns side by side the means that each has by itself, of items drawn one by one', () => {
    const [items, rounds, seed] = [37, 25, 2 ** 40 + 9]
    const places = Uint32Array.from({ length: 90 }, (_, unit) => (unit * 7) % items)
    // Seven columns, of which some lack the values of some units: more than one block, and the last not full.
    const columns = Array.from({ length: 7 }, (_, column) =>
      byItems(
        Float64Array.from(places, (place, unit) => (unit % (column + 2) === 1 ? Number.NaN : Math.sqrt(unit + place))),
        places,
        items,
      ),
    )
    const chance = new Chance(seed)
    const expected = columns.map(() => [] as number[])
    for (let round = 0; round < rounds; round++) {
      const times = Array.from({ length: items }, () => 0)
      for (let index = 0; index < items; index++) {
        const item = chance.below(items)
        times[item] = (times[item] ?? 0) + 1
      }
      for (const [column, { sums, counts }] of columns.entries()) {
        const sum = (values: Float64Array) => times.reduce((total, n, item) => total + n * (values[item] ?? 0), 0)
        expected[column]?.push(sum(sums) / sum(counts))
      }
    }
    expect(resampled(columns, items, rounds, seed).map((means) => [...means])).toEqual(expected)
  })
})

describe('answers that vote', () => {
  const votesOf = (predictions: readonly (string | null)[]) => {
    const rows = predictions.map((prediction, index) => trajectory(`t${index}`, { prediction, scores: [scoreOf(1)] }))
    const units = unitsOf(select(frameOf(runOf(rows)), {}, undefined), { rewards: false, votes: true })
    return units.patterns[units.pattern[0] ?? -1]?.map(({ n }) => n)
  }

  it('are one where case, outer space and the amount of white space are all that differs', () => {
    expect(votesOf(['Blue  whale', ' blue whale ', 'BLUE\twhale', 'blue-whale'])).toEqual([1, 3])
  })

  it('are others where numbers are written otherwise: nobody asks what they mean', () => {
    expect(votesOf(['5', '5.0', '5'])).toEqual([1, 2])
  })

  it('are none where there is no answer, and none is as one', () => {
    expect(votesOf([null, null, 'x'])).toEqual([1, 2])
  })
})

function never(): never {
  throw new Error('no formula')
}
