import { angle, polar, triangleByAngles } from './angle-topics.ts'
import type { Place } from '#services/gym/geometry/figure.ts'
import type { Random } from '#services/gym/random.ts'
import type { Given, Topic } from './sketch.ts'

/** Right triangles with whole sides whose legs differ by less than three times. */
export const triples = [
  [3, 4, 5],
  [5, 12, 13],
  [8, 15, 17],
  [20, 21, 29],
  [6, 8, 10],
  [9, 12, 15],
  [12, 16, 20],
  [15, 20, 25],
  [10, 24, 26],
] as const

export function length(of: string, value: number, written?: string): Given {
  return { measure: 'length', of, value, ...(written !== undefined && { written }) }
}

export const rightAngle = (of: string): Given => angle(of, 90)

/** Two legs: of a triple, or any. */
export function legs(chance: Random): readonly [number, number] {
  const [a, b] = chance.pick(triples)
  if (chance.chance(0.6)) return chance.chance(0.5) ? [a, b] : [b, a]
  return [chance.int(5, 14), chance.int(6, 15)]
}

const hypotenuse: Topic = (chance) => {
  const [a, b] = legs(chance)
  return {
    topic: 'hypotenuse',
    points: { C: [0, 0], A: [a, 0], B: [0, b] },
    lines: ['CA', 'AB', 'BC'],
    given: [length('CA', a), length('BC', b), rightAngle('ACB')],
    relations: [],
    goal: { asks: 'length', of: 'AB' },
    slips: [a + b, Math.abs(a - b) + 2, Math.hypot(a, b) + 2],
  }
}

const rectangleDiagonal: Topic = (chance) => {
  const [a, b] = legs(chance)
  return {
    topic: 'diagonal of a rectangle',
    points: { A: [0, 0], B: [a, 0], C: [a, b], D: [0, b] },
    lines: ['AB', 'BC', 'CD', 'DA', 'AC'],
    given: [length('AB', a), length('BC', b)],
    relations: [{ name: 'Rectangle', of: ['ABCD'] }],
    goal: { asks: 'length', of: 'AC' },
    slips: [a + b, (a * b) / 2, Math.hypot(a, b) - 1.5],
  }
}

const halfChord: Topic = (chance) => {
  const [d, h] = legs(chance)
  const r = Math.hypot(d, h)
  return {
    topic: 'chord and its distance',
    points: { O: [0, 0], M: [0, d], A: [-h, d], B: [h, d] },
    lines: ['AMB', 'OM', 'OA'],
    circle: { centre: 'O', on: 'AB', radius: r },
    given: [length('OM', d), length('AB', 2 * h)],
    relations: [{ name: 'PerpendicularBetweenLine', of: ['OM', 'AB'] }],
    goal: { asks: 'length', of: 'OA' },
    slips: [d + h, 2 * h + 1, Math.hypot(d, 2 * h)],
  }
}

const equalLegs: Topic = (chance) => {
  const [base, leg] = [chance.int(7, 14), chance.int(8, 15)]
  const height = Math.sqrt(leg * leg - (base * base) / 4)
  return {
    topic: 'isosceles sides',
    points: { A: [0, 0], B: [base, 0], C: [base / 2, height] },
    lines: ['AB', 'BC', 'CA'],
    given: [length('CA', leg), length('AB', base)],
    relations: [{ name: 'EqualAngles', of: ['CAB', 'ABC'] }],
    goal: { asks: 'length', of: 'BC' },
    slips: [base, leg + base, leg / 2],
  }
}

const leg: Topic = (chance) => {
  const [a, b] = legs(chance)
  const long = Math.hypot(a, b)
  const whole = Number.isInteger(long)
  return {
    topic: 'leg',
    points: { C: [0, 0], A: [a, 0], B: [0, b] },
    lines: ['CA', 'AB', 'BC'],
    given: whole
      ? [length('CA', a), length('AB', long), rightAngle('ACB')]
      : [length('CA', a), length('BC', b), rightAngle('ACB')],
    relations: [],
    goal: { asks: 'length', of: whole ? 'BC' : 'AB' },
    slips: [long - a, long + 1, (a + long) / 2, a + b],
  }
}

const cutSides: Topic = (chance) => {
  const [top, whole] = chance.pick([
    [2, 5],
    [3, 5],
    [4, 7],
    [2, 3],
    [5, 9],
    [5, 8],
  ] as const)
  const unit = chance.int(2, 4)
  const base = unit + chance.int(0, 2)
  const A: Place = [0, 0]
  const B: Place = [whole * base, 0]
  const C = polar(whole * unit, chance.int(55, 76))
  const at = (end: Place): Place => [C[0] + ((end[0] - C[0]) * top) / whole, C[1] + ((end[1] - C[1]) * top) / whole]
  return {
    topic: 'similar triangles',
    points: { A, B, C, D: at(A), E: at(B) },
    lines: ['CDA', 'CEB', 'AB', 'DE'],
    given: [length('CD', top * unit), length('DA', (whole - top) * unit), length('AB', whole * base)],
    relations: [{ name: 'ParallelBetweenLine', of: ['DE', 'AB'] }],
    goal: { asks: 'length', of: 'DE' },
    slips: [(whole - top) * base, (whole * base) / 2, top * base + 2],
  }
}

const tangentLength: Topic = (chance) => {
  const [r, t] = legs(chance)
  const far = Math.hypot(r, t)
  const whole = Number.isInteger(far)
  return {
    topic: 'tangent length',
    points: { O: [0, 0], P: [far, 0], A: polar(r, (Math.atan2(t, r) * 180) / Math.PI) },
    lines: ['OA', 'PA', 'OP'],
    circle: { centre: 'O', on: 'A', radius: r },
    given: [length('OA', r), whole ? length('OP', far) : length('PA', t)],
    relations: [{ name: 'IsTangentOfCircle', of: ['PA', 'O'] }],
    goal: { asks: 'length', of: whole ? 'PA' : 'OP' },
    slips: [far - r, far + r, Math.hypot(far, r), t + r],
  }
}

const midsegmentLength: Topic = (chance) => {
  const base = chance.int(9, 24)
  const { A, B, C } = triangleByAngles(chance.int(50, 72), chance.int(48, 70), base)
  const middle = (end: Place): Place => [(C[0] + end[0]) / 2, (C[1] + end[1]) / 2]
  return {
    topic: 'midsegment',
    points: { A, B, C, M: middle(A), N: middle(B) },
    lines: ['CMA', 'CNB', 'AB', 'MN'],
    given: [length('AB', base)],
    relations: [
      { name: 'IsMidpointOfLine', of: ['M', 'AC'] },
      { name: 'IsMidpointOfLine', of: ['N', 'BC'] },
    ],
    goal: { asks: 'length', of: 'MN' },
    slips: [base, base / 3, base - 2],
  }
}

const crossingChords: Topic = (chance) => {
  const [ap, pb, cp, pd] = chance.pick([
    [6, 4, 3, 8],
    [5, 6, 3, 10],
    [8, 6, 4, 12],
    [9, 4, 6, 6],
    [10, 6, 5, 12],
    [6, 8, 12, 4],
    [9, 8, 6, 12],
    [5, 8, 10, 4],
  ] as const)
  const turn = chance.int(70, 106)
  const [A, B, C] = [polar(-ap, 0), polar(pb, 0), polar(-cp, turn)] as [Place, Place, Place]
  const centre = circumcentre(A, B, C)
  const r = Math.hypot(A[0] - centre[0], A[1] - centre[1])
  return {
    topic: 'crossing chords',
    points: { A, B, C, D: polar(pd, turn), P: [0, 0], O: centre },
    lines: ['APB', 'CPD'],
    circle: { centre: 'O', on: 'ABCD', radius: r },
    given: [length('AP', ap), length('PB', pb), length('CP', cp)],
    relations: [],
    goal: { asks: 'length', of: 'PD' },
    slips: [(ap * cp) / pb, ap + pb - cp, (pb * cp) / ap],
  }
}

function circumcentre([ax, ay]: Place, [bx, by]: Place, [cx, cy]: Place): Place {
  const d = 2 * (ax * (by - cy) + bx * (cy - ay) + cx * (ay - by))
  const [a, b, c] = [ax * ax + ay * ay, bx * bx + by * by, cx * cx + cy * cy]
  return [(a * (by - cy) + b * (cy - ay) + c * (ay - by)) / d, (a * (cx - bx) + b * (ax - cx) + c * (bx - ax)) / d]
}

const unknownLeg: Topic = (chance) => {
  const [a, b, c] = chance.pick(triples)
  const gap = b - a
  return {
    topic: 'right triangle with an unknown',
    points: { C: [0, 0], A: [a, 0], B: [0, b] },
    lines: ['CA', 'AB', 'BC'],
    given: [length('CA', a, 'x'), length('BC', b, `x+${gap}`), length('AB', c), rightAngle('ACB')],
    relations: [],
    goal: { asks: 'x', of: 'x', value: a, measure: 'length' },
    slips: [b, c - a, c / 2],
  }
}

const altitude: Topic = (chance) => {
  const [half, height, side] = chance.pick(triples)
  return {
    topic: 'height of an isosceles triangle',
    points: { A: [-half, 0], B: [half, 0], C: [0, height], D: [0, 0] },
    lines: ['ADB', 'BC', 'CA', 'CD'],
    given: [length('CA', side), length('AB', 2 * half)],
    relations: [
      { name: 'EqualSides', of: ['CA', 'CB'] },
      { name: 'PerpendicularBetweenLine', of: ['CD', 'AB'] },
    ],
    goal: { asks: 'length', of: 'CD' },
    slips: [side - half, side - 1, Math.sqrt(Math.abs(side * side - 4 * half * half)) + 1],
  }
}

const oppositeSide: Topic = (chance) => {
  const [a, b] = [chance.int(40, 71), chance.int(45, 72)]
  const ab = chance.int(8, 16)
  return {
    topic: 'law of sines',
    points: triangleByAngles(a, b, ab),
    lines: ['AB', 'BC', 'CA'],
    given: [angle('CAB', a), angle('ABC', b), length('AB', ab)],
    relations: [],
    goal: { asks: 'length', of: 'BC' },
    slips: [ab, (ab * a) / b, (ab * Math.sin((b * Math.PI) / 180)) / Math.sin(((a + b) * Math.PI) / 180) + 0.7],
  }
}

/** Topics by level: one step, two steps, more. */
export const lengthTopics: readonly (readonly Topic[])[] = [
  [hypotenuse, rectangleDiagonal, equalLegs, midsegmentLength],
  [halfChord, leg, cutSides, tangentLength],
  [crossingChords, unknownLeg, altitude, oppositeSide],
]
