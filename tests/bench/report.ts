/** Figures, their targets, and the table of them. */

/** A figure of the table. */
export interface Figure {
  readonly name: string
  readonly value: number
  /** What must be reached, and what is aimed for. */
  readonly target?: number
  readonly aim?: number
  readonly better?: 'more' | 'less'
  readonly unit?: string
  /** What stands behind the figure. */
  readonly detail: string
}

/** The middle value. */
export function median(values: readonly number[]): number {
  return values.toSorted((left, right) => left - right)[Math.floor(values.length / 2)] ?? Number.NaN
}

/** The value below which this share of the (ascending) values lies. */
export function quantile(ascending: readonly number[], share: number): number {
  return ascending[Math.min(ascending.length - 1, Math.floor(ascending.length * share))] ?? Number.NaN
}

/** A number of three digits or so. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return '-'
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en-GB')
  return value.toPrecision(3)
}

export function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

function reached({ value, better = 'more' }: Figure, mark: number | undefined): string {
  if (mark === undefined) return ''
  return (better === 'more' ? value >= mark : value <= mark) ? 'met' : 'NOT MET'
}

/** The table, one figure a line. */
export function table(figures: readonly Figure[]): string {
  const rows = [
    ['figure', 'value', 'target', '', 'aim', '', 'behind it'],
    ...figures.map((figure) => {
      const { target, aim, better = 'more', unit = '' } = figure
      const sign = better === 'more' ? '>=' : '<='
      const mark = (value: number | undefined): string => (value === undefined ? '' : `${sign} ${short(value)}${unit}`)
      return [
        figure.name,
        `${short(figure.value)}${unit}`,
        mark(target),
        reached(figure, target),
        mark(aim),
        reached(figure, aim),
        figure.detail,
      ]
    }),
  ]
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? []
  return rows
    .map((row) =>
      row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0))).join('  '),
    )
    .join('\n')
}
