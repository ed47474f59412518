/** Writing to a terminal: colour where it is wanted, aligned tables, one line of progress that is drawn again. */
import { stripVTControlCharacters } from 'node:util'

/** The program's two outputs. Results go to `out`, everything said on the way to `err`. */
export interface Terminal {
  out(text: string): void
  err(text: string): void
  /** Whether `err` is a terminal, so that a line may be drawn again. */
  readonly redraws: boolean
  /** How many letters a line of `out` has room for; undefined where it is no terminal. */
  readonly width: number | undefined
  readonly paint: Paint
}

export type Paint = Readonly<Record<'bold' | 'dim' | 'green' | 'yellow' | 'red' | 'blue', (text: string) => string>>

const wrap =
  (on: boolean, start: number, end: number) =>
  (text: string): string =>
    on ? `\u001b[${start}m${text}\u001b[${end}m` : text

export function paint(colour: boolean): Paint {
  return {
    bold: wrap(colour, 1, 22),
    dim: wrap(colour, 2, 22),
    green: wrap(colour, 32, 39),
    yellow: wrap(colour, 33, 39),
    red: wrap(colour, 31, 39),
    blue: wrap(colour, 34, 39),
  }
}

/** How wide a text is when printed: colour takes no room. Our tables hold narrow letters of one code unit. */
const printedWidth = (text: string): number => stripVTControlCharacters(text).length

export interface Column {
  readonly head: string
  readonly right?: boolean
}

/** An aligned table, two spaces between columns, heads dimmed; ends with a newline. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[], { dim }: Paint): string {
  const widths = columns.map(({ head }, at) =>
    Math.max(printedWidth(head), ...rows.map((row) => printedWidth(row[at] ?? ''))),
  )
  const line = (cells: readonly string[]): string =>
    columns
      .map(({ right }, at) => {
        const cell = cells[at] ?? ''
        const room = ' '.repeat((widths[at] ?? 0) - printedWidth(cell))
        return right === true ? room + cell : cell + room
      })
      .join('  ')
      .trimEnd()
  const heads = columns.every(({ head }) => head === '') ? [] : [line(columns.map(({ head }) => dim(head)))]
  return [...heads, ...rows.map(line)].map((text) => `  ${text}\n`).join('')
}

/** A bar of `width` cells, filled by `share` (0 to 1) to the eighth of a cell. */
export function bar(share: number, width: number): string {
  const eighths = Math.round(Math.min(1, Math.max(0, share)) * width * 8)
  const part = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'][eighths % 8] ?? ''
  return ('█'.repeat(Math.floor(eighths / 8)) + part).padEnd(width, '·')
}

/** A number with its thousands apart: 12,345. */
export const count = (value: number): string => value.toLocaleString('en-US')

/** A share or rate to `digits` decimals, or a dash where there is none. */
export const decimal = (value: number | null | undefined, digits = 3): string =>
  value === null || value === undefined || !Number.isFinite(value) ? '-' : value.toFixed(digits)

/** Bytes as a person says them: 12.3 MiB. */
export function size(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  const step = bytes < 1024 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10))
  return `${(bytes / 1024 ** step).toFixed(step === 0 ? 0 : 1)} ${units[step] ?? ''}`
}

/** Text that fits into so many letters; where some are left out it ends in dots. Colour takes no room, and is ended. */
export function fitted(text: string, lettersMax: number): string {
  if (printedWidth(text) <= lettersMax) return text
  let letters = 0
  // Colours (an escape, digits, m) all stay; of the letters as many as there is room for beside the dots.
  return text.replaceAll(/\p{Cc}\[\d+m|./gsu, (one) => {
    if (one.startsWith('\u001b[')) return one
    letters++
    return letters < lettersMax ? one : letters === lettersMax ? '…' : ''
  })
}

/** A line of progress: drawn again in place on a terminal, else written at most every few seconds. */
export interface ProgressLine {
  show(text: string): void
  /** Writes a line that stays, above the progress. */
  keep(text: string): void
  /** Takes the line away. */
  end(): void
}

const DRAW_MS = 80
const WRITE_MS = 5_000

/** A progress line on `err`. Every `show` may be skipped but the last state is drawn before `keep`. */
export function progressLine(terminal: Terminal, now: () => number): ProgressLine {
  let drawn = false
  // A log file needs no line for what is over at once.
  let lastMs = terminal.redraws ? -Infinity : now()
  const clear = (): void => {
    if (drawn) terminal.err('\r\u001b[2K')
    drawn = false
  }
  return {
    show: (text) => {
      if (now() - lastMs < (terminal.redraws ? DRAW_MS : WRITE_MS)) return
      lastMs = now()
      if (terminal.redraws) {
        // Without wrapping: only one line can be drawn over.
        const line = terminal.width === undefined ? text : fitted(text, terminal.width)
        terminal.err(`\r\u001b[2K\u001b[?7l${line}\u001b[?7h`)
        drawn = true
      } else terminal.err(`${text}\n`)
    },
    keep: (text) => {
      clear()
      terminal.err(`${text}\n`)
    },
    end: clear,
  }
}
