/** Rows that go through a plain Parquet file come out of DuckDB as they went in, and in the order of the table. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { LAKE_TABLE_NAMES, type LakeTableName } from '#schemas/lake.ts'
import type { LakeRow } from '#services/core/lake-place.ts'
import { openEngine, type Engine } from '#services/lake/engine.ts'
import { orderOf, StagedRows } from '#services/lake/staged-rows.ts'
import { asText, expectedOf, mixedSteps, readRows, rowsOf } from '#tests/support/lake-table-rows.ts'

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

const read = (staged: StagedRows, table: LakeTableName): Promise<LakeRow[]> => readRows(engine, table, staged.query())

function staged(table: LakeTableName, rows: readonly LakeRow[], waitingBytesMax?: number): StagedRows {
  const into = new StagedRows(table, join(scratch, String(files++)), waitingBytesMax)
  for (const row of rows) into.add(row)
  into.close()
  return into
}

test.each(LAKE_TABLE_NAMES)('rows of %s keep every value, whatever is null in them', async (table) => {
  await fc.assert(
    fc.asyncProperty(rowsOf(table), async (rows) => {
      const found = asText(await read(staged(table, rows), table))
      expect(found.toSorted()).toEqual(asText(rows.map((row) => expectedOf(table, row))).toSorted())
    }),
    { numRuns: 8 },
  )
})

test('rows of several groups come in the order of the table', async () => {
  const rows = mixedSteps(9_000)
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
  const found = await read(into, 'steps')
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
  const found = await read(into, 'steps')
  expect(found.map((row) => row['prompt_token_ids'])).toEqual(rows.map((row) => row.prompt_token_ids))
})

test('more than may wait in memory goes into several files, and says that it is not sorted', async () => {
  const rows = mixedSteps(300)
  const into = staged('steps', rows, 10_000)
  expect(into.sorted).toBe(false)
  expect(into.paths.length).toBeGreaterThan(3)
  const [parts, whole] = [await read(into, 'steps'), await read(staged('steps', rows), 'steps')]
  expect(asText(parts).toSorted()).toEqual(asText(whole).toSorted())
})
