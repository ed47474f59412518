import { distance, placeOf } from './sketch.ts'
import { textWidth } from '#services/gym/picture/svg.ts'
import type { Place } from '#services/gym/geometry/figure.ts'
import type { Box, Style } from '#services/gym/items/item.ts'
import type { Random } from '#services/gym/random.ts'
import type { Sketch } from './sketch.ts'

/** How a diagram looks; never changes what it says. */
export type Look = {
  readonly width: number
  readonly height: number
  readonly ground: string
  readonly ink: string
  readonly labelInk: string
  readonly measureInk: string
  readonly family: string
  readonly weight: 400 | 700
  readonly size: number
  readonly stroke: number
  readonly dot: number
  readonly arcs: boolean
  readonly squared: boolean
  readonly speckled: number
}

/** A sketch on its page: places in pixels. */
export type Page = {
  readonly sketch: Sketch
  readonly look: Look
  readonly places: Readonly<Record<string, Place>>
  readonly circle: { readonly centre: Place; readonly radius: number } | null
  /** Pixels that are drawn on, every 3 pixels along each line. */
  readonly inked: readonly Place[]
}

const margin = 46
const nearestPoints = 42
const pointOffLine = 16

const inks = ['#1b1b1b', '#20304f', '#4a2c1a', '#143d2b', '#3b2354'] as const
const measureInks = ['#1b1b1b', '#8a1c1c', '#0b4f8a', '#7a3b00'] as const
const grounds: Readonly<Record<Style, readonly string[]>> = {
  ordinary: ['#ffffff', '#ffffff', '#fbf7ec', '#f2f4f8'],
  unseen: ['#fdf3f0', '#eef6ee', '#f4f1e4'],
}

export function drawnLook(chance: Random, families: readonly string[], style: Style): Look {
  const [width, height] = chance.pick([
    [480, 400],
    [540, 420],
    [500, 460],
    [600, 420],
  ] as const)
  return {
    width,
    height,
    ground: chance.pick(grounds[style]),
    ink: chance.pick(inks),
    labelInk: chance.pick(inks),
    measureInk: chance.pick(measureInks),
    family: chance.pick(families),
    weight: chance.pick([400, 400, 700]),
    size: chance.int(17, 21),
    stroke: chance.pick([1.5, 2, 2.5]),
    dot: chance.pick([0, 0, 3, 3.5]),
    arcs: chance.chance(0.7),
    squared: chance.chance(style === 'unseen' ? 0.5 : 0.25),
    speckled: chance.pick([0, 0, 0.5, 1]),
  }
}

/** Turns, mirrors and scales a sketch onto its page; null where points would come too near one another. */
export function pageOf(sketch: Sketch, look: Look, chance: Random): Page | null {
  const turn = chance.next() * 2 * Math.PI
  const mirror = chance.chance(0.5) ? -1 : 1
  const turned = ([x, y]: Place): Place => [
    mirror * (x * Math.cos(turn) - y * Math.sin(turn)),
    x * Math.sin(turn) + y * Math.cos(turn),
  ]
  const raw = Object.fromEntries(Object.entries(sketch.points).map(([name, place]) => [name, turned(place)]))
  const extent = Object.values(raw)
  const { circle } = sketch
  const centre = circle ? raw[circle.centre] : undefined
  if (circle && centre) {
    for (const [dx, dy] of [
      [-1, 0],
      [1, 0],
      [0, -1],
      [0, 1],
    ] as const) {
      extent.push([centre[0] + dx * circle.radius, centre[1] + dy * circle.radius])
    }
  }
  const [left, right] = [Math.min(...extent.map(([x]) => x)), Math.max(...extent.map(([x]) => x))]
  const [top, bottom] = [Math.min(...extent.map(([, y]) => y)), Math.max(...extent.map(([, y]) => y))]
  const scale = Math.min((look.width - 2 * margin) / (right - left), (look.height - 2 * margin) / (bottom - top))
  const [dx, dy] = [(look.width - scale * (left + right)) / 2, (look.height - scale * (top + bottom)) / 2]
  const placed = ([x, y]: Place): Place => [scale * x + dx, scale * y + dy]
  const places = Object.fromEntries(Object.entries(raw).map(([name, place]) => [name, placed(place)]))
  if (crowded(Object.values(places)) || grazes(sketch, places)) return null
  const ring = circle && centre ? { centre: placed(centre), radius: circle.radius * scale } : null
  return { sketch, look, places, circle: ring, inked: inkOf(sketch, places, ring) }
}

function crowded(places: readonly Place[]): boolean {
  return places.some((a, place) => places.slice(place + 1).some((b) => distance(a, b) < nearestPoints))
}

/** Is a point so near to a line that it seems to lie on it, though it does not? */
function grazes(sketch: Sketch, places: Readonly<Record<string, Place>>): boolean {
  return sketch.lines.some((line) => {
    const [from, to] = [places[line.charAt(0)], places[line.charAt(line.length - 1)]]
    return Object.entries(places).some(([name, [x, y]]) => {
      if (!from || !to || line.includes(name)) return false
      const far = distance(from, to)
      const along = ((x - from[0]) * (to[0] - from[0]) + (y - from[1]) * (to[1] - from[1])) / far
      const aside = Math.abs((x - from[0]) * (to[1] - from[1]) - (y - from[1]) * (to[0] - from[0])) / far
      return along > 0 && along < far && aside < pointOffLine
    })
  })
}

function inkOf(sketch: Sketch, places: Readonly<Record<string, Place>>, circle: Page['circle']): Place[] {
  const inked: Place[] = []
  for (const line of sketch.lines) {
    const [from, to] = [places[line.charAt(0)], places[line.charAt(line.length - 1)]]
    if (!from || !to) continue
    const steps = Math.ceil(distance(from, to) / 3)
    for (let step = 0; step <= steps; step++) {
      const share = step / steps
      inked.push([from[0] + (to[0] - from[0]) * share, from[1] + (to[1] - from[1]) * share])
    }
  }
  if (!circle) return inked
  const steps = Math.ceil((2 * Math.PI * circle.radius) / 3)
  for (let step = 0; step < steps; step++) {
    const turn = (2 * Math.PI * step) / steps
    inked.push([circle.centre[0] + circle.radius * Math.cos(turn), circle.centre[1] + circle.radius * Math.sin(turn)])
  }
  return inked
}

/** A text on the page: its middle and its box. */
export type Label = { readonly text: string; readonly at: Place; readonly box: Box; readonly fill: string }

/** The box of a text with this middle: capital letters and figures are some 0.72 of the size high. */
export function labelBox(text: string, [x, y]: Place, look: Look): Box {
  const width = textWidth(text, look)
  return [x - width / 2 - 1, y - look.size * 0.4, x + width / 2 + 1, y + look.size * 0.4]
}

/** How far a box is from everything that is drawn; negative outside the page. */
export function clearance(box: Box, page: Page, labels: readonly Label[]): number {
  const { width, height } = page.look
  let least = Math.min(box[0] - 2, box[1] - 2, width - 2 - box[2], height - 2 - box[3])
  for (const [x, y] of page.inked) {
    const dx = Math.max(box[0] - x, 0, x - box[2])
    const dy = Math.max(box[1] - y, 0, y - box[3])
    least = Math.min(least, Math.hypot(dx, dy) - page.look.stroke / 2)
  }
  for (const { box: other } of labels) {
    const dx = Math.max(box[0] - other[2], other[0] - box[2])
    const dy = Math.max(box[1] - other[3], other[1] - box[3])
    // Texts that stand side by side would be read as one: more room beside than above.
    least = Math.min(least, Math.max(dx - 8, dy - 1))
  }
  return least
}

/** The place of a point of the page. */
export function at(page: Page, name: string): Place {
  return page.places[name] ?? placeOf(page.sketch, name)
}
