import { grounds } from './names.ts'
import { bankOf } from '#services/gym/items/split-bank.ts'
import { fontFamilies } from '#services/gym/picture/fonts.ts'
import { element, specks, svgPicture, text, wholeBox } from '#services/gym/picture/svg.ts'
import { random } from '#services/gym/random.ts'
import type { Box, ItemKind, ItemRequest, Scene } from '#services/gym/items/item.ts'
import type { Random } from '#services/gym/random.ts'

type Level = {
  readonly things_min: number
  readonly things_max: number
  readonly kinds: number
  readonly noise: number
}

const levels: readonly Level[] = [
  { things_min: 5, things_max: 8, kinds: 2, noise: 0 },
  { things_min: 9, things_max: 14, kinds: 3, noise: 0.4 },
  { things_min: 15, things_max: 24, kinds: 4, noise: 0.8 },
]

const colours = {
  ordinary: {
    red: '#d63031',
    blue: '#2160c4',
    green: '#2e9e4f',
    yellow: '#f2c21b',
    purple: '#8444b8',
    orange: '#f08024',
  },
  unseen: {
    red: '#c0222f',
    blue: '#3a4fd0',
    green: '#3f8f2f',
    yellow: '#e6cc2a',
    purple: '#7a2fa0',
    orange: '#e8742c',
  },
} as const
const shapes = ['circle', 'square', 'triangle'] as const
type Shape = (typeof shapes)[number]

type Thing = {
  readonly colour: string
  readonly shape: Shape
  readonly x: number
  readonly y: number
  readonly size: number
}

/** How many things of a colour, of a shape, or of both: after A-OKVQA's and ThinkVL's counting questions. */
export const counting: ItemKind = {
  kind: 'others/counting',
  family: 'others',
  dataset: 'stepstore-aokvqa',
  levels,
  make(request) {
    const level = levels[request.level]
    if (level === undefined) throw new RangeError(`others/counting has levels 0 to ${levels.length - 1}`)
    const stream = [request.split, 'counting', request.index, request.style] as const
    const values = random(request.seed, ...stream, 'values')
    const place = values.pick(bankOf(request.split, grounds))
    const things = thingsOf(level, values, request)
    const asked = askedOf(things, random(request.seed, ...stream, 'question'))
    return {
      svg: drawn(things, place, level, request),
      question: asked.question,
      key: asked.key,
      evidence: asked.counted.map((thing) => ({ what: `${thing.colour} ${thing.shape}`, box: boxOf(thing) })),
      scene: { place, things },
    }
  },
}

const [width_px, height_px, head_px] = [600, 480, 60]

function thingsOf(level: Level, values: Random, request: ItemRequest): Thing[] {
  const names = values.shuffle(Object.keys(colours[request.style])).slice(0, level.kinds)
  const forms = values.shuffle(shapes).slice(0, Math.max(2, level.kinds - 1))
  const count = values.int(level.things_min, level.things_max + 1)
  const columns = Math.ceil(Math.sqrt(count * 1.3))
  const rows = Math.ceil(count / columns) + (values.chance(0.5) ? 1 : 0)
  const [wide, high] = [(width_px - 40) / columns, (height_px - head_px - 30) / rows]
  const cells = values.shuffle(Array.from({ length: columns * rows }, (_, cell) => cell)).slice(0, count)
  return cells.map((cell) => {
    const size = Math.min(wide, high) * (0.27 + values.next() * 0.1)
    const shape = values.pick(forms)
    return {
      colour: values.pick(names),
      shape,
      x: 20 + ((cell % columns) + 0.5 + (values.next() - 0.5) * 0.2) * wide,
      y: head_px + 10 + (Math.floor(cell / columns) + 0.5 + (values.next() - 0.5) * 0.16) * high,
      size,
    }
  })
}

function askedOf(things: readonly Thing[], chance: Random): Pick<Scene, 'question' | 'key'> & { counted: Thing[] } {
  const example = chance.pick(things)
  const way = chance.pick(['both', 'both', 'colour', 'shape'] as const)
  const counted = things.filter(
    (thing) =>
      (way === 'shape' || thing.colour === example.colour) && (way === 'colour' || thing.shape === example.shape),
  )
  const words =
    way === 'both'
      ? `${example.colour} ${example.shape}s`
      : way === 'colour'
        ? `${example.colour} things`
        : `${example.shape}s`
  const key: Scene['key'] = { answer: [String(counted.length)], answer_type: 'numeric' }
  const question = chance.pick([`How many ${words} are there?`, `How many ${words} lie here?`])
  if (chance.chance(0.6)) return { question, key, counted }
  const first = Math.max(0, counted.length - chance.int(0, 4))
  const choices = chance.shuffle([0, 1, 2, 3].map((more) => String(first + more)))
  return { question, key: { ...key, answer_type: 'choice', choices }, counted }
}

/** How far each shape reaches from its middle, in its size: left, up, right, down. */
const reaches: Readonly<Record<Shape, readonly [number, number, number, number]>> = {
  circle: [1, 1, 1, 1],
  square: [0.9, 0.9, 0.9, 0.9],
  triangle: [1.05, 1.1, 1.05, 0.8],
}

function boxOf({ shape, x, y, size }: Thing): Box {
  const [left, up, right, down] = reaches[shape]
  return wholeBox(x - left * size - 1, y - up * size - 1, x + right * size + 1, y + down * size + 1)
}

function drawn(things: readonly Thing[], place: string, level: Level, request: ItemRequest): string {
  const look = random(request.seed, request.split, 'counting', request.index, request.style, 'look')
  const noise = random(request.seed, request.split, 'counting', request.index, 'noise')
  const edge = look.pick(['#333333', 'none', '#555555'])
  const paints: Readonly<Record<string, string>> = colours[request.style]
  return svgPicture(
    width_px,
    height_px,
    look.pick(['#ffffff', '#f6f6f2', '#f2f6fa']),
    specks(noise, width_px, height_px, level.noise * 0.5),
    text(place, { x: 24, y: 40, size: 24, family: look.pick(fontFamilies[request.style]), weight: 700 }),
    ...things.map((thing) => drawnThing(thing, paints[thing.colour] ?? '#000000', edge)),
  )
}

function drawnThing({ shape, x, y, size }: Thing, fill: string, edge: string): string {
  const paint = {
    fill,
    stroke: edge,
    'stroke-width': edge === 'none' ? 0 : 1.6,
  }
  if (shape === 'circle') return element('circle', { cx: x, cy: y, r: size, ...paint })
  if (shape === 'square')
    return element('rect', { x: x - size * 0.9, y: y - size * 0.9, width: size * 1.8, height: size * 1.8, ...paint })
  const points = [
    [0, -1.1],
    [1.05, 0.8],
    [-1.05, 0.8],
  ]
  return element('polygon', {
    points: points.map(([a = 0, b = 0]) => `${(x + a * size).toFixed(1)},${(y + b * size).toFixed(1)}`).join(' '),
    ...paint,
  })
}
