/** Rows that go through a plain Parquet file come out of DuckDB as they went in, and in the order of the table. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { LAKE_TABLE_NAMES, lakeColumns, type LakeTableName } from '#schemas/lake.ts'
import type { LakeRow } from '#services/core/lake-place.ts'
import { type DuckType, duckType } from '#services/lake/duckdb-type.ts'
import { openEngine, type Engine } from '#services/lake/engine.ts'
import { orderOf, StagedRows } from '#services/lake/staged-rows.ts'

let scratch: string
let engine: Engine
let files = 0
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'stepstore-staged-'))
  engine = await openEngine({ scratchDir: scratch, threads: 2, memoryLimitMb: 512 })
})
afterAll(async () => {
  engine.close()
  await rm(scratch, { recursive: true, force: true })
})

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

const rowsOf = (table: LakeTableName): fc.Arbitrary<LakeRow[]> =>
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

async function read(staged: StagedRows, table: LakeTableName): Promise<unknown[]> {
  return engine.with(new AbortController().signal, async (connection) => {
    const reader = await connection.runAndReadAll(`select ${casts(table)} from (${staged.query()})`)
    return reader.getRowObjectsJson().map((row) =>
      Object.fromEntries(
        Object.entries(lakeColumns(table)).map(([name, type]) => {
          return [name, shown(duckType(type), row[name])]
        }),
      ),
    )
  })
}

const asText = (rows: readonly unknown[]): string[] => rows.map((row) => JSON.stringify(row))

function staged(table: LakeTableName, rows: readonly LakeRow[], waitingBytesMax?: number): StagedRows {
  const into = new StagedRows(table, join(scratch, String(files++)), waitingBytesMax)
  for (const row of rows) into.add(row)
  into.close()
  return into
}

test.each(LAKE_TABLE_NAMES)('rows of %s keep every value, whatever is null in them', async (table) => {
  const columns = Object.entries(lakeColumns(table)).map(([name, type]) => [name, duckType(type)] as const)
  const expected = (row: LakeRow) => Object.fromEntries(columns.map(([name, type]) => [name, shown(type, row[name])]))
  await fc.assert(
    fc.asyncProperty(rowsOf(table), async (rows) => {
      const found = asText(await read(staged(table, rows), table))
      expect(found.toSorted()).toEqual(asText(rows.map(expected)).toSorted())
    }),
    { numRuns: 8 },
  )
})

const steps = (count: number): LakeRow[] =>
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

test('rows of several groups come in the order of the table', async () => {
  const rows = steps(9_000)
  const into = staged('steps', rows)
  expect(into.sorted).toBe(true)
  const key = (row: Readonly<Record<string, unknown>>): string =>
    orderOf('steps')
      .map((name) =>
        JSON.stringify(row[name] ?? '')
          .replaceAll('"', '')
          .padStart(6, '0'),
      )
      .join()
  const found = (await read(into, 'steps')) as LakeRow[]
  expect(found.map(key)).toEqual(rows.map(key).toSorted())
  expect(asText(found.map((row) => row['raw_output'])).toSorted()).toEqual(
    asText(rows.map((row) => row['raw_output'])).toSorted(),
  )
})

test('lists of numbers count as what waits', async () => {
  const rows = Array.from({ length: 20 }, (_, n) => ({
    trajectory_id: 't',
    step_index: n,
    prompt_token_ids: Array.from({ length: 500 }, (_unused, id) => id + n),
  }))
  const into = staged('steps', rows, 20_000)
  expect(into.paths.length).toBeGreaterThan(3)
  const found = (await read(into, 'steps')) as LakeRow[]
  expect(found.map((row) => row['prompt_token_ids'])).toEqual(rows.map((row) => row.prompt_token_ids))
})

test('more than may wait in memory goes into several files, and says that it is not sorted', async () => {
  const rows = steps(300)
  const into = staged('steps', rows, 10_000)
  expect(into.sorted).toBe(false)
  expect(into.paths.length).toBeGreaterThan(3)
  const [parts, whole] = [await read(into, 'steps'), await read(staged('steps', rows), 'steps')]
  expect(asText(parts).toSorted()).toEqual(asText(whole).toSorted())
})
