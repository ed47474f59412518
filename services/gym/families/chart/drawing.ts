import { paleClutter, specks, svgPicture } from '#services/gym/picture/svg.ts'
import { axesParts } from './axes.ts'
import { isShares, type Chart } from './chart.ts'
import { legendParts, plotOf, titleParts, type Drawn, type Mark, type Plot } from './layout.ts'
import { barMarks, dotMarks, lineMarks, pieMarks } from './marks.ts'
import type { Box } from '#services/gym/items/item.ts'
import type { Random } from '#services/gym/random.ts'

/** A drawn chart, and where its parts are in the picture. */
export type ChartPicture = {
  readonly svg: string
  readonly marks: readonly Mark[]
  /** Of the categories: on the axis, or in a pie's legend. */
  readonly category_labels: readonly Box[]
  /** Of the series, in the legend; empty where there is none. */
  readonly series_labels: readonly Box[]
}

/** Draws a chart; `noise` is the stream of its specks and clutter, and of nothing else. */
export function chartPicture(chart: Chart, noise: Random): ChartPicture {
  const { look } = chart
  const plot = plotOf(chart)
  const legend = legendParts(chart)
  const axes = isShares(chart.form) ? { behind: [], before: [], labels: [] } : axesParts(chart, plot)
  const drawn = marksOf(chart, plot)
  const svg = svgPicture(
    look.width,
    look.height,
    look.page.ground,
    paleClutter(noise, look.width, look.height, look.clutter),
    specks(noise, look.width, look.height, look.specks),
    ...titleParts(chart),
    ...axes.behind,
    ...drawn.parts,
    ...axes.before,
    ...legend.parts,
  )
  return isShares(chart.form)
    ? { svg, marks: drawn.marks, category_labels: legend.boxes, series_labels: [] }
    : { svg, marks: drawn.marks, category_labels: axes.labels, series_labels: legend.boxes }
}

function marksOf(chart: Chart, plot: Plot): Drawn {
  switch (chart.form) {
    case 'lines':
      return lineMarks(chart, plot)
    case 'dots':
      return dotMarks(chart, plot)
    case 'pie':
    case 'donut':
      return pieMarks(chart, plot)
    default:
      return barMarks(chart, plot)
  }
}
