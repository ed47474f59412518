/** Rows of a cut on their way into the lake, by table and day of append. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { DuckDBConnection } from '@duckdb/node-api'
import { LAKE_TABLE_NAMES, type LakeTableName } from '#schemas/lake.ts'
import type { LakeRow } from '#services/core/lake-place.ts'
import { writeParquet, writeStagedFile, type WrittenFile } from './parquet.ts'
import { StagedRows } from './staged-rows.ts'

/** Has DuckDB make a file of rows that memory did not hold. */
async function merged(
  connection: DuckDBConnection,
  rows: StagedRows,
  table: LakeTableName,
  dt: string,
  path: string,
): Promise<WrittenFile> {
  rows.close()
  const written = await writeParquet(connection, table, dt, { query: rows.query(), sorted: rows.sorted }, path)
  for (const staged of rows.paths) rmSync(staged)
  return written
}

/** The staged rows of one cut, and then of another: the memory that they took serves again. */
export class Staging {
  #folder = ''
  #tables = new Map<LakeTableName, Map<string, StagedRows>>()
  readonly #spare = new Map<LakeTableName, StagedRows>()

  /** Forgets every row and begins anew in a folder; the first thing to do. */
  beginIn(folder: string): void {
    for (const [table, days] of this.#tables) for (const rows of days.values()) this.#spare.set(table, rows)
    this.#tables = new Map()
    this.#folder = folder
  }

  add(table: LakeTableName, row: LakeRow): void {
    const dt = String(row['dt'])
    let days = this.#tables.get(table)
    if (days === undefined) this.#tables.set(table, (days = new Map()))
    let rows = days.get(dt)
    if (rows === undefined) days.set(dt, (rows = this.#rowsAt(table, join(this.#folder, `${table}-${dt}`))))
    rows.add(row)
  }

  #rowsAt(table: LakeTableName, path: string): StagedRows {
    const spare = this.#spare.get(table)
    if (spare === undefined) return new StagedRows(table, path)
    this.#spare.delete(table)
    spare.beginAt(path)
    return spare
  }

  /** Writes the files of the lake into a folder, in the order of tables and days. Nothing can be added afterwards. */
  async write(connection: DuckDBConnection, folder: string, progress: (share: number) => void): Promise<WrittenFile[]> {
    const written: WrittenFile[] = []
    const total = LAKE_TABLE_NAMES.length
    for (const [index, table] of LAKE_TABLE_NAMES.entries()) {
      const days = this.#tables.get(table) ?? []
      for (const [dt, rows] of [...days].sort(([left], [right]) => (left < right ? -1 : 1))) {
        const path = join(folder, `${table}-${dt}.parquet`)
        written.push(
          rows.isWhole ? await writeStagedFile(rows, table, dt, path) : await merged(connection, rows, table, dt, path),
        )
      }
      progress((index + 1) / total)
    }
    return written
  }
}
