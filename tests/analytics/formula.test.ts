import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type FORMULAS, counterfactualRewards, formulasOf } from '#services/analytics/counterfactual.ts'
import { parseFormula } from '#services/analytics/formula.ts'
import { frameOf } from '#services/analytics/frame.ts'
import { select } from '#services/analytics/select.ts'
import { Problem } from '#services/problem.ts'
import { groupOf, runOf, scoreOf, trajectory } from './rows.ts'

const valueOf = (text: string) => parseFormula(text, []).compute([])

const problemOf = (text: string): Problem => {
  try {
    parseFormula(text, ['reward', 'correct', 'format'])
  } catch (error) {
    if (error instanceof Problem) return error
    throw error
  }
  throw new Error(`${text} was taken`)
}

describe('a formula', () => {
  test.each([
    ['1 + 2 * 3', 7],
    ['(1 + 2) * 3', 9],
    ['8 - 4 - 2', 2],
    ['8 / 4 / 2', 1],
    ['-2 ^ 2', -4],
    ['2 ^ 3 ^ 2', 512],
    ['2 ^ -1', 0.5],
    ['1e-3 + .5', 0.501],
    ['1 < 2 and not 3 < 2', 1],
    ['1 > 2 or 2 != 2', 0],
    ['if(1 >= 1, 10, 20)', 10],
    ['clamp(5, 0, 1) + min(3, 1, 2) + max(1, 4) + abs(-1)', 7],
    ['--3', 3],
  ])('%s is %d', (text, expected) => {
    expect(valueOf(text)).toBeCloseTo(expected, 12)
  })

  test.each([
    ['1 +', 'a number or a name is missing before "the end" at character 4'],
    ['2 * reword', 'there is no "reword" at character 5'],
    ['1 2', '"2" is one too many at character 3'],
    ['(1', ') is missing before the end at character 3'],
    ['sqrt(1, 2)', 'sqrt takes 1 values, and not 2 at character 1'],
    ['eval(1)', 'there is no function "eval" at character 1'],
    ['reward; 1', '";" is not understood at character 7'],
    ['constructor', 'there is no "constructor" at character 1'],
    ['', 'a number or a name is missing before "the end" at character 1'],
  ])('%j is refused: %s', (text, message) => {
    expect(problemOf(text).message).toContain(message)
    expect(problemOf(text).code).toBe('invalid_parameter')
  })

  test('that is deep or long is refused, and does not exhaust the stack', () => {
    expect(problemOf('('.repeat(200)).message).toContain('levels deep')
    expect(problemOf('1+'.repeat(400)).message).toContain('at most 500')
  })

  test('of any text is computed or refused with a problem', () => {
    const words = fc.constantFrom(
      '1',
      'reward',
      '+',
      '-',
      '*',
      '(',
      ')',
      ',',
      'if',
      'not',
      'and',
      '<=',
      '^',
      ' ',
      '.',
      'é',
      '"',
    )
    fc.assert(
      fc.property(fc.array(words, { maxLength: 30 }), (parts) => {
        try {
          expect(typeof parseFormula(parts.join(''), ['reward']).compute([1])).toBe('number')
        } catch (error) {
          expect(error).toBeInstanceOf(Problem)
        }
      }),
    )
  })
})

describe('the formulas of the paper', () => {
  const rewardsOf = (name: keyof typeof FORMULAS, rows: ReturnType<typeof trajectory>[]) => {
    const selection = select(frameOf(runOf(rows)), {}, undefined)
    const [formula] = formulasOf(selection, [name], [])
    if (formula === undefined) throw new Error('no formula')
    const found = counterfactualRewards(selection, formula.formula)
    return Array.from(selection.rows, (row) => found.get(row))
  }
  const withParts = (format: number, correct: number) =>
    trajectory(`f${format}c${correct}`, { scores: [scoreOf(format + correct, { parts: { rep: 0, format, correct } })] })

  test('dense is 1, -0.5 and -1.5; sparse is 1, 0 and 0', () => {
    const rows = [withParts(1, 1), withParts(1, 0), withParts(-1, 0)].map((row, index) => ({
      ...row,
      trajectory_id: String(index),
    }))
    expect(rewardsOf('dense', rows)).toEqual([1, -0.5, -1.5])
    expect(rewardsOf('sparse', rows).map((value) => Math.abs(value ?? 9))).toEqual([1, 0, 0])
  })

  test.each([
    [[1, 1], 1],
    [[2, 1], 0.75],
    [[2, 2], 0.5],
  ])('difficulty-adaptive weighs a group of %j by %d', (rewards, weight) => {
    expect(rewardsOf('difficulty_adaptive', groupOf('g', rewards))).toEqual(rewards.map((reward) => reward * weight))
  })

  test('leave out what lacks a part', () => {
    const rows = [withParts(1, 1), trajectory('bare', { scores: [scoreOf(1)] })]
    expect(rewardsOf('dense', rows)).toEqual([null, 1])
  })
})
