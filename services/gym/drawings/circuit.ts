import { closedShapes } from './boxes.ts'
import { inkOf } from './ink.ts'
import { readLabels } from './labels.ts'
import { drawnInk } from './strokes.ts'
import { maskAreas } from '#services/gym/tools/local/flat-areas.ts'
import type { ClosedShape } from './boxes.ts'
import type { Ink } from './ink.ts'
import type { DiagramLabel } from './labels.ts'
import type { Box } from '#services/gym/items/item.ts'
import type { Pixels } from '#services/gym/tools/tool.ts'

/** A resistor (a rectangle) or a source (a circle): its value, and the two nets of wire that it joins. */
export type Component = {
  readonly kind: 'resistor' | 'source'
  readonly value: number | null
  readonly nets: readonly [number, number]
}

const componentSize = { sideMin: 9, widthMax: 80, heightMax: 80 } as const
const letters = { alone: '0123456789ΩV', row: '0123456789.ΩV' }

/** Reads a circuit: components are closed shapes, nets are what is left of the wires when those are cut out. */
export function readCircuit(pixels: Pixels): Component[] {
  const ink = inkOf(pixels)
  const shapes = closedShapes(ink, componentSize).filter(({ inside: [left, top, right, bottom], kind }) => {
    const longer = Math.max(right - left, bottom - top)
    return longer >= 22 && (kind === 'circle' || longer >= 1.5 * Math.min(right - left, bottom - top))
  })
  const nets = netsOf(drawnInk(ink, 60).drawn, shapes)
  const labels = readLabels(ink, letters).filter((label) => !shapes.some(({ inside }) => overlaps(inside, label.box)))
  const values = valuesOf(labels, shapes)
  return shapes.flatMap((shape, place): Component[] => {
    const touched = terminals(shape, nets, ink)
    const [first, second] = touched
    if (first === undefined || second === undefined) return []
    const kind = shape.kind === 'circle' ? 'source' : 'resistor'
    return [{ kind, value: values.get(place) ?? null, nets: [first, second] }]
  })
}

function netsOf(drawn: Ink, shapes: readonly ClosedShape[]): Int32Array {
  const mask = Uint8Array.from(drawn.mask)
  for (const { inside } of shapes) {
    const [left, top, right, bottom] = [inside[0] - 4, inside[1] - 4, inside[2] + 4, inside[3] + 4]
    for (let y = Math.max(0, top); y < Math.min(drawn.height, bottom); y++) {
      mask.fill(0, y * drawn.width + Math.max(0, left), y * drawn.width + Math.min(drawn.width, right))
    }
  }
  return maskAreas(mask, drawn.width, drawn.height).label
}

/** The nets that leave a component, at the middles of its sides. */
function terminals({ inside: [left, top, right, bottom] }: ClosedShape, nets: Int32Array, { width }: Ink): number[] {
  const [x, y] = [Math.round((left + right) / 2), Math.round((top + bottom) / 2)]
  const found = new Set<number>()
  for (let far = 4; far <= 9; far++) {
    for (let aside = -2; aside <= 2; aside++) {
      for (const pixel of [
        (y + aside) * width + left - far,
        (y + aside) * width + right + far,
        (top - far) * width + x + aside,
        (bottom + far) * width + x + aside,
      ]) {
        const net = nets[pixel] ?? -1
        if (net >= 0) found.add(net)
      }
    }
  }
  return [...found]
}

/** Numbers go to the nearest component, each component takes its nearest. */
function valuesOf(labels: readonly DiagramLabel[], shapes: readonly ClosedShape[]): Map<number, number> {
  const pairs = labels.flatMap((label) => {
    const number = /^(\d+(?:\.\d+)?)[ΩV]?$/.exec(label.text)?.[1]
    const value = Number(number)
    if (number === undefined || value === 0) return []
    const box = withUnit(label.box, labels)
    return shapes.map(({ inside }, place) => ({ label, place, value, far: gap(inside, box) }))
  })
  const values = new Map<number, number>()
  const used = new Set<DiagramLabel>()
  for (const { label, place, value, far } of pairs.toSorted((a, b) => a.far - b.far)) {
    if (far > 60 || used.has(label) || values.has(place)) continue
    used.add(label)
    values.set(place, value)
  }
  return values
}

/** A number with the unit that stands to the right of it, which may be nearer to the component than the number. */
function withUnit(number: Box, labels: readonly DiagramLabel[]): Box {
  const high = number[3] - number[1]
  const unit = labels.find(({ box, text }) => {
    const aside = box[0] - number[2]
    return aside > 0 && aside < 1.6 * high && Math.abs(box[3] - number[3]) < 0.4 * high && /^[ΩV0]$/.test(text)
  })
  if (!unit) return number
  return [number[0], Math.min(number[1], unit.box[1]), unit.box[2], Math.max(number[3], unit.box[3])]
}

function gap(a: Box, b: Box): number {
  return Math.hypot(Math.max(a[0] - b[2], 0, b[0] - a[2]), Math.max(a[1] - b[3], 0, b[1] - a[3]))
}

function overlaps(a: Box, b: Box): boolean {
  return gap(a, b) === 0
}
