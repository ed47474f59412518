import { rowBelow, scaleOnLeft } from './axis-words.ts'
import { axisOf, labelled, markOf, seriesOf } from './bars.ts'
import { toPixelPrecision, type FoundMarks, type Parts, type Piece, type ReadMark } from './reading.ts'
import { mean, type Word } from './words.ts'

/** Reads one line for each entry of the legend, at the places of the words below. */
export function lineMarks(parts: Parts): FoundMarks | null {
  const left = Math.min(...parts.pieces.map((piece) => piece.left))
  const scale = scaleOnLeft(parts.words, left - 2)
  if (scale === null) return null
  const base = -scale.at / scale.per_pixel
  const row = rowBelow(parts.words, base, left - 40, Math.max(...parts.pieces.map((piece) => piece.right)) + 40)
  const places = row.map(({ x }) => x)
  const marks = parts.legend.flatMap(({ colour }, series) =>
    heightsOf(parts, colour, places).flatMap((y, category): ReadMark[] => {
      const x = places[category] ?? 0
      if (y === null) return []
      const value = toPixelPrecision(scale.at + scale.per_pixel * y, scale.per_pixel)
      const box = [Math.round(x) - 5, Math.round(y) - 5, Math.round(x) + 5, Math.round(y) + 5] as const
      return [{ series, category, value, box, colour: parts.classes.colours[colour] ?? [0, 0, 0] }]
    }),
  )
  const categories = row.map(({ text }) => text)
  return { form: 'lines', categories, series: seriesOf(parts), marks, axis: axisOf(scale, base, 0) }
}

/** Reads a dot for each category. */
export function dotMarks(parts: Parts): FoundMarks | null {
  const dots = parts.pieces.filter(isDot).toSorted((a, b) => a.left - b.left)
  const left = Math.min(...dots.map((dot) => dot.left))
  const scale = scaleOnLeft(parts.words, left)
  if (scale === null) return null
  const base = -scale.at / scale.per_pixel
  const row = rowBelow(parts.words, base, left - 50, parts.width)
  const middle = (dot: Piece): number => (dot.left + dot.right) / 2
  const name = (dot: Piece): string => {
    const near = row.filter(({ x }) => Math.abs(x - middle(dot)) <= 24)
    return near.toSorted((a, b) => Math.abs(a.x - middle(dot)) - Math.abs(b.x - middle(dot)))[0]?.text ?? ''
  }
  const marks = dots.map((dot, category) => {
    const read = scale.at + (scale.per_pixel * (dot.top + dot.bottom)) / 2
    return markOf(parts, dot, category, labelled(read, wordOver(parts.words, dot), scale))
  })
  return { form: 'dots', categories: dots.map(name), series: seriesOf(parts), marks, axis: axisOf(scale, base, 0) }
}

/** Round and small. */
export function isDot({ left, top, right, bottom, count }: Piece): boolean {
  const [wide, tall] = [right - left, bottom - top]
  const fill = count / (wide * tall)
  return wide >= 9 && wide <= 18 && Math.abs(wide - tall) <= 2 && fill >= 0.66 && fill <= 0.88
}

function wordOver(words: readonly Word[], dot: Piece): Word | undefined {
  const middle = (dot.left + dot.right) / 2
  return words.find(
    ({ number, x, bottom }) =>
      number !== null && Math.abs(x - middle) <= 7 && dot.top - bottom >= -2 && dot.top - bottom <= 14,
  )
}

/**
 * The height of a line at each place: where the straight pieces before and after it meet. Those are fitted to the
 * columns between, so a crossing line or a marker of another colour over the place itself does no harm.
 */
function heightsOf(parts: Parts, colour: number, places: readonly number[]): (number | null)[] {
  const segments = places.slice(1).map((to, place) => segmentOf(parts, colour, places[place] ?? 0, to))
  return places.map((x, place) => {
    const ends = [segments[place - 1], segments[place]].flatMap((fit) =>
      fit === undefined || fit === null ? [] : [fit],
    )
    const extended = ends.map(({ at, slope }) => at + slope * x)
    const direct = columnMiddle(parts, colour, Math.round(x))
    if (extended.length === 0) return direct
    const expected = mean(extended)
    // At the first and the last place only one piece tells, and the mark itself is as good.
    return direct !== null && extended.length < 2 && Math.abs(direct - expected) <= 3
      ? (direct + expected) / 2
      : expected
  })
}

/** The straight line through the colour between two places, or null where too little of it is seen. */
function segmentOf(parts: Parts, colour: number, from: number, to: number): { at: number; slope: number } | null {
  const margin = Math.max(5, 0.1 * (to - from))
  let points: { x: number; y: number }[] = []
  for (let x = Math.ceil(from + margin); x < to - margin; x++) {
    const y = columnMiddle(parts, colour, x)
    if (y !== null) points.push({ x, y })
  }
  for (const reach of [12, 4, 2]) {
    const fit = fitted(points)
    if (fit === null) return null
    points = points.filter(({ x, y }) => Math.abs(fit.at + fit.slope * x - y) <= reach)
  }
  return fitted(points)
}

function fitted(points: readonly { readonly x: number; readonly y: number }[]): { at: number; slope: number } | null {
  if (points.length < 6) return null
  const [x, y] = [mean(points.map((point) => point.x)), mean(points.map((point) => point.y))]
  const across = points.reduce((sum, point) => sum + (point.x - x) * (point.y - y), 0)
  const along = points.reduce((sum, point) => sum + (point.x - x) ** 2, 0)
  return along === 0 ? null : { at: y - (across / along) * x, slope: across / along }
}

/** The middle of a colour in a column: of its longest run where another line parts it. */
function columnMiddle({ classes, width, height }: Parts, colour: number, x: number): number | null {
  let [first, count] = [0, 0]
  let [best, longest] = [0, 0]
  for (let y = 0; y <= height; y++) {
    if (y < height && classes.of[y * width + x] === colour) {
      if (count === 0) first = y
      count++
    } else if (count > 0) {
      if (count > longest) [best, longest] = [first, count]
      count = 0
    }
  }
  return longest === 0 ? null : best + longest / 2
}
