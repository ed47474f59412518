import { constant, plus, unknown } from './affine.ts'
import { cycleName } from './facts.ts'
import { angleOf, joined, lengthOf, lineThrough } from './figure.ts'
import type { Affine } from './affine.ts'
import type { Figure } from './figure.ts'
import type { Knowledge } from './knowledge.ts'

/** What the shape of an asked area is known to be, and its corners or its centre. */
export type AreaGoal = { readonly shape: string; readonly points: readonly string[] }

const radians = Math.PI / 180

/** Writes all that is known by now of an area; called in every round while it is asked for. */
export function areaRule(figure: Figure, known: Knowledge, goal: AreaGoal): void {
  const [centre] = goal.points
  if (goal.shape === 'Circle') return circleArea(known, centre)
  const area = unknown(`area:${cycleName(goal.points)}`)
  if (goal.points.length === 3) return triangleArea(figure, known, goal.points, area)
  if (goal.points.length !== 4) return
  const [a, b, c, d] = goal.points
  if (!a || !b || !c || !d) return
  const kinds = figure.polygons
    .filter(({ points }) => cycleName(points) === cycleName(goal.points))
    .map(({ kind }) => kind)
  quadrilateralArea(figure, known, [a, b, c, d], new Set([...kinds, goal.shape]), area)
}

function circleArea(known: Knowledge, centre: string | undefined): void {
  const radius = unknown(`r:${centre}`)
  const area = unknown(`area:circle ${centre}`)
  known.products(
    [
      [1, area],
      [-Math.PI, radius, radius],
    ],
    `area circle ${centre}`,
    'area of a circle',
  )
}

function triangleArea(figure: Figure, known: Knowledge, points: readonly string[], area: Affine): void {
  for (const [place, apex] of points.entries()) {
    const [b, c] = [points[(place + 1) % 3], points[(place + 2) % 3]]
    if (b === undefined || c === undefined) continue
    for (const foot of feet(figure, known, apex, b, c)) {
      half(known, area, lengthOf(b, c), lengthOf(apex, foot), `area ${apex}${foot}`)
    }
    const [left, right, angle] = [
      known.value(lengthOf(apex, b)),
      known.value(lengthOf(apex, c)),
      known.value(angleOf(figure, b, apex, c)),
    ]
    if (left === null || right === null || angle === null) continue
    known.equal(area, constant((left * right * Math.sin(angle * radians)) / 2), 'area of a triangle')
  }
}

function half(known: Knowledge, area: Affine, base: Affine, height: Affine, key: string): void {
  known.products(
    [
      [1, area],
      [-0.5, base, height],
    ],
    key,
    'area of a triangle',
  )
}

/** Points on the line bc (or b or c themselves) where a line from the apex is known to stand at right angles. */
function feet(figure: Figure, known: Knowledge, apex: string, b: string, c: string): string[] {
  const base = lineThrough(figure, b, c) ?? [b, c]
  return base.filter((foot) => {
    const other = base.find((point) => point !== foot)
    if (other === undefined || !joined(figure, apex, foot)) return false
    return known.same(angleOf(figure, apex, foot, other), constant(90))
  })
}

function quadrilateralArea(
  figure: Figure,
  known: Knowledge,
  corners: readonly [string, string, string, string],
  kinds: ReadonlySet<string>,
  area: Affine,
): void {
  const [a, b, c, d] = corners
  const parallelogram = ['Parallelogram', 'Rectangle', 'Rhombus', 'Square'].some((kind) => kinds.has(kind))
  if (kinds.has('Rhombus') || kinds.has('Square')) {
    known.products(
      [
        [1, area],
        [-0.5, lengthOf(a, c), lengthOf(b, d)],
      ],
      `area rhombus ${a}${b}${c}${d}`,
      'area by diagonals',
    )
  }
  const sides = [
    [a, b, c, d],
    [b, c, d, a],
    [c, d, a, b],
    [d, a, b, c],
  ] as const
  for (const [p, q, r, s] of sides) {
    for (const apex of [r, s]) {
      for (const foot of feet(figure, known, apex, p, q)) {
        if (parallelogram)
          strip(known, area, [lengthOf(p, q), lengthOf(p, q)], lengthOf(apex, foot), `${p}${q}${apex}${foot}`)
        else if (parallelSides(figure, known, [p, q, r, s])) {
          strip(known, area, [lengthOf(p, q), lengthOf(r, s)], lengthOf(apex, foot), `${p}${q}${apex}${foot}`)
        }
      }
    }
  }
}

/** Are pq and rs parallel, told by angles that make 180 degrees? */
function parallelSides(
  figure: Figure,
  known: Knowledge,
  [p, q, r, s]: readonly [string, string, string, string],
): boolean {
  return known.same(plus(angleOf(figure, s, p, q), angleOf(figure, p, s, r)), constant(180))
}

function strip(
  known: Knowledge,
  area: Affine,
  [first, second]: readonly [Affine, Affine],
  height: Affine,
  key: string,
): void {
  known.products(
    [
      [1, area],
      [-0.5, first, height],
      [-0.5, second, height],
    ],
    `area strip ${key}`,
    'area of a strip between parallels',
  )
}
