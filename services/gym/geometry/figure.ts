import { constant, unknown } from './affine.ts'
import type { Affine } from './affine.ts'

export type Place = readonly [x: number, y: number]
export type CircleFact = { readonly centre: string; readonly points: readonly string[] }
export type PolygonFact = { readonly kind: string; readonly points: readonly string[] }

/** What a diagram holds: names and where they lie. Places decide order and sides only, never a measure. */
export type Figure = {
  readonly points: readonly string[]
  readonly places: ReadonlyMap<string, Place>
  /** Points on one line, in their order; two at least. */
  readonly lines: readonly (readonly string[])[]
  readonly circles: readonly CircleFact[]
  readonly polygons: readonly PolygonFact[]
}

/** Are two points joined by a drawn line? */
export function joined(figure: Figure, a: string, b: string): boolean {
  return figure.lines.some((line) => line.includes(a) && line.includes(b))
}

export function lineThrough(figure: Figure, a: string, b: string): readonly string[] | undefined {
  return figure.lines.find((line) => line.includes(a) && line.includes(b))
}

export function between(figure: Figure, a: string, middle: string, b: string): boolean {
  const line = lineThrough(figure, a, b)
  if (!line) return false
  const [from, at, to] = [line.indexOf(a), line.indexOf(middle), line.indexOf(b)]
  return at >= 0 && (at - from) * (to - at) > 0
}

/** The name of the ray from `vertex` through `point`: the same for all points of that ray. */
export function ray(figure: Figure, vertex: string, point: string): string {
  const line = lineThrough(figure, vertex, point)
  if (!line) return point
  const start = line.indexOf(vertex)
  const side = Math.sign(line.indexOf(point) - start)
  return line.filter((_, place) => Math.sign(place - start) === side).toSorted()[0] ?? point
}

export function lengthOf(a: string, b: string): Affine {
  return unknown(a < b ? `l:${a}${b}` : `l:${b}${a}`)
}

/** The measure in degrees: an unknown, or 0 and 180 where the arms lie on one line. */
export function angleOf(figure: Figure, a: string, vertex: string, b: string): Affine {
  if (between(figure, a, vertex, b)) return constant(180)
  const arms = [ray(figure, vertex, a), ray(figure, vertex, b)].toSorted()
  if (arms[0] === arms[1]) return constant(0)
  return unknown(`a:${arms[0]}${vertex}${arms[1]}`)
}

/** The rays that leave a point, one point for each. */
export function raysAt(figure: Figure, vertex: string): string[] {
  const names = new Set<string>()
  for (const line of figure.lines) {
    const start = line.indexOf(vertex)
    if (start < 0) continue
    for (const next of [line[start - 1], line[start + 1]]) if (next) names.add(ray(figure, vertex, next))
  }
  return [...names].toSorted()
}

/** Twice the signed area of three places: its sign tells the side. Null where a place is not known. */
export function turn(figure: Figure, a: string, b: string, c: string): number | null {
  const [pa, pb, pc] = [figure.places.get(a), figure.places.get(b), figure.places.get(c)]
  if (!pa || !pb || !pc) return null
  return (pb[0] - pa[0]) * (pc[1] - pa[1]) - (pb[1] - pa[1]) * (pc[0] - pa[0])
}

/** Do `p` and `q` lie on the same side of the line through `a` and `b`? Null where that is not known. */
export function sameSide(figure: Figure, a: string, b: string, p: string, q: string): boolean | null {
  const [left, right] = [turn(figure, a, b, p), turn(figure, a, b, q)]
  if (left === null || right === null || Math.abs(left) < 1e-6 || Math.abs(right) < 1e-6) return null
  return left * right > 0
}

export type Triangle = readonly [a: string, b: string, c: string]

/** Three points joined with one another, not on one line. At most 60 of them. */
export function trianglesOf(figure: Figure): Triangle[] {
  const found: Triangle[] = []
  const { points } = figure
  for (const [first, a] of points.entries()) {
    for (const [step, b] of points.slice(first + 1).entries()) {
      if (!joined(figure, a, b)) continue
      for (const c of points.slice(first + step + 2)) {
        if (found.length >= 60) return found
        if (!joined(figure, a, c) || !joined(figure, b, c)) continue
        if (lineThrough(figure, a, b)?.includes(c) !== true) found.push([a, b, c])
      }
    }
  }
  return found
}
