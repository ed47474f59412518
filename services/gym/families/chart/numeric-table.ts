import type { ReadTable } from '#services/gym/tools/chart/table-text.ts'
import type { Table } from './chart.ts'

/** A read table as the chart that it tells of; NaN where a cell bears no number. */
export function numericTable({ columns, rows }: ReadTable): Table {
  const series = columns.slice(1)
  return {
    categories: rows.map(([name]) => String(name ?? '')),
    series,
    values: series.map((_, place) =>
      rows.map((row) => {
        const cell = row[place + 1]
        return typeof cell === 'number' ? cell : Number.NaN
      }),
    ),
  }
}
