import { colourAt, colourDistance, type Rgb } from './colour-distance.ts'
import { flatAreas, type Area, type Areas } from './flat-areas.ts'
import { pictureOf } from './request-picture.ts'
import type { Box } from '#services/gym/items/item.ts'
import { ToolFailure, type LocalTool, type Pixels, type TextRegion } from '#services/gym/tools/tool.ts'

type Swatch = { readonly colour: Rgb; readonly words: string }
type Region = { readonly area: number; readonly name: string; readonly words: string }

/** Pixels in a row that two regions must face each other over for a common border; a touch of corners gives fewer. */
const borderMin_px = 16

/** The widest border line, in pixels, with its soft edges. */
const lineMax_px = 7

/** Reads a map in classed colours from its pixels: the legend, the class of each named region, and who borders on whom. */
export const mapToTable: LocalTool = async (request, readText) => {
  const pixels = pictureOf(request)
  const flat = flatAreas(pixels, 5)
  const squares = flat.areas.filter(isSquare)
  // A square that stands close to its words would be read as a letter.
  const plain = paintedOver(pixels, squares)
  const texts = await readText(plain)
  const beside = squares.map(({ right, top, bottom }): Box => [right, top - 4, right + 170, bottom + 4])
  const figures = await readText(plain, { regions: beside, digits: true })
  const words = texts.filter(({ box }) => beside.some((each) => isInside(box, each)))
  const inFigures = figures.filter(({ text }) => /\d/.test(text)).length >= 0.6 * words.length
  const legend = swatchesOf(pixels, squares, inFigures ? figures : words)
  if (legend.length < 2) throw new ToolFailure('InvalidInput', 'no legend of coloured squares with words was found')
  const regions = regionsOf(pixels, flat, texts, legend)
  const borders = bordersOf(pixels, flat, regions)
  const rows = regions.map(({ area, name, words }) => ({
    region: name,
    class: words,
    borders_on: regions
      .filter((other) => (borders.get(pairKey(area, other.area)) ?? 0) >= borderMin_px)
      .map((other) => other.name),
  }))
  const lines = rows.map((row) => `${row.region} | ${row.class} | ${row.borders_on.join(', ')}`)
  const classes = legend.map(({ words }) => words)
  return {
    text: `classes: ${classes.join(' ; ')}\nregion | class | borders on\n${lines.join('\n')}`,
    output: { classes, rows },
  }
}

function isSquare({ left, top, right, bottom, count }: Area): boolean {
  const [width, height] = [right - left, bottom - top]
  return width >= 9 && width <= 40 && Math.abs(width - height) <= 4 && count >= width * height * 0.9
}

function isInside(box: Box, [left, top, right, bottom]: Box): boolean {
  const [x, y] = [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2]
  return x >= left && x < right && y >= top && y < bottom
}

/** A copy in which these squares, with their edges, have the colour of what is left of them. */
function paintedOver(pixels: Pixels, squares: readonly Area[]): Pixels {
  const data = pixels.data.slice()
  const edge = 4
  for (const { left, top, right, bottom } of squares) {
    const ground = colourAt(pixels, Math.max(0, left - edge - 2), (top + bottom) / 2)
    for (let y = Math.max(0, top - edge); y < Math.min(pixels.height, bottom + edge); y++) {
      for (let x = Math.max(0, left - edge); x < Math.min(pixels.width, right + edge); x++) {
        data.set(ground, (y * pixels.width + x) * 4)
      }
    }
  }
  return { ...pixels, data }
}

/** Small filled squares with words to the right of them. */
function swatchesOf(pixels: Pixels, squares: readonly Area[], texts: readonly TextRegion[]): Swatch[] {
  const found: (Swatch & { readonly y: number; readonly x: number })[] = []
  for (const { left, top, right, bottom } of squares) {
    const middle = (top + bottom) / 2
    const beside = texts
      .filter(({ box }) => box[0] >= right && box[0] - right < 170 && box[1] < middle && box[3] > middle)
      .toSorted((one, other) => one.box[0] - other.box[0])
    const [first, ...rest] = beside
    if (first === undefined || first.box[0] - right > 40 || !/[\p{L}\p{N}]/u.test(first.text)) continue
    let words = first.text
    let end = first.box[2]
    for (const more of rest) {
      // Words that were read apart, up to the gap before the next entry.
      if (more.box[0] - end > 30) break
      words += ` ${more.text}`
      end = more.box[2]
    }
    found.push({ colour: colourAt(pixels, (left + right) / 2, middle), words: rangeWords(words), y: top, x: left })
  }
  return found.toSorted((one, other) => lowest(one.words) - lowest(other.words) || one.y - other.y || one.x - other.x)
}

/** A range as its two numbers with a dash; other words as they are. */
function rangeWords(words: string): string {
  const numbers = words.replaceAll(/[Oo]/g, '0').replaceAll(/[Il|]/g, '1').match(/\d+/g) ?? []
  return numbers.length === 2 ? `${numbers[0] ?? ''} - ${numbers[1] ?? ''}` : words
}

function lowest(words: string): number {
  return Number(/\d+/.exec(words)?.[0] ?? 0)
}

/** Large areas of a colour of the legend that a name stands in. */
function regionsOf(
  pixels: Pixels,
  { areas, label }: Areas,
  texts: readonly TextRegion[],
  legend: readonly Swatch[],
): Region[] {
  const found: Region[] = []
  // Bends of border lines are read as letters, too; the longest reading of an area is its name.
  for (const { text, box } of texts.toSorted((one, other) => other.text.length - one.text.length)) {
    if (!/\p{L}{3}/u.test(text)) continue
    const area = areaAround(pixels, label, box)
    const place = area < 0 ? undefined : areas[area]
    if (place === undefined || place.count < 900 || isGround(place, pixels)) continue
    if (found.some((region) => region.area === area)) continue
    const colour = colourOf(pixels, label, area, place)
    const [near] = legend.toSorted(
      (one, other) => colourDistance(one.colour, colour) - colourDistance(other.colour, colour),
    )
    if (near === undefined || colourDistance(near.colour, colour) > 10) continue
    found.push({ area, name: text.trim(), words: near.words })
  }
  return found
}

function isGround({ left, top, right, bottom }: Area, { width, height }: Pixels): boolean {
  return left === 0 && top === 0 && right === width && bottom === height
}

/** The area that most of the frame around a text belongs to. */
function areaAround(
  { width, height }: Pixels,
  label: Int32Array,
  [left, top, right, bottom]: TextRegion['box'],
): number {
  const votes = new Map<number, number>()
  const vote = (x: number, y: number): void => {
    if (x < 0 || y < 0 || x >= width || y >= height) return
    const area = label[y * width + x] ?? -1
    votes.set(area, (votes.get(area) ?? 0) + 1)
  }
  for (let x = left - 3; x < right + 3; x++) {
    vote(x, top - 3)
    vote(x, bottom + 2)
  }
  const [most] = [...votes].toSorted((one, other) => other[1] - one[1])
  return most?.[0] ?? -1
}

/** The colour of the first pixel of an area that lies on its middle row. */
function colourOf(pixels: Pixels, label: Int32Array, area: number, { left, right, top, bottom }: Area): Rgb {
  const y = Math.floor((top + bottom) / 2)
  for (let x = left + 4; x < right; x++) {
    if (label[y * pixels.width + x] === area && label[y * pixels.width + x - 4] === area)
      return colourAt(pixels, x - 2, y)
  }
  return colourAt(pixels, left, y)
}

function pairKey(one: number, other: number): string {
  return one < other ? `${one},${other}` : `${other},${one}`
}

/** How many pixels two regions face each other over, across a line, sideways and downwards. */
function bordersOf({ width, height }: Pixels, { label }: Areas, regions: readonly Region[]): Map<string, number> {
  const known = new Set(regions.map(({ area }) => area))
  const faced = new Map<string, number>()
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const here = label[y * width + x] ?? -1
      if (!known.has(here)) continue
      for (const [right, down] of [
        [1, 0],
        [0, 1],
      ] as const) {
        const next = label[(y + down) * width + x + right]
        if (next === here || x + right >= width || y + down >= height) continue
        for (let step = 2; step <= lineMax_px; step++) {
          if (x + right * step >= width || y + down * step >= height) break
          const other = label[(y + down * step) * width + x + right * step] ?? -1
          if (other === here) break
          if (!known.has(other)) continue
          faced.set(pairKey(here, other), (faced.get(pairKey(here, other)) ?? 0) + 1)
          break
        }
      }
    }
  }
  return faced
}
