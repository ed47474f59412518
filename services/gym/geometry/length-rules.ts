import { constant, plus, ratioOf, times } from './affine.ts'
import { angleOf, between, joined, lengthOf, lineThrough } from './figure.ts'
import type { Affine } from './affine.ts'
import type { Figure, Triangle } from './figure.ts'
import type { Knowledge } from './knowledge.ts'

/** A rule that looks at what is known by now; it runs in every round. */
export type RoundRule = (figure: Figure, known: Knowledge, triangles: readonly Triangle[]) => void

const radians = Math.PI / 180

/** The three ways to look at a triangle: a corner, then the other two. */
function corners([a, b, c]: Triangle): Triangle[] {
  return [
    [a, b, c],
    [b, c, a],
    [c, a, b],
  ]
}

/** Equal sides face equal angles, and the other way round. */
export const isosceles: RoundRule = (figure, known, triangles) => {
  for (const triangle of triangles) {
    for (const [a, b, c] of corners(triangle)) {
      const [left, right] = [angleOf(figure, a, b, c), angleOf(figure, a, c, b)]
      if (known.same(lengthOf(a, b), lengthOf(a, c))) known.equal(left, right, 'isosceles triangle')
      else if (known.same(left, right)) known.equal(lengthOf(a, b), lengthOf(a, c), 'isosceles triangle')
    }
  }
}

/** Pythagoras where an angle is known to be right. */
export const rightTriangles: RoundRule = (figure, known, triangles) => {
  for (const triangle of triangles) {
    for (const [a, b, c] of corners(triangle)) {
      if (!known.same(angleOf(figure, b, a, c), constant(90))) continue
      const [left, right, long] = [lengthOf(a, b), lengthOf(a, c), lengthOf(b, c)]
      known.products(
        [
          [1, left, left],
          [1, right, right],
          [-1, long, long],
        ],
        `pythagoras ${a}${b}${c}`,
        'Pythagoras',
      )
    }
  }
}

/** Sines and cosines where enough of a triangle is known. */
export const trigonometry: RoundRule = (figure, known, triangles) => {
  for (const triangle of triangles) {
    for (const [a, b, c] of corners(triangle)) {
      const [atA, atB, atC] = [angleOf(figure, b, a, c), angleOf(figure, a, b, c), angleOf(figure, a, c, b)].map(
        (angle) => known.value(angle),
      )
      const [ab, ac, bc] = [lengthOf(a, b), lengthOf(a, c), lengthOf(b, c)]
      if (typeof atB === 'number' && typeof atC === 'number' && atB > 0 && atC > 0) {
        known.equal(times(ab, Math.sin(atB * radians)), times(ac, Math.sin(atC * radians)), 'law of sines')
      }
      const [left, right, far] = [known.value(ab), known.value(ac), known.value(bc)]
      if (left === null || right === null) continue
      if (typeof atA === 'number') {
        const square = left * left + right * right - 2 * left * right * Math.cos(atA * radians)
        if (square > 0) known.equal(bc, constant(Math.sqrt(square)), 'law of cosines')
      } else if (far !== null && left > 0 && right > 0) {
        const cosine = (left * left + right * right - far * far) / (2 * left * right)
        const angle = angleOf(figure, b, a, c)
        if (Math.abs(cosine) < 1) known.equal(angle, constant(Math.acos(cosine) / radians), 'law of cosines')
      }
    }
  }
}

/** Triangles with two equal angles have sides in proportion. */
export const similarTriangles: RoundRule = (figure, known, triangles) => {
  const written = triangles.map((triangle) =>
    corners(triangle).map(([a, b, c]) => affineText(known.system.reduced(angleOf(figure, b, a, c)))),
  )
  for (const [place, first] of triangles.entries()) {
    for (const [step, second] of triangles.slice(place + 1).entries()) {
      const other = written[place + 1 + step] ?? []
      for (const order of orders) {
        const turned = order.map((corner) => other[corner])
        const equal = (written[place] ?? []).filter((angle, corner) => angle === turned[corner])
        if (equal.length < 2) continue
        const [a, b, c] = order.map((corner) => second[corner])
        if (a && b && c) proportional(known, first, [a, b, c], 'similar triangles')
      }
    }
  }
}

const orders = [
  [0, 1, 2],
  [0, 2, 1],
  [1, 0, 2],
  [1, 2, 0],
  [2, 0, 1],
  [2, 1, 0],
] as const

function affineText({ constant: rest, parts }: Affine): string {
  const names = [...parts].map(([name, coefficient]) => `${name}*${coefficient.toFixed(5)}`).toSorted()
  return `${rest.toFixed(5)}+${names.join('+')}`
}

/** Sides of two triangles in the order of their corners: equal ratios. */
export function proportional(known: Knowledge, first: Triangle, second: Triangle, reason: string): void {
  const sides = [
    [0, 1],
    [1, 2],
    [2, 0],
  ] as const
  const pairs = sides.map(
    ([from, to]) => [lengthOf(first[from], first[to]), lengthOf(second[from], second[to])] as const,
  )
  const ratios = pairs.map(([left, right]) => ratioOf(known.system.reduced(left), known.system.reduced(right)))
  const ratio = ratios.find((candidate) => candidate !== null)
  for (const [place, [left, right]] of pairs.entries()) {
    if (typeof ratio === 'number' && ratio > 0) {
      known.equal(left, times(right, ratio), reason)
      continue
    }
    const [otherLeft, otherRight] = pairs[(place + 1) % 3] ?? [left, right]
    known.products(
      [
        [1, left, otherRight],
        [-1, right, otherLeft],
      ],
      `similar ${first.join('')} ${second.join('')} ${place}`,
      reason,
    )
  }
}

/** Triangles with three equal sides, or two and the angle between them, are congruent. */
export const congruentTriangles: RoundRule = (figure, known, triangles) => {
  for (const [place, first] of triangles.entries()) {
    for (const second of triangles.slice(place + 1)) {
      for (const order of orders) {
        const [a, b, c] = order.map((corner) => second[corner])
        if (a && b && c) congruent(figure, known, first, [a, b, c])
      }
    }
  }
}

function congruent(figure: Figure, known: Knowledge, first: Triangle, second: Triangle): void {
  const [a, b, c] = first
  const [p, q, r] = second
  if (!known.same(lengthOf(a, b), lengthOf(p, q)) || !known.same(lengthOf(a, c), lengthOf(p, r))) return
  const reason = 'congruent triangles'
  const third = known.same(lengthOf(b, c), lengthOf(q, r))
  if (!third && !known.same(angleOf(figure, b, a, c), angleOf(figure, q, p, r))) return
  known.equal(lengthOf(b, c), lengthOf(q, r), reason)
  known.equal(angleOf(figure, b, a, c), angleOf(figure, q, p, r), reason)
  known.equal(angleOf(figure, a, b, c), angleOf(figure, p, q, r), reason)
}

/** A line between the middles of two sides is half the third. */
export const midsegment: RoundRule = (figure, known, triangles) => {
  for (const triangle of triangles) {
    for (const [a, b, c] of corners(triangle)) {
      const [m, n] = [middleOf(figure, known, a, b), middleOf(figure, known, a, c)]
      if (m === undefined || n === undefined || !joined(figure, m, n)) continue
      known.equal(times(lengthOf(m, n), 2), lengthOf(b, c), 'midsegment')
      known.equal(angleOf(figure, a, m, n), angleOf(figure, a, b, c), 'midsegment')
    }
  }
}

function middleOf(figure: Figure, known: Knowledge, a: string, b: string): string | undefined {
  const line = lineThrough(figure, a, b) ?? []
  return line.find((m) => between(figure, a, m, b) && known.same(lengthOf(a, m), lengthOf(m, b)))
}

/** A bisector of an angle of a triangle cuts the far side in the ratio of the near ones. */
export const bisectorRatio: RoundRule = (figure, known, triangles) => {
  for (const triangle of triangles) {
    for (const [a, b, c] of corners(triangle)) {
      for (const d of lineThrough(figure, b, c) ?? []) {
        if (!between(figure, b, d, c) || !joined(figure, a, d)) continue
        if (!known.same(angleOf(figure, b, a, d), angleOf(figure, d, a, c))) continue
        known.products(
          [
            [1, lengthOf(b, d), lengthOf(a, c)],
            [-1, lengthOf(d, c), lengthOf(a, b)],
          ],
          `bisector ${a}${b}${c}${d}`,
          'angle bisector',
        )
      }
    }
  }
}

/** Chords that cross, and tangents and secants from one point, make equal products. */
export const chordProducts: RoundRule = (figure, known) => {
  for (const { centre, points } of figure.circles) {
    const chords = figure.lines.flatMap((line) => {
      const ends = line.filter((point) => points.includes(point))
      return ends.length === 2 ? [{ line, ends }] : []
    })
    for (const [place, first] of chords.entries()) {
      for (const second of chords.slice(place + 1)) {
        const p = first.line.find((point) => second.line.includes(point))
        const [a, b] = first.ends
        const [c, d] = second.ends
        if (!p || !a || !b || !c || !d || [a, b, c, d].includes(p)) continue
        known.products(
          [
            [1, lengthOf(p, a), lengthOf(p, b)],
            [-1, lengthOf(p, c), lengthOf(p, d)],
          ],
          `chords ${centre} ${a}${b}${c}${d}`,
          'power of a point',
        )
        halvedChord(figure, known, centre, p, [a, b])
        halvedChord(figure, known, centre, p, [c, d])
      }
    }
    for (const { line, ends } of chords) {
      for (const p of line) if (ends[0] && ends[1]) halvedChord(figure, known, centre, p, [ends[0], ends[1]])
    }
  }
}

/** A line from the centre at right angles to a chord halves it. */
function halvedChord(
  figure: Figure,
  known: Knowledge,
  centre: string,
  foot: string,
  [a, b]: readonly [string, string],
): void {
  if (!joined(figure, centre, foot) || !between(figure, a, foot, b)) return
  const right = known.same(angleOf(figure, centre, foot, a), constant(90))
  if (right) known.equal(lengthOf(a, foot), lengthOf(foot, b), 'chord halved by the radius')
}

/** The sum of the sides of a closed run of points. */
export function perimeter(points: readonly string[]): Affine {
  let sum: Affine = constant(0)
  for (const [place, point] of points.entries()) {
    const next = points[(place + 1) % points.length]
    if (next !== undefined) sum = plus(sum, lengthOf(point, next))
  }
  return sum
}

/** All rules of a round, cheap ones first. */
export const roundRules: readonly RoundRule[] = [
  isosceles,
  rightTriangles,
  midsegment,
  similarTriangles,
  chordProducts,
  bisectorRatio,
  congruentTriangles,
  trigonometry,
]
