/** Tables that were computed: a page of them as JSON, or all of them as CSV or Parquet. */
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TSchema } from 'typebox'
import type { Engine } from '#services/analytics/lake-rows.ts'
import { sqlText } from '#services/lake/engine.ts'
import type { Offsets } from '#services/position.ts'
import { Problem } from '#services/problem.ts'
import { type KeyPart, formatCursor, parseCursor } from './cursor.ts'
import type { QueryDeps } from './deps.ts'
import { integer, text, withDefault, word } from './parameters.ts'
import { jsonAnswer, positionHeaders } from './reading.ts'

/** What a table of statistics takes besides its filters. */
export const TABLE_PARAMETERS = {
  format: withDefault(
    word(
      ['json', 'csv', 'parquet'],
      'json gives a page; csv and parquet give all rows, fields inside fields as columns.',
    ),
    'json',
  ),
  limit: integer('The most rows to give: of JSON 100 unless said, of CSV and Parquet all.', {
    minimum: 1,
    maximum: 1_000_000,
  }),
  cursor: text('Where to go on: `next` of the page before. Of JSON only.'),
}

/** The media types that a table is answered as. */
export const TABLE_TYPES = ['application/json', 'text/csv', 'application/vnd.apache.parquet'] as const

const JSON_ROWS = 100
const JSON_ROWS_MAX = 1000

/** Rows by their place: an array, or rows that are made when they are looked at. */
export interface RowList {
  readonly length: number
  at(index: number): Readonly<Record<string, unknown>> | undefined
}

/** Rows that are made of these when they are looked at: a page shows a hundred of thousands. */
export function rowsOf<Item>(items: readonly Item[], make: (item: Item) => Readonly<Record<string, unknown>>): RowList {
  return {
    length: items.length,
    at: (index) => {
      const item = items[index]
      return item === undefined ? undefined : make(item)
    },
  }
}

export interface Table {
  /** Names cursors and files. */
  readonly name: string
  /** The schema of a row, from which columns have their types. */
  readonly row: TSchema
  readonly rows: RowList
  /** What orders rows and tells them apart. */
  readonly key: (row: Readonly<Record<string, unknown>>) => readonly KeyPart[]
  /** What JSON answers besides rows and next. */
  readonly more?: Readonly<Record<string, unknown>>
}

interface TableCall {
  readonly deps: QueryDeps
  readonly query: {
    readonly format: 'json' | 'csv' | 'parquet'
    readonly limit: number | undefined
    readonly cursor: string | undefined
  }
}

/** Answers with a table. Throws `invalid_parameter`, and `unavailable` for Parquet where DuckDB is not at hand. */
export async function tableAnswer(call: TableCall, table: Table, offsets: Offsets): Promise<Response> {
  const { deps, query } = call
  if (query.format === 'json') return jsonAnswer(deps, jsonPage(table, query.limit ?? JSON_ROWS, query.cursor), offsets)
  if (query.cursor !== undefined)
    throw new Problem('invalid_parameter', `${query.format} has all rows, and takes no cursor`, {
      hint: 'leave cursor out, or take limit=',
      details: { parameter: 'cursor' },
    })
  const flat = flattened(table, query.limit)
  const isCsv = query.format === 'csv'
  const body = isCsv ? csvOf(flat) : await parquetOf(flat, deps.engine)
  return new Response(body, {
    headers: {
      'Content-Type': isCsv ? 'text/csv; charset=utf-8; header=present' : 'application/vnd.apache.parquet',
      'Content-Disposition': `attachment; filename="${table.name}.${query.format}"`,
      ...positionHeaders(deps, offsets),
    },
  })
}

function compareKeys(left: readonly KeyPart[], right: readonly KeyPart[]): number {
  for (const [index, part] of left.entries()) {
    const other = right[index] ?? null
    if (part === other) continue
    if (part === null) return 1
    if (other === null) return -1
    return part < other ? -1 : 1
  }
  return 0
}

function jsonPage({ name, rows, key, more }: Table, limit: number, cursor: string | undefined): unknown {
  if (limit > JSON_ROWS_MAX)
    throw new Problem('invalid_parameter', `limit is at most ${JSON_ROWS_MAX} for JSON, and not ${limit}`, {
      hint: 'go on with cursor, or take format=csv or format=parquet for all rows',
      details: { parameter: 'limit' },
    })
  const from = placeAfter({ name, rows, key }, cursor)
  const shown = slice(rows, from, from + limit)
  const last = shown.at(-1)
  const end = from + shown.length
  const next = end < rows.length && last !== undefined ? formatCursor(name, [end - 1, ...key(last)]) : null
  return { rows: shown, next, ...more }
}

function slice(rows: RowList, from: number, to: number): Readonly<Record<string, unknown>>[] {
  const found: Readonly<Record<string, unknown>>[] = []
  for (let index = from; index < Math.min(to, rows.length); index++) found.push(rows.at(index) ?? {})
  return found
}

/** Where to go on: after the row that the cursor names, which is where it was unless rows came before it. */
function placeAfter({ name, rows, key }: Pick<Table, 'name' | 'rows' | 'key'>, cursor: string | undefined): number {
  const given = parseCursor(name, undefined, cursor)
  if (given === undefined) return 0
  const [place, ...after] = given
  const is = (index: number) => compareKeys(key(rows.at(index) ?? {}), after) === 0
  if (typeof place === 'number' && place >= 0 && place < rows.length && is(place)) return place + 1
  let beyond = rows.length
  for (let index = 0; index < rows.length; index++) {
    const order = compareKeys(key(rows.at(index) ?? {}), after)
    if (order === 0) return index + 1
    if (order > 0) beyond = Math.min(beyond, index)
  }
  return beyond
}

type ColumnType = 'BIGINT' | 'DOUBLE' | 'BOOLEAN' | 'VARCHAR'

interface Flat {
  readonly name: string
  readonly columns: ReadonlyMap<string, ColumnType>
  readonly rows: readonly ReadonlyMap<string, unknown>[]
}

interface Node {
  readonly type?: string
  readonly anyOf?: readonly Node[]
  readonly enum?: readonly unknown[]
  readonly properties?: Readonly<Record<string, Node>>
  readonly patternProperties?: Readonly<Record<string, Node>>
}

/** A schema without its null. */
function inner(node: Node): Node {
  return node.anyOf?.find((one) => one.type !== 'null' && one.type !== undefined) ?? node
}

const TYPES: Readonly<Record<string, ColumnType>> = { integer: 'BIGINT', number: 'DOUBLE', boolean: 'BOOLEAN' }

/** Puts fields inside fields beside the others: `{"parts": {"rep": {"mean": 1}}}` is parts_rep_mean. */
function flattened({ name, row: schema, rows }: Table, limit: number | undefined): Flat {
  const columns = new Map<string, ColumnType>()
  const shown = slice(rows, 0, limit ?? rows.length)
  const visit = (path: string, node: Node, values: readonly unknown[], into: readonly Map<string, unknown>[]): void => {
    const real = inner(node)
    const record = real.patternProperties === undefined ? undefined : Object.values(real.patternProperties)[0]
    const fields =
      real.properties ??
      (record === undefined
        ? undefined
        : Object.fromEntries(
            [...new Set(values.flatMap((value) => (value === null || value === undefined ? [] : Object.keys(value))))]
              .sort()
              .map((key) => [key, record]),
          ))
    // Fields that only some requests have, such as what rows are put apart by.
    if (values.length > 0 && values.every((value) => value === undefined)) return
    if (fields === undefined) {
      columns.set(path, TYPES[real.type ?? ''] ?? 'VARCHAR')
      for (const [index, value] of values.entries())
        into[index]?.set(path, typeof value === 'object' && value !== null ? JSON.stringify(value) : (value ?? null))
      return
    }
    for (const [key, field] of Object.entries(fields))
      visit(
        path === '' ? key : `${path}_${key}`,
        field,
        values.map((value) => (value as Readonly<Record<string, unknown>> | null | undefined)?.[key]),
        into,
      )
  }
  const flat = shown.map(() => new Map<string, unknown>())
  visit('', schema as Node, shown, flat)
  return { name, columns, rows: flat }
}

function csvField(value: unknown): string {
  if (value === null || value === undefined) return ''
  const shown = String(value as string | number | boolean)
  return /[",\r\n]/.test(shown) ? `"${shown.replaceAll('"', '""')}"` : shown
}

function csvOf({ columns, rows }: Flat): string {
  const names = [...columns.keys()]
  const lines = [names.map(csvField).join(',')]
  for (const row of rows) lines.push(names.map((name) => csvField(row.get(name))).join(','))
  return `${lines.join('\r\n')}\r\n`
}

let files = 0

/** Parquet by DuckDB, through a file of lines in its folder. */
async function parquetOf({ columns, rows }: Flat, engine: Engine | undefined): Promise<Uint8Array<ArrayBuffer>> {
  if (engine === undefined)
    throw new Problem('unavailable', 'this process writes no Parquet', { hint: 'take format=csv' })
  const base = join(engine.scratchDir, `table-${process.pid}-${files++}`)
  const names = [...columns.keys()]
  const types = names.map((name) => `${sqlText(name)}: ${sqlText(columns.get(name) ?? 'VARCHAR')}`).join(', ')
  try {
    await writeFile(`${base}.jsonl`, rows.map((row) => `${JSON.stringify(Object.fromEntries(row))}\n`).join(''))
    await engine.run([
      `COPY (SELECT * FROM read_json(${sqlText(`${base}.jsonl`)}, format = 'newline_delimited', columns = {${types}}))
        TO ${sqlText(`${base}.parquet`)} (FORMAT parquet, COMPRESSION zstd)`,
    ])
    return new Uint8Array(await readFile(`${base}.parquet`))
  } finally {
    await rm(`${base}.jsonl`, { force: true })
    await rm(`${base}.parquet`, { force: true })
  }
}
