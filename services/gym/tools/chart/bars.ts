import { nearestWord, rowBelow, scaleBelow, scaleOnLeft } from './axis-words.ts'
import { pieceBox, toPixelPrecision, type FoundMarks, type Parts, type Piece, type ReadMark } from './reading.ts'
import type { ColourClasses } from './colour-classes.ts'
import type { Scale, Word } from './words.ts'

type Columns = { readonly names: readonly string[]; readonly of: (piece: Piece) => number }

/** Reads upright bars: alone, in groups or stacked. Null where they stand on no common line. */
export function uprightBars(parts: Parts): FoundMarks | null {
  const bars = merged(parts.pieces.filter(isBar), 'upright')
  const base = Math.max(...bars.map(({ bottom }) => bottom))
  const left = Math.min(...bars.map((bar) => bar.left))
  const right = Math.max(...bars.map((bar) => bar.right))
  const standing = bars.filter((bar) => Math.abs(bar.bottom - base) <= 3)
  const scale = scaleOnLeft(parts.words, left + 2, base)
  if (standing.length === 0 || scale === null) return null
  const stacked = bars.length > standing.length && parts.legend.length >= 2
  const thick = Math.min(...bars.map((bar) => bar.right - bar.left))
  const row = rowBelow(parts.words, base, left - 60, right + 60)
  const columns = columnsOf(stacked || parts.legend.length < 2 ? standing : bars, row, thick)
  const height = (bar: Piece): number => {
    const foot = bars.filter(
      (other) => columns.of(other) === columns.of(bar) && Math.abs(other.top - bar.bottom) <= 4,
    )[0]
    if (stacked && foot !== undefined) return (topOf(parts, foot) - topOf(parts, bar)) * -scale.per_pixel
    return scale.at + scale.per_pixel * topOf(parts, bar)
  }
  const marks = bars.map((bar) => {
    const read = height(bar)
    const label = stacked ? wordInside(parts.words, bar) : wordAbove(parts.words, bar)
    return markOf(parts, bar, columns.of(bar), labelled(read, label, scale))
  })
  const form = stacked ? 'stacked_bars' : parts.legend.length >= 2 ? 'grouped_bars' : 'bars'
  return { form, categories: columns.names, series: seriesOf(parts), marks, axis: axisOf(scale, base, 0) }
}

/** Reads bars that lie from a common line on the left. */
export function lyingBars(parts: Parts): FoundMarks | null {
  const bars = merged(parts.pieces.filter(isBar), 'lying').toSorted((a, b) => a.top - b.top)
  const base = Math.min(...bars.map((bar) => bar.left))
  const bottom = Math.max(...bars.map((bar) => bar.bottom))
  const scale = scaleBelow(parts.words, bottom, base)
  if (bars.length === 0 || scale === null) return null
  const names = bars.map((bar) => {
    const beside = parts.words.filter((word) => word.right <= base + 2)
    return nearestWord(beside, 'y', (bar.top + bar.bottom) / 2, (bar.bottom - bar.top) / 2 + 8)?.text ?? ''
  })
  const marks = bars.map((bar, category) => {
    const label = parts.words.find(
      (word) =>
        word.number !== null &&
        word.left > bar.right - 2 &&
        word.left - bar.right <= 18 &&
        Math.abs(word.y - (bar.top + bar.bottom) / 2) <= 7,
    )
    return markOf(parts, bar, category, labelled(scale.at + scale.per_pixel * rightOf(parts, bar), label, scale))
  })
  return {
    form: 'horizontal_bars',
    categories: names,
    series: seriesOf(parts),
    marks,
    axis: axisOf(scale, base, parts.width),
  }
}

/** The upper edge of a bar: in the middle of its outline, if it has one. */
function topOf({ classes }: Parts, bar: Piece): number {
  const columns = [0.3, 0.7].map((share) => Math.round(bar.left + share * (bar.right - bar.left)))
  return bar.top - Math.min(...columns.map((x) => outline(classes, (step) => (bar.top - step) * classes.width + x))) / 2
}

function rightOf({ classes }: Parts, bar: Piece): number {
  const rows = [0.3, 0.7].map((share) => Math.round(bar.top + share * (bar.bottom - bar.top)))
  return (
    bar.right + Math.min(...rows.map((y) => outline(classes, (step) => y * classes.width + bar.right - 1 + step))) / 2
  )
}

/** How many pixels beyond an edge are strokes of grey. */
function outline({ greys }: ColourClasses, at: (step: number) => number): number {
  let count = 0
  while (count < 4 && greys[at(count + 1)] === 1) count++
  return count
}

/** Whether the bars lie: all begin at one place on the left, and do not all end at one line below. */
export function areLying(pieces: readonly Piece[]): boolean {
  const bars = pieces.filter(isBar)
  const [base, left] = [Math.max(...bars.map(({ bottom }) => bottom)), Math.min(...bars.map((bar) => bar.left))]
  const standing = bars.filter(({ bottom }) => Math.abs(bottom - base) <= 3).length
  const beginning = bars.filter((bar) => Math.abs(bar.left - left) <= 3).length
  return beginning > standing && beginning >= 0.6 * bars.length
}

/** Filled over its box, and no speck. */
export function isBar({ left, top, right, bottom, count }: Piece): boolean {
  return right - left >= 5 && bottom - top >= 2 && count >= 0.7 * (right - left) * (bottom - top) && count >= 20
}

/** Parts of one bar that a label on a plate cut through are put together again. */
function merged(pieces: readonly Piece[], way: 'upright' | 'lying'): Piece[] {
  const out: Piece[] = []
  for (const piece of pieces.toSorted((a, b) => a.top - b.top || a.left - b.left)) {
    const place = out.findIndex((other) => {
      if (other.colour !== piece.colour) return false
      return way === 'upright'
        ? Math.abs(other.left - piece.left) <= 2 &&
            Math.abs(other.right - piece.right) <= 2 &&
            piece.top - other.bottom <= 28
        : Math.abs(other.top - piece.top) <= 2 &&
            Math.abs(other.bottom - piece.bottom) <= 2 &&
            piece.left - other.right <= 60
    })
    const other = out[place]
    if (other === undefined) out.push(piece)
    else {
      out[place] = {
        colour: piece.colour,
        left: Math.min(other.left, piece.left),
        top: Math.min(other.top, piece.top),
        right: Math.max(other.right, piece.right),
        bottom: Math.max(other.bottom, piece.bottom),
        count: other.count + piece.count,
      }
    }
  }
  return out
}

/** Columns by the words below; where those are fewer than the bars tell, by the bars. */
function columnsOf(bars: readonly Piece[], row: readonly Word[], thick: number): Columns {
  const middles = bars.map((bar) => (bar.left + bar.right) / 2).toSorted((a, b) => a - b)
  const gaps: number[][] = []
  for (const middle of middles) {
    const last = gaps.at(-1)
    if (last !== undefined && middle - (last.at(-1) ?? 0) <= thick * 1.15) last.push(middle)
    else gaps.push([middle])
  }
  const centres = gaps.map((group) => ((group[0] ?? 0) + (group.at(-1) ?? 0)) / 2)
  const reach = Math.max(14, ...centres.slice(1).map((centre, place) => (centre - (centres[place] ?? 0)) / 2))
  const names = centres.map((centre) => nearestWord(row, 'x', centre, reach)?.text ?? '')
  const of = (piece: Piece): number => {
    const middle = (piece.left + piece.right) / 2
    const away = centres.map((centre) => Math.abs(centre - middle))
    return away.indexOf(Math.min(...away))
  }
  return { names, of }
}

function wordAbove(words: readonly Word[], bar: Piece): Word | undefined {
  const middle = (bar.left + bar.right) / 2
  return words.find(
    ({ number, x, bottom }) =>
      number !== null && Math.abs(x - middle) <= 7 && bar.top - bottom >= -2 && bar.top - bottom <= 14,
  )
}

function wordInside(words: readonly Word[], bar: Piece): Word | undefined {
  const middle = (bar.left + bar.right) / 2
  return words.find(({ number, x, y }) => number !== null && Math.abs(x - middle) <= 7 && y > bar.top && y < bar.bottom)
}

/** The written value where it agrees with the height to 4 pixels, or else the height. */
export function labelled(read: number, label: Word | undefined, scale: Scale): number {
  const written = label?.number
  if (written !== undefined && written !== null && Math.abs(written - read) <= 4 * Math.abs(scale.per_pixel))
    return written
  return toPixelPrecision(read, scale.per_pixel)
}

export function seriesOf({ legend, classes }: Parts): FoundMarks['series'] {
  if (legend.length === 0) return [{ name: '', colour: null }]
  return legend.map(({ colour, word }) => ({ name: word.text, colour: classes.colours[colour] ?? null }))
}

export function markOf({ legend, classes }: Parts, piece: Piece, category: number, value: number): ReadMark {
  const series = Math.max(
    0,
    legend.findIndex(({ colour }) => colour === piece.colour),
  )
  return { series, category, value, box: pieceBox(piece), colour: classes.colours[piece.colour] ?? [0, 0, 0] }
}

export function axisOf(scale: Scale, from: number, to: number): { from: number; to: number } {
  const at = (pixel: number): number => toPixelPrecision(scale.at + scale.per_pixel * pixel, scale.per_pixel)
  return { from: at(from), to: at(to) }
}
