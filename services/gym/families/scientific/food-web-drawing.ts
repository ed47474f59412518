import { fontFamilies } from '#services/gym/picture/fonts.ts'
import { element, specks, svgPicture, text, textWidth } from '#services/gym/picture/svg.ts'
import type { Box, Style } from '#services/gym/items/item.ts'
import type { Random } from '#services/gym/random.ts'
import type { FoodWeb } from './food-web.ts'

type Spot = readonly [x: number, y: number]

export type DrawnWeb = { readonly svg: string; readonly boxes: ReadonlyMap<string, Box> }

type Look = {
  readonly width: number
  readonly height: number
  readonly family: string
  readonly weight: 400 | 700
  readonly size: number
  readonly corner: number
  readonly ink: string
  readonly fills: readonly string[]
}

const palettes = [
  ['#e4f2dc', '#fdf0cf', '#fbe0d2', '#ead9ee'],
  ['#ffffff', '#ffffff', '#ffffff', '#ffffff'],
  ['#dcebf7', '#dcebf7', '#dcebf7', '#dcebf7'],
  ['#f3ecd9', '#e8e2cf', '#ddd6c0', '#efe3e3'],
] as const

/** Draws a web; null where an arrow would run through a box or along another arrow. */
export function drawnWeb(web: FoodWeb, style: Style, chance: Random): DrawnWeb | null {
  const [width, height] = chance.pick([
    [640, 460],
    [700, 480],
    [600, 500],
  ] as const)
  const look: Look = {
    width,
    height,
    family: chance.pick(fontFamilies[style]),
    weight: chance.pick([400, 700]),
    size: chance.int(15, 18),
    corner: chance.pick([0, 5, 11]),
    ink: chance.pick(['#222222', '#26364d', '#463022']),
    fills: chance.pick(style === 'unseen' ? [palettes[0], palettes[3]] : palettes),
  }
  const places = placed(web, look, chance.chance(0.25), chance)
  if (!places) return null
  const arrows = web.arrows.map(([eaten, eater]) => between(places.get(eaten), places.get(eater)))
  if (!clear(web, arrows, places)) return null
  const title = chance.chance(0.4) ? [heading(web, look)] : []
  const parts = [
    specks(chance, width, height, chance.pick([0, 0.6])),
    ...arrows.map(([tail, head]) => arrow(tail, head, look)),
    ...[...places].map(([name, box]) =>
      node(name, box, look.fills[web.rows.findIndex((row) => row.includes(name))] ?? '#ffffff', look),
    ),
    ...title,
  ]
  const ground = chance.pick(['#ffffff', '#ffffff', '#fbfaf4', '#f5f7fb'])
  return { svg: svgPicture(width, height, ground, ...parts), boxes: places }
}

function heading({ habitat }: FoodWeb, { width, size, family }: Look): string {
  return text(`Food web of ${habitat}`, {
    x: width / 2,
    y: 26,
    size,
    family,
    weight: 700,
    anchor: 'middle',
    fill: '#333333',
  })
}

/** Rows from the foot upwards, or columns from left to right. */
function placed(web: FoodWeb, look: Look, sideways: boolean, chance: Random): Map<string, Box> | null {
  const places = new Map<string, Box>()
  const high = look.size * 2.1
  for (const [level, row] of web.rows.entries()) {
    for (const [place, name] of row.entries()) {
      const wide = textWidth(name, look) + 26
      const share = (place + 0.5) / row.length
      const step = (level + 0.5) / web.rows.length
      const [jx, jy] = [(chance.next() - 0.5) * 40, (chance.next() - 0.5) * 22]
      const x = sideways ? 20 + step * (look.width - 40) + jx * 0.3 : share * look.width + jx
      const y = sideways ? 50 + share * (look.height - 70) + jy : look.height - 12 - step * (look.height - 50) + jy
      const left = Math.min(Math.max(10, x - wide / 2), look.width - 10 - wide)
      const box: Box = [Math.round(left), Math.round(y - high / 2), Math.round(left + wide), Math.round(y + high / 2)]
      if ([...places.values()].some((other) => apart(box, other) < 16)) return null
      places.set(name, box)
    }
  }
  return places
}

function apart(a: Box, b: Box): number {
  return Math.hypot(Math.max(a[0] - b[2], 0, b[0] - a[2]), Math.max(a[1] - b[3], 0, b[1] - a[3]))
}

/** From rim to rim along the line of the middles, with a gap of 6 pixels at both ends. */
function between(from: Box = [0, 0, 0, 0], to: Box = [0, 0, 0, 0]): readonly [Spot, Spot] {
  const middle = ([left, top, right, bottom]: Box): Spot => [(left + right) / 2, (top + bottom) / 2]
  const [a, b] = [middle(from), middle(to)]
  const far = Math.hypot(b[0] - a[0], b[1] - a[1])
  const [dx, dy] = [(b[0] - a[0]) / far, (b[1] - a[1]) / far]
  const exit = ([left, top, right, bottom]: Box): number =>
    Math.min((right - left) / 2 / Math.max(1e-9, Math.abs(dx)), (bottom - top) / 2 / Math.max(1e-9, Math.abs(dy))) + 6
  const [start, end] = [exit(from), far - exit(to)]
  return [
    [a[0] + start * dx, a[1] + start * dy],
    [a[0] + end * dx, a[1] + end * dy],
  ]
}

function clear(web: FoodWeb, arrows: readonly (readonly [Spot, Spot])[], places: ReadonlyMap<string, Box>): boolean {
  return arrows.every(([tail, head], place) => {
    const far = Math.hypot(head[0] - tail[0], head[1] - tail[1])
    if (far < 42) return false
    const ends: readonly string[] = web.arrows[place] ?? []
    for (let step = 0; step <= 40; step++) {
      const at: Spot = [tail[0] + ((head[0] - tail[0]) * step) / 40, tail[1] + ((head[1] - tail[1]) * step) / 40]
      for (const [name, box] of places) {
        if (!ends.includes(name) && apart([at[0], at[1], at[0], at[1]], box) < 16) return false
      }
    }
    return arrows.slice(place + 1).every((other) => !alongside([tail, head], other))
  })
}

/** Would two arrows be hard to tell apart: ends within 14 pixels of one another, or crossing at less than 18 degrees? */
function alongside([a, b]: readonly [Spot, Spot], [c, d]: readonly [Spot, Spot]): boolean {
  const near = (p: Spot, q: Spot): boolean => Math.hypot(p[0] - q[0], p[1] - q[1]) < 14
  if (near(a, c) || near(a, d) || near(b, c) || near(b, d)) return true
  const [ux, uy, vx, vy] = [b[0] - a[0], b[1] - a[1], d[0] - c[0], d[1] - c[1]]
  const cross = Math.abs(ux * vy - uy * vx) / (Math.hypot(ux, uy) * Math.hypot(vx, vy))
  const side = (p: Spot, q: Spot, r: Spot): number =>
    Math.sign((q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0]))
  const crossed = side(a, b, c) !== side(a, b, d) && side(c, d, a) !== side(c, d, b)
  return crossed && cross < 0.31
}

function arrow(tail: Spot, head: Spot, { ink }: Look): string {
  const far = Math.hypot(head[0] - tail[0], head[1] - tail[1])
  const [dx, dy] = [(head[0] - tail[0]) / far, (head[1] - tail[1]) / far]
  const corner = (along: number, aside: number): string =>
    `${(head[0] - along * dx - aside * dy).toFixed(2)},${(head[1] - along * dy + aside * dx).toFixed(2)}`
  const line = { x1: tail[0], y1: tail[1], x2: head[0] - 8 * dx, y2: head[1] - 8 * dy, stroke: ink, 'stroke-width': 2 }
  return (
    element('line', line) +
    element('polygon', { points: `${corner(0, 0)} ${corner(13, 6)} ${corner(13, -6)}`, fill: ink })
  )
}

function node(
  name: string,
  [left, top, right, bottom]: Box,
  fill: string,
  { ink, corner, size, family, weight }: Look,
): string {
  const rect = {
    x: left,
    y: top,
    width: right - left,
    height: bottom - top,
    rx: corner,
    fill,
    stroke: ink,
    'stroke-width': 2,
  }
  const words = text(name, {
    x: (left + right) / 2,
    y: (top + bottom) / 2 + size * 0.35,
    size,
    family,
    weight,
    anchor: 'middle',
    fill: '#1c1c1c',
  })
  return element('rect', rect) + words
}
