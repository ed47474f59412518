/** Rows of a cut on their way into Parquet: one file of lines for each table and day of append. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { DuckDBConnection } from '@duckdb/node-api'
import { LAKE_TABLE_NAMES, lakeColumns, type LakeTableName } from '#schemas/lake.ts'
import type { LakeRow } from '#services/core/lake-place.ts'
import { sqlText } from './engine.ts'
import { EventLines, type EventRow } from './event-lines.ts'
import { LineFile } from './line-file.ts'
import { writeParquet, type WrittenFile } from './parquet.ts'

/** Rows of a file of JSON lines, typed as the columns of a table. */
export function jsonLines(table: LakeTableName, file: LineFile): string {
  const columns = Object.entries(lakeColumns(table)).map(([name, type]) => `${sqlText(name)}: ${sqlText(type)}`)
  const objectBytesMax = Math.max(16 * 1024 * 1024, file.lineBytesMax + 1024)
  return `select * from read_json(${sqlText(file.path)}, format = 'newline_delimited', maximum_object_size = ${objectBytesMax}, columns = {${columns.join(', ')}})`
}

/** The staged rows of one cut. */
export class Staging {
  readonly #folder: string
  readonly #events = new Map<string, EventLines>()
  readonly #tables = new Map<LakeTableName, Map<string, LineFile>>()

  constructor(folder: string) {
    this.#folder = folder
  }

  addEvent(row: EventRow): void {
    let lines = this.#events.get(row.dt)
    if (lines === undefined) {
      lines = new EventLines(join(this.#folder, `events-${row.dt}`))
      this.#events.set(row.dt, lines)
    }
    lines.add(row)
  }

  add(table: LakeTableName, row: LakeRow): void {
    const dt = String(row['dt'])
    let days = this.#tables.get(table)
    if (days === undefined) this.#tables.set(table, (days = new Map()))
    let lines = days.get(dt)
    if (lines === undefined) days.set(dt, (lines = new LineFile(join(this.#folder, `${table}-${dt}.ndjson`))))
    lines.text(JSON.stringify(row)).endLine()
  }

  /** Writes the Parquet files, in the order of tables and days, once the files of lines are closed. */
  async write(connection: DuckDBConnection, progress: (share: number) => void): Promise<WrittenFile[]> {
    const written: WrittenFile[] = []
    const total = LAKE_TABLE_NAMES.length
    for (const [index, table] of LAKE_TABLE_NAMES.entries()) {
      const queries: readonly (readonly [string, string, readonly string[]])[] =
        table === 'events'
          ? [...this.#events].map(([dt, lines]) => [dt, lines.query(), lines.paths] as const)
          : [...(this.#tables.get(table) ?? [])].map(([dt, file]) => [dt, jsonLines(table, file), [file.path]] as const)
      for (const [dt, query, paths] of [...queries].sort(([left], [right]) => (left < right ? -1 : 1))) {
        written.push(await writeParquet(connection, table, dt, query, join(this.#folder, `${table}-${dt}.parquet`)))
        for (const path of paths) rmSync(path)
      }
      progress((index + 1) / total)
    }
    return written
  }

  /** Closes all files of lines; nothing can be added afterwards. */
  close(): void {
    for (const lines of this.#events.values()) lines.close()
    for (const days of this.#tables.values()) for (const lines of days.values()) lines.close()
  }
}
