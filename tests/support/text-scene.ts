/** Pictures full of words and figures whose places are known, to measure the reading of text by. */
import { random } from '#services/gym/random.ts'
import { fontFamilies } from '#services/gym/picture/fonts.ts'
import { element, svgPicture, text, textBox } from '#services/gym/picture/svg.ts'
import type { Box, Style } from '#services/gym/items/item.ts'

export type TextScene = {
  readonly svg: string
  readonly truth: readonly { readonly text: string; readonly box: Box }[]
}

const words =
  'Revenue Quarter north Harbour invoice Total angle river Copper Sales by region Yearly average Profit Mean depth Oak Willow Marina Kepler Tuesday paper glass Energy use Water level Grand total Due date Item price quantity'.split(
    ' ',
  )

/** A grid of 5 labels a row: words, pairs of words, whole and decimal numbers, years, money, per cent; dark, light and coloured. */
export function textScene(seed: number, style: Style, rows = 10): TextScene {
  const chance = random(seed, 'text-scene', style)
  const family = chance.pick(fontFamilies[style])
  const parts: string[] = []
  const truth: { text: string; box: Box }[] = []
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < 5; column++) {
      const [fill, ground] = chance.pick([
        ['#222222', '#ffffff'],
        ['#666666', '#ffffff'],
        ['#ffffff', '#1f4e79'],
        ['#f5e9c8', '#3b3b3b'],
        ['#b3261e', '#fdf3e7'],
        ['#1b7f4d', '#eef5f0'],
        ['#1d1d1d', '#f2c14e'],
      ] as const)
      const size = chance.pick([11, 12, 13, 14, 16, 18])
      const content = label(chance)
      const [x, y] = [column * 140 + 8, row * 40 + 27]
      const look = { x, y, size, family, fill, weight: chance.pick([400, 700] as const) }
      parts.push(
        element('rect', { x: column * 140, y: row * 40, width: 140, height: 40, fill: ground }),
        text(content, look),
      )
      truth.push({ text: content, box: textBox(content, look) })
    }
  }
  return { svg: svgPicture(700, rows * 40, '#ffffff', ...parts), truth }
}

function label(chance: ReturnType<typeof random>): string {
  const kind = chance.int(0, 7)
  if (kind === 0) return String(chance.int(1990, 2030))
  if (kind === 1) return String(chance.int(0, 1000))
  if (kind === 2) return `${chance.int(0, 100)}.${chance.int(0, 10)}`
  if (kind === 3)
    return chance.pick([
      `${chance.int(1, 100)}%`,
      `$${chance.int(1, 90)}.${chance.int(10, 100)}`,
      `${chance.int(1, 9)},${chance.int(100, 1000)}`,
      `-${chance.int(1, 60)}`,
    ])
  if (kind === 4) return `${chance.pick(words)} ${chance.pick(words)}`
  return chance.pick(words)
}
