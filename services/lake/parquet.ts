/** Writes one Parquet file of a lake table and says what is in it. */
import type { DuckDBConnection } from '@duckdb/node-api'
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { lakeColumns, type LakeTableName } from '#schemas/lake.ts'
import { sqlText } from './engine.ts'
import { orderOf } from './staged-rows.ts'

/** What a file holds of a column. */
export interface ColumnStats {
  readonly min?: string | number
  readonly max?: string | number
  readonly null_count: number
}

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

/** The columns that filters use. */
const FILTERED = new Set(
  'partition offset run_id trajectory_id item_id group_id image_id policy_version train_step step_index reward_version name status type verdict first_offset finished_offset'.split(
    ' ',
  ),
)

/** Columns of which only is noted how often they are null: a dataset reads other columns where there is none. */
const COUNTED = new Set(['raw_output'])

/** Whole trajectories are read most, and 8192 steps a group read them fastest (engine minimum 2048). */
const ROW_GROUP_ROWS = 8192
/** What a cut writes is packed fast: at level 3 a step costs 9 to 17 µs more. Compaction packs it well. */
const LEVEL = 1

/** Rows to write, and whether they come in the order of the table. */
export interface RowSource {
  readonly query: string
  readonly sorted: boolean
}

/** Writes rows, sorted, as one file. */
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
    stats: readStats(table, row['column_statistics']),
  }
}

interface Entry {
  readonly key: string
  readonly value: unknown
}

function readStats(table: LakeTableName, given: unknown): Record<string, ColumnStats> {
  const types = lakeColumns(table)
  const stats: Record<string, ColumnStats> = {}
  for (const { key, value } of given as readonly Entry[]) {
    const name = key.slice(1, -1)
    if (!FILTERED.has(name) && !COUNTED.has(name)) continue
    const found = new Map((value as readonly Entry[]).map((entry) => [entry.key, String(entry.value)]))
    const typed = (text: string): string | number => (types[name] === 'VARCHAR' ? text : Number(text))
    const [min, max] = [found.get('min'), found.get('max')]
    stats[name] = {
      ...(min === undefined || max === undefined || COUNTED.has(name) ? {} : { min: typed(min), max: typed(max) }),
      null_count: Number(found.get('null_count') ?? 0),
    }
  }
  return stats
}

/** The SHA-256 of a file, in hex. */
export async function fileHash(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const piece of createReadStream(path, { highWaterMark: 1024 * 1024 })) hash.update(piece as Buffer)
  return hash.digest('hex')
}
