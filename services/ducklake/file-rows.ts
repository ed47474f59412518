/** What a DuckLake catalog says of snapshots and of the files that they have. */
import type { LakeTableName } from '#schemas/lake.ts'
import type { DataFile } from '#services/lake/catalog.ts'
import { columnIds, NEXT_CATALOG_ID, tableId, type RowSink } from './lake-rows.ts'

interface Change {
  readonly gained: Set<number>
  readonly lost: Set<number>
}

interface Totals {
  /** Of files that the last snapshot has. */
  rows: number
  bytes: number
  /** Of all files. */
  rowsEver: number
}

/** Gives the rows of files, which must come in order, and afterwards those of snapshots. */
export class FileRows {
  readonly #put: RowSink
  readonly #last: number
  readonly #columns = new Map<LakeTableName, ReadonlyMap<string, number>>()
  readonly #tables = new Map<LakeTableName, Totals>()
  readonly #changes = new Map<number, Change>()
  #nextFile = 0

  /** `last` is the newest snapshot that the catalog knows: what became of a file later is left out. */
  constructor(last: number, put: RowSink) {
    this.#last = last
    this.#put = put
  }

  add(file: DataFile): void {
    const table = file.table_name as LakeTableName
    const [fileId, id] = [this.#nextFile++, tableId(table)]
    const totals = this.#tables.get(table) ?? { rows: 0, bytes: 0, rowsEver: 0 }
    this.#tables.set(table, totals)
    this.#changeOf(file.begin_snapshot).gained.add(id)
    const end = file.end_snapshot !== null && file.end_snapshot <= this.#last ? file.end_snapshot : undefined
    if (end !== undefined) this.#changeOf(end).lost.add(id)
    this.#put('ducklake_data_file', {
      data_file_id: fileId,
      table_id: id,
      begin_snapshot: file.begin_snapshot,
      ...(end === undefined ? {} : { end_snapshot: end }),
      path: file.path.slice(`lake/${table}/`.length),
      path_is_relative: true,
      file_format: 'parquet',
      record_count: file.rows,
      file_size_bytes: file.bytes,
      row_id_start: totals.rowsEver,
      mapping_id: id,
    })
    totals.rowsEver += file.rows
    if (end === undefined) {
      totals.rows += file.rows
      totals.bytes += file.bytes
    }
    this.#addStats(fileId, table, file)
  }

  #changeOf(snapshotId: number): Change {
    const known = this.#changes.get(snapshotId) ?? { gained: new Set(), lost: new Set() }
    this.#changes.set(snapshotId, known)
    return known
  }

  #addStats(fileId: number, table: LakeTableName, file: DataFile): void {
    const ids = this.#columns.get(table) ?? columnIds(table)
    this.#columns.set(table, ids)
    const stats: DataFile['stats'] = { ...file.stats, dt: { min: file.dt, max: file.dt, null_count: 0 } }
    for (const [name, { min, max, null_count }] of Object.entries(stats)) {
      const column = ids.get(name)
      const isBounded = min !== undefined && max !== undefined
      // Values without bounds are left out: a reader might take them for none.
      if (column === undefined || !(isBounded || null_count === file.rows)) continue
      this.#put('ducklake_file_column_stats', {
        data_file_id: fileId,
        table_id: tableId(table),
        column_id: column,
        value_count: file.rows - null_count,
        null_count,
        ...(isBounded ? { min_value: String(min), max_value: String(max) } : {}),
      })
    }
  }

  /** Once all files were added: a snapshot, oldest first. */
  snapshot({ snapshot_id, created_at }: { readonly snapshot_id: number; readonly created_at: string }): void {
    this.#put('ducklake_snapshot', {
      snapshot_id,
      snapshot_time: created_at,
      schema_version: 0,
      next_catalog_id: NEXT_CATALOG_ID,
      next_file_id: this.#nextFile,
    })
    const { gained, lost } = this.#changeOf(snapshot_id)
    const changes = [
      ...[...gained].map((id) => `inserted_into_table:${id}`),
      ...[...lost].map((id) => `deleted_from_table:${id}`),
    ]
    this.#put('ducklake_snapshot_changes', { snapshot_id, changes_made: changes.join(',') })
  }

  /** At the end: how large the tables are. */
  finish(): void {
    for (const [table, { rows, bytes, rowsEver }] of this.#tables) {
      const id = tableId(table)
      this.#put('ducklake_table_stats', {
        table_id: id,
        record_count: rows,
        next_row_id: rowsEver,
        file_size_bytes: bytes,
      })
      // Nothing is said of a column over all files; DuckDB 1.4 wants a row all the same.
      this.#put('ducklake_table_column_stats', { table_id: id, column_id: 1 })
    }
  }
}
