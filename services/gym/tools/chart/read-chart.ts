import { ToolFailure, type Pixels, type ReadText } from '#services/gym/tools/tool.ts'
import { areLying, isBar, lyingBars, uprightBars } from './bars.ts'
import { dotMarks, isDot, lineMarks } from './lines.ts'
import { chartParts } from './parts.ts'
import { pieMarks, roundOf } from './pies.ts'
import type { ChartReading, FoundMarks, Parts } from './reading.ts'

/**
 * Reads a chart out of its pixels: marks by their flat colours, values by a straight line through the tick labels,
 * names by the words beside them. Charts of one page colour with marks that are not grey: bars, grouped, stacked and
 * lying bars, lines with a legend, dots, pies and rings. Throws ToolFailure NoChartError where no such marks are.
 */
export async function readChart(pixels: Pixels, readText: ReadText): Promise<ChartReading> {
  const parts = await chartParts(pixels, readText)
  const found = parts.pieces.length === 0 ? null : foundMarks(parts)
  if (found === null) {
    throw new ToolFailure('NoChartError', 'no chart with coloured marks and a readable axis was found in the image')
  }
  const categories = tidyYears(found.categories)
  const values = found.series.map((_, series) =>
    found.categories.map(
      (__, category) => found.marks.find((mark) => mark.series === series && mark.category === category)?.value ?? null,
    ),
  )
  return { ...found, categories, values, ...titlesOf(parts) }
}

function foundMarks(parts: Parts): FoundMarks | null {
  const circle = roundOf(parts)
  if (circle !== null) return pieMarks(parts, circle)
  const isSampled = parts.legend.some(({ swatch }) => swatch.bottom - swatch.top <= 7)
  if (isSampled) return lineMarks(parts)
  const solid = parts.pieces.filter((piece) => piece.count >= 40)
  if (solid.length > 0 && solid.filter(isDot).length >= 0.8 * solid.length) return dotMarks(parts)
  if (!parts.pieces.some(isBar)) return null
  return areLying(parts.pieces) ? lyingBars(parts) : uprightBars(parts)
}

/** The widest words above the marks, and the words under the value axis of lying bars. An axis title that reads upwards is left out: it is misread too often. */
function titlesOf({ words, pieces, height }: Parts): { title: string; axis_title: string } {
  const top = Math.min(...pieces.map((piece) => piece.top))
  const above = words.filter((word) => word.bottom < Math.min(top, 0.2 * height) && word.number === null)
  const title = above.toSorted((a, b) => b.right - b.left - (a.right - a.left))[0]
  const below = words.find((word) => word.y > 0.85 * height && /\(.+\)/.test(word.text))
  return { title: title?.text ?? '', axis_title: below?.text ?? '' }
}

/** Years that were read with a point or comma among years that were not. */
function tidyYears(names: readonly string[]): string[] {
  const years = names.filter((name) => /^\d{4}$/.test(name)).length
  return names.map((name) =>
    years >= names.length / 2 && /^[\d.,]+$/.test(name) ? name.replaceAll(/[.,]/g, '') : name,
  )
}
