import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { mathSolver } from '#services/gym/tools/local/math-solver.ts'
import { ToolFailure } from '#services/gym/tools/tool.ts'
import type { ToolOutput } from '#services/gym/tools/tool.ts'

function solve(problem: string, variable?: string): Promise<ToolOutput> {
  const given = { problem, ...(variable !== undefined && { variable }) }
  return mathSolver({ task: 'solve', arguments: given, images: [], question: '', choices: [] }, () =>
    Promise.resolve([]),
  )
}

describe('the math solver', () => {
  test.each([
    ['1/(1/4+1/6)+3', 5.4],
    ['sqrt(3^2+4^2)', 5],
    ['2^10', 1024],
    ['12 ÷ (2 + 4) × 3', 6],
    ['36/(20+1/(1/12+1/(30+40)))', 36 / (20 + 1 / (1 / 12 + 1 / 70))],
  ])('works out %s', async (problem, expected) => {
    expect((await solve(problem)).output['value']).toBeCloseTo(expected, 9)
  })

  test.each([
    ['2x+3=7', [2]],
    ['x^2+3*x=10', [-5, 2]],
    ['(y+1)(y-2)=0', [-1, 2]],
    ['1/x=0.25', [4]],
    ['x^2=-1', []],
  ])('finds the roots of %s', async (problem, roots) => {
    expect((await solve(problem)).output['roots']).toEqual(roots)
  })

  test('roots of random quadratics are those that were built in', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: -20, max: 20 }), fc.integer({ min: -20, max: 20 }), async (p, q) => {
        const { output } = await solve(`x^2+(${-(p + q)})*x+(${p * q})=0`)
        const expected = [...new Set([p, q])].toSorted((a, b) => a - b)
        const roots = output['roots'] as number[]
        expect(roots).toHaveLength(expected.length)
        for (const [place, root] of roots.entries()) expect(root).toBeCloseTo(expected[place] ?? Number.NaN, 6)
      }),
      { numRuns: 20 },
    )
  })

  test('linear systems are solved', async () => {
    expect((await solve('x+y=10; x-y=2')).output['solution']).toEqual({ x: 6, y: 4 })
  })

  test.each([
    ['foo(', 'InvalidInput'],
    ['a+b=3', 'InvalidInput'],
    ['1=2=3', 'InvalidInput'],
    ['x+y=1, x+y=2', 'NoSolution'],
    ['1/0', 'InvalidInput'],
  ])('%s is refused', async (problem, error_type) => {
    const failure = await solve(problem).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(ToolFailure)
    expect(failure).toMatchObject({ error_type })
  })
})
