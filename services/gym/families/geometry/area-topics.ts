import { angle, polar, triangleByAngles } from './angle-topics.ts'
import { legs, length, rightAngle, triples } from './length-topics.ts'
import type { Topic } from './sketch.ts'

const rightTriangleArea: Topic = (chance) => {
  const [a, b] = legs(chance)
  return {
    topic: 'area of a right triangle',
    points: { C: [0, 0], A: [a, 0], B: [0, b] },
    lines: ['CA', 'AB', 'BC'],
    given: [length('CA', a), length('BC', b), rightAngle('ACB')],
    relations: [],
    goal: { asks: 'area', of: 'ABC', shape: 'Triangle' },
    slips: [],
  }
}

const rectangleMeasure: Topic = (chance) => {
  const [a, b] = [chance.int(7, 16), chance.int(5, 11)]
  return {
    topic: 'rectangle',
    points: { A: [0, 0], B: [a, 0], C: [a, b], D: [0, b] },
    lines: ['AB', 'BC', 'CD', 'DA'],
    given: [length('AB', a), length('BC', b)],
    relations: [{ name: 'Rectangle', of: ['ABCD'] }],
    goal: { asks: chance.chance(0.5) ? 'area' : 'perimeter', of: 'ABCD', shape: 'Rectangle' },
    slips: [],
  }
}

const trianglePerimeter: Topic = (chance) => {
  const [ab, ac] = [chance.int(9, 15), chance.int(8, 14)]
  const bc = chance.int(Math.max(7, Math.abs(ab - ac) + 4), Math.min(16, ab + ac - 4))
  const x = (ab * ab + ac * ac - bc * bc) / (2 * ab)
  return {
    topic: 'perimeter of a triangle',
    points: { A: [0, 0], B: [ab, 0], C: [x, Math.sqrt(ac * ac - x * x)] },
    lines: ['AB', 'BC', 'CA'],
    given: [length('AB', ab), length('BC', bc), length('CA', ac)],
    relations: [],
    goal: { asks: 'perimeter', of: 'ABC', shape: 'Triangle' },
    slips: [],
  }
}

const triangleWithHeight: Topic = (chance) => {
  const [left, right, height] = [chance.int(4, 9), chance.int(5, 10), chance.int(6, 13)]
  return {
    topic: 'area of a triangle',
    points: { A: [0, 0], D: [left, 0], B: [left + right, 0], C: [left, height] },
    lines: ['ADB', 'BC', 'CA', 'CD'],
    given: [length('CD', height), length('AD', left), length('DB', right)],
    relations: [{ name: 'PerpendicularBetweenLine', of: ['CD', 'AB'] }],
    goal: { asks: 'area', of: 'ABC', shape: 'Triangle' },
    slips: [],
  }
}

const parallelogramArea: Topic = (chance) => {
  const [base, height, lean] = [chance.int(10, 18), chance.int(6, 11), chance.int(3, 6)]
  return {
    topic: 'area of a parallelogram',
    points: { A: [0, 0], B: [base, 0], C: [base + lean, height], D: [lean, height], E: [lean, 0] },
    lines: ['AEB', 'BC', 'CD', 'DA', 'DE'],
    given: [length('CD', base), length('DE', height)],
    relations: [
      { name: 'Parallelogram', of: ['ABCD'] },
      { name: 'PerpendicularBetweenLine', of: ['DE', 'AB'] },
    ],
    goal: { asks: 'area', of: 'ABCD', shape: 'Parallelogram' },
    slips: [],
  }
}

const circleMeasure: Topic = (chance) => {
  const r = chance.int(3, 13)
  return {
    topic: 'circle',
    points: { O: [0, 0], A: polar(r, chance.int(0, 360)) },
    lines: ['OA'],
    circle: { centre: 'O', on: 'A', radius: r },
    given: [length('OA', r)],
    relations: [],
    goal: { asks: chance.chance(0.5) ? 'area' : 'perimeter', of: 'O', shape: 'Circle' },
    slips: [],
  }
}

const legAndArea: Topic = (chance) => {
  const [a, b, c] = chance.pick(triples)
  const swap = chance.chance(0.5)
  return {
    topic: 'area by a leg and the hypotenuse',
    points: { C: [0, 0], A: [a, 0], B: [0, b] },
    lines: ['CA', 'AB', 'BC'],
    given: [swap ? length('BC', b) : length('CA', a), length('AB', c), rightAngle('ACB')],
    relations: [],
    goal: { asks: chance.chance(0.6) ? 'area' : 'perimeter', of: 'ABC', shape: 'Triangle' },
    slips: [],
  }
}

const isoscelesArea: Topic = (chance) => {
  const [half, height, side] = chance.pick(triples)
  return {
    topic: 'area of an isosceles triangle',
    points: { A: [-half, 0], B: [half, 0], C: [0, height], D: [0, 0] },
    lines: ['ADB', 'BC', 'CA', 'CD'],
    given: [length('BC', side), length('AB', 2 * half)],
    relations: [
      { name: 'EqualSides', of: ['CA', 'CB'] },
      { name: 'PerpendicularBetweenLine', of: ['CD', 'AB'] },
    ],
    goal: { asks: 'area', of: 'ABC', shape: 'Triangle' },
    slips: [],
  }
}

const trapezoidArea: Topic = (chance) => {
  const [bottom, top, height] = [chance.int(12, 19), chance.int(6, 11), chance.int(6, 11)]
  const lean = chance.int(3, 5)
  return {
    topic: 'area of a trapezoid',
    points: { A: [0, 0], B: [bottom, 0], C: [lean + top, height], D: [lean, height], E: [lean, 0] },
    lines: ['AEB', 'BC', 'CD', 'DA', 'DE'],
    given: [length('AB', bottom), length('CD', top), length('DE', height)],
    relations: [
      { name: 'ParallelBetweenLine', of: ['CD', 'AB'] },
      { name: 'PerpendicularBetweenLine', of: ['DE', 'AB'] },
    ],
    goal: { asks: 'area', of: 'ABCD', shape: 'Trapezoid' },
    slips: [],
  }
}

const sineArea: Topic = (chance) => {
  const [ab, ac] = [chance.int(9, 16), chance.int(8, 14)]
  const turn = chance.int(45, 80)
  return {
    topic: 'area by two sides and an angle',
    points: { A: [0, 0], B: [ab, 0], C: polar(ac, turn) },
    lines: ['AB', 'BC', 'CA'],
    given: [length('AB', ab), length('CA', ac), angle('CAB', turn)],
    relations: [],
    goal: { asks: 'area', of: 'ABC', shape: 'Triangle' },
    slips: [],
  }
}

const equilateralPerimeter: Topic = (chance) => {
  const side = chance.int(6, 20)
  return {
    topic: 'perimeter of an equilateral triangle',
    points: triangleByAngles(60, 60, side),
    lines: ['AB', 'BC', 'CA'],
    given: [length('AB', side), angle('CAB', 60)],
    relations: [{ name: 'EqualSides', of: ['AB', 'AC'] }],
    goal: { asks: 'perimeter', of: 'ABC', shape: 'Triangle' },
    slips: [],
  }
}

/** Topics by level: one step, two steps, more. */
export const areaTopics: readonly (readonly Topic[])[] = [
  [rightTriangleArea, rectangleMeasure, trianglePerimeter],
  [triangleWithHeight, parallelogramArea, circleMeasure, equilateralPerimeter],
  [legAndArea, isoscelesArea, trapezoidArea, sineArea],
]
