/** Rows of a cut on their way into the lake, by table and day of append. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { DuckDBConnection } from '@duckdb/node-api'
import { LAKE_TABLE_NAMES, type LakeTableName } from '#schemas/lake.ts'
import type { LakeRow } from '#services/core/lake-place.ts'
import { writeParquet, type WrittenFile } from './parquet.ts'
import { StagedRows } from './staged-rows.ts'

/** The staged rows of one cut. */
export class Staging {
  readonly #folder: string
  readonly #tables = new Map<LakeTableName, Map<string, StagedRows>>()

  constructor(folder: string) {
    this.#folder = folder
  }

  add(table: LakeTableName, row: LakeRow): void {
    const dt = String(row['dt'])
    let days = this.#tables.get(table)
    if (days === undefined) this.#tables.set(table, (days = new Map()))
    let rows = days.get(dt)
    if (rows === undefined) days.set(dt, (rows = new StagedRows(table, join(this.#folder, `${table}-${dt}`))))
    rows.add(row)
  }

  /** Writes the files of the lake into a folder, in the order of tables and days. Nothing can be added afterwards. */
  async write(connection: DuckDBConnection, folder: string, progress: (share: number) => void): Promise<WrittenFile[]> {
    const written: WrittenFile[] = []
    const total = LAKE_TABLE_NAMES.length
    for (const [index, table] of LAKE_TABLE_NAMES.entries()) {
      const days = this.#tables.get(table) ?? []
      for (const [dt, rows] of [...days].sort(([left], [right]) => (left < right ? -1 : 1))) {
        rows.close()
        const source = { query: rows.query(), sorted: rows.sorted }
        written.push(await writeParquet(connection, table, dt, source, join(folder, `${table}-${dt}.parquet`)))
        for (const path of rows.paths) rmSync(path)
      }
      progress((index + 1) / total)
    }
    return written
  }
}
