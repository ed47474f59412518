/** Rows as the CSV that COPY reads: null is empty, everything else that might be misread is quoted. */
import type { CopyValue } from './store.ts'

const PLAIN = /^[A-Za-z0-9_./:@-]+$/

function field(value: CopyValue): string {
  if (value === null) return ''
  if (typeof value === 'string') return PLAIN.test(value) ? value : `"${value.replaceAll('"', '""')}"`
  return String(value)
}

/** One line for each row. NUL cannot be held by Postgres and becomes U+FFFD. */
export function csvLines(rows: Iterable<readonly CopyValue[]>): string {
  let text = ''
  for (const row of rows) {
    for (let index = 0; index < row.length; index++) text += (index === 0 ? '' : ',') + field(row[index] ?? null)
    text += '\n'
  }
  return text.includes('\0') ? text.replaceAll('\0', '\ufffd') : text
}
