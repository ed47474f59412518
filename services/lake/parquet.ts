/** One Parquet file of a lake table, written here or by DuckDB, and what is in it. */
import type { DuckDBConnection } from '@duckdb/node-api'
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { lakeColumns, type LakeTableName } from '#schemas/lake.ts'
import { sqlText } from './engine.ts'
import { type ColumnStats, statsOfCopy, statsOfSpans } from './file-stats.ts'
import { orderOf, type StagedRows } from './staged-rows.ts'

/** A Parquet file that was written to the scratch folder. */
export interface WrittenFile {
  readonly table: LakeTableName
  /** The day of append of its rows, YYYY-MM-DD. */
  readonly dt: string
  readonly localPath: string
  readonly rows: number
  readonly bytes: number
  readonly sha256: string
  /** By column, for those that filters and recipes use. */
  readonly stats: Readonly<Record<string, ColumnStats>>
}

/** Whole trajectories are read most, and 8192 steps a group read them fastest (engine minimum 2048). */
const ROW_GROUP_ROWS = 8192
/** What a cut writes is packed fast: at level 3 a step costs 9 to 17 µs more. Compaction packs it well. */
const LEVEL = 1

/** Writes staged rows that are all in memory, other work of the thread between the columns. */
export async function writeStagedFile(
  rows: StagedRows,
  table: LakeTableName,
  dt: string,
  localPath: string,
): Promise<WrittenFile> {
  const writing = rows.writeFile(localPath, ROW_GROUP_ROWS, LEVEL)
  let step = writing.next()
  for (; step.done !== true; step = writing.next()) await nextTurn()
  const { rows: count, bytes, sha256, spans } = step.value
  return { table, dt, localPath, rows: count, bytes, sha256, stats: statsOfSpans(spans) }
}

/** Rows to write, and whether they come in the order of the table. */
export interface RowSource {
  readonly query: string
  readonly sorted: boolean
}

/** Has DuckDB write rows, sorted, as one file. */
export async function writeParquet(
  connection: DuckDBConnection,
  table: LakeTableName,
  dt: string,
  { query, sorted }: RowSource,
  localPath: string,
  level = LEVEL,
): Promise<WrittenFile> {
  const options = `format parquet, compression zstd, compression_level ${level}, row_group_size ${ROW_GROUP_ROWS}, return_stats`
  const names = Object.keys(lakeColumns(table)).map((name) => `"${name}"`)
  const order = sorted
    ? ''
    : `order by ${orderOf(table)
        .map((name) => `"${name}"`)
        .join(', ')}`
  const copied = await connection.runAndReadAll(
    `copy (select ${names.join(', ')} from (${query}) ${order}) to ${sqlText(localPath)} (${options})`,
  )
  const row = copied.getRowObjectsJson()[0] ?? {}
  return {
    table,
    dt,
    localPath,
    rows: Number(row['count']),
    bytes: Number(row['file_size_bytes']),
    sha256: await fileHash(localPath),
    stats: statsOfCopy(table, row['column_statistics']),
  }
}

/** The SHA-256 of a file, in hex. */
export async function fileHash(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const piece of createReadStream(path, { highWaterMark: 1024 * 1024 })) hash.update(piece as Buffer)
  return hash.digest('hex')
}
