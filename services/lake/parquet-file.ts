/**
 * Writes a Parquet file of rows that were taken apart: one page for each column and group of rows, values as they are,
 * packed with zstd or not at all, with the least and greatest value of what filters use.
 */
import { createHash } from 'node:crypto'
import { closeSync, openSync, writeSync } from 'node:fs'
import { constants, zstdCompressSync } from 'node:zlib'
import { encoded, type Leaf, Page, type Span } from './column-leaf.ts'
import type { PlacedLeaf } from './column-tree.ts'
import { ThriftStruct } from './thrift.ts'

const MAGIC = Buffer.from('PAR1')
const PLAIN = 0
const RLE = 3
const CODEC = { none: 0, zstd: 6 }
/** Longer texts say little as the least or greatest, and would swell the footer. */
const SPAN_BYTES_MAX = 256
/** Pages up to this stay as they are: columns without a value have some bytes, and a compressor takes 28 µs to begin. */
const PLAIN_BYTES_MAX = 128
/** Small pieces are put together for one write. */
const TOGETHER_BYTES = 64 * 1024
/** A page is kept for the next file unless it has grown beyond this. */
const SPARE_BYTES_MAX = 32 * 1024 * 1024

/** Columns as they were taken apart, with the schema that names them. */
export interface LeafTable {
  /** The elements of the schema below its root, and how many of them are columns. */
  readonly schema: readonly ThriftStruct[]
  readonly columns: number
  readonly leaves: readonly PlacedLeaf[]
}

export interface FileOptions {
  /** Rows of a group. */
  readonly groupRows: number
  /** The level of zstd; undefined leaves pages as they are. */
  readonly level?: number
  /** Of which columns of text the least and greatest value is looked for; of numbers and times it always is. */
  readonly isBounded?: (column: string) => boolean
}

/** What was written. */
export interface FileSummary {
  readonly rows: number
  readonly bytes: number
  readonly sha256: string
  /** By column without lists: how often it is null, and its least and greatest value where that is known. */
  readonly spans: ReadonlyMap<string, Span>
}

/** The page that is filled: one for all files, as they are written one after the other. */
let spare: Page | undefined

/** A file under way. */
class Output {
  readonly #fd: number
  readonly #hash = createHash('sha256')
  readonly #together = Buffer.allocUnsafe(TOGETHER_BYTES)
  #waiting = 0
  at = 0

  constructor(path: string) {
    this.#fd = openSync(path, 'w')
  }

  write(bytes: Uint8Array): void {
    this.at += bytes.length
    if (bytes.length > TOGETHER_BYTES - this.#waiting) this.#flush()
    if (bytes.length > TOGETHER_BYTES) {
      this.#put(bytes)
      return
    }
    this.#together.set(bytes, this.#waiting)
    this.#waiting += bytes.length
  }

  #flush(): void {
    this.#put(this.#together.subarray(0, this.#waiting))
    this.#waiting = 0
  }

  #put(bytes: Uint8Array): void {
    for (let from = 0; from < bytes.length;) from += writeSync(this.#fd, bytes, from)
    this.#hash.update(bytes)
  }

  /** The SHA-256 of the whole file; the last thing to ask for. */
  sha256(): string {
    this.#flush()
    return this.#hash.digest('hex')
  }

  close(): void {
    closeSync(this.#fd)
  }
}

function pageHeader(bytes: number, packed: number, values: number): Buffer {
  const levels = new ThriftStruct().i32(1, values).i32(2, PLAIN).i32(3, RLE).i32(4, RLE)
  return Buffer.from(new ThriftStruct().i32(1, 0).i32(2, bytes).i32(3, packed).struct(5, levels).bytes())
}

/** The statistics of a chunk, as readers use them to pass over it. */
function statistics(leaf: Leaf, { nulls, low, high }: Span): ThriftStruct {
  const all = new ThriftStruct().i64(3, nulls)
  if (low === undefined || high === undefined) return all
  const [least, greatest] = [encoded(leaf.layout, low), encoded(leaf.layout, high)]
  if (least.length > SPAN_BYTES_MAX || greatest.length > SPAN_BYTES_MAX) return all
  return all.binary(5, greatest).binary(6, least)
}

/** Writes the pages of one group, a column after the other, and gives what the footer says of it. */
class Group {
  readonly #output: Output
  readonly #page: Page
  readonly #options: FileOptions
  readonly chunks: ThriftStruct[] = []
  bytes = 0

  constructor(output: Output, page: Page, options: FileOptions) {
    this.#output = output
    this.#page = page
    this.#options = options
  }

  add({ leaf, path }: PlacedLeaf, entries: Uint32Array, span: Span): void {
    const { level } = this.#options
    const page = this.#page
    page.length = 0
    leaf.write(page, entries)
    const plain = page.bytes.subarray(0, page.length)
    const isPlain = level === undefined || plain.length <= PLAIN_BYTES_MAX
    const packed = isPlain
      ? plain
      : zstdCompressSync(plain, {
          params: { [constants.ZSTD_c_compressionLevel]: level },
          chunkSize: chunkSize(plain),
        })
    const at = this.#output.at
    const header = pageHeader(plain.length, packed.length, entries.length)
    this.#output.write(header)
    this.#output.write(packed)
    this.bytes += header.length + plain.length
    const meta = new ThriftStruct()
      .i32(1, leaf.layout.physical)
      .i32s(2, [PLAIN, RLE])
      .texts(3, path)
      .i32(4, isPlain ? CODEC.none : CODEC.zstd)
      .i64(5, entries.length)
      .i64(6, header.length + plain.length)
      .i64(7, header.length + packed.length)
      .i64(9, at)
      .struct(12, statistics(leaf, span))
    this.chunks.push(new ThriftStruct().i64(2, at).struct(3, meta))
  }
}

/** The compressor hands out pieces of this size: half of what goes in is about what comes out. */
const chunkSize = (plain: Uint8Array): number => Math.max(4096, plain.length >> 1)

function footerOf({ schema, columns, leaves }: LeafTable, rows: number, groups: readonly ThriftStruct[]): Buffer {
  const root = new ThriftStruct().text(4, 'rows').i32(5, columns)
  // Bytes and numbers in their own order: without this word readers mistrust the least and the greatest.
  const order = new ThriftStruct().struct(1, new ThriftStruct())
  const footer = new ThriftStruct()
    .i32(1, 1)
    .structs(2, [root, ...schema])
    .i64(3, rows)
    .structs(4, groups)
    .text(6, 'stepstore')
    .structs(
      7,
      leaves.map(() => order),
    )
    .bytes()
  const end = Buffer.alloc(4)
  end.writeUInt32LE(footer.length)
  return Buffer.concat([Buffer.from(footer), end, MAGIC])
}

/**
 * Writes these rows of a table, in this order, to a new file. Synchronous in pieces: whoever goes through them one by one
 * may do other work between; the summary comes at the end.
 */
export function* writeRows(
  path: string,
  table: LeafTable,
  order: Uint32Array,
  options: FileOptions,
): Generator<undefined, FileSummary> {
  const output = new Output(path)
  const page = spare ?? new Page()
  spare = undefined
  try {
    const starts = table.leaves.map(({ leaf }) => leaf.starts())
    const groups: ThriftStruct[] = []
    const spans = new Map<string, Span>()
    output.write(MAGIC)
    for (let row = 0; row < order.length; row += options.groupRows) {
      const rows = order.subarray(row, row + options.groupRows)
      const group = new Group(output, page, options)
      for (const [index, placed] of table.leaves.entries()) {
        const { leaf, path: names } = placed
        const [name = ''] = names
        const entries = leaf.entries(rows, starts[index])
        const span = leaf.span(entries, names.length === 1 && (!leaf.isText || (options.isBounded?.(name) ?? false)))
        if (names.length === 1) spans.set(name, joined(leaf, spans.get(name), span))
        group.add(placed, entries, span)
        yield
      }
      groups.push(new ThriftStruct().structs(1, group.chunks).i64(2, group.bytes).i64(3, rows.length))
    }
    output.write(footerOf(table, order.length, groups))
    const sha256 = output.sha256()
    return { rows: order.length, bytes: output.at, sha256, spans }
  } finally {
    if (page.bytes.length <= SPARE_BYTES_MAX) spare = page
    output.close()
  }
}

/** The span of two groups. */
function joined(leaf: Leaf, before: Span | undefined, after: Span): Span {
  if (before === undefined) return after
  const nulls = before.nulls + after.nulls
  if (after.isEmpty) return { ...before, nulls }
  if (before.isEmpty) return { ...after, nulls }
  if (before.low === undefined || after.low === undefined || before.high === undefined || after.high === undefined)
    return { nulls, isEmpty: false }
  return {
    nulls,
    isEmpty: false,
    low: leaf.compare(before.low, after.low) <= 0 ? before.low : after.low,
    high: leaf.compare(before.high, after.high) >= 0 ? before.high : after.high,
  }
}
