/** Rows of lake tables, drawn at random, and how they look when they are read again. */
import fc from 'fast-check'
import { lakeColumns, type LakeTableName } from '#schemas/lake.ts'
import type { LakeRow } from '#services/core/lake-place.ts'
import { type DuckType, duckType } from '#services/lake/duckdb-type.ts'
import type { Engine } from '#services/lake/engine.ts'

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.constantFrom('', '\u0000', 'a\nb', 'é', '\u{1f600}'),
)
const instant = fc
  .record({
    ms: fc.integer({ min: Date.UTC(1, 0, 1) - 1899 * 31_556_952_000, max: Date.UTC(9999, 11, 31) }),
    micros: fc.nat(999),
  })
  .map(({ ms, micros }) => `${new Date(ms).toISOString().slice(0, 23)}${String(micros).padStart(3, '0')}Z`)
  .filter((given) => given.length === 27)
const scalars: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  VARCHAR: text,
  BLOB: fc.uint8Array({ maxLength: 40 }),
  BIGINT: fc.maxSafeInteger(),
  INTEGER: fc.integer(),
  DOUBLE: fc.oneof(fc.double({ noNaN: true }), fc.constantFrom('NaN', '-Infinity', 0)),
  BOOLEAN: fc.boolean(),
  TIMESTAMPTZ: instant,
  DATE: instant.map((given) => given.slice(0, 10)),
}

/** Values of a type, null and what has nulls inside among them. */
function valueOf(type: DuckType): fc.Arbitrary<unknown> {
  if (type.is === 'scalar') return fc.option(scalars[type.name] ?? fc.constant(null), { freq: 3 })
  if (type.is === 'list') return fc.option(fc.array(valueOf(type.of), { maxLength: 3 }), { freq: 3 })
  return fc.option(fc.record(Object.fromEntries(type.fields.map(([name, field]) => [name, valueOf(field)]))))
}

/** Some rows of a table. */
export const rowsOf = (table: LakeTableName): fc.Arbitrary<LakeRow[]> =>
  fc.array(
    fc.record(
      Object.fromEntries(Object.entries(lakeColumns(table)).map(([name, type]) => [name, valueOf(duckType(type))])),
    ),
    { minLength: 1, maxLength: 12 },
  )

/** A value as the query shows it: text for what JSON cannot say. */
function shown(type: DuckType, value: unknown): unknown {
  if (value === null || value === undefined) return null
  if (type.is === 'list') return (value as unknown[]).map((item) => shown(type.of, item))
  if (type.is === 'struct') {
    const fields = value as Readonly<Record<string, unknown>>
    return Object.fromEntries(type.fields.map(([name, field]) => [name, shown(field, fields[name])]))
  }
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex').toUpperCase()
  if (type.name === 'DOUBLE') return String(Number(value) + 0)
  return type.name === 'BIGINT' ? Number(value) : value
}

/** Casts that `shown` mirrors. */
function casts(table: LakeTableName): string {
  const format = (name: string): string => `strftime("${name}" at time zone 'UTC', '%Y-%m-%dT%H:%M:%S.%fZ')`
  return Object.entries(lakeColumns(table))
    .map(([name, type]) =>
      type === 'TIMESTAMPTZ'
        ? `${format(name)} as "${name}"`
        : type === 'BLOB'
          ? `hex("${name}") as "${name}"`
          : `"${name}"`,
    )
    .join(', ')
}

/** The rows of a query over a table, as `expectedOf` shows them. */
export async function readRows(engine: Engine, table: LakeTableName, query: string): Promise<LakeRow[]> {
  return engine.with(new AbortController().signal, async (connection) => {
    const reader = await connection.runAndReadAll(`select ${casts(table)} from (${query})`)
    return reader.getRowObjectsJson().map((row) => expectedOf(table, row))
  })
}

/** A row as reading shows it. */
export function expectedOf(table: LakeTableName, row: Readonly<Record<string, unknown>>): LakeRow {
  return Object.fromEntries(
    Object.entries(lakeColumns(table)).map(([name, type]) => [name, shown(duckType(type), row[name])]),
  )
}

/** Rows as text, each by itself. */
export const asText = (rows: readonly unknown[]): string[] => rows.map((row) => JSON.stringify(row))

/** Steps of ninety trajectories, in no order, with long texts and lists among them. */
export const mixedSteps = (count: number): LakeRow[] =>
  Array.from({ length: count }, (_, n) => ({
    run_id: 'r',
    trajectory_id: `t${10 + ((n * 7) % 90)}`,
    step_index: Math.floor(n / 90),
    raw_output: `said ${n}`.repeat(20),
    observation:
      n % 3 === 0
        ? null
        : [
            { role: 'tool', content: `saw ${n}` },
            { role: 'tool', content: null },
          ].slice(n % 2),
    dt: '2026-01-01',
  }))
