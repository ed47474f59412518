/** Apache Arrow's IPC file format (columnar format 1.0, metadata version 5), written batch by batch, not compressed. */
import { arrowColumn, type ArrowParts } from './arrow-column.ts'
import { type DuckType, duckType } from './duckdb-type.ts'
import { flatBuffer, type FlatField, type FlatTable } from './flatbuffer.ts'

const VERSION: FlatField = { is: 'i16', value: 4 }
const MAGIC = Buffer.from('ARROW1')
/** Type numbers of the union Type. */
const UNION = { Int: 2, FloatingPoint: 3, Binary: 4, Utf8: 5, Bool: 6, Timestamp: 10, List: 12, Struct: 13 } as const

const int = (bits: number): [number, FlatTable] => [
  UNION.Int,
  [
    { is: 'i32', value: bits },
    { is: 'i8', value: 1 },
  ],
]

const SCALARS: Readonly<Record<string, [number, FlatTable]>> = {
  VARCHAR: [UNION.Utf8, []],
  BLOB: [UNION.Binary, []],
  BOOLEAN: [UNION.Bool, []],
  BIGINT: int(64),
  INTEGER: int(32),
  DOUBLE: [UNION.FloatingPoint, [{ is: 'i16', value: 2 }]],
  TIMESTAMPTZ: [
    UNION.Timestamp,
    [
      { is: 'i16', value: 2 },
      { is: 'text', value: 'UTC' },
    ],
  ],
}

function fieldTable(name: string, type: DuckType): FlatTable {
  const [number, fields] =
    type.is === 'list' ? [UNION.List, []] : type.is === 'struct' ? [UNION.Struct, []] : (SCALARS[type.name] ?? [0, []])
  const children =
    type.is === 'list'
      ? [fieldTable('item', type.of)]
      : type.is === 'struct'
        ? type.fields.map(([child, of]) => fieldTable(child, of))
        : []
  return [
    { is: 'text', value: name },
    { is: 'i8', value: 1 },
    { is: 'i8', value: number },
    { is: 'table', fields },
    undefined,
    { is: 'tables', tables: children },
  ]
}

const schemaTable = (types: readonly (readonly [string, DuckType])[]): FlatTable => [
  { is: 'i16', value: 0 },
  { is: 'tables', tables: types.map(([name, type]) => fieldTable(name, type)) },
]

function message(header: number, table: FlatTable, bodyBytes: number): Buffer {
  const metadata = flatBuffer([
    VERSION,
    { is: 'i8', value: header },
    { is: 'table', fields: table },
    { is: 'i64', value: bodyBytes },
  ])
  const head = Buffer.alloc(8)
  head.writeUInt32LE(0xff_ff_ff_ff, 0)
  head.writeInt32LE(metadata.length, 4)
  return Buffer.concat([head, metadata])
}

function int64s(values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(8 * values.length)
  for (const [index, value] of values.entries()) bytes.writeBigInt64LE(BigInt(value), 8 * index)
  return bytes
}

const padding = (bytes: number): Buffer => Buffer.alloc((8 - (bytes % 8)) % 8)

/** A file whose rows are added batch by batch. Each call gives the bytes to write next. */
export class ArrowFile {
  readonly #types: readonly (readonly [string, DuckType])[]
  readonly #blocks: number[][] = []
  #written = 0

  /** `columns` by name with their DuckDB types. */
  constructor(columns: Readonly<Record<string, string>>) {
    this.#types = Object.entries(columns).map(([name, type]) => [name, duckType(type)])
  }

  #taken(parts: readonly Uint8Array[]): Buffer {
    const bytes = Buffer.concat(parts)
    this.#written += bytes.length
    return bytes
  }

  /** What the file begins with. */
  begin(): Buffer {
    return this.#taken([MAGIC, Buffer.alloc(2), message(1, schemaTable(this.#types), 0)])
  }

  /** Rows as lists of values, in the order of the columns. */
  batch(rows: readonly (readonly unknown[])[]): Buffer {
    const parts: ArrowParts = { nodes: [], buffers: [] }
    for (const [index, [, type]] of this.#types.entries()) {
      const column = arrowColumn(type)
      for (const row of rows) column.add(row[index])
      column.parts(parts)
    }
    let offset = 0
    const places: number[] = []
    const body: Buffer[] = []
    for (const buffer of parts.buffers) {
      places.push(offset, buffer.length)
      const pad = padding(buffer.length)
      body.push(buffer, pad)
      offset += buffer.length + pad.length
    }
    const head = message(
      3,
      [
        { is: 'i64', value: rows.length },
        {
          is: 'structs',
          count: parts.nodes.length,
          bytes: int64s(parts.nodes.flatMap(({ length, nulls }) => [length, nulls])),
        },
        { is: 'structs', count: parts.buffers.length, bytes: int64s(places) },
      ],
      offset,
    )
    this.#blocks.push([this.#written, head.length, offset])
    return this.#taken([head, ...body])
  }

  /** What the file ends with. */
  end(): Buffer {
    // A Block is offset (8), metadata length (4), padding (4), body length (8): as little-endian numbers of 8 bytes each.
    const footer = flatBuffer([
      VERSION,
      { is: 'table', fields: schemaTable(this.#types) },
      { is: 'structs', count: 0, bytes: Buffer.alloc(0) },
      { is: 'structs', count: this.#blocks.length, bytes: int64s(this.#blocks.flat()) },
    ])
    const size = Buffer.alloc(4)
    size.writeInt32LE(footer.length, 0)
    const end = Buffer.alloc(8)
    end.writeUInt32LE(0xff_ff_ff_ff, 0)
    return this.#taken([end, footer, size, MAGIC])
  }
}
