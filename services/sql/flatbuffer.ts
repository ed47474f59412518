/** FlatBuffers as far as Arrow's messages need them: tables, vectors, strings. Written front to back. */

/** A field of a table: a number of so many bytes, or something further on that it points to. */
export type FlatField =
  | { readonly slot: number; readonly size: 1 | 2 | 4 | 8; readonly value: number }
  | { readonly slot: number; readonly size: 4; readonly at: (writer: FlatWriter) => number }

export class FlatWriter {
  #bytes = new Uint8Array(1024)
  #view = new DataView(this.#bytes.buffer)
  #end = 0

  /** The bytes of a buffer whose root is a table. */
  static root(fields: readonly FlatField[]): Uint8Array {
    const writer = new FlatWriter()
    writer.#take(4, 4)
    const table = writer.table(fields)
    writer.#view.setUint32(0, table, true)
    return writer.#bytes.subarray(0, writer.#end)
  }

  /** Makes room for `bytes` bytes whose start is `alignment`-aligned. */
  #take(bytes: number, alignment: number): number {
    const at = Math.ceil(this.#end / alignment) * alignment
    this.#end = at + bytes
    if (this.#end > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#end, this.#bytes.length * 2))
      grown.set(this.#bytes)
      this.#bytes = grown
      this.#view = new DataView(grown.buffer)
    }
    return at
  }

  #put(at: number, size: 1 | 2 | 4 | 8, value: number): void {
    if (size === 1) this.#view.setUint8(at, value)
    else if (size === 2) this.#view.setInt16(at, value, true)
    else if (size === 4) this.#view.setInt32(at, value, true)
    else this.#view.setBigInt64(at, BigInt(value), true)
  }

  /** Writes a table and what it points to; gives its place. */
  table(fields: readonly FlatField[]): number {
    const placed: { readonly field: FlatField; readonly offset: number }[] = []
    let length = 4
    for (const field of fields.toSorted((left, right) => right.size - left.size)) {
      const offset = Math.ceil(length / field.size) * field.size
      placed.push({ field, offset })
      length = offset + field.size
    }
    const slots = Math.max(-1, ...fields.map(({ slot }) => slot)) + 1
    const vtable = this.#take(4 + 2 * slots, 2)
    const table = this.#take(length, 8)
    this.#view.setUint16(vtable, 4 + 2 * slots, true)
    this.#view.setUint16(vtable + 2, length, true)
    this.#view.setInt32(table, table - vtable, true)
    for (const { field, offset } of placed) {
      this.#view.setUint16(vtable + 4 + 2 * field.slot, offset, true)
      if ('value' in field) this.#put(table + offset, field.size, field.value)
    }
    for (const { field, offset } of placed) if ('at' in field) this.#point(table + offset, field.at(this))
    return table
  }

  #point(from: number, to: number): void {
    this.#view.setUint32(from, to - from, true)
  }

  string(text: string): number {
    const bytes = new TextEncoder().encode(text)
    const at = this.#take(4 + bytes.length + 1, 4)
    this.#view.setUint32(at, bytes.length, true)
    this.#bytes.set(bytes, at + 4)
    return at
  }

  /** A vector of tables. */
  tables(items: readonly ((writer: FlatWriter) => number)[]): number {
    const at = this.#take(4 + 4 * items.length, 4)
    this.#view.setUint32(at, items.length, true)
    for (const [index, item] of items.entries()) this.#point(at + 4 + 4 * index, item(this))
    return at
  }

  /** A vector of structs that are pairs of 64-bit integers. */
  pairs(items: readonly (readonly [number, number])[]): number {
    // The pairs begin at a multiple of 8, and their count stands just before them.
    const at = this.#take(8 + 16 * items.length, 8) + 4
    this.#view.setUint32(at, items.length, true)
    for (const [index, [first, second]] of items.entries()) {
      this.#put(at + 4 + 16 * index, 8, first)
      this.#put(at + 12 + 16 * index, 8, second)
    }
    return at
  }
}
