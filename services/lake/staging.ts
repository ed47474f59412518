/** Rows of a cut on their way into Parquet: one file of lines for each table and day of append. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { DuckDBConnection } from '@duckdb/node-api'
import { LAKE_TABLE_NAMES, type LakeTableName } from '#schemas/lake.ts'
import type { LakeRow } from '#services/core/lake-place.ts'
import { EventLines, type EventRow } from './event-lines.ts'
import { writeParquet, type WrittenFile } from './parquet.ts'
import { RowLines } from './row-lines.ts'

/** The staged rows of one cut. */
export class Staging {
  readonly #folder: string
  readonly #events = new Map<string, EventLines>()
  readonly #tables = new Map<LakeTableName, Map<string, RowLines>>()
  #isClosed = false

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
    if (lines === undefined) days.set(dt, (lines = new RowLines(table, join(this.#folder, `${table}-${dt}.ndjson`))))
    lines.add(row)
  }

  /** Writes the Parquet files into a folder, in the order of tables and days, once the files of lines are closed. */
  async write(connection: DuckDBConnection, folder: string, progress: (share: number) => void): Promise<WrittenFile[]> {
    const written: WrittenFile[] = []
    const total = LAKE_TABLE_NAMES.length
    for (const [index, table] of LAKE_TABLE_NAMES.entries()) {
      const days: ReadonlyMap<string, EventLines | RowLines> | undefined =
        table === 'events' ? this.#events : this.#tables.get(table)
      for (const [dt, lines] of [...(days ?? [])].sort(([left], [right]) => (left < right ? -1 : 1))) {
        const source = { query: lines.query(), sorted: lines.sorted }
        written.push(await writeParquet(connection, table, dt, source, join(folder, `${table}-${dt}.parquet`)))
        for (const path of lines.paths) rmSync(path)
      }
      progress((index + 1) / total)
    }
    return written
  }

  /** Closes all files of lines; nothing can be added afterwards. Doing it twice changes nothing. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    for (const lines of this.#events.values()) lines.close()
    for (const days of this.#tables.values()) for (const lines of days.values()) lines.close()
  }
}
