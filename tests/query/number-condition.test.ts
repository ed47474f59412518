import { describe, expect, it } from 'vitest'
import { ANY_NUMBER, asksNothing, meets } from '#services/number-condition.ts'
import { compared, integer, parseParameters } from '#services/query/parameters.ts'

const conditionOf = (query: string) =>
  parseParameters({ step: compared(integer('The step.')) }, new URLSearchParams(query)).step
const those = (query: string) => [0, 1, 2, 3, 4, Number.NaN].filter((value) => meets(conditionOf(query), value))

describe('a condition on a number', () => {
  it('that is not there is met by everything, also by no number', () => {
    expect(conditionOf('')).toEqual(ANY_NUMBER)
    expect(asksNothing(conditionOf(''))).toBe(true)
    expect(those('')).toEqual([0, 1, 2, 3, 4, Number.NaN])
  })

  it.each([
    ['step=1&step=3', [1, 3]],
    ['step_ne=1&step_ne=2', [0, 3, 4]],
    ['step_gte=1&step_lt=3', [1, 2]],
    ['step_gt=1&step_lte=3', [2, 3]],
    ['step=0&step=2&step_gt=0', [2]],
    ['step_lte=0', [0]],
  ])('%s is met by %j', (query, expected) => {
    expect(those(query)).toEqual(expected)
    expect(asksNothing(conditionOf(query))).toBe(false)
  })
})
