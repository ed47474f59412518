import type { Place } from '#services/gym/geometry/figure.ts'
import type { Given, Sketch, Topic } from './sketch.ts'

const radians = Math.PI / 180

/** A place at a distance and a direction in degrees. */
export function polar(distance: number, degrees: number, [x, y]: Place = [0, 0]): Place {
  return [x + distance * Math.cos(degrees * radians), y + distance * Math.sin(degrees * radians)]
}

/** The triangle ABC with these angles at A and B and AB of this length; A at the origin. */
export function triangleByAngles(atA: number, atB: number, ab: number): { A: Place; B: Place; C: Place } {
  const ac = (ab * Math.sin(atB * radians)) / Math.sin((atA + atB) * radians)
  return { A: [0, 0], B: [ab, 0], C: polar(ac, atA) }
}

export function angle(of: string, value: number, written?: string): Given {
  return { measure: 'angle', of, value, ...(written !== undefined && { written }) }
}

const triangleSum: Topic = (chance) => {
  const [a, b] = [chance.int(35, 76), chance.int(38, 72)]
  return {
    topic: 'triangle sum',
    points: triangleByAngles(a, b, 10),
    lines: ['AB', 'BC', 'CA'],
    given: [angle('CAB', a), angle('ABC', b)],
    relations: [],
    goal: { asks: 'angle', of: 'BCA' },
    slips: [a + b, 90 - a + 20, 180 - a],
  }
}

const isoscelesAngle: Topic = (chance) => {
  const base = chance.int(36, 75)
  const apex = 180 - 2 * base
  const fromApex = chance.chance(0.5)
  return {
    topic: 'isosceles',
    points: triangleByAngles(base, base, 10),
    lines: ['AB', 'BC', 'CA'],
    given: [fromApex ? angle('ACB', apex) : angle('CAB', base)],
    relations: [{ name: 'EqualSides', of: ['CA', 'CB'] }],
    goal: { asks: 'angle', of: fromApex ? 'ABC' : 'ACB' },
    slips: fromApex ? [apex, 180 - apex, 2 * base] : [base, 180 - base, 90 - base / 2],
  }
}

const semicircle: Topic = (chance) => {
  const a = chance.int(30, 61)
  return {
    topic: 'angle in a semicircle',
    points: { O: [0, 0], A: [-10, 0], B: [10, 0], C: polar(10, 2 * a) },
    lines: ['AOB', 'BC', 'CA'],
    circle: { centre: 'O', on: 'ABC', radius: 10 },
    given: [angle('CAB', a)],
    relations: [{ name: 'IsDiameterOfCircle', of: ['AB', 'O'] }],
    goal: { asks: 'angle', of: 'ABC' },
    slips: [a, 2 * a, 180 - a],
  }
}

const parallels: Topic = (chance) => {
  const a = chance.int(48, 84)
  const [E, F] = [polar(5, a), polar(-5, a)] as const
  const interior = chance.chance(0.5)
  return {
    topic: 'parallel lines',
    points: {
      A: [E[0] - 8, E[1]],
      B: [E[0] + 8, E[1]],
      C: [F[0] - 8, F[1]],
      D: [F[0] + 8, F[1]],
      E,
      F,
      G: polar(9, a),
      H: polar(-9, a),
    },
    lines: ['AEB', 'CFD', 'GEFH'],
    given: [angle('GEB', a)],
    relations: [{ name: 'ParallelBetweenLine', of: ['AB', 'CD'] }],
    goal: { asks: 'angle', of: interior ? 'EFC' : 'EFD' },
    slips: [interior ? a : 180 - a, 90 - a / 2, a / 2 + 15],
  }
}

const inscribedAngle: Topic = (chance) => {
  const half = chance.int(35, 75)
  const central = chance.chance(0.5)
  const tilt = chance.int(-14, 15)
  return {
    topic: 'inscribed angle',
    points: { O: [0, 0], A: polar(10, 270 - half), B: polar(10, 270 + half), C: polar(10, 90 + tilt) },
    lines: ['OA', 'OB', 'CA', 'CB'],
    circle: { centre: 'O', on: 'ABC', radius: 10 },
    given: [central ? angle('AOB', 2 * half) : angle('ACB', half)],
    relations: [],
    goal: { asks: 'angle', of: central ? 'ACB' : 'AOB' },
    slips: central ? [2 * half, 180 - 2 * half, 90 - half] : [half, 180 - half, 90 - half],
  }
}

const exteriorAngle: Topic = (chance) => {
  const [a, b] = [chance.int(40, 71), chance.int(42, 72)]
  const triangle = triangleByAngles(a, b, 10)
  return {
    topic: 'exterior angle',
    points: { ...triangle, D: [16, 0] },
    lines: ['ABD', 'BC', 'CA'],
    given: [angle('CAB', a), angle('DBC', 180 - b)],
    relations: [],
    goal: { asks: 'angle', of: 'ACB' },
    slips: [b, 180 - a - b + 2 * b - 90, a, 180 - a],
  }
}

const cutTriangle: Topic = (chance) => {
  const [a, b] = [chance.int(40, 71), chance.int(42, 72)]
  const share = chance.int(45, 64) / 100
  const { A, B, C } = triangleByAngles(a, b, 10)
  const on = (end: Place): Place => [C[0] + (end[0] - C[0]) * share, C[1] + (end[1] - C[1]) * share]
  return {
    topic: 'parallel to a side',
    points: { A, B, C, D: on(A), E: on(B) },
    lines: ['CDA', 'CEB', 'AB', 'DE'],
    given: [angle('CAB', a), angle('CED', b)],
    relations: [{ name: 'ParallelBetweenLine', of: ['DE', 'AB'] }],
    goal: { asks: 'angle', of: 'ACB' },
    slips: [a, b, a + b],
  }
}

const cyclicQuadrilateral: Topic = (chance) => {
  const turns = [chance.int(15, 31), chance.int(105, 126), chance.int(195, 216), chance.int(285, 301)]
  const [A, B, C, D] = turns.map((turn) => polar(10, turn)) as [Place, Place, Place, Place]
  const value = ((turns[3] ?? 0) - (turns[1] ?? 0)) / 2
  const atC = 180 - value
  return {
    topic: 'cyclic quadrilateral',
    points: { O: [0, 0], A, B, C, D },
    lines: ['AB', 'BC', 'CD', 'DA'],
    circle: { centre: 'O', on: 'ABCD', radius: 10 },
    given: [angle('DAB', value)],
    relations: [],
    goal: { asks: 'angle', of: 'BCD' },
    slips: [value, 2 * value - 45, atC / 2],
  }
}

const tangentAngle: Topic = (chance) => {
  const p = chance.int(26, 46)
  const far = 10 / Math.sin(p * radians)
  return {
    topic: 'tangent and radius',
    points: { O: [0, 0], A: polar(10, 90 - p), P: [far, 0] },
    lines: ['OA', 'PA', 'OP'],
    circle: { centre: 'O', on: 'A', radius: 10 },
    given: [angle('APO', p)],
    relations: [{ name: 'IsTangentOfCircle', of: ['PA', 'O'] }],
    goal: { asks: 'angle', of: 'AOP' },
    slips: [p, 2 * p, 180 - 2 * p],
  }
}

const bisectedAngle: Topic = (chance) => {
  const [half, b] = [chance.int(24, 37), chance.int(45, 68)]
  const { A, B, C } = triangleByAngles(2 * half, b, 10)
  const ad = (10 * Math.sin(b * radians)) / Math.sin((half + b) * radians)
  return {
    topic: 'angle bisector',
    points: { A, B, C, D: polar(ad, half) },
    lines: ['AB', 'BDC', 'CA', 'AD'],
    given: [angle('ABC', b), angle('BAD', half)],
    relations: [{ name: 'IsBisectorOfAngle', of: ['AD', 'BAC'] }],
    goal: { asks: 'angle', of: 'BCA' },
    slips: [180 - half - b, half + b, 2 * half],
  }
}

const algebraAngles: Topic = (chance) => {
  const x = chance.int(18, 27)
  const [m, n] = [chance.int(5, 20), chance.int(4, 20)]
  const [a, b] = [2 * x + m, 3 * x - n]
  if (a + b > 140) return triangleAlgebra(x, 2 * x, 2 * x + 5, '2x', '2x+5')
  return triangleAlgebra(x, a, b, `2x+${m}`, `3x-${n}`)
}

function triangleAlgebra(x: number, a: number, b: number, first: string, second: string): Sketch {
  return {
    topic: 'angles with an unknown',
    points: triangleByAngles(a, b, 10),
    lines: ['AB', 'BC', 'CA'],
    given: [angle('CAB', a, first), angle('ABC', b, second), angle('BCA', 180 - a - b)],
    relations: [],
    goal: { asks: 'x', of: 'x', value: x, measure: 'angle' },
    slips: [x + 5, a, 180 - a - b],
  }
}

const twoTangents: Topic = (chance) => {
  const half = chance.int(24, 40)
  const far = 10 / Math.sin(half * radians)
  const fromCentre = chance.chance(0.5)
  return {
    topic: 'two tangents',
    points: { O: [0, 0], A: polar(10, 90 - half), B: polar(10, half - 90), P: [far, 0] },
    lines: ['OA', 'OB', 'PA', 'PB'],
    circle: { centre: 'O', on: 'AB', radius: 10 },
    given: [fromCentre ? angle('AOB', 180 - 2 * half) : angle('APB', 2 * half)],
    relations: [
      { name: 'IsTangentOfCircle', of: ['PA', 'O'] },
      { name: 'IsTangentOfCircle', of: ['PB', 'O'] },
    ],
    goal: { asks: 'angle', of: fromCentre ? 'APB' : 'AOB' },
    slips: fromCentre ? [180 - 2 * half, 90 - half, half] : [2 * half, 90 - half, 360 - 4 * half],
  }
}

const centralBase: Topic = (chance) => {
  const base = chance.int(24, 45)
  const half = 90 - base
  return {
    topic: 'inscribed angle and radii',
    points: { O: [0, 0], A: polar(10, 270 - half), B: polar(10, 270 + half), C: polar(10, 80 + chance.int(0, 21)) },
    lines: ['OA', 'OB', 'AB', 'CA', 'CB'],
    circle: { centre: 'O', on: 'ABC', radius: 10 },
    given: [angle('OAB', base)],
    relations: [],
    goal: { asks: 'angle', of: 'ACB' },
    slips: [base, 2 * half, 180 - 2 * base],
  }
}

const isoscelesExterior: Topic = (chance) => {
  const base = chance.int(40, 68)
  return {
    topic: 'isosceles with an exterior angle',
    points: { ...triangleByAngles(base, base, 10), D: [16, 0] },
    lines: ['ABD', 'BC', 'CA'],
    given: [angle('DBC', 180 - base)],
    relations: [{ name: 'EqualSides', of: ['CA', 'CB'] }],
    goal: { asks: 'angle', of: 'ACB' },
    slips: [base, 180 - base, 90 - base / 2],
  }
}

/** Topics by level: one step, two steps, more. */
export const angleTopics: readonly (readonly Topic[])[] = [
  [triangleSum, isoscelesAngle, semicircle, parallels, inscribedAngle],
  [exteriorAngle, cutTriangle, cyclicQuadrilateral, tangentAngle, bisectedAngle],
  [algebraAngles, twoTangents, centralBase, isoscelesExterior],
]
