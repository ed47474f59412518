import type { Piece } from './reading.ts'

type Point = readonly [x: number, y: number]

/** Directions clockwise on the screen, from the right. */
const around: readonly Point[] = [
  [1, 0],
  [1, 1],
  [0, 1],
  [-1, 1],
  [-1, 0],
  [-1, -1],
  [0, -1],
  [1, -1],
]

/** The outer outline of a piece of one colour (Moore's neighbour tracing), with as few corners as 1.5 pixels allow. */
export function outlineOf(piece: Piece, isColour: (x: number, y: number) => boolean): Point[] {
  const start = firstPixel(piece, isColour)
  if (start === null) return []
  const outline: Point[] = [start]
  let [at, came] = [start, 6]
  for (let step = 0; step < 4 * (piece.count + 4); step++) {
    const turn = around.findIndex((_, place) => {
      const [dx, dy] = around[(came + place) % 8] ?? [0, 0]
      return isColour(at[0] + dx, at[1] + dy)
    })
    if (turn < 0) break
    const way = (came + turn) % 8
    const [dx, dy] = around[way] ?? [0, 0]
    at = [at[0] + dx, at[1] + dy]
    if (at[0] === start[0] && at[1] === start[1]) break
    outline.push(at)
    came = (way + 5) % 8
  }
  return simplified(outline, 1.5)
}

function firstPixel({ left, top, right, bottom }: Piece, isColour: (x: number, y: number) => boolean): Point | null {
  for (let y = top; y < bottom; y++) for (let x = left; x < right; x++) if (isColour(x, y)) return [x, y]
  return null
}

/** Douglas and Peucker: corners that lie within `reach` of the straight line are left out. */
function simplified(points: readonly Point[], reach: number): Point[] {
  const keep = new Set([0, points.length - 1])
  const open: [number, number][] = [[0, points.length - 1]]
  for (let span = open.pop(); span !== undefined; span = open.pop()) {
    const [from, to] = span
    let [farthest, most] = [-1, reach]
    for (let place = from + 1; place < to; place++) {
      const away = distanceToLine(points[place], points[from], points[to])
      if (away > most) [farthest, most] = [place, away]
    }
    if (farthest < 0) continue
    keep.add(farthest)
    open.push([from, farthest], [farthest, to])
  }
  return points.filter((_, place) => keep.has(place))
}

function distanceToLine(point: Point = [0, 0], from: Point = [0, 0], to: Point = [0, 0]): number {
  const [dx, dy] = [to[0] - from[0], to[1] - from[1]]
  const length = Math.hypot(dx, dy)
  if (length === 0) return Math.hypot(point[0] - from[0], point[1] - from[1])
  return Math.abs(dy * (point[0] - from[0]) - dx * (point[1] - from[1])) / length
}
