import { inked } from './ink.ts'
import type { Ink } from './ink.ts'

export type Spot = readonly [x: number, y: number]
export type Stroke = { readonly from: Spot; readonly to: Spot }
export type Ring = { readonly centre: Spot; readonly radius: number }

type Straight = { readonly angle: number; readonly far: number }

const strokesMax = 40
const angleSteps = 360
const gapMax = 5
/** Drawings have some 2,000 to 6,000 pixels of lines; a photograph has none that mean anything here. */
const pixelsMax = 80_000
/** Votes for one picture, some 0.1 s for each 100 million. */
const votesMax = 600_000_000

/** The ink of the areas that are larger than any glyph, and its pixels. */
export function drawnInk(ink: Ink, longerThan: number): { readonly drawn: Ink; readonly pixels: Spot[] } {
  const pixels: Spot[] = []
  const mask = new Uint8Array(ink.mask.length)
  for (let pixel = 0; pixel < ink.label.length; pixel++) {
    const area = ink.areas[ink.label[pixel] ?? -1]
    if (!area || Math.max(area.right - area.left, area.bottom - area.top) <= longerThan) continue
    mask[pixel] = 1
    pixels.push([pixel % ink.width, Math.floor(pixel / ink.width)])
  }
  return { drawn: { ...ink, mask }, pixels }
}

/**
 * The straight strokes of a drawing, longest support first: votes over angle and distance (Hough), a line fitted to
 * the pixels of the winner, its runs of ink as strokes, their pixels taken away, until no run is `lengthMin` long.
 */
export function strokesOf(ink: Ink, pixels: readonly Spot[], lengthMin: number): Stroke[] {
  const found: Stroke[] = []
  let left = pixels.length > pixelsMax ? [] : [...pixels]
  let votes = 0
  for (let round = 0; round < 3 * strokesMax && left.length >= lengthMin && found.length < strokesMax; round++) {
    votes += left.length * angleSteps
    if (votes > votesMax) break
    const voted = votedLine(left, ink)
    const line = refined(refined(voted, left), left)
    const near = left.filter((spot) => Math.abs(offset(line, spot)) <= 2.2)
    const runs = runsAlong(ink, line, near).filter(
      ({ from, to }) => Math.hypot(to[0] - from[0], to[1] - from[1]) >= lengthMin,
    )
    if (runs.length === 0 && near.length < lengthMin) break
    const fresh = runs.filter(
      (run) => !found.some((other) => distanceTo(other, run.from) < 4 && distanceTo(other, run.to) < 4),
    )
    found.push(...fresh)
    const covered = (spot: Spot): boolean => runs.some((run) => distanceTo(run, spot) <= 3)
    const rest = left.filter((spot) => !covered(spot))
    left =
      rest.length < left.length && runs.length > 0 ? rest : left.filter((spot) => Math.abs(offset(line, spot)) > 1.5)
  }
  return found
}

function offset({ angle, far }: Straight, [x, y]: Spot): number {
  return x * Math.cos(angle) + y * Math.sin(angle) - far
}

function votedLine(pixels: readonly Spot[], ink: Ink): Straight {
  const reach = Math.ceil(Math.hypot(ink.width, ink.height))
  const votes = new Uint16Array(angleSteps * (2 * reach + 1))
  let [best, most] = [0, 0]
  for (let step = 0; step < angleSteps; step++) {
    const [cos, sin] = [Math.cos((step * Math.PI) / angleSteps), Math.sin((step * Math.PI) / angleSteps)]
    const row = step * (2 * reach + 1) + reach
    for (const [x, y] of pixels) {
      const cell = row + Math.round(x * cos + y * sin)
      const count = (votes[cell] ?? 0) + 1
      votes[cell] = count
      if (count > most) [best, most] = [cell, count]
    }
  }
  const width = 2 * reach + 1
  return { angle: (Math.floor(best / width) * Math.PI) / angleSteps, far: (best % width) - reach }
}

/** The line of least squares through the pixels near a line. */
function refined(line: Straight, pixels: readonly Spot[]): Straight {
  const near = pixels.filter((spot) => Math.abs(offset(line, spot)) <= 2.5)
  const mean = near.reduce<[number, number]>(
    (sum, [x, y]) => [sum[0] + x / near.length, sum[1] + y / near.length],
    [0, 0],
  )
  let [xx, xy, yy] = [0, 0, 0]
  for (const [x, y] of near) {
    xx += (x - mean[0]) ** 2
    xy += (x - mean[0]) * (y - mean[1])
    yy += (y - mean[1]) ** 2
  }
  const along = 0.5 * Math.atan2(2 * xy, xx - yy)
  const angle = along + Math.PI / 2
  return near.length < 8 ? line : { angle, far: mean[0] * Math.cos(angle) + mean[1] * Math.sin(angle) }
}

/** Unbroken runs of ink along a line, where pixels that are still free bear at least 0.6 of it. */
function runsAlong(ink: Ink, line: Straight, near: readonly Spot[]): Stroke[] {
  const [dx, dy] = [-Math.sin(line.angle), Math.cos(line.angle)]
  const foot: Spot = [line.far * Math.cos(line.angle), line.far * Math.sin(line.angle)]
  const along = near.map(([x, y]) => (x - foot[0]) * dx + (y - foot[1]) * dy)
  const supported = new Set(along.map((at) => Math.round(at)))
  const [first, last] = [Math.min(...supported) - 20, Math.max(...supported) + 20]
  const runs: Stroke[] = []
  const place = (at: number): Spot => [foot[0] + at * dx, foot[1] + at * dy]
  let start: number | null = null
  let end = 0
  const closed = (): void => {
    if (start === null) return
    let bearing = 0
    for (let at = start; at <= end; at++) if (supported.has(at)) bearing++
    if (bearing >= 0.6 * (end - start + 1)) runs.push({ from: place(start), to: place(end) })
    start = null
  }
  for (let at = first; at <= last; at++) {
    const [x, y] = place(at)
    if (inked(ink, x, y, 0.8)) {
      start ??= at
      end = at
    } else if (start !== null && at - end > gapMax) closed()
  }
  closed()
  return runs
}

/** How far a place is from a stroke. */
export function distanceTo({ from, to }: Stroke, [x, y]: Spot): number {
  const [dx, dy] = [to[0] - from[0], to[1] - from[1]]
  const share = Math.max(0, Math.min(1, ((x - from[0]) * dx + (y - from[1]) * dy) / (dx * dx + dy * dy || 1)))
  return Math.hypot(x - from[0] - share * dx, y - from[1] - share * dy)
}

/** Where the lines of two strokes cross, if not nearly parallel. */
export function crossing(a: Stroke, b: Stroke): Spot | null {
  const [ax, ay] = [a.to[0] - a.from[0], a.to[1] - a.from[1]]
  const [bx, by] = [b.to[0] - b.from[0], b.to[1] - b.from[1]]
  const cross = ax * by - ay * bx
  if (Math.abs(cross) < 0.08 * Math.hypot(ax, ay) * Math.hypot(bx, by)) return null
  const share = ((b.from[0] - a.from[0]) * by - (b.from[1] - a.from[1]) * bx) / cross
  return [a.from[0] + share * ax, a.from[1] + share * ay]
}

const ringTries = 4000

/**
 * The largest full circle of a drawing, or null: circles through three pixels drawn from a fixed stream, kept when ink
 * lies under 0.9 of them, fitted to their pixels.
 */
export function ringOf(ink: Ink, pixels: readonly Spot[], radiusMin: number): Ring | null {
  let state = 12345
  const next = (): Spot => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    return pixels[Math.floor((state / 2 ** 32) * pixels.length)] ?? [0, 0]
  }
  const radiusMax = Math.min(ink.width, ink.height) / 2
  for (let tried = 0; tried < ringTries && pixels.length > 100 && pixels.length <= pixelsMax; tried++) {
    const ring = throughThree(next(), next(), next())
    if (!ring || ring.radius < radiusMin || ring.radius > radiusMax || coverage(ink, ring, 48, 2) < 0.7) continue
    const better = fitted(fitted(ring, pixels), pixels)
    if (coverage(ink, better, 180, 1) >= 0.9) return better
  }
  return null
}

function throughThree([ax, ay]: Spot, [bx, by]: Spot, [cx, cy]: Spot): Ring | null {
  const d = 2 * (ax * (by - cy) + bx * (cy - ay) + cx * (ay - by))
  if (Math.abs(d) < 2000) return null
  const [a, b, c] = [ax * ax + ay * ay, bx * bx + by * by, cx * cx + cy * cy]
  const centre: Spot = [
    (a * (by - cy) + b * (cy - ay) + c * (ay - by)) / d,
    (a * (cx - bx) + b * (ax - cx) + c * (bx - ax)) / d,
  ]
  return { centre, radius: Math.hypot(ax - centre[0], ay - centre[1]) }
}

function coverage(ink: Ink, { centre, radius }: Ring, steps: number, reach: number): number {
  let hits = 0
  for (let step = 0; step < steps; step++) {
    const turn = (2 * Math.PI * step) / steps
    if (inked(ink, centre[0] + radius * Math.cos(turn), centre[1] + radius * Math.sin(turn), reach)) hits++
  }
  return hits / steps
}

/** The circle of least squares through the pixels within 3 of a circle. */
function fitted(ring: Ring, pixels: readonly Spot[]): Ring {
  const [cx, cy] = ring.centre
  let [sum, xx, xy, yy, x1, y1, xz, yz, z1] = [0, 0, 0, 0, 0, 0, 0, 0, 0]
  for (const [px, py] of pixels) {
    const [x, y] = [px - cx, py - cy]
    if (Math.abs(Math.hypot(x, y) - ring.radius) > 3) continue
    const z = x * x + y * y
    sum++
    xx += x * x
    xy += x * y
    yy += y * y
    x1 += x
    y1 += y
    xz += x * z
    yz += y * z
    z1 += z
  }
  const [a, b, c] = [xx - (x1 * x1) / sum, xy - (x1 * y1) / sum, yy - (y1 * y1) / sum]
  const [p, q] = [(xz - (x1 * z1) / sum) / 2, (yz - (y1 * z1) / sum) / 2]
  const d = a * c - b * b
  if (sum < 30 || Math.abs(d) < 1e-6) return ring
  const [u, v] = [(p * c - q * b) / d, (q * a - p * b) / d]
  return {
    centre: [cx + u, cy + v],
    radius: Math.sqrt(Math.max(1, (z1 - 2 * u * x1 - 2 * v * y1) / sum + u * u + v * v)),
  }
}
