import { text, textBox, textWidth, wholeBox, element } from '#services/gym/picture/svg.ts'
import { isShares, type Chart } from './chart.ts'
import type { Box } from '#services/gym/items/item.ts'

/** Edges of a part of the picture, in pixels. */
export type Plot = { readonly left: number; readonly top: number; readonly right: number; readonly bottom: number }

/** Where one value is drawn. */
export type Mark = { readonly series: number; readonly category: number; readonly box: Box }

/** A part of the drawing, with the marks and the category labels that are in it. */
export type Drawn = {
  readonly parts: readonly string[]
  readonly marks: readonly Mark[]
  readonly labels: readonly Box[]
}

const margin = 24

/** A value as charts write it: 1,240 or 12.5. */
export function writtenValue(value: number, decimals: number): string {
  const [whole = '', fraction] = value.toFixed(decimals).split('.')
  const grouped = whole.replaceAll(/\B(?=(?:\d{3})+$)/g, ',')
  return fraction === undefined ? grouped : `${grouped}.${fraction}`
}

/** The ticks of the value axis, from 0. */
export function ticksOf({ axis }: Chart): { value: number; written: string }[] {
  const decimals = Number.isInteger(axis.step) ? 0 : (String(axis.step).split('.')[1]?.length ?? 1)
  return Array.from({ length: Math.round(axis.max / axis.step) + 1 }, (_, place) => {
    const value = Number((place * axis.step).toPrecision(8))
    return { value, written: writtenValue(value, decimals) }
  })
}

/** What the legend names; empty for a chart that has none. */
export function legendNames(chart: Chart): readonly string[] {
  if (isShares(chart.form)) return chart.categories
  return chart.series.length > 1 || chart.form === 'lines' ? chart.series : []
}

/** The plot's place: what the title, the legend, the tick labels and the category labels leave. */
export function plotOf(chart: Chart): Plot {
  const { look } = chart
  const size = look.text_size
  const legend = legendNames(chart)
  const title = 50
  const right = legend.length > 0 && look.legend === 'right' ? legendWidth(chart) + 14 : 0
  const top = legend.length > 0 && look.legend === 'top' ? 26 * legendRows(chart).length : 0
  const bottom = legend.length > 0 && look.legend === 'bottom' ? 26 * legendRows(chart).length : 0
  if (isShares(chart.form)) {
    return {
      left: margin,
      top: title + top + 8,
      right: look.width - margin - right,
      bottom: look.height - margin - bottom + 4,
    }
  }
  const widest = (words: readonly string[]): number =>
    Math.max(...words.map((word) => textWidth(word, { size, family: look.family })))
  const across = chart.form === 'horizontal_bars'
  const left = widest(across ? chart.categories : ticksOf(chart).map(({ written }) => written)) + 12
  const axisTitle = look.axis_title ? 24 : 0
  return {
    left: margin + left + (across ? 0 : axisTitle),
    top: title + top + 10,
    right: look.width - margin - right - (across ? 18 : 0),
    bottom: look.height - margin - bottom - 20 - (across ? axisTitle : 0),
  }
}

export function titleParts({ title, look }: Chart): string[] {
  const words = { size: look.text_size + 5, family: look.family, weight: 700, fill: look.page.ink, y: 36 } as const
  return [
    look.title_middle
      ? text(title, { ...words, x: look.width / 2, anchor: 'middle' })
      : text(title, { ...words, x: margin, anchor: 'start' }),
  ]
}

/** The legend: a swatch and a name for each series, or for each slice of a pie. Its boxes are in the order of names. */
export function legendParts(chart: Chart): { parts: string[]; boxes: Box[] } {
  const names = legendNames(chart)
  const { look } = chart
  if (names.length === 0) return { parts: [], boxes: [] }
  const places = look.legend === 'right' ? columnPlaces(chart) : rowPlaces(chart)
  const parts: string[] = []
  const boxes = names.map((name, index) => {
    const { x, y } = places[index] ?? { x: 0, y: 0 }
    const fill = look.paints[index]?.hex ?? '#888888'
    parts.push(
      chart.form === 'lines'
        ? element('rect', { x, y: y - 6, width: 18, height: 4, fill })
        : element('rect', { x, y: y - 10, width: 12, height: 12, fill }),
    )
    const words = { x: x + 24, y: y + 1, size: look.text_size, family: look.family, fill: look.page.ink }
    parts.push(text(name, words))
    const [, top, right, bottom] = textBox(name, words)
    return wholeBox(x, Math.min(top, y - 10), right, Math.max(bottom, y + 2))
  })
  return { parts, boxes }
}

function legendWidth(chart: Chart): number {
  const { text_size: size, family } = chart.look
  return 30 + Math.max(...legendNames(chart).map((name) => textWidth(name, { size, family })))
}

function entryWidth(chart: Chart, name: string): number {
  return 50 + textWidth(name, { size: chart.look.text_size, family: chart.look.family })
}

/** The names of a legend above or below, in rows that fit the width. */
function legendRows(chart: Chart): string[][] {
  const rows: string[][] = [[]]
  let used = 0
  for (const name of legendNames(chart)) {
    const width = entryWidth(chart, name)
    if (used + width > chart.look.width - 2 * margin && used > 0) {
      rows.push([])
      used = 0
    }
    rows.at(-1)?.push(name)
    used += width
  }
  return rows
}

function rowPlaces(chart: Chart): { x: number; y: number }[] {
  const { look } = chart
  const rows = legendRows(chart)
  const first = look.legend === 'top' ? 66 : look.height - 26 * rows.length + 6
  return rows.flatMap((row, line) => {
    let x = (look.width - row.reduce((sum, name) => sum + entryWidth(chart, name), -26)) / 2
    return row.map((name) => {
      const place = { x, y: first + 26 * line }
      x += entryWidth(chart, name)
      return place
    })
  })
}

function columnPlaces(chart: Chart): { x: number; y: number }[] {
  const { look } = chart
  const x = look.width - margin - legendWidth(chart) + 6
  const names = legendNames(chart)
  const first = isShares(chart.form) ? look.height / 2 - 12 * names.length + 20 : 84
  return names.map((_, line) => ({ x, y: first + 25 * line }))
}
