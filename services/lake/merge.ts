/** The job that writes several files of a table as one. */
import type { DuckDBConnection } from '@duckdb/node-api'
import { lakeColumns, type LakeTableName } from '#schemas/lake.ts'
import { Problem } from '#services/problem.ts'
import { sqlText } from './engine.ts'
import type { MergeRequest } from './jobs.ts'
import { type WrittenFile, writeParquet } from './parquet.ts'

const filesOf = (paths: readonly string[]): string =>
  `read_parquet([${paths.map(sqlText).join(', ')}], union_by_name = true, hive_partitioning = false)`

/** How many rows, and a sum of their hashes, which is the same in any order. */
async function digestOf(
  connection: DuckDBConnection,
  table: LakeTableName,
  paths: readonly string[],
): Promise<{ rows: number; sum: string }> {
  const columns = Object.keys(lakeColumns(table))
    .map((name) => `"${name}"`)
    .join(', ')
  const found = await connection.runAndReadAll(`select count(*), sum(hash(${columns})) from ${filesOf(paths)}`)
  const [rows, sum] = found.getRows()[0] ?? []
  return { rows: Number(rows), sum: String(sum) }
}

/** Writes the rows of all files into one, and reads it again to see that they are the same. Throws `corrupt` where they are not. */
export async function mergeFiles(connection: DuckDBConnection, request: MergeRequest): Promise<WrittenFile> {
  const { table, dt, localPaths, level, localPath } = request
  const source = { query: `select * from ${filesOf(localPaths)}`, sorted: false }
  const file = await writeParquet(connection, table, dt, source, localPath, level)
  const before = await digestOf(connection, table, localPaths)
  const after = await digestOf(connection, table, [localPath])
  if (before.rows !== after.rows || before.sum !== after.sum || file.rows !== before.rows)
    throw new Problem('corrupt', `the merge of ${localPaths.length} files of ${table} holds other rows than they`, {
      hint: 'nothing was changed; run `npx stepstore verify` to see whether one of the files is damaged',
    })
  return file
}
