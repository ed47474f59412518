import { element, text, textBox } from '#services/gym/picture/svg.ts'
import { ticksOf, type Plot } from './layout.ts'
import type { Box } from '#services/gym/items/item.ts'
import type { Chart } from './chart.ts'

/** Grid, value axis and category axis of a chart; the boxes are those of the category labels. */
export function axesParts(chart: Chart, plot: Plot): { behind: string[]; before: string[]; labels: Box[] } {
  const across = chart.form === 'horizontal_bars'
  const { look } = chart
  const behind = look.grid === 'none' ? [] : gridParts(chart, plot, across)
  if (look.frame) {
    const size = { x: plot.left, y: plot.top, width: plot.right - plot.left, height: plot.bottom - plot.top }
    behind.push(element('rect', { ...size, fill: 'none', stroke: look.page.axis, 'stroke-width': 1 }))
  }
  const { parts, labels } = categoryLabels(chart, plot, across)
  const before = [...tickParts(chart, plot, across), ...parts]
  const base = across
    ? { x1: plot.left, y1: plot.top, x2: plot.left, y2: plot.bottom }
    : { x1: plot.left, y1: plot.bottom, x2: plot.right, y2: plot.bottom }
  before.push(element('line', { ...base, stroke: look.page.axis, 'stroke-width': 1.5 }))
  if (look.axis_title) before.push(axisTitle(chart, plot, across))
  return { behind, before, labels }
}

/** The middle of a category's band on the category axis. */
export function bandMiddle(chart: Chart, plot: Plot, category: number): number {
  const [from, to] = chart.form === 'horizontal_bars' ? [plot.top, plot.bottom] : [plot.left, plot.right]
  return from + ((to - from) / chart.categories.length) * (category + 0.5)
}

/** Where a value stands on the value axis, in pixels. */
export function valuePlace(chart: Chart, plot: Plot, value: number): number {
  const share = value / chart.axis.max
  return chart.form === 'horizontal_bars'
    ? plot.left + share * (plot.right - plot.left)
    : plot.bottom - share * (plot.bottom - plot.top)
}

function gridParts(chart: Chart, plot: Plot, across: boolean): string[] {
  const { page, grid } = chart.look
  return ticksOf(chart)
    .filter(({ value }) => value > 0)
    .map(({ value }) => {
      const place = valuePlace(chart, plot, value)
      const ends = across
        ? { x1: place, y1: plot.top, x2: place, y2: plot.bottom }
        : { x1: plot.left, y1: place, x2: plot.right, y2: place }
      const dash = grid === 'dashed' ? '4 4' : undefined
      return element('line', { ...ends, stroke: page.grid, 'stroke-width': 1, 'stroke-dasharray': dash })
    })
}

function tickParts(chart: Chart, plot: Plot, across: boolean): string[] {
  const { text_size: size, family, page } = chart.look
  return ticksOf(chart).map(({ value, written }) => {
    const place = valuePlace(chart, plot, value)
    const words = { size, family, fill: page.faint }
    return across
      ? text(written, { ...words, x: place, y: plot.bottom + size + 6, anchor: 'middle' })
      : text(written, { ...words, x: plot.left - 9, y: place + size * 0.36, anchor: 'end' })
  })
}

function categoryLabels(chart: Chart, plot: Plot, across: boolean): { parts: string[]; labels: Box[] } {
  const { text_size: size, family, page } = chart.look
  const parts: string[] = []
  const labels = chart.categories.map((name, category) => {
    const place = bandMiddle(chart, plot, category)
    const words = { size, family, fill: page.ink }
    const look = across
      ? ({ ...words, x: plot.left - 9, y: place + size * 0.36, anchor: 'end' } as const)
      : ({ ...words, x: place, y: plot.bottom + size + 7, anchor: 'middle' } as const)
    parts.push(text(name, look))
    return textBox(name, look)
  })
  return { parts, labels }
}

function axisTitle({ topic, look }: Chart, plot: Plot, across: boolean): string {
  const named = `${topic.measure.charAt(0).toUpperCase()}${topic.measure.slice(1)}`
  const words = topic.unit === '' ? named : `${named} (${topic.unit})`
  const style = { size: look.text_size - 1, family: look.family, fill: look.page.faint, anchor: 'middle' } as const
  return across
    ? text(words, { ...style, x: (plot.left + plot.right) / 2, y: plot.bottom + 2 * look.text_size + 13 })
    : text(words, { ...style, x: 20, y: (plot.top + plot.bottom) / 2, rotation: -90 })
}
