import { readGlyph } from './glyphs.ts'
import { maskAreas } from '#services/gym/tools/local/flat-areas.ts'
import type { Reading } from './glyphs.ts'
import type { Ink } from './ink.ts'
import type { Box } from '#services/gym/items/item.ts'

/** A short text of a diagram: a letter or a measure. */
export type DiagramLabel = {
  readonly text: string
  readonly box: Box
  /** For a single glyph, all that it may be. */
  readonly readings: readonly Reading[]
  readonly doubt: number
}

const glyphMax = 34
/** The widest gap inside a word, as a share of a capital's height: figures one stand widest apart. */
const gapShare = 0.6
const labelsMax = 60
const boxesMax = 800

/** Thin arms of letters are paler than lines are; specks (at most 61) never reach the second bound. */
const [glyphEdge, glyphCore] = [50, 110]

/** Boxes of small areas of ink that may be glyphs: neither lines nor specks. */
function glyphBoxes({ width, height, strength }: Ink): Box[] {
  const mask = strength.map((value) => (value >= glyphEdge ? 1 : 0))
  const { areas, label } = maskAreas(mask, width, height)
  const core = new Set<number>()
  for (const [pixel, area] of label.entries()) if (area >= 0 && (strength[pixel] ?? 0) >= glyphCore) core.add(area)
  return areas.flatMap(({ left, top, right, bottom, count }, area) => {
    if (right - left > glyphMax || bottom - top > glyphMax || count < 3 || !core.has(area)) return []
    return [[left, top, right, bottom] as const]
  })
}

/** What labels are made of: a glyph that stands alone, and glyphs in a row. */
export type LabelLetters = { readonly alone: string; readonly row: string }

/** Reads all labels: glyphs that stand side by side make one. */
export function readLabels(ink: Ink, letters: LabelLetters): DiagramLabel[] {
  const boxes = glyphBoxes(ink).slice(0, boxesMax)
  const heights = boxes
    .map((box) => box[3] - box[1])
    .filter((height) => height >= 9)
    .toSorted((a, b) => a - b)
  const capital = heights[Math.floor(heights.length / 2)] ?? 13
  const groups = grouped(boxes, gapShare * capital)
  return groups.slice(0, labelsMax).flatMap((group) => {
    if (!group.some((box) => box[3] - box[1] >= 0.6 * capital)) return []
    return [readLabel(ink, group, capital, letters)]
  })
}

function readLabel(ink: Ink, boxes: readonly Box[], capital: number, letters: LabelLetters): DiagramLabel {
  const tall = boxes.filter((box) => box[3] - box[1] >= 0.6 * capital && box[3] - box[1] < 1.2 * capital)
  // The middle one of the feet: brackets hang below the line that figures stand on.
  const feet = (tall.length > 0 ? tall : boxes).map((box) => box[3]).toSorted((a, b) => a - b)
  const baseline = feet[Math.floor((feet.length - 1) / 2)] ?? 0
  const line = { capital, baseline }
  const [first] = boxes
  const width = first ? first[2] - first[0] : 0
  const single = boxes.length === 1 && width < 1.8 * capital
  const alone = single && first ? readGlyph(ink, first, line, letters.alone) : []
  const pieces = boxes.flatMap((box) => parted(ink, box, capital))
  // Whatever a font makes of it: what is round and hangs in the upper half of figures is the sign of degrees.
  const hangs = ([left, top, right, bottom]: Box): boolean =>
    letters.row.includes('°') && bottom < baseline - 0.42 * capital && right - left < 1.5 * (bottom - top)
  const inRow = pieces.map((box) => (hangs(box) ? [{ letter: '°', doubt: 0 }] : readGlyph(ink, box, line, letters.row)))
  const sure = doubtOf([alone]) <= doubtOf(inRow) || width < 0.95 * capital
  const readings = single && sure ? [alone] : inRow
  const text = readings.map(([best]) => best?.letter ?? '').join('')
  return {
    text,
    box: hull(boxes),
    readings: single ? alone : [],
    doubt: doubtOf(readings),
  }
}

/** The doubt of a row of glyphs is that of the least sure. */
function doubtOf(readings: readonly (readonly Reading[])[]): number {
  return Math.max(...readings.map(([best]) => best?.doubt ?? 1))
}

/** Two glyphs that touch are cut at the palest column. */
function parted(ink: Ink, box: Box, capital: number): Box[] {
  const [left, top, right, bottom] = box
  if (right - left < 0.95 * capital || bottom - top < 0.8 * capital) return [box]
  const [from, to] = [left + Math.floor((right - left) * 0.3), left + Math.ceil((right - left) * 0.7)]
  let [cut, least] = [from, Infinity]
  for (let x = from; x < to; x++) {
    let sum = 0
    for (let y = top; y < bottom; y++) sum += ink.strength[y * ink.width + x] ?? 0
    if (sum < least) [cut, least] = [x, sum]
  }
  return [
    [left, top, cut, bottom],
    [cut + 1, top, right, bottom],
  ]
}

function grouped(boxes: readonly Box[], gapMax: number): Box[][] {
  const groups: Box[][] = []
  for (const box of boxes.toSorted((a, b) => a[0] - b[0])) {
    const group = groups.find((members) => members.some((other) => beside(other, box, gapMax)))
    if (group) group.push(box)
    else groups.push([box])
  }
  return groups
}

function beside(left: Box, right: Box, gapMax: number): boolean {
  const gap = right[0] - left[2]
  const overlap = Math.min(left[3], right[3]) - Math.max(left[1], right[1])
  const least = Math.min(left[3] - left[1], right[3] - right[1])
  return gap <= gapMax && overlap >= 0.5 * least
}

function hull(boxes: readonly Box[]): Box {
  return [
    Math.min(...boxes.map((box) => box[0])),
    Math.min(...boxes.map((box) => box[1])),
    Math.max(...boxes.map((box) => box[2])),
    Math.max(...boxes.map((box) => box[3])),
  ]
}
