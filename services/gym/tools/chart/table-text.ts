import type { ChartReading, ReadForm } from './reading.ts'

/** A table as it is told: its columns, and one row for each category; null where no value was found. */
export type ReadTable = {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly (string | number | null)[])[]
}

const formWords: Readonly<Record<ReadForm, string>> = {
  bars: 'vertical bar chart',
  horizontal_bars: 'horizontal bar chart',
  grouped_bars: 'grouped vertical bar chart',
  stacked_bars: 'stacked vertical bar chart',
  lines: 'line chart',
  dots: 'dot chart',
  pie: 'pie chart',
  donut: 'donut chart',
  unknown: 'chart',
}

export function formWord(form: ReadForm): string {
  return formWords[form]
}

export function tableOf(reading: ChartReading): ReadTable {
  const single = reading.form === 'pie' || reading.form === 'donut' ? 'share (%)' : reading.axis_title || 'value'
  const names = reading.series.map(({ name }) => name || single)
  return {
    columns: ['category', ...names],
    rows: reading.categories.map((name, place) => [name, ...reading.values.map((row) => row[place] ?? null)]),
  }
}

/** The table in Markdown, under its title. */
export function tableText(reading: ChartReading): string {
  const { columns, rows } = tableOf(reading)
  const line = (cells: readonly (string | number | null)[]): string =>
    `| ${cells.map((cell) => (cell === null ? '-' : String(cell).replaceAll('|', '/'))).join(' | ')} |`
  return [
    `Title: ${reading.title || 'none'}`,
    `Type: ${formWord(reading.form)}`,
    '',
    line(columns),
    line(columns.map((_, place) => (place === 0 ? '---' : '---:'))),
    ...rows.map(line),
  ].join('\n')
}

/** Reads a table that `tableText` wrote, out of any text around it; null where there is none. */
export function tableIn(text: string): ReadTable | null {
  const lines = text
    .split('\n')
    .filter((line) => line.trimStart().startsWith('|'))
    .map((line) =>
      line
        .trim()
        .replace(/^\||\|$/g, '')
        .split('|')
        .map((cell) => cell.trim()),
    )
  const [columns, rule, ...rows] = lines
  if (columns === undefined || rule === undefined || !rule.every((cell) => /^:?-+:?$/.test(cell))) return null
  return {
    columns,
    rows: rows.map(([name = '', ...cells]) => [
      name,
      ...cells.map((cell) => (Number.isFinite(Number(cell)) ? Number(cell) : null)),
    ]),
  }
}
