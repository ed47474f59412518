import { textBox, wholeBox, type TextLook } from '#services/gym/picture/svg.ts'
import type { Box } from '#services/gym/items/item.ts'

/** A piece of text that an SVG draws, and about where. */
export type PrintedText = { readonly text: string; readonly box: Box }

type Turn = { readonly degrees: number; readonly x: number; readonly y: number }

const token = /<g\b([^>]*)>|<\/g>|<text\b([^>]*)>([^<]*)<\/text>/g

/** Every text of an SVG of ours with its estimated box: the truth that readers of text are held against. */
export function printedTexts(svg: string): PrintedText[] {
  const turns: (Turn | null)[] = []
  const found: PrintedText[] = []
  for (const [whole, group, attributes = '', words = ''] of svg.matchAll(token)) {
    if (whole === '</g>') turns.pop()
    else if (group !== undefined) turns.push(turnOf(group))
    // A rim behind letters draws the same words a second time.
    else if (!/fill="none"/.test(attributes)) found.push(textOf(attributes, words, turns))
  }
  return found
}

function textOf(attributes: string, words: string, turns: readonly (Turn | null)[]): PrintedText {
  const value = (name: string): string => new RegExp(`\\s${name}="([^"]*)"`).exec(attributes)?.[1] ?? ''
  const anchor = value('text-anchor')
  const rotation = turnOf(attributes)?.degrees
  const look: TextLook = {
    x: Number(value('x')),
    y: Number(value('y')),
    size: Number(value('font-size')),
    family: value('font-family'),
    weight: value('font-weight') === '400' ? 400 : 700,
    anchor: anchor === 'middle' || anchor === 'end' ? anchor : 'start',
    ...(rotation !== undefined && { rotation }),
  }
  const text = plain(words)
  return {
    text,
    box: turns.reduceRight<Box>((box, turn) => (turn === null ? box : moved(box, turn)), textBox(text, look)),
  }
}

function plain(words: string): string {
  return words.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&quot;', '"').replaceAll('&amp;', '&')
}

function turnOf(attributes: string): Turn | null {
  const match = /rotate\((-?[\d.]+) (-?[\d.]+) (-?[\d.]+)\)/.exec(attributes)
  return match === null ? null : { degrees: Number(match[1]), x: Number(match[2]), y: Number(match[3]) }
}

/** The box about its middle as turned: good for the few degrees that sheets and stamps lean. */
function moved([left, top, right, bottom]: Box, { degrees, x, y }: Turn): Box {
  const turn = (degrees * Math.PI) / 180
  const [dx, dy] = [(left + right) / 2 - x, (top + bottom) / 2 - y]
  const [middleX, middleY] = [
    x + dx * Math.cos(turn) - dy * Math.sin(turn),
    y + dx * Math.sin(turn) + dy * Math.cos(turn),
  ]
  const [wide, high] = [(right - left) / 2, (bottom - top) / 2]
  return wholeBox(middleX - wide, middleY - high, middleX + wide, middleY + high)
}
