import { fontFamilies } from '#services/gym/picture/fonts.ts'
import { element, specks, svgPicture, text, textWidth } from '#services/gym/picture/svg.ts'
import type { Evidence, Style } from '#services/gym/items/item.ts'
import type { Random } from '#services/gym/random.ts'
import type { Circuit } from './circuit.ts'

type Look = {
  readonly ink: string
  readonly stroke: number
  readonly fill: string
  readonly family: string
  readonly weight: 400 | 700
  readonly size: number
  readonly dots: boolean
}

const sourceRadius = 20
const [longSide, shortSide] = [46, 18] as const
/** Two no-break spaces part a number from its unit, so that the unit is never taken for a figure. */
const unitGap = '\u00a0\u00a0'

/** Draws a circuit: the source on the left, rungs to the right of it; upside down or mirrored by chance. */
export function drawnCircuit(circuit: Circuit, style: Style, chance: Random): { svg: string; evidence: Evidence[] } {
  const look: Look = {
    ink: chance.pick(['#1d1d1d', '#23324a', '#3a2a1c']),
    stroke: chance.pick([2, 2.5]),
    fill: chance.pick(style === 'unseen' ? ['#f6e9dc', '#e6f0e4'] : ['#ffffff', '#fff7d6', '#e3eefb']),
    family: chance.pick(fontFamilies[style]),
    weight: chance.pick([400, 700]),
    size: chance.int(16, 20),
    dots: chance.chance(0.6),
  }
  const tops = circuit.sections.reduce((most, { top }) => most + Math.max(1.15, top.length), 0)
  const gap = chance.int(104, 122)
  const [width, height] = [Math.round(120 + gap * tops + 60), chance.int(300, 360)]
  const mirrored = chance.chance(0.3)
  const page = new Page(look, width, height, mirrored)
  const [low, high] = [height - 60, 60]
  page.source(70, low, high, circuit.volts)
  let x = 70
  for (const { top, rung } of circuit.sections) {
    const next = x + gap * Math.max(1.15, top.length)
    page.alongTop(x, next, high, top)
    page.wire([x, low], [next, low])
    page.downRung(next, high, low, rung)
    x = next
  }
  page.joints(70, circuit, gap, low, high)
  const ground = chance.pick(['#ffffff', '#fcfaf3', '#f4f7fa'])
  return {
    svg: svgPicture(width, height, ground, specks(chance, width, height, chance.pick([0, 0.6])), ...page.parts),
    evidence: page.evidence,
  }
}

/** Collects the parts of one picture. */
class Page {
  readonly parts: string[] = []
  readonly evidence: Evidence[] = []
  readonly look: Look
  readonly width: number
  readonly height: number
  readonly mirrored: boolean

  constructor(look: Look, width: number, height: number, mirrored: boolean) {
    this.look = look
    this.width = width
    this.height = height
    this.mirrored = mirrored
  }

  /** A place from the left, or from the right where the picture is mirrored. */
  private x(x: number): number {
    return this.mirrored ? this.width - x : x
  }

  wire([x1, y1]: readonly [number, number], [x2, y2]: readonly [number, number]): void {
    const { ink, stroke } = this.look
    const ends = { x1: this.x(x1), y1, x2: this.x(x2), y2 }
    this.parts.push(element('line', { ...ends, stroke: ink, 'stroke-width': stroke, 'stroke-linecap': 'square' }))
  }

  source(x: number, low: number, high: number, volts: number): void {
    const middle = (low + high) / 2
    const { ink, stroke, fill } = this.look
    this.wire([x, low], [x, middle + sourceRadius])
    this.wire([x, middle - sourceRadius], [x, high])
    this.parts.push(
      element('circle', { cx: this.x(x), cy: middle, r: sourceRadius, fill, stroke: ink, 'stroke-width': stroke }),
    )
    this.label(`${volts}${unitGap}V`, x + sourceRadius + 12, middle, 'source')
  }

  alongTop(from: number, to: number, y: number, values: readonly number[]): void {
    const step = (to - from) / Math.max(1, values.length)
    let at = from
    for (const [place, value] of values.entries()) {
      const middle = from + step * (place + 0.5)
      this.wire([at, y], [middle - longSide / 2, y])
      this.resistor(middle, y, longSide, shortSide)
      this.label(`${value}${unitGap}Ω`, middle, y - shortSide / 2 - this.look.size * 0.85, 'resistor', true)
      at = middle + longSide / 2
    }
    this.wire([at, y], [to, y])
  }

  downRung(x: number, high: number, low: number, values: readonly number[]): void {
    const step = (low - high) / values.length
    let at = high
    for (const [place, value] of values.entries()) {
      const middle = high + step * (place + 0.5)
      this.wire([x, at], [x, middle - longSide / 2])
      this.resistor(x, middle, shortSide, longSide)
      this.label(`${value}${unitGap}Ω`, x + shortSide / 2 + 12, middle, 'resistor')
      at = middle + longSide / 2
    }
    this.wire([x, at], [x, low])
  }

  joints(start: number, { sections }: Circuit, gap: number, low: number, high: number): void {
    let x = start
    for (const { top } of this.look.dots ? sections.slice(0, -1) : []) {
      x += gap * Math.max(1.15, top.length)
      for (const y of [low, high])
        this.parts.push(element('circle', { cx: this.x(x), cy: y, r: 4, fill: this.look.ink }))
    }
  }

  private resistor(x: number, y: number, wide: number, high: number): void {
    const { ink, stroke, fill } = this.look
    const at = { x: this.x(x) - wide / 2, y: y - high / 2, width: wide, height: high }
    this.parts.push(element('rect', { ...at, fill, stroke: ink, 'stroke-width': stroke }))
  }

  private label(words: string, x: number, y: number, what: string, centred = false): void {
    const { size, family, weight } = this.look
    const width = textWidth(words, { size, family, weight })
    const middle = centred ? this.x(x) : this.x(x) + (this.mirrored ? -width / 2 : width / 2)
    this.parts.push(
      text(words, { x: middle, y: y + size * 0.36, size, family, weight, anchor: 'middle', fill: '#1c1c1c' }),
    )
    const box = [middle - width / 2, y - size * 0.5, middle + width / 2, y + size * 0.5] as const
    this.evidence.push({
      what,
      box: [Math.floor(box[0]), Math.floor(box[1]), Math.ceil(box[2]), Math.ceil(box[3])],
      value: Number.parseFloat(words),
    })
  }
}
