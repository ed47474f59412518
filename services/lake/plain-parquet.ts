/** Writes a Parquet file as plainly as it can be: one page for each column and group of rows, nothing packed, no statistics. */
import { closeSync, openSync, writeSync } from 'node:fs'
import { type Leaf, Page } from './column-leaf.ts'
import type { PlacedLeaf } from './column-tree.ts'
import { ThriftStruct } from './thrift.ts'

const MAGIC = Buffer.from('PAR1')
/** Rows of a group; threads of DuckDB take a group each. */
const GROUP_ROWS = 4096
const PLAIN = 0
const RLE = 3

/** Columns as they were taken apart, with the schema that names them. */
export interface PlainTable {
  /** The elements of the schema below its root, and how many of them are columns. */
  readonly schema: readonly ThriftStruct[]
  readonly columns: number
  readonly leaves: readonly PlacedLeaf[]
}

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at)
}

function pageHeader(bytes: number, values: number): Buffer {
  const levels = new ThriftStruct().i32(1, values).i32(2, PLAIN).i32(3, RLE).i32(4, RLE)
  return Buffer.from(new ThriftStruct().i32(1, 0).i32(2, bytes).i32(3, bytes).struct(5, levels).bytes())
}

interface Chunk {
  readonly path: readonly string[]
  readonly leaf: Leaf
  readonly values: number
  readonly at: number
  readonly bytes: number
}

function chunkOf({ path, leaf, values, at, bytes }: Chunk): ThriftStruct {
  const meta = new ThriftStruct()
    .i32(1, leaf.layout.physical)
    .i32s(2, [PLAIN, RLE])
    .texts(3, path)
    .i32(4, 0)
    .i64(5, values)
    .i64(6, bytes)
    .i64(7, bytes)
    .i64(9, at)
  return new ThriftStruct().i64(2, at).struct(3, meta)
}

/** Writes these rows of a table, in this order, to a new file. Synchronous: it serves processes that do nothing else meanwhile. */
export function writePlain(path: string, { schema, columns, leaves }: PlainTable, order: Uint32Array): void {
  const fd = openSync(path, 'w')
  try {
    const page = new Page()
    const starts = leaves.map(({ leaf }) => leaf.starts())
    const groups: ThriftStruct[] = []
    let at = MAGIC.length
    writeAll(fd, MAGIC)
    for (let row = 0; row < order.length; row += GROUP_ROWS) {
      const rows = order.subarray(row, row + GROUP_ROWS)
      const chunks: ThriftStruct[] = []
      const groupAt = at
      for (const [index, { leaf, path: name }] of leaves.entries()) {
        const entries = leaf.entries(rows, starts[index])
        page.length = 0
        leaf.write(page, entries)
        const header = pageHeader(page.length, entries.length)
        writeAll(fd, header)
        writeAll(fd, page.bytes.subarray(0, page.length))
        const bytes = header.length + page.length
        chunks.push(chunkOf({ path: name, leaf, values: entries.length, at, bytes }))
        at += bytes
      }
      groups.push(
        new ThriftStruct()
          .structs(1, chunks)
          .i64(2, at - groupAt)
          .i64(3, rows.length),
      )
    }
    const root = new ThriftStruct().text(4, 'rows').i32(5, columns)
    const footer = new ThriftStruct()
      .i32(1, 1)
      .structs(2, [root, ...schema])
      .i64(3, order.length)
      .structs(4, groups)
      .bytes()
    const end = Buffer.alloc(4)
    end.writeUInt32LE(footer.length)
    writeAll(fd, Buffer.concat([Buffer.from(footer), end, MAGIC]))
  } finally {
    closeSync(fd)
  }
}
