import { barPaints, palettes } from './bar-chart-colours.ts'
import { measuredWidth } from '#services/gym/picture/text-width.ts'
import type { BarChart } from './bar-chart.ts'
import type { Palette } from './bar-chart-colours.ts'

type Box = { readonly left: number; readonly top: number; readonly right: number; readonly bottom: number }
type Page = { readonly chart: BarChart; readonly palette: Palette; readonly valueLabels: boolean; readonly plot: Box }

const margin = 28
const headerHeight = 84
const footerHeight = 34

/** The chart as SVG text. Coordinates are rounded to 0.01, so the text is the same on every machine. */
export function barChartSvg(chart: BarChart, options: { valueLabels: boolean }): string {
  const palette = palettes[chart.look.palette % palettes.length] as Palette
  const { width, height } = chart.look
  const page: Page = { chart, palette, valueLabels: options.valueLabels, plot: plotBox(chart) }
  const body = chart.look.orientation === 'vertical' ? verticalBody(page) : horizontalBody(page)
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="Inter">`,
    `<rect width="${width}" height="${height}" fill="${palette.page}"/>`,
    ...header(page),
    ...body,
    text('Invented figures', { x: margin, y: height - 14, size: 10.5, fill: palette.faint }),
    '</svg>',
  ].join('\n')
}

/** A number as people write it on charts: 1,240 or 12.5. */
export function groupedText(value: number, decimals: number): string {
  const [whole = '', fraction] = value.toFixed(decimals).split('.')
  const grouped = whole.replaceAll(/\B(?=(?:\d{3})+$)/g, ',')
  return fraction === undefined ? grouped : `${grouped}.${fraction}`
}

function plotBox(chart: BarChart): Box {
  const { width, height, orientation } = chart.look
  const tick = measuredWidth(tickText(chart, chart.axis.max), 12)
  const widest = Math.max(...chart.labels.map((label) => measuredWidth(label, 13)))
  const left = margin + (orientation === 'vertical' ? tick : widest) + 12
  const right = width - margin - (orientation === 'vertical' ? 0 : 26)
  return { left, top: headerHeight + 8, right, bottom: height - footerHeight - 34 }
}

function header({ chart, palette }: Page): string[] {
  const middle = chart.look.title_anchor === 'middle'
  const x = middle ? chart.look.width / 2 : margin
  const anchor = middle ? 'middle' : 'start'
  return [
    text(chart.title, { x, y: 44, size: 21, fill: palette.ink, weight: 700, anchor }),
    text(subtitle(chart), { x, y: 66, size: 13, fill: palette.faint, anchor }),
  ]
}

function subtitle(chart: BarChart): string {
  const { measure, unit, noun } = chart.topic
  const written = `${measure.charAt(0).toUpperCase()}${measure.slice(1)} by ${noun}`
  return unit === '' || measure.includes(unit) ? written : `${written}, ${unit}`
}

function verticalBody(page: Page): string[] {
  const { chart, palette, plot } = page
  const toY = (value: number): number => plot.bottom - (value / chart.axis.max) * (plot.bottom - plot.top)
  const band = (plot.right - plot.left) / chart.labels.length
  const thick = band * chart.look.thickness
  const parts: string[] = []
  for (const tick of ticks(chart)) {
    const y = toY(tick)
    if (tick > 0) parts.push(gridLine(page, { x1: plot.left, y1: y, x2: plot.right, y2: y }))
    parts.push(
      text(tickText(chart, tick), { x: plot.left - 10, y: y + 4, size: 12, fill: palette.faint, anchor: 'end' }),
    )
  }
  const paints = barPaints(palette, chart)
  for (const [place, value] of chart.values.entries()) {
    const middle = plot.left + band * (place + 0.5)
    const top = toY(value)
    parts.push(
      bar(
        { left: middle - thick / 2, top, right: middle + thick / 2, bottom: plot.bottom },
        'up',
        chart.look.corner,
        paints[place] ?? '',
      ),
    )
    parts.push(
      text(chart.labels[place] ?? '', {
        x: middle,
        y: plot.bottom + 22,
        size: 13,
        fill: palette.ink,
        anchor: 'middle',
      }),
    )
    if (page.valueLabels) {
      const written = groupedText(value, chart.topic.decimals)
      parts.push(
        text(written, {
          x: middle,
          y: top - 7,
          size: 12.5,
          fill: palette.ink,
          weight: 600,
          anchor: 'middle',
          halo: palette.page,
        }),
      )
    }
  }
  parts.push(
    line(
      { x1: plot.left, y1: plot.bottom, x2: plot.right, y2: plot.bottom },
      `stroke="${palette.axis}" stroke-width="1.5"`,
    ),
  )
  return parts
}

function horizontalBody(page: Page): string[] {
  const { chart, palette, plot } = page
  const toX = (value: number): number => plot.left + (value / chart.axis.max) * (plot.right - plot.left)
  const band = (plot.bottom - plot.top) / chart.labels.length
  const thick = Math.min(band * chart.look.thickness, 44)
  const parts: string[] = []
  for (const tick of ticks(chart)) {
    const x = toX(tick)
    if (tick > 0) parts.push(gridLine(page, { x1: x, y1: plot.top, x2: x, y2: plot.bottom }))
    parts.push(text(tickText(chart, tick), { x, y: plot.bottom + 20, size: 12, fill: palette.faint, anchor: 'middle' }))
  }
  const paints = barPaints(palette, chart)
  for (const [place, value] of chart.values.entries()) {
    const middle = plot.top + band * (place + 0.5)
    const right = toX(value)
    parts.push(
      bar(
        { left: plot.left, top: middle - thick / 2, right, bottom: middle + thick / 2 },
        'right',
        chart.look.corner,
        paints[place] ?? '',
      ),
    )
    parts.push(
      text(chart.labels[place] ?? '', {
        x: plot.left - 10,
        y: middle + 4.5,
        size: 13,
        fill: palette.ink,
        anchor: 'end',
      }),
    )
    if (page.valueLabels) {
      const written = groupedText(value, chart.topic.decimals)
      parts.push(
        text(written, {
          x: right + 7,
          y: middle + 4.5,
          size: 12.5,
          fill: palette.ink,
          weight: 600,
          halo: palette.page,
        }),
      )
    }
  }
  parts.push(
    line(
      { x1: plot.left, y1: plot.top, x2: plot.left, y2: plot.bottom },
      `stroke="${palette.axis}" stroke-width="1.5"`,
    ),
  )
  return parts
}

function ticks(chart: BarChart): number[] {
  const count = Math.round(chart.axis.max / chart.axis.step)
  return Array.from({ length: count + 1 }, (_, place) => Number((place * chart.axis.step).toPrecision(6)))
}

function tickText(chart: BarChart, tick: number): string {
  const decimals = Number.isInteger(chart.axis.step) ? 0 : 1
  return `${groupedText(tick, decimals)}${chart.topic.unit === '%' ? '%' : ''}`
}

function gridLine({ chart, palette }: Page, ends: Ends): string {
  if (chart.look.grid === 'none') return ''
  const dash = chart.look.grid === 'dashed' ? ' stroke-dasharray="3 4"' : ''
  return line(ends, `stroke="${palette.grid}" stroke-width="1"${dash}`)
}

/** A bar whose two far corners are rounded and whose foot is square. */
function bar(box: Box, grows: 'up' | 'right', corner: number, paint: string): string {
  const { left, top, right, bottom } = box
  const r = Math.max(0, Math.min(corner, (right - left) / 2, (bottom - top) / 2))
  const path =
    grows === 'up'
      ? `M${n(left)} ${n(bottom)}V${n(top + r)}Q${n(left)} ${n(top)} ${n(left + r)} ${n(top)}H${n(right - r)}Q${n(right)} ${n(top)} ${n(right)} ${n(top + r)}V${n(bottom)}Z`
      : `M${n(left)} ${n(top)}H${n(right - r)}Q${n(right)} ${n(top)} ${n(right)} ${n(top + r)}V${n(bottom - r)}Q${n(right)} ${n(bottom)} ${n(right - r)} ${n(bottom)}H${n(left)}Z`
  return `<path d="${path}" ${paint}/>`
}

type Ends = { readonly x1: number; readonly y1: number; readonly x2: number; readonly y2: number }

function line({ x1, y1, x2, y2 }: Ends, stroke: string): string {
  return `<line x1="${n(x1)}" y1="${n(y1)}" x2="${n(x2)}" y2="${n(y2)}" ${stroke}/>`
}

type TextStyle = {
  readonly x: number
  readonly y: number
  readonly size: number
  readonly fill: string
  readonly weight?: 400 | 600 | 700
  readonly anchor?: 'start' | 'middle' | 'end'
  /** A rim of this colour keeps the text readable where it crosses a line. */
  readonly halo?: string
}

function text(words: string, style: TextStyle): string {
  const place = `x="${n(style.x)}" y="${n(style.y)}" font-size="${style.size}" font-weight="${style.weight ?? 400}" text-anchor="${style.anchor ?? 'start'}"`
  const content = escaped(words)
  const rim =
    style.halo === undefined
      ? ''
      : `<text ${place} fill="none" stroke="${style.halo}" stroke-width="4" stroke-linejoin="round">${content}</text>`
  return `${rim}<text ${place} fill="${style.fill}">${content}</text>`
}

function escaped(words: string): string {
  return words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

function n(coordinate: number): string {
  return String(Number(coordinate.toFixed(2)))
}
