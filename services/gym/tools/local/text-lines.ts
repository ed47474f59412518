import { flatAreas, maskAreas, type Area, type Areas } from './flat-areas.ts'
import type { Box } from '#services/gym/items/item.ts'
import type { Pixels } from '#services/gym/tools/tool.ts'

/** A line of text that was found, not yet read. */
export type TextLine = {
  readonly box: Box
  /** Degrees that it is turned: -90 reads upwards, 90 downwards. */
  readonly turned: 0 | 90 | -90
  /** Labels in `Ink.label` of the strokes that it is made of. */
  readonly strokes: readonly number[]
}

/** All that is neither ground nor filled shape nor ruled line: letters, markers, outlines. */
export type Ink = { readonly label: Int32Array; readonly areas: readonly Area[] }

/** The lines of text in a picture, in reading order, and the ink that they are made of. Colours and contrast do not matter. */
export function textLines(pixels: Pixels): { ink: Ink; lines: readonly TextLine[] } {
  const ink = inkOf(pixels)
  const tall: number[] = []
  const small: number[] = []
  for (const [place, area] of ink.areas.entries()) {
    const [width, height] = [area.right - area.left, area.bottom - area.top]
    if (height > 64 || width > 14 * Math.max(height, 12) || area.count < 2 || isRim(area)) continue
    if (height >= 5 && width <= 14 * height) tall.push(place)
    else if (height < 5 && width <= 14) small.push(place)
  }
  const words = grouped(
    tall.map((place) => [place]),
    ink.areas,
    0.45,
  )
  // The point of 5.1 stands between the strokes that it holds together.
  const lone = words.flatMap((strokes) => (strokes.length === 1 ? strokes : []))
  const marked = words.map((strokes) => withMarks(strokes, [...small, ...lone], ink.areas))
  const taken = new Set(marked.flatMap((strokes) => (strokes.length > 1 ? strokes : [])))
  const whole = marked.filter((strokes) => strokes.length > 1 || !strokes.some((stroke) => taken.has(stroke)))
  const level = grouped(whole, ink.areas, 0.62).map((strokes) => [...new Set(strokes)])
  const upright = turnedLines(level, ink.areas)
  const used = new Set(upright.flatMap(({ strokes }) => strokes))
  const rest = level.filter((strokes) => !strokes.some((stroke) => used.has(stroke)))
  const lines = [
    ...rest.map((strokes) => ({ box: around(strokes, ink.areas), turned: 0 as const, strokes })),
    ...upright,
  ]
  return { ink, lines: lines.toSorted((a, b) => a.box[1] - b.box[1] || a.box[0] - b.box[0]) }
}

/** The soft rim that a large round shape leaves: too little ink for a letter of its size. */
function isRim({ left, top, right, bottom, count }: Area): boolean {
  const [width, height] = [right - left, bottom - top]
  return width >= 16 && height >= 16 && count < 2.4 * Math.max(width, height)
}

/** Strokes of letters are thinner: those of 38 pixels in bold are 7 wide. */
const strokeMax_px = 11

/** The side of the largest square that each area holds, in pixels: how broad its strokes are. */
function largestSquares({ label, areas }: Areas, width: number): Uint16Array {
  const most = new Uint16Array(areas.length)
  const side = new Uint16Array(label.length)
  for (let pixel = 0; pixel < label.length; pixel++) {
    const own = label[pixel] ?? 0
    const isInner =
      pixel % width > 0 && own === label[pixel - 1] && own === label[pixel - width] && own === label[pixel - width - 1]
    const size = isInner
      ? 1 + Math.min(side[pixel - 1] ?? 0, side[pixel - width] ?? 0, side[pixel - width - 1] ?? 0)
      : 1
    side[pixel] = size
    if (size > (most[own] ?? 0)) most[own] = size
  }
  return most
}

/** What is left when large flat areas, filled shapes and ruled lines are taken away. */
function inkOf(pixels: Pixels): Ink {
  const flat = flatAreas(pixels, 6)
  const squares = largestSquares(flat, pixels.width)
  const isGround = flat.areas.map((area, place) => {
    const [width, height] = [area.right - area.left, area.bottom - area.top]
    const filled = width >= 12 && height >= 12 && area.count >= 0.62 * width * height
    const long = Math.max(width, height)
    const isBroad = (squares[place] ?? 0) >= strokeMax_px
    return area.count >= 500 || filled || isBroad || (long >= 50 && area.count <= 4 * long)
  })
  const mask = new Uint8Array(flat.label.length)
  for (let pixel = 0; pixel < mask.length; pixel++) mask[pixel] = isGround[flat.label[pixel] ?? 0] === true ? 0 : 1
  return maskAreas(mask, pixels.width, pixels.height)
}

/** Groups of strokes put together where they stand side by side, closer than `reach` of their height. */
function grouped(groups: readonly (readonly number[])[], areas: readonly Area[], reach: number): number[][] {
  const boxes = groups.map((strokes) => around(strokes, areas))
  const parent = groups.map((_, place) => place)
  const root = (place: number): number => {
    let at = place
    while (parent[at] !== at) at = parent[at] ?? at
    return at
  }
  const order = boxes.map((_, place) => place).toSorted((a, b) => (boxes[a]?.[0] ?? 0) - (boxes[b]?.[0] ?? 0))
  for (const [rank, left] of order.entries()) {
    for (const right of order.slice(rank + 1)) {
      const [a, b] = [boxes[left], boxes[right]]
      if (a === undefined || b === undefined) continue
      const [tallA, tallB] = [a[3] - a[1], b[3] - b[1]]
      if (b[0] - a[2] > 64 * reach) break
      const overlap = Math.min(a[3], b[3]) - Math.max(a[1], b[1])
      const near = b[0] - a[2] <= reach * Math.min(64, Math.max(tallA, tallB))
      const alike = Math.max(tallA, tallB) <= 2.6 * Math.min(tallA, tallB)
      if (near && alike && overlap >= 0.5 * Math.min(tallA, tallB)) parent[root(right)] = root(left)
    }
  }
  const joined = new Map<number, number[]>()
  for (const place of order) {
    const first = root(place)
    const strokes = joined.get(first) ?? []
    strokes.push(...(groups[place] ?? []))
    joined.set(first, strokes)
  }
  return [...joined.values()]
}

/** Adds the points, commas, dashes and accents that stand in or just over a line: lower than half of it. */
function withMarks(strokes: number[], small: readonly number[], areas: readonly Area[]): number[] {
  const [left, top, right, bottom] = around(strokes, areas)
  const height = bottom - top
  const near = small.filter((place) => {
    const area = areas[place]
    if (area === undefined || strokes.includes(place) || area.bottom - area.top > 0.55 * height) return false
    const across = area.left < right + 0.4 * height && area.right > left - 0.4 * height
    return across && area.bottom > top - 0.35 * height && area.top < bottom + 0.2 * height
  })
  return [...strokes, ...near]
}

/** What stands between the figures of a number, from left to right: after how many figures, and which sign it looks like. */
export type NumberMark = { readonly after: number; readonly sign: '.' | ',' | '-' }

/**
 * The least gap of a blank between two figures, in heights of a figure. Measured at 11 to 22 pixels in Inter, Roboto and
 * DejaVu Sans: 0.25 and more with a blank, and without one 0.3 where a 1 stands, 0.38 at most.
 */
const blankMin = 0.25

/** A number as strokes: `figures` counts those of full height, `blanks` says after how many a gap as wide as a blank follows. */
export type NumberStrokes = {
  readonly figures: number
  readonly marks: readonly NumberMark[]
  readonly blanks: readonly number[]
}

/** The small marks and the wide gaps in a line, by shape and place. */
export function numberMarks({ strokes, box }: TextLine, { areas }: Ink): NumberStrokes {
  const [, top, , bottom] = box
  const height = bottom - top
  const parts = strokes.flatMap((stroke) => areas[stroke] ?? []).toSorted((a, b) => a.left - b.left)
  const isFigure = (area: Area): boolean => area.bottom - area.top >= 0.6 * height
  const figures = parts.filter(isFigure)
  const base = Math.max(
    top,
    ...figures
      .map((area) => area.bottom)
      .toSorted((a, b) => a - b)
      .slice(0, Math.ceil(figures.length / 2)),
  )
  const marks = parts.flatMap((area): NumberMark[] => {
    const [wide, tall] = [area.right - area.left, area.bottom - area.top]
    if (isFigure(area)) return []
    const after = figures.filter((figure) => figure.left + figure.right < area.left + area.right).length
    if (wide >= 1.4 * tall && area.bottom < base - 0.15 * height) return [{ after, sign: '-' }]
    if (area.top < base - 0.35 * height) return []
    return [{ after, sign: area.bottom > base + 0.08 * height ? ',' : '.' }]
  })
  const blanks = figures.flatMap(({ right }, place) => {
    const next = figures[place + 1]
    return next !== undefined && next.left - right >= blankMin * height ? [place + 1] : []
  })
  return { figures: figures.length, marks, blanks }
}

/** Lone strokes above one another, as of an axis title that reads upwards. */
function turnedLines(level: readonly number[][], areas: readonly Area[]): TextLine[] {
  const lone = level
    .filter((strokes) => strokes.length <= 3)
    .map((strokes) => ({ strokes, box: around(strokes, areas) }))
  const order = lone.toSorted((a, b) => a.box[1] - b.box[1])
  const columns: (typeof order)[] = []
  for (const each of order) {
    const column = columns.find((strokes) => {
      const last = strokes.at(-1)
      if (last === undefined) return false
      const [narrow, wide] = [last.box[2] - last.box[0], each.box[2] - each.box[0]]
      const overlap = Math.min(last.box[2], each.box[2]) - Math.max(last.box[0], each.box[0])
      return each.box[1] - last.box[3] <= 0.62 * Math.max(narrow, wide) && overlap >= 0.5 * Math.min(narrow, wide)
    })
    if (column === undefined) columns.push([each])
    else column.push(each)
  }
  return columns.flatMap((column) => {
    const strokes = column.flatMap((each) => each.strokes)
    const box = around(strokes, areas)
    const isTurned = column.length >= 4 && box[3] - box[1] >= 3 * (box[2] - box[0]) && box[2] - box[0] <= 40
    return isTurned ? [{ box, turned: -90 as const, strokes }] : []
  })
}

function around(strokes: readonly number[], areas: readonly Area[]): Box {
  let [left, top, right, bottom] = [Infinity, Infinity, 0, 0]
  for (const stroke of strokes) {
    const area = areas[stroke]
    if (area === undefined) continue
    left = Math.min(left, area.left)
    top = Math.min(top, area.top)
    right = Math.max(right, area.right)
    bottom = Math.max(bottom, area.bottom)
  }
  return [left, top, right, bottom]
}
