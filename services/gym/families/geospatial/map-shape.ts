import { random } from '#services/gym/random.ts'
import type { Random } from '#services/gym/random.ts'

export type Point = readonly [x: number, y: number]

/** One region of a map: its outline, where its label stands, and the regions (by place) that it borders on. */
export type Shape = {
  readonly outline: readonly Point[]
  readonly centre: Point
  readonly neighbours: readonly number[]
}

type Cell = { readonly site: Point; readonly corners: readonly Point[]; readonly beside: readonly (number | null)[] }

/** A common border shorter than this is not a border that a person would see. */
const borderMin_px = 26

/** Borders between these lengths are too short to be told from a touch: such a map is drawn anew. */
const borderUnclear_px = 5

export type ShapeOptions = {
  readonly seed: number | string
  readonly width: number
  readonly height: number
  readonly columns: number
  readonly rows: number
  /** How many regions to keep; the ones nearest to the middle. */
  readonly count: number
  /** How far borders bend, as a share of their length. */
  readonly bend: number
}

/** Regions that tile one land: Voronoi cells of a shaken grid, the ones nearest to the middle, with bent borders. */
export function mapShapes(options: ShapeOptions): readonly Shape[] {
  for (let attempt = 0; attempt < 60; attempt++) {
    const shapes = shapesOnce(options, random(options.seed, 'shape', attempt))
    if (shapes !== null) return shapes
  }
  throw new RangeError(`no map of ${options.count} regions with clear borders in 60 attempts`)
}

function shapesOnce(options: ShapeOptions, chance: Random): readonly Shape[] | null {
  const { width, height, columns, rows } = options
  const sites: Point[] = []
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const shift = row % 2 === 0 ? 0.25 : -0.25
      sites.push([
        ((column + 0.5 + shift + (chance.next() - 0.5) * 0.42) * width) / columns,
        ((row + 0.5 + (chance.next() - 0.5) * 0.42) * height) / rows,
      ])
    }
  }
  const cells = sites.map((site, place) => cellOf(site, place, sites, width, height))
  const far = (cell: Cell): number =>
    ((cell.site[0] - width / 2) / width) ** 2 + ((cell.site[1] - height / 2) / height) ** 2
  const kept = cells
    .map((cell, place) => ({ cell, place }))
    .toSorted((one, other) => far(one.cell) - far(other.cell))
    .slice(0, options.count)
  const newPlace = new Map(kept.map(({ place }, now) => [place, now]))
  const shapes: Shape[] = []
  for (const { cell, place } of kept) {
    const neighbours: number[] = []
    const outline: Point[] = []
    for (const [at, corner] of cell.corners.entries()) {
      const next = cell.corners[(at + 1) % cell.corners.length] ?? corner
      const other = cell.beside[at] ?? null
      const length = distance(corner, next)
      const inside = other === null ? undefined : newPlace.get(other)
      if (inside !== undefined && length >= borderUnclear_px && length < borderMin_px) return null
      if (inside !== undefined && length >= borderMin_px) neighbours.push(inside)
      outline.push(corner, ...bentBetween(corner, next, [place, other ?? -1 - at], options))
    }
    shapes.push({ outline, centre: middleOf(cell.corners), neighbours })
  }
  return shapes
}

/** The part of the sheet that is nearer to this site than to any other, and whose site is behind each edge. */
function cellOf(site: Point, place: number, sites: readonly Point[], width: number, height: number): Cell {
  let corners: Point[] = [
    [0, 0],
    [width, 0],
    [width, height],
    [0, height],
  ]
  let beside: (number | null)[] = [null, null, null, null]
  for (const [other, far] of sites.entries()) {
    if (other === place) continue
    const middle: Point = [(site[0] + far[0]) / 2, (site[1] + far[1]) / 2]
    const side = (point: Point): number =>
      (point[0] - middle[0]) * (far[0] - site[0]) + (point[1] - middle[1]) * (far[1] - site[1])
    const nextCorners: Point[] = []
    const nextBeside: (number | null)[] = []
    for (const [at, corner] of corners.entries()) {
      const next = corners[(at + 1) % corners.length] ?? corner
      const [here, there] = [side(corner), side(next)]
      const cut: Point = [
        corner[0] + ((next[0] - corner[0]) * here) / (here - there),
        corner[1] + ((next[1] - corner[1]) * here) / (here - there),
      ]
      if (here <= 0) {
        nextCorners.push(corner)
        nextBeside.push(beside[at] ?? null)
        if (there > 0) {
          nextCorners.push(cut)
          nextBeside.push(other)
        }
      } else if (there <= 0) {
        nextCorners.push(cut)
        nextBeside.push(beside[at] ?? null)
      }
    }
    corners = nextCorners
    beside = nextBeside
  }
  return { site, corners, beside }
}

/** Points between two corners, the same from either side of the border, so that regions still meet. */
function bentBetween(from: Point, to: Point, sides: readonly [number, number], options: ShapeOptions): Point[] {
  const turned = from[0] > to[0] || (from[0] === to[0] && from[1] > to[1])
  const [start, end] = turned ? [to, from] : [from, to]
  const names = sides.toSorted((one, other) => one - other)
  const chance = random(options.seed, 'bend', ...names)
  const length = distance(start, end)
  if (length < 24) return []
  const steps = 4
  const points: Point[] = []
  for (let step = 1; step < steps; step++) {
    const share = step / steps
    const away = (chance.next() - 0.5) * 2 * options.bend * Math.min(length, 60)
    points.push([
      start[0] + (end[0] - start[0]) * share - ((end[1] - start[1]) / length) * away,
      start[1] + (end[1] - start[1]) * share + ((end[0] - start[0]) / length) * away,
    ])
  }
  return turned ? points.toReversed() : points
}

/** The centre of gravity of a convex polygon. */
function middleOf(corners: readonly Point[]): Point {
  let [area, x, y] = [0, 0, 0]
  for (const [at, one] of corners.entries()) {
    const two = corners[(at + 1) % corners.length] ?? one
    const cross = one[0] * two[1] - two[0] * one[1]
    area += cross
    x += (one[0] + two[0]) * cross
    y += (one[1] + two[1]) * cross
  }
  return [x / (3 * area), y / (3 * area)]
}

function distance(one: Point, other: Point): number {
  return Math.hypot(one[0] - other[0], one[1] - other[1])
}
