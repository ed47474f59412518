/**
 * Rows of a table on their way into a file of the lake: they gather in memory and are written in the order of the table.
 * What memory does not hold goes into plain Parquet files on the way, of which DuckDB makes the file.
 */
import { LAKE_TABLES, lakeColumns, type LakeTableName } from '#schemas/lake.ts'
import type { LakeRow } from '#services/core/lake-place.ts'
import { columnNode, type Node, type PlacedLeaf } from './column-tree.ts'
import { duckType } from './duckdb-type.ts'
import { sqlText } from './engine.ts'
import { isFilteredColumn } from './file-stats.ts'
import { type FileSummary, type LeafTable, writeRows } from './parquet-file.ts'
import { TextRoom } from './text-room.ts'
import type { ThriftStruct } from './thrift.ts'

/** The most bytes that wait in memory: a cut of the usual size has 40 million. */
const WAITING_BYTES_MAX = 128 * 1024 * 1024

/** Rows of a group of a plain file; threads of DuckDB take a group each. */
const PLAIN_GROUP_ROWS = 4096

/** The order of the rows of a table. It ends in the key, so that the same rows give the same bytes. */
export function orderOf(table: LakeTableName): string[] {
  const { sort, key } = LAKE_TABLES[table]
  return [...new Set<string>([...sort, ...key])]
}

/** Compares keys of strings and numbers; nulls come last, as in DuckDB. */
function compare(left: unknown, right: unknown): number {
  if (left === right) return 0
  if (left === null) return 1
  if (right === null) return -1
  return (left as string | number) < (right as string | number) ? -1 : 1
}

interface Column {
  readonly name: string
  readonly type: string
  /** Made with the first value, and kept. */
  node: Node | undefined
  /** Whether a waiting row has a value: columns without any cost nothing. */
  isUsed: boolean
  /** The values by which the rows are sorted. */
  readonly keys: unknown[] | undefined
}

/** The staged rows of a table and day. */
export class StagedRows {
  #path: string
  readonly #columns: readonly Column[]
  readonly #order: readonly unknown[][]
  readonly #room = new TextRoom()
  /** Files that were written, each as a query. */
  #files: { readonly path: string; readonly query: string }[] = []
  readonly #waitingBytesMax: number
  #waiting = 0

  /**
   * Writes to `<path>-0.parquet`. With more than `waitingBytesMax` bytes there are more files, in the order in which
   * the rows came.
   */
  constructor(table: LakeTableName, path: string, waitingBytesMax = WAITING_BYTES_MAX) {
    this.#path = path
    this.#waitingBytesMax = waitingBytesMax
    const order = orderOf(table)
    this.#columns = Object.entries(lakeColumns(table)).map(([name, type]) => ({
      name,
      type,
      node: undefined,
      isUsed: false,
      keys: order.includes(name) ? [] : undefined,
    }))
    this.#order = order.map((name) => this.#columns.find((column) => column.name === name)?.keys ?? [])
  }

  add(row: LakeRow): void {
    for (const column of this.#columns) {
      const value = row[column.name] ?? null
      column.keys?.push(value)
      if (column.isUsed) column.node?.add(value, 0, 0)
      else if (value !== null) this.#begin(column).add(value, 0, 0)
    }
    this.#waiting += 1
    if (this.#room.bytes > this.#waitingBytesMax) this.#flush()
  }

  /** The first value of a column: the rows before it have none. */
  #begin(column: Column): Node {
    const node = (column.node ??= columnNode(duckType(column.type), { rep: 0, def: 0, room: this.#room }))
    node.blank(this.#waiting)
    column.isUsed = true
    return node
  }

  /** Forgets every row and begins anew at another path. Its room is kept: to make it costs as much as to fill it. */
  beginAt(path: string): void {
    this.#forget()
    this.#files = []
    this.#path = path
  }

  /** Whether all rows are in memory, so that they can be written by `writeFile`. */
  get isWhole(): boolean {
    return this.#files.length === 0
  }

  /** Writes all rows as a file with every column of the table, and forgets them. See `writeRows`. */
  *writeFile(path: string, groupRows: number, level: number): Generator<undefined, FileSummary> {
    for (const column of this.#columns) if (!column.isUsed) this.#begin(column)
    const options = { groupRows, level, isBounded: isFilteredColumn }
    const summary = yield* writeRows(path, this.#leafTable(), this.#sortedRows(), options)
    this.#forget()
    return summary
  }

  #leafTable(): LeafTable {
    const schema: ThriftStruct[] = []
    const leaves: PlacedLeaf[] = []
    const used = this.#columns.filter(({ isUsed }) => isUsed)
    for (const { name, node } of used) node?.describe([name], schema, leaves)
    return { schema, columns: used.length, leaves }
  }

  /** Whether the rows stand in the order of the table, once closed. */
  get sorted(): boolean {
    return this.#files.length < 2
  }

  get paths(): readonly string[] {
    return this.#files.map(({ path }) => path)
  }

  /** Writes what waits. Nothing can be added afterwards; doing it twice changes nothing. */
  close(): void {
    if (this.#waiting > 0) this.#flush()
  }

  /** The rows as a query, once closed. */
  query(): string {
    return this.#files.map(({ query }) => query).join(' union all ')
  }

  #sortedRows(): Uint32Array {
    const rows = new Uint32Array(this.#waiting)
    for (let row = 0; row < rows.length; row++) rows[row] = row
    return rows.sort((left, right) => {
      for (const keys of this.#order) {
        const found = compare(keys[left], keys[right])
        if (found !== 0) return found
      }
      return left - right
    })
  }

  #flush(): void {
    const path = `${this.#path}-${this.#files.length}.parquet`
    const selected = this.#columns.map(({ name, type, isUsed }) =>
      isUsed ? `"${name}"` : `null::${type} as "${name}"`,
    )
    const writing = writeRows(path, this.#leafTable(), this.#sortedRows(), { groupRows: PLAIN_GROUP_ROWS })
    while (writing.next().done !== true);
    this.#files.push({
      path,
      query: `select ${selected.join(', ')} from read_parquet(${sqlText(path)}, hive_partitioning = false)`,
    })
    this.#forget()
  }

  #forget(): void {
    for (const column of this.#columns) {
      if (column.isUsed) column.node?.clear()
      column.isUsed = false
      if (column.keys !== undefined) column.keys.length = 0
    }
    this.#room.clear()
    this.#waiting = 0
  }
}
