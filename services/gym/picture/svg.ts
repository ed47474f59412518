import { measuredWidth } from './text-width.ts'
import type { Box } from '#services/gym/items/item.ts'
import type { Random } from '#services/gym/random.ts'

export type Attributes = Readonly<Record<string, string | number | undefined>>

/** How a piece of text is written. `x`, `y` is the anchor on the base line, in pixels. */
export type TextLook = {
  readonly x: number
  readonly y: number
  readonly size: number
  /** One of the families in fonts.ts; another draws in the default font. */
  readonly family: string
  readonly weight?: 400 | 600 | 700
  readonly anchor?: 'start' | 'middle' | 'end'
  readonly fill?: string
  /** Degrees clockwise about the anchor. */
  readonly rotation?: number
  /** A border behind the letters that keeps them legible on anything, such as `white`. */
  readonly halo?: string
}

/** How much wider than Inter a family sets the same words; measured over the words of our topics. */
const familyWidths: Readonly<Record<string, number>> = {
  Inter: 1,
  Roboto: 0.95,
  'DejaVu Sans': 1.07,
  Lora: 0.97,
  Nunito: 0.95,
}

/** Text made safe for the inside of an element and for an attribute in double quotes. */
export function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}

/** One SVG element; numbers are written with at most 2 decimals, and attributes that are undefined are left out. */
export function element(name: string, attributes: Attributes, ...children: readonly string[]): string {
  const written = Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}="${typeof value === 'number' ? decimal(value) : escaped(value ?? '')}"`)
    .join('')
  return children.length === 0 ? `<${name}${written}/>` : `<${name}${written}>${children.join('')}</${name}>`
}

/** One line of text. */
export function text(words: string, look: TextLook): string {
  const attributes: Attributes = {
    x: look.x,
    y: look.y,
    'font-family': look.family,
    'font-size': look.size,
    'font-weight': look.weight ?? 400,
    'text-anchor': look.anchor ?? 'start',
    fill: look.fill ?? '#222222',
    transform:
      look.rotation === undefined
        ? undefined
        : `rotate(${decimal(look.rotation)} ${decimal(look.x)} ${decimal(look.y)})`,
  }
  const written = element('text', attributes, escaped(words))
  if (look.halo === undefined) return written
  // Drawn twice instead of with paint-order, which not every renderer knows.
  const rim: Attributes = {
    ...attributes,
    fill: 'none',
    stroke: look.halo,
    'stroke-width': 3.5,
    'stroke-linejoin': 'round',
  }
  return element('text', rim, escaped(words)) + written
}

/** A line of text on a plate of its own colour, that stays legible on anything. The plate is 3 pixels wider all round. */
export function textOnPlate(words: string, look: TextLook, plate: string): string {
  const [left, top, right, bottom] = textBox(words, look)
  const size = { x: left - 3, y: top - 2, width: right - left + 6, height: bottom - top + 3 }
  return element('rect', { ...size, rx: 3, fill: plate }) + text(words, look)
}

/** The estimated width of a line in its family and weight, in pixels; good to about 8 %, for margins and boxes. */
export function textWidth(words: string, look: Pick<TextLook, 'size' | 'family' | 'weight'>): number {
  return measuredWidth(words, look.size) * (familyWidths[look.family] ?? 1) * ((look.weight ?? 400) > 400 ? 1.05 : 1)
}

/** The estimated box of a line of text as `text` draws it; of a turned one only for 90 and -90 degrees. */
export function textBox(words: string, look: TextLook): Box {
  const width = textWidth(words, look)
  const start = look.anchor === 'middle' ? -width / 2 : look.anchor === 'end' ? -width : 0
  const [ascent, descent] = [look.size * 0.8, look.size * 0.25]
  const { x, y } = look
  if (look.rotation === -90) return wholeBox(x - ascent, y - start - width, x + descent, y - start)
  if (look.rotation === 90) return wholeBox(x - descent, y + start, x + ascent, y + start + width)
  return wholeBox(x + start, y - ascent, x + start + width, y + descent)
}

/** A box in whole pixels that holds these edges, not above or left of the picture. */
export function wholeBox(left: number, top: number, right: number, bottom: number): Box {
  return [Math.max(0, Math.floor(left)), Math.max(0, Math.floor(top)), Math.ceil(right), Math.ceil(bottom)]
}

export function group(attributes: Attributes, ...children: readonly string[]): string {
  return element('g', attributes, children.join(''))
}

/** A whole picture on a ground of one colour. */
export function svgPicture(width: number, height: number, ground: string, ...children: readonly string[]): string {
  return element(
    'svg',
    { xmlns: 'http://www.w3.org/2000/svg', width, height, viewBox: `0 0 ${width} ${height}` },
    element('rect', { width, height, fill: ground }),
    ...children,
  )
}

/**
 * Specks as of dust and a copying machine, to be laid under or over a drawing: `amount` 0 gives none, 1 some 120 on
 * 600 x 400 pixels. They are smaller than a full stop and pale, so that text of 11 pixels and more stays legible.
 */
export function specks(chance: Random, width: number, height: number, amount: number): string {
  const count = Math.round((amount * 120 * width * height) / 240_000)
  const drawn = Array.from({ length: count }, () =>
    element('circle', {
      cx: chance.next() * width,
      cy: chance.next() * height,
      r: 0.4 + chance.next() * 0.7,
      fill: chance.pick(['#777777', '#998866', '#667788']),
      'fill-opacity': 0.15 + chance.next() * 0.3,
    }),
  )
  return count === 0 ? '' : group({}, ...drawn)
}

/** Wide pale bands and circles behind a drawing: a ground that is not of one colour. `amount` from 0 to 1. */
export function paleClutter(chance: Random, width: number, height: number, amount: number): string {
  const count = Math.round(amount * 8)
  const drawn = Array.from({ length: count }, () =>
    element('circle', {
      cx: chance.next() * width,
      cy: chance.next() * height,
      r: (0.05 + 0.2 * chance.next()) * width,
      fill: chance.pick(['#d8c9a8', '#b8cbd8', '#c9d8b8', '#d8b8c4']),
      'fill-opacity': 0.06 + 0.08 * chance.next(),
    }),
  )
  return count === 0 ? '' : group({}, ...drawn)
}

function decimal(value: number): string {
  return String(Math.round(value * 100) / 100)
}
