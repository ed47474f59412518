/** Values of one column put together as Arrow lays them out: a bit for each value that is there, then the values. */
import { DuckDBBlobValue, DuckDBListValue, DuckDBStructValue, type DuckDBTimestampTZValue } from '@duckdb/node-api'
import type { DuckType } from './duckdb-type.ts'

/** Bytes that grow at their end. */
class Grown {
  bytes = Buffer.alloc(256)
  length = 0

  /** Makes room for `size` bytes and gives their place. */
  add(size: number): number {
    const at = this.length
    this.length += size
    if (this.length > this.bytes.length) {
      const more = Buffer.alloc(Math.max(this.length, 2 * this.bytes.length))
      this.bytes.copy(more, 0, 0, at)
      this.bytes = more
    }
    return at
  }

  taken(): Buffer {
    return this.bytes.subarray(0, this.length)
  }
}

class Bits {
  readonly #grown = new Grown()
  #count = 0

  add(bit: boolean): void {
    if (this.#count % 8 === 0) this.#grown.bytes[this.#grown.add(1)] = 0
    const at = this.#count >> 3
    if (bit) this.#grown.bytes[at] = (this.#grown.bytes[at] ?? 0) | (1 << (this.#count % 8))
    this.#count += 1
  }

  taken(): Buffer {
    return this.#grown.taken()
  }
}

/** What a column gives to a record batch. */
export interface ArrowParts {
  readonly nodes: { readonly length: number; readonly nulls: number }[]
  readonly buffers: Buffer[]
}

export interface ArrowColumn {
  /** Adds a value of DuckDB; null for none. */
  add(value: unknown): void
  /** The nodes and buffers, depth first. */
  parts(into: ArrowParts): void
}

/** What a value adds to the column: `null` still takes its place. */
abstract class Column implements ArrowColumn {
  readonly #valid = new Bits()
  #length = 0
  #nulls = 0

  protected abstract put(value: unknown): void
  protected abstract rest(into: ArrowParts): void

  add(given: unknown): void {
    const value = given ?? null
    this.#valid.add(value !== null)
    this.#length += 1
    if (value === null) this.#nulls += 1
    this.put(value)
  }

  parts(into: ArrowParts): void {
    into.nodes.push({ length: this.#length, nulls: this.#nulls })
    into.buffers.push(this.#nulls === 0 ? Buffer.alloc(0) : this.#valid.taken())
    this.rest(into)
  }
}

class Fixed extends Column {
  readonly #values = new Grown()
  readonly #size: number
  readonly #write: (bytes: Buffer, value: unknown, at: number) => void

  constructor(size: number, write: (bytes: Buffer, value: unknown, at: number) => void) {
    super()
    this.#size = size
    this.#write = write
  }

  protected override put(value: unknown): void {
    const at = this.#values.add(this.#size)
    if (value === null) this.#values.bytes.fill(0, at, at + this.#size)
    else this.#write(this.#values.bytes, value, at)
  }

  protected override rest({ buffers }: ArrowParts): void {
    buffers.push(this.#values.taken())
  }
}

class Flags extends Column {
  readonly #values = new Bits()

  protected override put(value: unknown): void {
    this.#values.add(value === true)
  }

  protected override rest({ buffers }: ArrowParts): void {
    buffers.push(this.#values.taken())
  }
}

class Offsets {
  readonly #grown = new Grown()

  constructor() {
    this.add(0)
  }

  add(offset: number): void {
    const at = this.#grown.add(4)
    this.#grown.bytes.writeInt32LE(offset, at)
  }

  taken(): Buffer {
    return this.#grown.taken()
  }
}

/** Texts and bytes. */
class Bytes extends Column {
  readonly #offsets = new Offsets()
  readonly #values = new Grown()

  protected override put(value: unknown): void {
    if (typeof value === 'string') {
      const at = this.#values.add(Buffer.byteLength(value))
      this.#values.bytes.write(value, at)
    } else if (value !== null) {
      const bytes = value instanceof DuckDBBlobValue ? value.bytes : (value as Uint8Array)
      const at = this.#values.add(bytes.length)
      this.#values.bytes.set(bytes, at)
    }
    this.#offsets.add(this.#values.length)
  }

  protected override rest({ buffers }: ArrowParts): void {
    buffers.push(this.#offsets.taken(), this.#values.taken())
  }
}

class List extends Column {
  readonly #offsets = new Offsets()
  readonly #items: ArrowColumn
  #count = 0

  constructor(items: ArrowColumn) {
    super()
    this.#items = items
  }

  protected override put(value: unknown): void {
    const items = value instanceof DuckDBListValue ? value.items : ((value ?? []) as readonly unknown[])
    for (const item of items) this.#items.add(item)
    this.#count += items.length
    this.#offsets.add(this.#count)
  }

  protected override rest(into: ArrowParts): void {
    into.buffers.push(this.#offsets.taken())
    this.#items.parts(into)
  }
}

class Struct extends Column {
  readonly #fields: readonly (readonly [string, ArrowColumn])[]

  constructor(fields: readonly (readonly [string, ArrowColumn])[]) {
    super()
    this.#fields = fields
  }

  protected override put(value: unknown): void {
    const entries = (value instanceof DuckDBStructValue ? value.entries : value) as Record<string, unknown> | null
    for (const [name, column] of this.#fields) column.add(entries === null ? null : entries[name])
  }

  protected override rest(into: ArrowParts): void {
    for (const [, column] of this.#fields) column.parts(into)
  }
}

function scalarColumn(name: string): ArrowColumn {
  switch (name) {
    case 'VARCHAR':
    case 'BLOB':
      return new Bytes()
    case 'BOOLEAN':
      return new Flags()
    case 'BIGINT':
      return new Fixed(8, (bytes, value, at) => bytes.writeBigInt64LE(value as bigint, at))
    case 'INTEGER':
      return new Fixed(4, (bytes, value, at) => bytes.writeInt32LE(Number(value), at))
    case 'DOUBLE':
      return new Fixed(8, (bytes, value, at) => bytes.writeDoubleLE(Number(value), at))
    case 'TIMESTAMPTZ':
      return new Fixed(8, (bytes, value, at) => bytes.writeBigInt64LE((value as DuckDBTimestampTZValue).micros, at))
    default:
      throw new Error(`no Arrow type for ${name}`)
  }
}

/** An empty column of a type. */
export function arrowColumn(type: DuckType): ArrowColumn {
  switch (type.is) {
    case 'scalar':
      return scalarColumn(type.name)
    case 'list':
      return new List(arrowColumn(type.of))
    case 'struct':
      return new Struct(type.fields.map(([name, of]) => [name, arrowColumn(of)]))
  }
}
