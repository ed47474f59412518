/**
 * Rows of a table on their way into DuckDB, as lines of JSON in the order of the table, so that DuckDB need not sort them
 * with their long texts (a quarter of what a step costs it). Beyond a bound of memory they go out unsorted.
 */
import { LAKE_TABLES, lakeColumns, type LakeTableName } from '#schemas/lake.ts'
import type { LakeRow } from '#services/core/lake-place.ts'
import { sqlText } from './engine.ts'
import { LineFile } from './line-file.ts'
import { LineRoom, WAITING_BYTES_MAX } from './line-room.ts'

interface Waiting {
  /** The values that the row is sorted by. */
  readonly key: readonly unknown[]
  readonly line: Uint8Array
}

/** The order of the rows of a table. It ends in the key, so that the same rows give the same bytes. */
export function orderOf(table: LakeTableName): string[] {
  const { sort, key } = LAKE_TABLES[table]
  return [...new Set<string>([...sort, ...key])]
}

/** Compares keys of strings and numbers; nulls come last, as in DuckDB. */
function compareKeys(left: readonly unknown[], right: readonly unknown[]): number {
  for (const [index, mine] of left.entries()) {
    const other = right[index]
    if (mine === other) continue
    if (mine === null) return 1
    if (other === null) return -1
    return (mine as string | number) < (other as string | number) ? -1 : 1
  }
  return 0
}

/** Rows of a file of JSON lines, typed as the columns of a table. */
export function jsonLines(table: LakeTableName, file: LineFile): string {
  const columns = Object.entries(lakeColumns(table)).map(([name, type]) => `${sqlText(name)}: ${sqlText(type)}`)
  const objectBytesMax = Math.max(16 * 1024 * 1024, file.lineBytesMax + 1024)
  return `select * from read_json(${sqlText(file.path)}, format = 'newline_delimited', maximum_object_size = ${objectBytesMax}, columns = {${columns.join(', ')}})`
}

/** The staged rows of a table and day. */
export class RowLines {
  readonly #table: LakeTableName
  readonly #order: readonly string[]
  readonly #file: LineFile
  readonly #room = new LineRoom()
  #waiting: Waiting[] = []
  #waitingBytes = 0
  #sorted = true

  constructor(table: LakeTableName, path: string) {
    this.#table = table
    this.#order = orderOf(table)
    this.#file = new LineFile(path)
  }

  add(row: LakeRow): void {
    const line = this.#room.keep(JSON.stringify(row))
    this.#waiting.push({ key: this.#order.map((name) => row[name] ?? null), line })
    this.#waitingBytes += line.length
    if (this.#waitingBytes <= WAITING_BYTES_MAX) return
    this.#sorted = false
    this.#flush()
  }

  /** Whether the lines stand in the order of the table, once closed. */
  get sorted(): boolean {
    return this.#sorted
  }

  get paths(): readonly string[] {
    return [this.#file.path]
  }

  close(): void {
    if (this.#sorted) this.#waiting.sort((left, right) => compareKeys(left.key, right.key))
    this.#flush()
    this.#file.close()
  }

  /** The rows as a query, once closed. */
  query(): string {
    return jsonLines(this.#table, this.#file)
  }

  #flush(): void {
    for (const { line } of this.#waiting) this.#file.bytes(line).endLine()
    this.#waiting = []
    this.#waitingBytes = 0
  }
}
