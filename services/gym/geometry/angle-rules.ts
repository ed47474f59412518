import { constant, plus, times } from './affine.ts'
import { angleOf, between, joined, lengthOf, lineThrough, ray, raysAt, sameSide, trianglesOf, turn } from './figure.ts'
import type { Affine } from './affine.ts'
import type { Figure } from './figure.ts'
import type { Knowledge } from './knowledge.ts'

/** A rule writes what follows from the diagram alone; it runs once. */
export type FigureRule = (figure: Figure, known: Knowledge) => void

const straight = constant(180)

/** Parts of a line add up to the whole. */
export const lineAddition: FigureRule = ({ lines }, known) => {
  for (const line of lines) {
    for (const [place, middle] of line.entries()) {
      for (const a of line.slice(0, place)) {
        for (const b of line.slice(place + 1)) {
          known.equal(lengthOf(a, b), plus(lengthOf(a, middle), lengthOf(middle, b)), 'line addition')
        }
      }
    }
  }
}

/** Neighbouring angles add up: to a greater angle, to a straight one, or to a full turn. */
export const angleAddition: FigureRule = (figure, known) => {
  for (const vertex of figure.points) {
    const rays = raysAt(figure, vertex)
    for (const [place, a] of rays.entries()) {
      for (const b of rays.slice(place + 1)) {
        for (const middle of rays) {
          if (middle === a || middle === b || !inside(figure, vertex, [a, middle, b])) continue
          const sum = plus(angleOf(figure, a, vertex, middle), angleOf(figure, middle, vertex, b))
          known.equal(sum, angleOf(figure, a, vertex, b), 'angle addition')
        }
      }
    }
    fullTurn(figure, known, vertex, rays)
  }
}

/** Is the ray to the middle point inside the angle of the outer two? */
function inside(figure: Figure, vertex: string, [a, middle, b]: readonly [string, string, string]): boolean {
  if (between(figure, a, vertex, b)) return true
  const farA = lineThrough(figure, vertex, a) ?? [a]
  const farB = lineThrough(figure, vertex, b) ?? [b]
  const onLine = farA.some((p) => farB.some((q) => p !== q && p !== vertex && between(figure, p, middle, q)))
  const [whole, first, second] = [
    turn(figure, vertex, a, b),
    turn(figure, vertex, a, middle),
    turn(figure, vertex, middle, b),
  ]
  if (whole === null || first === null || second === null) {
    return onLine && ray(figure, vertex, a) === a && ray(figure, vertex, b) === b
  }
  return whole * first > 0 && whole * second > 0
}

function fullTurn(figure: Figure, known: Knowledge, vertex: string, rays: readonly string[]): void {
  const centre = figure.places.get(vertex)
  if (!centre || rays.length < 3) return
  const sorted = rays
    .flatMap((name) => {
      const place = figure.places.get(name)
      return place ? [{ name, at: Math.atan2(place[1] - centre[1], place[0] - centre[0]) }] : []
    })
    .toSorted((left, right) => left.at - right.at)
  let sum: Affine = constant(0)
  for (const [place, { name, at }] of sorted.entries()) {
    const next = sorted[(place + 1) % sorted.length]
    if (!next) return
    const gap = (next.at - at + 2 * Math.PI) % (2 * Math.PI)
    if (gap > Math.PI * 0.99 && !between(figure, name, vertex, next.name)) return
    sum = plus(sum, angleOf(figure, name, vertex, next.name))
  }
  known.equal(sum, constant(360), 'angles around a point')
}

/** The angles of a triangle make 180 degrees; those of a polygon with n corners (n - 2) · 180. */
export const angleSums: FigureRule = (figure, known) => {
  for (const [a, b, c] of trianglesOf(figure)) {
    const sum = plus(plus(angleOf(figure, b, a, c), angleOf(figure, a, b, c)), angleOf(figure, a, c, b))
    known.equal(sum, straight, 'triangle angle sum')
  }
  const drawn = [...figure.polygons.map(({ points }) => points), ...quadrilateralsOf(figure)]
  for (const points of drawn) {
    if (points.length < 4 || !convex(figure, points)) continue
    let sum: Affine = constant(0)
    for (const [place, vertex] of points.entries()) {
      const [before, after] = [points.at(place - 1), points[(place + 1) % points.length]]
      if (before && after) sum = plus(sum, angleOf(figure, before, vertex, after))
    }
    known.equal(sum, constant((points.length - 2) * 180), 'polygon angle sum')
  }
}

/** Convex runs of four points joined in a ring, where the places tell; at most 40. */
function quadrilateralsOf(figure: Figure): string[][] {
  const found: string[][] = []
  const { points } = figure
  for (const [place, a] of points.entries()) {
    const later = points.slice(place + 1)
    for (const b of later) {
      for (const c of later) {
        for (const d of later) {
          if (b >= d || b === c || c === d || found.length >= 40) continue
          const ring = joined(figure, a, b) && joined(figure, b, c) && joined(figure, c, d) && joined(figure, d, a)
          if (ring && strictlyConvex(figure, [a, b, c, d])) found.push([a, b, c, d])
        }
      }
    }
  }
  return found
}

function strictlyConvex(figure: Figure, points: readonly string[]): boolean {
  const turns = points.map((point, place) => {
    const [next = point, last = point] = [points[(place + 1) % points.length], points[(place + 2) % points.length]]
    const straightOn = lineThrough(figure, point, next)?.includes(last) === true
    return straightOn ? 0 : Math.sign(turn(figure, point, next, last) ?? 0)
  })
  return new Set(turns).size === 1 && turns[0] !== 0
}

function convex(figure: Figure, points: readonly string[]): boolean {
  const turns = points.map((point, place) => {
    const [next, last] = [points[(place + 1) % points.length], points[(place + 2) % points.length]]
    if (next === undefined || last === undefined || between(figure, point, next, last)) return 0
    return Math.sign(turn(figure, point, next, last) ?? 0)
  })
  return !turns.includes(1) || !turns.includes(-1)
}

/** Angles where a line crosses two parallels. */
export function parallelLines(figure: Figure, known: Knowledge, first: string, second: string): void {
  const [above, below] = [first, second].map((pair) => lineThrough(figure, pair.charAt(0), pair.charAt(1)))
  if (!above || !below) return
  for (const p of above) {
    for (const q of below) {
      if (p === q || !joined(figure, p, q)) continue
      for (const a of above) {
        for (const c of below) {
          if (a === p || c === q) continue
          const [upper, lower] = [angleOf(figure, a, p, q), angleOf(figure, p, q, c)]
          const side = sameSide(figure, p, q, a, c)
          if (side === true) known.equal(plus(upper, lower), straight, 'parallel lines: interior angles')
          if (side === false) known.equal(upper, lower, 'parallel lines: alternate angles')
        }
      }
    }
  }
}

/** Perpendicular lines make 90 degrees where they meet. */
export function perpendicularLines(figure: Figure, known: Knowledge, first: string, second: string): void {
  const [one, other] = [first, second].map((pair) => lineThrough(figure, pair.charAt(0), pair.charAt(1)))
  const corner = one?.find((point) => other?.includes(point) === true)
  if (!one || !other || corner === undefined) return
  for (const a of one) {
    for (const b of other) {
      if (a === corner || b === corner) continue
      known.equal(angleOf(figure, a, corner, b), constant(90), 'perpendicular lines')
    }
  }
}

/** Radii are equal; inscribed angles, tangents and their angles. */
export const circleAngles: FigureRule = (figure, known) => {
  for (const { centre, points } of figure.circles) {
    for (const point of points) known.equal(lengthOf(centre, point), { constant: 0, parts: radiusOf(centre) }, 'radii')
    for (const [place, a] of points.entries()) {
      for (const b of points.slice(place + 1)) inscribed(figure, known, centre, [a, b], points)
    }
  }
}

function radiusOf(centre: string): Map<string, number> {
  return new Map([[`r:${centre}`, 1]])
}

function inscribed(
  figure: Figure,
  known: Knowledge,
  centre: string,
  [a, b]: readonly [string, string],
  points: readonly string[],
): void {
  const corners = points.filter((p) => p !== a && p !== b && joined(figure, p, a) && joined(figure, p, b))
  const central = joined(figure, centre, a) && joined(figure, centre, b)
  for (const [place, p] of corners.entries()) {
    const angle = angleOf(figure, a, p, b)
    if (between(figure, a, centre, b)) known.equal(angle, constant(90), 'angle in a semicircle')
    else if (central) {
      const half = times(angleOf(figure, a, centre, b), 0.5)
      const major = sameSide(figure, a, b, p, centre)
      if (major === true) known.equal(angle, half, 'inscribed angle is half the central angle')
      if (major === false) known.equal(plus(angle, half), straight, 'inscribed angle on the minor arc')
    }
    for (const q of corners.slice(place + 1)) {
      const other = angleOf(figure, a, q, b)
      const side = sameSide(figure, a, b, p, q)
      if (side === true) known.equal(angle, other, 'inscribed angles on the same arc')
      if (side === false) known.equal(plus(angle, other), straight, 'cyclic quadrilateral')
    }
  }
}

/** A tangent is perpendicular to the radius, and makes the angle of the arc with a chord. */
export function tangentLine(figure: Figure, known: Knowledge, line: string, centre: string): void {
  const circle = figure.circles.find((candidate) => candidate.centre === centre)
  const touch = line.split('').find((point) => circle?.points.includes(point) === true)
  const through = lineThrough(figure, line.charAt(0), line.charAt(1))
  if (!circle || touch === undefined || !through) return
  for (const from of through) {
    if (from === touch) continue
    if (joined(figure, centre, touch))
      known.equal(angleOf(figure, from, touch, centre), constant(90), 'tangent and radius')
    for (const b of circle.points) {
      if (b === touch || !joined(figure, touch, b)) continue
      if (between(figure, touch, centre, b))
        known.equal(angleOf(figure, from, touch, b), constant(90), 'tangent and radius')
      for (const q of circle.points) {
        if (q === b || q === touch || !joined(figure, q, touch) || !joined(figure, q, b)) continue
        if (sameSide(figure, touch, b, from, q) === false) {
          known.equal(angleOf(figure, from, touch, b), angleOf(figure, touch, q, b), 'tangent and chord')
        }
      }
    }
  }
}
