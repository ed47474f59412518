import { seriesOf } from './bars.ts'
import type { FoundMarks, Parts, ReadMark } from './reading.ts'

type Round = { readonly x: number; readonly y: number; readonly radius: number }

/** How many directions are looked in. */
const directions = 3600

/** The circle that the coloured pieces fill, if it is one: its rim is of mark colours nearly all round. */
export function roundOf(parts: Parts): Round | null {
  const large = parts.pieces.filter(({ count }) => count >= 260)
  if (large.length < 2) return null
  const [left, right] = [Math.min(...large.map((piece) => piece.left)), Math.max(...large.map((piece) => piece.right))]
  const [top, bottom] = [Math.min(...large.map((piece) => piece.top)), Math.max(...large.map((piece) => piece.bottom))]
  const radius = (right - left + bottom - top) / 4
  if (radius < 40 || Math.abs(right - left - (bottom - top)) > 0.06 * radius) return null
  const circle = { x: (left + right) / 2 - 0.5, y: (top + bottom) / 2 - 0.5, radius }
  const rim = Array.from({ length: 360 }, (_, degree) => classAt(parts, circle, degree, 0.95))
  return rim.filter((colour) => colour >= 0).length >= 0.85 * rim.length ? circle : null
}

/** Reads the slices of a pie or ring by the directions that each colour fills; values are percents. */
export function pieMarks(parts: Parts, circle: Round): FoundMarks {
  const counts = new Map<number, { count: number; x: number; y: number }>()
  for (let step = 0; step < directions; step++) {
    const degree = (step * 360) / directions
    const seen = [0.93, 0.95, 0.97].map((far) => classAt(parts, circle, degree, far))
    const colour = seen[1] ?? -1
    if (colour < 0 || seen.filter((each) => each === colour).length < 2) continue
    const known = counts.get(colour) ?? { count: 0, x: 0, y: 0 }
    known.count++
    known.x += Math.sin((degree * Math.PI) / 180)
    known.y -= Math.cos((degree * Math.PI) / 180)
    counts.set(colour, known)
  }
  const slices = [...counts].filter(([, { count }]) => count >= 0.004 * directions)
  // The seams between slices take as much of each, so a thin slice would come out too thin.
  const seen = slices.reduce((sum, [, { count }]) => sum + count, 0)
  const seam = (directions - seen) / Math.max(1, slices.length)
  const named = parts.legend.map(({ colour }) => colour)
  const order = [...named, ...slices.map(([colour]) => colour).filter((colour) => !named.includes(colour))]
  const donut = classAt(parts, circle, 0, 0.05) < 0 && classAt(parts, circle, 120, 0.2) < 0
  const marks = slices.map(([colour, { count, x, y }]): ReadMark => {
    const far = ((donut ? 0.76 : 0.68) * circle.radius) / Math.max(1e-9, Math.hypot(x, y))
    const [px, py] = [Math.round(circle.x + x * far), Math.round(circle.y + y * far)]
    const share = (100 * (count + seam)) / directions
    const written = parts.words.find(
      (word) => word.number !== null && Math.hypot(word.x - px, word.y - py) <= 14,
    )?.number
    const value = typeof written === 'number' && Math.abs(written - share) <= 1.5 ? written : Number(share.toFixed(1))
    return {
      series: 0,
      category: order.indexOf(colour),
      value,
      box: [px - 12, py - 12, px + 12, py + 12],
      colour: parts.classes.colours[colour] ?? [0, 0, 0],
    }
  })
  const categories = order.map((colour) => parts.legend.find((entry) => entry.colour === colour)?.word.text ?? '')
  return { form: donut ? 'donut' : 'pie', categories, series: seriesOf({ ...parts, legend: [] }), marks, axis: null }
}

function classAt({ classes, width, height }: Parts, { x, y, radius }: Round, degree: number, far: number): number {
  const angle = (degree * Math.PI) / 180
  const column = Math.round(x + far * radius * Math.sin(angle))
  const row = Math.round(y - far * radius * Math.cos(angle))
  return column < 0 || row < 0 || column >= width || row >= height ? -1 : (classes.of[row * width + column] ?? -1)
}
