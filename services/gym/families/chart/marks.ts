import { element, text, textOnPlate, wholeBox } from '#services/gym/picture/svg.ts'
import { bandMiddle, valuePlace } from './axes.ts'
import { writtenValue, type Drawn, type Mark, type Plot } from './layout.ts'
import type { Chart } from './chart.ts'

type Rectangle = { readonly x: number; readonly y: number; readonly width: number; readonly height: number }

/** Bars of every form: each value's rectangle from the axis, beside its neighbours or on top of them. */
export function barMarks(chart: Chart, plot: Plot): Drawn {
  const across = chart.form === 'horizontal_bars'
  const stacked = chart.form === 'stacked_bars'
  const span = (across ? plot.bottom - plot.top : plot.right - plot.left) / chart.categories.length
  const beside = stacked ? 1 : chart.series.length
  const thick = Math.min(across ? 40 : 90, (span * (beside > 1 ? 0.8 : chart.look.thickness)) / beside)
  const parts: string[] = []
  const marks: Mark[] = []
  for (const [category] of chart.categories.entries()) {
    let foot = 0
    for (const [series, row] of chart.values.entries()) {
      const value = row[category] ?? 0
      const middle = bandMiddle(chart, plot, category) + (stacked ? 0 : (series - (beside - 1) / 2) * thick)
      const [from, to] = [valuePlace(chart, plot, foot), valuePlace(chart, plot, foot + value)]
      const rectangle = across
        ? { x: from, y: middle - thick / 2, width: to - from, height: thick }
        : { x: middle - thick / 2, y: to, width: thick, height: from - to }
      if (stacked) foot += value
      parts.push(barPart(chart, rectangle, series, category))
      if (chart.look.value_labels) parts.push(barLabel(chart, rectangle, { value, across, stacked }))
      const { x, y, width, height } = rectangle
      marks.push({ series, category, box: wholeBox(x, y, x + width, y + height) })
    }
  }
  return { parts, marks, labels: [] }
}

function barPart(chart: Chart, rectangle: Rectangle, series: number, category: number): string {
  const { look } = chart
  const own = chart.series.length === 1 && look.many_colours ? category : chart.series.length === 1 ? 0 : series
  const stroke = look.outlined ? { stroke: look.page.ink, 'stroke-width': 1.5 } : {}
  const rounded = look.corner > 0 && chart.form !== 'stacked_bars' ? { rx: look.corner } : {}
  return element('rect', { ...rectangle, ...rounded, fill: look.paints[own]?.hex, ...stroke })
}

function barLabel(
  { look, decimals }: Chart,
  { x, y, width, height }: Rectangle,
  { value, across, stacked }: { value: number; across: boolean; stacked: boolean },
): string {
  const size = look.text_size - 1
  const words = { size, family: look.family, fill: look.page.ink, weight: 400 } as const
  const written = writtenValue(value, decimals)
  if (across) return text(written, { ...words, x: x + width + 6, y: y + height / 2 + size * 0.36 })
  const middle = { ...words, x: x + width / 2, anchor: 'middle' } as const
  if (stacked) {
    const inside = { ...middle, y: y + height / 2 + size * 0.36 }
    return height < size + 10 ? '' : textOnPlate(written, inside, look.page.ground)
  }
  return text(written, { ...middle, y: y - 6, halo: look.page.ground })
}

/** One line for each series, with or without markers. */
export function lineMarks(chart: Chart, plot: Plot): Drawn {
  const parts: string[] = []
  const marks: Mark[] = []
  for (const [series, row] of chart.values.entries()) {
    const stroke = chart.look.paints[series]?.hex
    const points = row.map((value, category) => ({
      x: bandMiddle(chart, plot, category),
      y: valuePlace(chart, plot, value),
    }))
    const path = points.map(({ x, y }) => `${x.toFixed(2)},${y.toFixed(2)}`).join(' ')
    parts.push(
      element('polyline', { points: path, fill: 'none', stroke, 'stroke-width': 2.5, 'stroke-linejoin': 'round' }),
    )
    for (const [category, { x, y }] of points.entries()) {
      if (chart.look.markers) parts.push(element('circle', { cx: x, cy: y, r: 4.2, fill: stroke }))
      marks.push({ series, category, box: wholeBox(x - 5, y - 5, x + 5, y + 5) })
    }
  }
  return { parts, marks, labels: [] }
}

/** A dot for each category, at the height of its value. */
export function dotMarks(chart: Chart, plot: Plot): Drawn {
  const parts: string[] = []
  const marks = (chart.values[0] ?? []).map((value, category) => {
    const [x, y] = [bandMiddle(chart, plot, category), valuePlace(chart, plot, value)]
    const fill = chart.look.paints[chart.look.many_colours ? category : 0]?.hex
    parts.push(element('circle', { cx: x, cy: y, r: 7, fill }))
    const size = chart.look.text_size - 1
    const words = { size, family: chart.look.family, fill: chart.look.page.ink, halo: chart.look.page.ground }
    const written = writtenValue(value, chart.decimals)
    if (chart.look.value_labels) parts.push(text(written, { ...words, x, y: y - 12, anchor: 'middle' }))
    return { series: 0, category, box: wholeBox(x - 7, y - 7, x + 7, y + 7) }
  })
  return { parts, marks, labels: [] }
}

/** The slices of a pie or ring, clockwise in the order of the categories. */
export function pieMarks(chart: Chart, plot: Plot): Drawn {
  const [cx, cy] = [(plot.left + plot.right) / 2, (plot.top + plot.bottom) / 2]
  const radius = Math.min(plot.right - plot.left, plot.bottom - plot.top) / 2 - 6
  const inner = chart.form === 'donut' ? radius * 0.52 : 0
  const at = (degrees: number, far: number): { x: number; y: number } => ({
    x: cx + far * Math.sin((degrees * Math.PI) / 180),
    y: cy - far * Math.cos((degrees * Math.PI) / 180),
  })
  const parts: string[] = []
  const labels: string[] = []
  let from = chart.look.first_angle
  const marks = (chart.values[0] ?? []).map((value, category) => {
    const to = from + value * 3.6
    const [a, b, c, d] = [at(from, radius), at(to, radius), at(to, inner), at(from, inner)]
    const large = to - from > 180 ? 1 : 0
    const point = ({ x, y }: { x: number; y: number }): string => `${x.toFixed(2)} ${y.toFixed(2)}`
    const arc = (far: number, sweep: 0 | 1): string => `A${far.toFixed(2)} ${far.toFixed(2)} 0 ${large} ${sweep} `
    const path =
      inner > 0
        ? `M${point(a)}${arc(radius, 1)}${point(b)}L${point(c)}${arc(inner, 0)}${point(d)}Z`
        : `M${cx.toFixed(2)} ${cy.toFixed(2)}L${point(a)}${arc(radius, 1)}${point(b)}Z`
    const { look } = chart
    parts.push(
      element('path', { d: path, fill: look.paints[category]?.hex, stroke: look.page.ground, 'stroke-width': 1.5 }),
    )
    const middle = at((from + to) / 2, inner > 0 ? (inner + radius) / 2 : radius * 0.68)
    if (look.value_labels && value >= 6) {
      const words = { size: look.text_size - 1, family: look.family, fill: look.page.ink, anchor: 'middle' } as const
      labels.push(textOnPlate(`${value}%`, { ...words, x: middle.x, y: middle.y + 5 }, look.page.ground))
    }
    from = to
    return { series: 0, category, box: wholeBox(middle.x - 12, middle.y - 12, middle.x + 12, middle.y + 12) }
  })
  return { parts: [...parts, ...labels], marks, labels: [] }
}
