/** Lists in pages: an opaque cursor that holds the sort key of the last row given. */
import { Problem } from '#services/problem.ts'
import { type ParameterSet, integer, text, withDefault } from './parameters.ts'
import { READ_PARAMETERS } from './route.ts'

/** What every list takes. */
export const LIST_PARAMETERS = {
  ...READ_PARAMETERS,
  limit: withDefault(integer('The most rows to give.', { minimum: 1, maximum: 1000 }), 100),
  cursor: text('Where to go on: `next` of the page before.'),
} satisfies ParameterSet

/** A value that a cursor can hold. */
export type KeyPart = string | number | null

/** A page of a list. */
export interface Page<Row> {
  readonly rows: readonly Row[]
  readonly next: string | null
}

/** A cursor after the row with this sort key. */
export function formatCursor(list: string, key: readonly KeyPart[]): string {
  return Buffer.from(JSON.stringify([list, ...key])).toString('base64url')
}

const isKeyPart = (value: unknown): value is KeyPart =>
  value === null || typeof value === 'string' || typeof value === 'number'

/** The sort key (of `length` parts, any where undefined) in a cursor of this list, or undefined without one. Throws `invalid_parameter`. */
export function parseCursor(
  list: string,
  length: number | undefined,
  given: string | undefined,
): readonly KeyPart[] | undefined {
  if (given === undefined) return undefined
  const wrong = new Problem('invalid_parameter', 'cursor is not one that this list gave', {
    hint: 'send next of the page before as it was given',
    details: { parameter: 'cursor' },
  })
  let parsed: unknown
  try {
    parsed = JSON.parse(Buffer.from(given, 'base64url').toString('utf8'))
  } catch {
    throw wrong
  }
  if (!Array.isArray(parsed) || (length !== undefined && parsed.length !== length + 1) || parsed[0] !== list)
    throw wrong
  const key: unknown[] = parsed.slice(1)
  if (!key.every(isKeyPart)) throw wrong
  return key
}

/** A page made from up to limit + 1 rows: the one too many says that there is more. */
export function page<Row>(
  list: string,
  rows: readonly Row[],
  limit: number,
  keyOf: (row: Row) => readonly KeyPart[],
): Page<Row> {
  const shown = rows.slice(0, limit)
  const last = shown.at(-1)
  return { rows: shown, next: rows.length > limit && last !== undefined ? formatCursor(list, keyOf(last)) : null }
}
