/** Files of lake tables as relations in SQL, and which of them a request need not read. */
import { lakeColumns, type LakeTableName } from '#schemas/lake.ts'
import type { Condition, FilterValue } from './filters.ts'
import { sqlName, sqlTexts } from './sql.ts'

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

/** The files of each table; a table that is not named has none. */
export type LakeFiles = { readonly [Table in LakeTableName]?: readonly LocalFile[] }

/** A table as a relation with these of its columns. A table without files is an empty relation with the same types. */
export function relation(table: LakeTableName, files: LakeFiles, columns: readonly string[]): string {
  const types = lakeColumns(table)
  const paths = (files[table] ?? []).map((file) => file.localPath)
  if (paths.length === 0) {
    const typed = columns.map((column) => `NULL::${types[column] ?? 'VARCHAR'} AS ${sqlName(column)}`)
    return `(SELECT ${typed.join(', ')} WHERE false)`
  }
  return `(SELECT ${columns.map(sqlName).join(', ')} FROM read_parquet(${sqlTexts(paths)}, union_by_name = true, hive_partitioning = false))`
}

/** Whether a file can hold a row whose column is one of the values that a condition lists. Unknown statistics: it can. */
export function canHold(file: LakeFile, column: string, condition: Condition<FilterValue> | undefined): boolean {
  if (condition === undefined || condition.any.length === 0) return true
  const { min, max } = file.stats[column] ?? {}
  if (typeof min !== 'string' || typeof max !== 'string') return true
  return condition.any.some(
    (value) => typeof value !== 'string' || (byBytes(min, value) <= 0 && byBytes(value, max) <= 0),
  )
}

/** DuckDB orders text by its bytes, JavaScript by UTF-16 units; the two differ beyond U+FFFF. */
function byBytes(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right))
}
