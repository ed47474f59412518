import { inkOf, inked } from '#services/gym/drawings/ink.ts'
import { readLabels } from '#services/gym/drawings/labels.ts'
import { crossing, distanceTo, drawnInk, ringOf, strokesOf } from '#services/gym/drawings/strokes.ts'
import { measureLiterals } from './diagram-measures.ts'
import type { DiagramLabel } from '#services/gym/drawings/labels.ts'
import type { Ring, Spot, Stroke } from '#services/gym/drawings/strokes.ts'
import type { Pixels } from '#services/gym/tools/tool.ts'

/** A diagram as it was read from pixels. */
export type Diagram = {
  readonly places: Readonly<Record<string, Spot>>
  /** Names of the points on each stroke, in order; two at least. */
  readonly lines: readonly string[]
  readonly circle: { readonly centre: string; readonly on: string } | null
  /** Line, Collinear, Circle, Cocircular. */
  readonly construction_cdl: readonly string[]
  /** What is written in the picture: lengths, angles, marks of right angles. */
  readonly image_cdl: readonly string[]
}

/** Letters that name points; I and J are left out, as in the books. */
const letters = { alone: 'ABCDEFGHKLMNOPQRSTUVWXYZx123456789', row: '0123456789x+-.°()' }
const strokeMin = 32
const sameCorner = 10

/**
 * Reads a geometry diagram: circle and strokes by votes over the pixels, corners where they meet, the letters beside
 * them, the measures beside lines and inside angles. `words` (the question) help where a letter is in doubt.
 */
export function readDiagram(pixels: Pixels, words: string): Diagram {
  const ink = inkOf(pixels)
  const { drawn, pixels: spots } = drawnInk(ink, 36)
  const ring = ringOf(drawn, spots, 40)
  const offRing = ring ? spots.filter((spot) => Math.abs(distance(spot, ring.centre) - ring.radius) > 2.6) : spots
  const strokes = strokesOf(drawn, offRing, strokeMin).map((stroke) => (ring ? endedOnRing(stroke, ring) : stroke))
  const corners = cornersOf(strokes, ring)
  const labels = readLabels(ink, letters)
  const { places, others } = namedCorners(corners, labels, namesIn(words))
  const named = Object.entries(places)
  const lines = strokes.flatMap((stroke) => {
    const on = named.filter(([, place]) => distanceTo(stroke, place) < 6)
    const from = stroke.from
    const order = on.toSorted(([, a], [, b]) => distance(a, from) - distance(b, from)).map(([name]) => name)
    return order.length > 1 ? [order.join('')] : []
  })
  const circle = ring ? circleOf(ring, places, words) : null
  const construction = [...new Set(lines)].map((line) => (line.length > 2 ? `Collinear(${line})` : `Line(${line})`))
  if (circle)
    construction.push(circle.on === '' ? `Circle(${circle.centre})` : `Cocircular(${circle.centre},${circle.on})`)
  const measures = measureLiterals(others.map(asMeasure), places, lines, (x, y) => inked(drawn, x, y, 1))
  return { places, lines, circle, construction_cdl: construction, image_cdl: measures }
}

export function distance(a: Spot, b: Spot): number {
  return Math.hypot(a[0] - b[0], a[1] - b[1])
}

/** Ends near the ring are put where line and ring meet, or touch. */
function endedOnRing(stroke: Stroke, ring: Ring): Stroke {
  const { from, to } = stroke
  const far = distance(from, to)
  const [dx, dy] = [(to[0] - from[0]) / far, (to[1] - from[1]) / far]
  const foot = (ring.centre[0] - from[0]) * dx + (ring.centre[1] - from[1]) * dy
  const at = (along: number): Spot => [from[0] + along * dx, from[1] + along * dy]
  const apart = distance(at(foot), ring.centre)
  const half = Math.sqrt(Math.max(0, ring.radius ** 2 - apart ** 2))
  const touches = Math.abs(apart - ring.radius) < 3.5
  const meets = touches ? [foot] : apart < ring.radius ? [foot - half, foot + half] : []
  const reach = touches ? 34 : 9
  const snapped = (along: number): number => meets.find((meet) => Math.abs(meet - along) < reach) ?? along
  return { from: at(snapped(0)), to: at(snapped(far)) }
}

/** Ends of strokes, crossings, and the middle of the ring; places nearer than 10 pixels are one. */
function cornersOf(strokes: readonly Stroke[], ring: Ring | null): Spot[] {
  const corners: Spot[] = []
  const add = (spot: Spot): void => {
    if (!corners.some((other) => distance(other, spot) < sameCorner)) corners.push(spot)
  }
  if (ring) add(ring.centre)
  for (const [place, a] of strokes.entries()) {
    for (const b of strokes.slice(place + 1)) {
      const spot = crossing(a, b)
      if (spot && distanceTo(a, spot) < 7 && distanceTo(b, spot) < 7) add(spot)
    }
  }
  for (const { from, to } of strokes) [from, to].forEach(add)
  return corners
}

/** Capital letters in the names of a question: ∠ABC, AB, circle O. */
function namesIn(words: string): ReadonlySet<string> {
  const names = words.match(/(?<![A-Za-z])[A-Z]{1,6}(?![a-z])/g) ?? []
  return new Set(names.filter((name) => name !== 'A' || !words.startsWith('A ')).flatMap((name) => name.split('')))
}

/** Gives each corner the letter beside it; letters that the question names are put where they fit best. */
function namedCorners(
  corners: readonly Spot[],
  labels: readonly DiagramLabel[],
  wanted: ReadonlySet<string>,
): { places: Record<string, Spot>; others: DiagramLabel[] } {
  const pairs = labels.flatMap((label) => {
    if (label.readings.length === 0) return []
    const middle: Spot = [(label.box[0] + label.box[2]) / 2, (label.box[1] + label.box[3]) / 2]
    return corners.map((corner) => ({ label, corner, far: distance(corner, middle) }))
  })
  const taken = new Map<DiagramLabel, Spot>()
  const take = (farMax: number, isLetter: (label: DiagramLabel) => boolean): void => {
    for (const { label, corner, far } of pairs.toSorted((a, b) => a.far - b.far)) {
      if (far > farMax || taken.has(label) || [...taken.values()].includes(corner)) continue
      if (isLetter(label)) taken.set(label, corner)
    }
  }
  take(38, (label) => /^[A-Z]$/.test(label.text) || wantedDoubt(label, wanted) < 0.12)
  // What stands at a corner that has no letter yet may be one that looks more like a figure: B like 8.
  take(26, (label) => label.readings.some(({ letter, doubt }) => /^[A-Z]$/.test(letter) && doubt < label.doubt + 0.03))
  return {
    places: Object.fromEntries(assigned([...taken], wanted)),
    others: labels.filter((label) => !taken.has(label)),
  }
}

/** A single glyph that stands beside no corner is a figure or an unknown, whatever letter it looks like. */
function asMeasure(label: DiagramLabel): DiagramLabel {
  const figure = label.readings.find(({ letter }) => /^[0-9x]$/.test(letter))
  return /^[A-Z]$/.test(label.text) && figure ? { ...label, text: figure.letter } : label
}

function wantedDoubt(label: DiagramLabel, wanted: ReadonlySet<string>): number {
  return Math.min(1, ...label.readings.filter(({ letter }) => wanted.has(letter)).map(({ doubt }) => doubt))
}

/** Letters by least doubt, each once; a letter that the question names counts as surer by 0.05. */
function assigned(taken: readonly (readonly [DiagramLabel, Spot])[], wanted: ReadonlySet<string>): [string, Spot][] {
  const options = taken.flatMap(([label, corner]) =>
    label.readings
      .filter(({ letter }) => /^[A-Z]$/.test(letter))
      .map(({ letter, doubt }) => ({ label, corner, letter, doubt: doubt - (wanted.has(letter) ? 0.05 : 0) })),
  )
  const used = new Set<DiagramLabel>()
  const names = new Map<string, Spot>()
  for (const { label, corner, letter } of options.toSorted((a, b) => a.doubt - b.doubt)) {
    if (used.has(label) || names.has(letter)) continue
    used.add(label)
    names.set(letter, corner)
  }
  return [...names]
}

function circleOf(ring: Ring, places: Readonly<Record<string, Spot>>, words: string): Diagram['circle'] {
  const named = Object.entries(places)
  const centre = named.find(([, place]) => distance(place, ring.centre) < sameCorner)?.[0]
  const said = /circle ([A-Z])(?![A-Za-z])|([A-Z]) is the cent/.exec(words)
  const name = centre ?? said?.[1] ?? said?.[2]
  if (name === undefined) return null
  const on = named
    .filter(([, place]) => Math.abs(distance(place, ring.centre) - ring.radius) < 7)
    .map(([point]) => point)
  return { centre: name, on: on.join('') }
}
