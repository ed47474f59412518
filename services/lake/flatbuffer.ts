/** FlatBuffers, as far as Arrow's metadata needs them: tables, vectors of tables and structs, texts and numbers. */

/** A field of a table, in the slot that its place in the list says. */
export type FlatField =
  | { readonly is: 'i8' | 'i16' | 'i32' | 'i64'; readonly value: number }
  | { readonly is: 'text'; readonly value: string }
  | { readonly is: 'table'; readonly fields: FlatTable }
  | { readonly is: 'tables'; readonly tables: readonly FlatTable[] }
  /** Structs that begin at a multiple of 8 bytes, already laid out. */
  | { readonly is: 'structs'; readonly count: number; readonly bytes: Uint8Array }
  | undefined

export type FlatTable = readonly FlatField[]

const SIZES = { i8: 1, i16: 2, i32: 4, i64: 8 } as const

const sizeOf = (field: NonNullable<FlatField>): number =>
  field.is in SIZES ? SIZES[field.is as keyof typeof SIZES] : 4

const aligned = (at: number, to: number): number => Math.ceil(at / to) * to

/** Writes parents before children, so that every offset points forward. */
class FlatWriter {
  bytes = Buffer.alloc(1024)
  end = 0

  /** Room for `size` bytes, the first of them at a multiple of `align` after `offset` more. */
  room(size: number, align: number, offset = 0): number {
    const at = aligned(this.end + offset, align) - offset
    this.end = at + size
    while (this.end > this.bytes.length) this.bytes = Buffer.concat([this.bytes, Buffer.alloc(this.bytes.length)])
    return at
  }

  point(from: number, to: number): void {
    this.bytes.writeUInt32LE(to - from, from)
  }

  table(fields: FlatTable): number {
    const places: number[] = []
    let size = 4
    for (const field of fields) {
      if (field === undefined) {
        places.push(0)
        continue
      }
      const at = aligned(size, sizeOf(field))
      places.push(at)
      size = at + sizeOf(field)
    }
    const vtable = this.room(4 + 2 * fields.length, 2)
    const table = this.room(size, 8)
    this.bytes.writeUInt16LE(4 + 2 * fields.length, vtable)
    this.bytes.writeUInt16LE(size, vtable + 2)
    for (const [slot, place] of places.entries()) this.bytes.writeUInt16LE(place, vtable + 4 + 2 * slot)
    this.bytes.writeInt32LE(table - vtable, table)
    for (const [slot, field] of fields.entries())
      if (field !== undefined) this.field(field, table + (places[slot] ?? 0))
    return table
  }

  field(field: NonNullable<FlatField>, at: number): void {
    switch (field.is) {
      case 'i8':
        this.bytes.writeInt8(field.value, at)
        return
      case 'i16':
        this.bytes.writeInt16LE(field.value, at)
        return
      case 'i32':
        this.bytes.writeInt32LE(field.value, at)
        return
      case 'i64':
        this.bytes.writeBigInt64LE(BigInt(field.value), at)
        return
      case 'text': {
        const text = Buffer.from(field.value)
        const to = this.room(4 + text.length + 1, 4)
        this.bytes.writeUInt32LE(text.length, to)
        text.copy(this.bytes, to + 4)
        this.point(at, to)
        return
      }
      case 'table':
        this.point(at, this.table(field.fields))
        return
      case 'tables': {
        const to = this.room(4 + 4 * field.tables.length, 4)
        this.bytes.writeUInt32LE(field.tables.length, to)
        this.point(at, to)
        for (const [index, fields] of field.tables.entries()) {
          const table = this.table(fields)
          this.point(to + 4 + 4 * index, table)
        }
        return
      }
      case 'structs': {
        const to = this.room(4 + field.bytes.length, 8, 4)
        this.bytes.writeUInt32LE(field.count, to)
        this.bytes.set(field.bytes, to + 4)
        this.point(at, to)
      }
    }
  }
}

/** The bytes of a root table, padded to a multiple of 8. */
export function flatBuffer(root: FlatTable): Buffer {
  const writer = new FlatWriter()
  const head = writer.room(4, 8)
  writer.point(head, writer.table(root))
  writer.room(0, 8)
  return writer.bytes.subarray(0, writer.end)
}
