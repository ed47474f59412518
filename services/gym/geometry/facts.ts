import { constant, minus, plus, times, unknown } from './affine.ts'
import { parallelLines, perpendicularLines, tangentLine } from './angle-rules.ts'
import { angleOf, joined, lengthOf, lineThrough, sameSide, turn } from './figure.ts'
import { perimeter, proportional } from './length-rules.ts'
import { pointsOf } from './literal.ts'
import type { Affine } from './affine.ts'
import type { Figure } from './figure.ts'
import type { Knowledge } from './knowledge.ts'
import type { Term } from './term.ts'

/** An expression of a literal by unknowns; null where it is not a sum of multiples. */
export function affineOf(figure: Figure, term: Term): Affine | null {
  if (term.op === 'number') return constant(term.value)
  if (term.op === 'name') return /^[a-z]$/.test(term.name) ? unknown(`x:${term.name}`) : null
  if (term.op === 'call') return measureOf(figure, term.name, term.args)
  const [left, right] = [affineOf(figure, term.left), affineOf(figure, term.right)]
  if (!left || !right) return null
  if (term.op === '+') return plus(left, right)
  if (term.op === '-') return minus(left, right)
  if (term.op === '/') return right.parts.size === 0 && right.constant !== 0 ? times(left, 1 / right.constant) : null
  if (left.parts.size === 0) return times(right, left.constant)
  return right.parts.size === 0 ? times(left, right.constant) : null
}

function measureOf(figure: Figure, name: string, args: readonly Term[]): Affine | null {
  const points = pointsOf(args[0])
  const [a, b, c] = points
  if (name === 'LengthOfLine' && points.length === 2 && a && b) return lengthOf(a, b)
  if (name === 'MeasureOfAngle' && points.length === 3 && a && b && c) return angleOf(figure, a, b, c)
  if (name === 'MeasureOfAngle' && points.length === 1 && a) return angleAt(figure, a)
  if (name === 'RadiusOfCircle' && a) return unknown(`r:${a}`)
  if (name === 'DiameterOfCircle' && a) return times(unknown(`r:${a}`), 2)
  if (name === 'PerimeterOfCircle' && a) return times(unknown(`r:${a}`), 2 * Math.PI)
  const shape = /^(Area|Perimeter)Of[A-Z]/.exec(name)?.[1]
  if (shape === 'Area') return unknown(name === 'AreaOfCircle' ? `area:circle ${a}` : `area:${cycleName(points)}`)
  if (shape === 'Perimeter' && points.length > 2) return perimeter(points)
  return null
}

/** An angle that is named by its corner alone: clear only where two rays meet. */
function angleAt(figure: Figure, vertex: string): Affine | null {
  const arms = figure.points.filter((point) => point !== vertex && joined(figure, vertex, point))
  const distinct = new Set<string>()
  for (const first of arms) {
    for (const second of arms) {
      const angle = angleOf(figure, first, vertex, second)
      const [name] = angle.parts.keys()
      if (name !== undefined) distinct.add(name)
    }
  }
  const [only] = distinct
  return distinct.size === 1 && only !== undefined ? unknown(only) : null
}

/** One name for a polygon, whichever corner it starts at and whichever way it goes. */
export function cycleName(points: readonly string[]): string {
  const ways = points.flatMap((_, start) => {
    const turned = [...points.slice(start), ...points.slice(0, start)]
    return [turned.join(''), turned.toReversed().join('')]
  })
  return ways.toSorted()[0] ?? ''
}

/** Writes what one literal states. False for a literal that it does not know. */
export function stated(figure: Figure, known: Knowledge, literal: Term): boolean {
  if (literal.op !== 'call') return false
  const lists = literal.args.map(pointsOf)
  const [first = [], second = []] = lists
  const [a, b, c] = first
  switch (literal.name) {
    case 'Equal': {
      const [left, right] = literal.args.map((arg) => affineOf(figure, arg))
      if (!left || !right) return false
      known.equal(left, right, 'given')
      return true
    }
    case 'ParallelBetweenLine':
      parallelLines(figure, known, first.join(''), second.join(''))
      return true
    case 'PerpendicularBetweenLine':
      perpendicularLines(figure, known, first.join(''), second.join(''))
      return true
    case 'IsTangentOfCircle':
      tangentLine(figure, known, first.join(''), second[0] ?? '')
      return true
    case 'IsDiameterOfCircle':
      if (a && b) known.equal(lengthOf(a, b), times(unknown(`r:${second[0]}`), 2), 'diameter')
      return true
    case 'IsMidpointOfLine':
      if (a) known.equal(lengthOf(a, second[0] ?? ''), lengthOf(a, second[1] ?? ''), 'midpoint')
      return true
    case 'IsBisectorOfAngle':
      return bisector(figure, known, first, second)
    case 'SimilarBetweenTriangle':
      return similar(known, first, second)
    case 'Parallelogram':
    case 'Rectangle':
    case 'Rhombus':
    case 'Square':
    case 'Trapezoid':
      return shapeStated(figure, known, literal.name, first)
    default:
      return structural.has(literal.name) || (literal.name === 'Triangle' && c !== undefined)
  }
}

/** Literals that only say what is drawn; the figure was made of them. */
const structural = new Set([
  'Shape',
  'Collinear',
  'Cocircular',
  'Circle',
  'Line',
  'Point',
  'PointLiesOnLine',
  'Polygon',
  'Value',
])

function bisector(figure: Figure, known: Knowledge, line: readonly string[], angle: readonly string[]): boolean {
  const [a, vertex, b] = angle
  const inner = line.find((point) => point !== vertex)
  if (!a || !vertex || !b || inner === undefined) return false
  known.equal(angleOf(figure, a, vertex, inner), angleOf(figure, inner, vertex, b), 'angle bisector')
  return true
}

function similar(known: Knowledge, first: readonly string[], second: readonly string[]): boolean {
  const [a, b, c] = first
  const [p, q, r] = second
  if (!a || !b || !c || !p || !q || !r) return false
  proportional(known, [a, b, c], [p, q, r], 'similar triangles')
  return true
}

function shapeStated(figure: Figure, known: Knowledge, kind: string, points: readonly string[]): boolean {
  const [a, b, c, d] = points
  if (!a || !b || !c || !d) return false
  const reason = `sides and angles of a ${kind.toLowerCase()}`
  if (kind === 'Trapezoid') return true
  parallelLines(figure, known, `${a}${b}`, `${d}${c}`)
  parallelLines(figure, known, `${a}${d}`, `${b}${c}`)
  known.equal(lengthOf(a, b), lengthOf(c, d), reason)
  known.equal(lengthOf(b, c), lengthOf(a, d), reason)
  known.equal(angleOf(figure, d, a, b), angleOf(figure, b, c, d), reason)
  known.equal(angleOf(figure, a, b, c), angleOf(figure, a, d, c), reason)
  known.equal(plus(angleOf(figure, d, a, b), angleOf(figure, a, b, c)), constant(180), reason)
  if (kind === 'Rhombus' || kind === 'Square') known.equal(lengthOf(a, b), lengthOf(b, c), reason)
  if (kind === 'Rectangle' || kind === 'Square') known.equal(angleOf(figure, a, b, c), constant(90), reason)
  diagonals(figure, known, kind, [a, b, c, d])
  return true
}

function diagonals(
  figure: Figure,
  known: Knowledge,
  kind: string,
  corners: readonly [string, string, string, string],
): void {
  const [a, b, c, d] = corners
  const reason = `diagonals of a ${kind.toLowerCase()}`
  if (kind === 'Rectangle' || kind === 'Square') known.equal(lengthOf(a, c), lengthOf(b, d), reason)
  const crossing = lineThrough(figure, a, c)?.find((point) => lineThrough(figure, b, d)?.includes(point) === true)
  if (crossing === undefined) return
  known.equal(lengthOf(a, crossing), lengthOf(crossing, c), reason)
  known.equal(lengthOf(b, crossing), lengthOf(crossing, d), reason)
  if (kind === 'Rhombus' || kind === 'Square') perpendicularLines(figure, known, `${a}${c}`, `${b}${d}`)
}

/** Two tangents from one point are equal: for literals that name both. */
export function tangentPairs(known: Knowledge, figure: Figure, literals: readonly Term[]): void {
  const tangents = literals.flatMap((literal) => {
    if (literal.op !== 'call' || literal.name !== 'IsTangentOfCircle') return []
    const [line = [], centre = []] = literal.args.map(pointsOf)
    const on = figure.circles.find((circle) => circle.centre === centre[0])?.points ?? []
    const touch = line.find((point) => on.includes(point))
    const from = line.find((point) => !on.includes(point))
    return touch && from ? [{ touch, from, centre: centre[0] }] : []
  })
  for (const first of tangents) {
    for (const second of tangents) {
      if (first.touch >= second.touch || first.from !== second.from || first.centre !== second.centre) continue
      known.equal(lengthOf(first.from, first.touch), lengthOf(second.from, second.touch), 'tangents from one point')
      if (!first.centre || sameSide(figure, first.from, first.centre, first.touch, second.touch) !== false) continue
      const { from, centre } = first
      if (!joined(figure, from, centre) || turn(figure, from, centre, first.touch) === null) continue
      const halves = [first, second].map(({ touch }) => angleOf(figure, centre, from, touch))
      if (halves[0] && halves[1]) known.equal(halves[0], halves[1], 'tangents from one point')
    }
  }
}
