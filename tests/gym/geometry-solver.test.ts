import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { constant, plus, unknown } from '#services/gym/geometry/affine.ts'
import { knowledge } from '#services/gym/geometry/knowledge.ts'
import { numericRoots } from '#services/gym/geometry/numeric.ts'
import { solvedProblem, verifiedValue } from '#services/gym/geometry/solver.ts'
import { parsedTerm, termText } from '#services/gym/geometry/term.ts'
import type { Problem } from '#services/gym/geometry/solver.ts'

const triangle = ['Line(AB)', 'Line(BC)', 'Line(CA)']
const radians = Math.PI / 180
const whole = (min: number, max: number): fc.Arbitrary<number> => fc.integer({ min, max })

function value(literals: readonly string[], goal: string, places?: Problem['places']): number | null {
  return solvedProblem({ literals, goal, ...(places && { places }) }).value
}

describe('the geometry solver agrees with closed formulas', () => {
  test('law of cosines: two sides and the angle between them', () => {
    fc.assert(
      fc.property(whole(2, 60), whole(2, 60), whole(5, 175), (b, c, angle) => {
        const given = [
          `Equal(LengthOfLine(AC),${b})`,
          `Equal(LengthOfLine(AB),${c})`,
          `Equal(MeasureOfAngle(BAC),${angle})`,
        ]
        const expected = Math.sqrt(b * b + c * c - 2 * b * c * Math.cos(angle * radians))
        expect(value([...triangle, ...given], 'Value(LengthOfLine(BC))')).toBeCloseTo(expected, 6)
      }),
      { numRuns: 60 },
    )
  })

  test('law of sines: a side and two angles', () => {
    fc.assert(
      fc.property(whole(3, 40), whole(20, 80), whole(20, 80), (side, a, b) => {
        const given = [
          `Equal(LengthOfLine(AB),${side})`,
          `Equal(MeasureOfAngle(CAB),${a})`,
          `Equal(MeasureOfAngle(ABC),${b})`,
        ]
        const expected = (side * Math.sin(a * radians)) / Math.sin((a + b) * radians)
        expect(value([...triangle, ...given], 'Value(LengthOfLine(BC))')).toBeCloseTo(expected, 6)
      }),
      { numRuns: 60 },
    )
  })

  test('area by three sides is that of Heron', () => {
    fc.assert(
      fc.property(whole(5, 30), whole(5, 30), whole(1, 99), (a, b, share) => {
        const c = Math.round(Math.abs(a - b) + 1 + ((a + b - Math.abs(a - b) - 2) * share) / 100)
        const given = [`Equal(LengthOfLine(AB),${c})`, `Equal(LengthOfLine(BC),${a})`, `Equal(LengthOfLine(CA),${b})`]
        const s = (a + b + c) / 2
        const expected = Math.sqrt(s * (s - a) * (s - b) * (s - c))
        expect(value([...triangle, ...given], 'Value(AreaOfTriangle(ABC))')).toBeCloseTo(expected, 5)
      }),
      { numRuns: 60 },
    )
  })

  test('a parallel to a side cuts the others in proportion', () => {
    fc.assert(
      fc.property(whole(2, 20), whole(2, 20), whole(3, 50), (top, rest, base) => {
        const share = top / (top + rest)
        const places = {
          A: [100, 0],
          B: [0, 90],
          C: [210, 95],
          D: [100 - 100 * share, 90 * share],
          E: [100 + 110 * share, 95 * share],
        } as const
        const drawn = ['Collinear(ADB)', 'Collinear(AEC)', 'Line(BC)', 'Line(DE)', 'ParallelBetweenLine(DE,BC)']
        const given = [
          `Equal(LengthOfLine(AD),${top})`,
          `Equal(LengthOfLine(DB),${rest})`,
          `Equal(LengthOfLine(BC),${base})`,
        ]
        expect(value([...drawn, ...given], 'Value(LengthOfLine(DE))', places)).toBeCloseTo(base * share, 6)
      }),
      { numRuns: 40 },
    )
  })

  test('an inscribed angle is half the central angle on the major arc, and the rest to 180 on the minor', () => {
    const drawn = [
      'Cocircular(O,ABC)',
      'Line(OA)',
      'Line(OB)',
      'Line(CA)',
      'Line(CB)',
      'Equal(MeasureOfAngle(AOB),100)',
    ]
    const [O, A, B] = [
      [0, 0],
      [-76, 64],
      [76, 64],
    ] as const
    expect(value(drawn, 'Value(MeasureOfAngle(ACB))', { O, A, B, C: [0, -100] })).toBeCloseTo(50, 9)
    expect(value(drawn, 'Value(MeasureOfAngle(ACB))', { O, A, B, C: [0, 100] })).toBeCloseTo(130, 9)
  })

  test('unknowns inside measures', () => {
    const given = [
      'Equal(MeasureOfAngle(ABC),90)',
      'Equal(LengthOfLine(AB),x)',
      'Equal(LengthOfLine(BC),x+7)',
      'Equal(LengthOfLine(AC),13)',
    ]
    expect(value([...triangle, ...given], 'Value(x)')).toBeCloseTo(5, 9)
  })
})

describe('the geometry solver says what it does not know', () => {
  test('nothing follows from too little', () => {
    const solution = solvedProblem({
      literals: [...triangle, 'Equal(LengthOfLine(AB),5)'],
      goal: 'Value(LengthOfLine(BC))',
    })
    expect(solution).toMatchObject({ value: null, method: 'none', consistent: true })
  })

  test('places never give a measure', () => {
    const places = { A: [0, 0], B: [300, 0], C: [0, 400] } as const
    expect(value([...triangle, 'Equal(LengthOfLine(AB),3)'], 'Value(LengthOfLine(AC))', places)).toBeNull()
  })

  test('facts that contradict one another are told', () => {
    const angles = ['BAC', 'ABC', 'ACB'].map((angle) => `Equal(MeasureOfAngle(${angle}),80)`)
    expect(solvedProblem({ literals: [...triangle, ...angles], goal: 'Value(LengthOfLine(AB))' }).consistent).toBe(
      false,
    )
  })

  test('literals that cannot be read are named and the rest still counts', () => {
    const literals = [
      ...triangle,
      'Equal(MeasureOfAngle(BAC),50',
      'Bogus(A)',
      'Equal(MeasureOfAngle(ABC),60)',
      'Equal(MeasureOfAngle(ACB),70)',
    ]
    const solution = solvedProblem({ literals, goal: 'Value(MeasureOfAngle(BAC))' })
    expect(solution.value).toBeCloseTo(50, 9)
    expect(solution.unread).toEqual(['Equal(MeasureOfAngle(BAC),50', 'Bogus(A)'])
  })

  test('more than 120 literals and a goal that asks nothing are refused', () => {
    expect(() => solvedProblem({ literals: Array.from({ length: 121 }, () => 'Line(AB)'), goal: 'Value(x)' })).toThrow(
      RangeError,
    )
    expect(() => solvedProblem({ literals: triangle, goal: 'Value(Happiness(A))' })).toThrow(SyntaxError)
  })

  test('a figure of 14 points that are all joined is still answered, one of 15 is refused', () => {
    const complete = (count: number): Problem => {
      const names = 'ABCDEFGHKLMNPRT'.slice(0, count).split('')
      const places = Object.fromEntries(
        names.map((name, place) => [name, [100 * Math.cos(place), 100 * Math.sin(place)] as const]),
      )
      const runs = names
        .slice(1)
        .map((name, place) => `Shape(${names[place]}${name},${name}${names[0]},${names[0]}${names[place]})`)
      return { literals: [...runs, 'Equal(LengthOfLine(AB),4)'], goal: 'Value(LengthOfLine(AB))', places }
    }
    expect(solvedProblem(complete(14)).value).toBe(4)
    expect(() => solvedProblem(complete(15))).toThrow(/at most 14 points/)
  })

  test('any text is read or refused, never more', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ maxLength: 60 }), fc.stringMatching(/^[A-Z(),=+*x0-9-]{0,40}$/)), (text) => {
        try {
          termText(parsedTerm(text))
        } catch (error) {
          expect(error).toBeInstanceOf(SyntaxError)
        }
      }),
      { numRuns: 300 },
    )
  })
})

describe('equations that no rule solves alone', () => {
  const [x, y] = [unknown('l:AB'), unknown('l:CD')]

  test('are solved together where the value is the same for all solutions', () => {
    const known = knowledge()
    known.products(
      [
        [1, x, y],
        [-1, constant(12)],
      ],
      'product',
      'test',
    )
    known.products(
      [
        [1, x, x],
        [1, y, y],
        [-1, constant(25)],
      ],
      'squares',
      'test',
    )
    expect(numericRoots(known, plus(x, y), new Map()).map((value) => Number(value.toFixed(6)))).toEqual([7])
  })

  test('leave a value open that can move along the solutions', () => {
    const known = knowledge()
    known.products(
      [
        [1, x, y],
        [-1, constant(12)],
      ],
      'product',
      'test',
    )
    expect(numericRoots(known, x, new Map())).toEqual([])
  })

  test('two lengths that would both fit are none', () => {
    const given = [
      'Equal(MeasureOfAngle(ABC),90)',
      'Equal(LengthOfLine(AB),x)',
      'Equal(LengthOfLine(BC),7-x)',
      'Equal(LengthOfLine(AC),5)',
    ]
    expect(value([...triangle, ...given], 'Value(x)')).toBeNull()
  })
})

test('Inter-GPS literals say the same as those of CDL', () => {
  const literals = [
    'Triangle(A,B,C)',
    'Equals(MeasureOf(Angle(A,B,C)),90)',
    'Equals(LengthOf(Line(A,B)),8)',
    'Equals(LengthOf(Line(B,C)),15)',
  ]
  expect(value(literals, 'Find(LengthOf(Line(A,C)))')).toBeCloseTo(17, 9)
  expect(value(literals, 'Find(AreaOf(Triangle(A,B,C)))')).toBeCloseTo(60, 9)
  expect(value(literals, 'Find(PerimeterOf(Triangle(A,B,C)))')).toBeCloseTo(40, 9)
})

test('a value is verified, refuted, or left open', () => {
  const problem = {
    literals: [...triangle, 'Equal(MeasureOfAngle(BAC),50)', 'Equal(MeasureOfAngle(ABC),60)'],
    goal: 'Value(MeasureOfAngle(ACB))',
  }
  expect(verifiedValue(problem, 70)).toBe(true)
  expect(verifiedValue(problem, 71)).toBe(false)
  expect(verifiedValue({ ...problem, goal: 'Value(LengthOfLine(AB))' }, 1)).toBeNull()
})
