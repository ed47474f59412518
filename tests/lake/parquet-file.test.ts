/** The files of the lake that we write ourselves: every value, the order, and what is noted of them. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { LAKE_TABLE_NAMES, lakeColumns, type LakeTableName } from '#schemas/lake.ts'
import type { LakeRow } from '#services/core/lake-place.ts'
import { openEngine, type Engine } from '#services/lake/engine.ts'
import { writeParquet, writeStagedFile, type WrittenFile } from '#services/lake/parquet.ts'
import { orderOf, StagedRows } from '#services/lake/staged-rows.ts'
import { asText, expectedOf, mixedSteps, readRows, rowsOf } from '#tests/support/lake-table-rows.ts'

let scratch: string
let engine: Engine
let files = 0
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'stepstore-parquet-'))
  engine = await openEngine({ scratchDir: scratch, threads: 2, memoryLimitMb: 512 })
})
afterAll(async () => {
  engine.close()
  await rm(scratch, { recursive: true, force: true })
})

const newPath = (): string => join(scratch, `${files++}.parquet`)
const fileOf = (path: string): string => `select * from read_parquet('${path}', hive_partitioning = false)`

async function written(table: LakeTableName, rows: readonly LakeRow[], into?: StagedRows): Promise<WrittenFile> {
  const staged = into ?? new StagedRows(table, newPath())
  for (const row of rows) staged.add(row)
  return writeStagedFile(staged, table, '2026-01-01', newPath())
}

const duckdb = <Row>(query: string): Promise<Row[]> =>
  engine.with(new AbortController().signal, async (connection) => {
    return (await connection.runAndReadAll(query)).getRowObjectsJson() as Row[]
  })

test.each(LAKE_TABLE_NAMES)('a file of %s holds every value, and DuckDB notes the same of it', async (table) => {
  await fc.assert(
    fc.asyncProperty(rowsOf(table), async (rows) => {
      const file = await written(table, rows)
      const found = asText(await readRows(engine, table, fileOf(file.localPath)))
      expect(found.toSorted()).toEqual(asText(rows.map((row) => expectedOf(table, row))).toSorted())
      const theirs = await engine.with(new AbortController().signal, (connection) =>
        writeParquet(connection, table, '2026-01-01', { query: fileOf(file.localPath), sorted: true }, newPath()),
      )
      expect(file.rows).toBe(theirs.rows)
      expect(file.stats).toEqual(theirs.stats)
    }),
    { numRuns: 8 },
  )
})

test('a file has the columns of its table in their order, with their types', async () => {
  for (const table of LAKE_TABLE_NAMES) {
    const file = await written(table, [{ dt: '2026-01-01' }])
    const columns = await duckdb<{ column_name: string; column_type: string }>(`describe ${fileOf(file.localPath)}`)
    const types = columns.map((column) => [column.column_name, column.column_type.replaceAll('"', '')])
    const wanted = Object.entries(lakeColumns(table)).map(([name, type]) => [
      name,
      type.replaceAll('TIMESTAMPTZ', 'TIMESTAMP WITH TIME ZONE').replaceAll('"', ''),
    ])
    expect(types).toEqual(wanted)
  }
})

test('rows of several groups stand in the order of the table, and each group knows its first and last', async () => {
  const rows = mixedSteps(20_000)
  const file = await written('steps', rows)
  const bytes = readFileSync(file.localPath)
  expect(file.bytes).toBe(bytes.length)
  expect(file.sha256).toBe(createHash('sha256').update(bytes).digest('hex'))
  const found = await duckdb<LakeRow>(
    `select ${orderOf('steps').join(', ')} from read_parquet('${file.localPath}', file_row_number = true) order by file_row_number`,
  )
  const key = (row: LakeRow): string => `${String(row['trajectory_id'])} ${String(row['step_index']).padStart(6, '0')}`
  expect(found.map(key)).toEqual(rows.map(key).toSorted())
  const groups = await duckdb<{ id: string; low: string; high: string; nulls: string; rows: string }>(
    `select row_group_id as id, stats_min_value as low, stats_max_value as high, stats_null_count as nulls, num_values as rows
     from parquet_metadata('${file.localPath}') where path_in_schema = 'trajectory_id' order by 1`,
  )
  expect(groups.map((group) => Number(group.rows))).toEqual([8192, 8192, 3616])
  const ids = rows.map((row) => String(row['trajectory_id'])).toSorted()
  expect(groups.map(({ low, high }) => [low, high])).toEqual(
    [0, 8192, 16_384].map((from) => [ids[from], ids.slice(from, from + 8192).at(-1)]),
  )
  const [steps] = await duckdb<{ low: string; high: string; nulls: string }>(
    `select min(stats_min_value::bigint) as low, max(stats_max_value::bigint) as high, sum(stats_null_count) as nulls
     from parquet_metadata('${file.localPath}') where path_in_schema = 'step_index'`,
  )
  expect([Number(steps?.low), Number(steps?.high), Number(steps?.nulls)]).toEqual([0, 222, 0])
})

test('what has no order has no least or greatest value: NaN, and instants past what a double holds', async () => {
  const rows: LakeRow[] = [1, 'NaN', 3].map((reward, n) => ({
    trajectory_id: `t${n}`,
    reward_version: '',
    reward,
    appended_at: '9999-12-31T23:59:59.999999Z',
    time: n === 0 ? null : `2026-11-23T03:00:00.00000${n}Z`,
  }))
  const file = await written('scores', rows)
  const stats = await duckdb<{ name: string; low: string | null; nulls: string }>(
    `select path_in_schema as name, stats_min_value as low, stats_null_count as nulls from parquet_metadata('${file.localPath}')`,
  )
  const of = (name: string) => stats.find((column) => column.name === name)
  expect(of('reward')?.low).toBeNull()
  expect(of('appended_at')?.low).toBeNull()
  expect(of('time')?.low).toContain('03:00:00.000001')
  expect(Number(of('time')?.nulls)).toBe(1)
  const [kept] = await duckdb<{ n: string }>(`select count(*) as n from (${fileOf(file.localPath)}) where reward = 3`)
  expect(Number(kept?.n)).toBe(1)
})

test('rows that are staged again in the same memory give the bytes of fresh ones', async () => {
  const [first, second] = [mixedSteps(700), mixedSteps(300).map((row) => ({ ...row, run_id: null, observation: null }))]
  const staged = new StagedRows('steps', newPath())
  await written('steps', first, staged)
  staged.beginAt(newPath())
  const again = await written('steps', second, staged)
  const fresh = await written('steps', second)
  expect(again.sha256).toBe(fresh.sha256)
  expect(again.stats).toEqual(fresh.stats)
})
