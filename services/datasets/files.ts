/** Files of lake tables as relations in SQL, and which of them a request need not read. */
import { lakeColumns, type LakeTableName } from '#schemas/lake.ts'
import { sqlName, sqlText, sqlTexts } from './sql.ts'

/** What a file holds of a column, as far as it is known. */
export interface ColumnStats {
  readonly min?: unknown
  readonly max?: unknown
  readonly null_count?: unknown
}

/** A Parquet file of a lake table at a snapshot. */
export interface LakeFile {
  /** The blob key. */
  readonly path: string
  readonly rows: number
  /** By column. */
  readonly stats: Readonly<Record<string, ColumnStats>>
}

/** A lake file at the place where DuckDB can read it. */
export interface LocalFile extends LakeFile {
  readonly localPath: string
}

/** What of the lake a request looks at, where that is less than all of it. */
export interface ReadScope {
  /** The runs that are asked for, those that they resumed included where lineage is. */
  readonly runs: readonly string[]
  /** Rows of trajectories in all files of the snapshot, those that are left out included. */
  readonly finished: number
}

/** The files of each table; a table that is not named has none. With a scope, rows of other runs are not read either. */
export type LakeFiles = { readonly [Table in LakeTableName]?: readonly LocalFile[] } & { readonly scope?: ReadScope }

/** Tables whose rows of other runs nobody asks for once there is a scope. */
const OF_RUNS: ReadonlySet<LakeTableName> = new Set(['trajectories', 'steps', 'runs'])

/** Whether the run of a row is in the scope. The bounds let the engine leave out groups of rows by their statistics. */
export function inScope({ scope }: LakeFiles): string {
  if (scope === undefined) return 'true'
  const runs = scope.runs.toSorted(byBytes)
  const [first, last] = [runs[0], runs.at(-1)]
  if (first === undefined || last === undefined) return 'false'
  return `run_id >= ${sqlText(first)} AND run_id <= ${sqlText(last)} AND run_id IN (${runs.map(sqlText).join(', ')})`
}

/** A table as a relation with these of its columns. A table without files is an empty relation with the same types. */
export function relation(table: LakeTableName, files: LakeFiles, columns: readonly string[]): string {
  const types = lakeColumns(table)
  const paths = (files[table] ?? []).map((file) => file.localPath)
  if (paths.length === 0) {
    const typed = columns.map((column) => `NULL::${types[column] ?? 'VARCHAR'} AS ${sqlName(column)}`)
    return `(SELECT ${typed.join(', ')} WHERE false)`
  }
  const where = files.scope !== undefined && OF_RUNS.has(table) ? ` WHERE ${inScope(files)}` : ''
  return `(SELECT ${columns.map(sqlName).join(', ')} FROM read_parquet(${sqlTexts(paths)}, union_by_name = true, hive_partitioning = false)${where})`
}

/** DuckDB orders text by its bytes, JavaScript by UTF-16 units; the two differ beyond U+FFFF. */
export function byBytes(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right))
}
