/** The compact protocol of Thrift, as far as the headers and the footer of a Parquet file need it. */

const I32 = 5
const I64 = 6
const BINARY = 8
const LIST = 9
const STRUCT = 12
const TRUE = 1

/** The longest list whose length stands in the byte of its type. */
const SHORT_LIST_MAX = 14

/** A struct that is being written: fields in ascending order of their ids. */
export class ThriftStruct {
  readonly #bytes: number[] = []
  #lastId = 0

  #field(id: number, type: number): void {
    this.#bytes.push(((id - this.#lastId) << 4) | type)
    this.#lastId = id
  }

  #varint(value: number): void {
    let rest = value
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.#bytes.push((rest % 128) | 128)
    this.#bytes.push(rest)
  }

  #text(text: string): void {
    const bytes = Buffer.from(text)
    this.#varint(bytes.length)
    this.#bytes.push(...bytes)
  }

  #list(id: number, type: number, length: number): void {
    this.#field(id, LIST)
    if (length <= SHORT_LIST_MAX) {
      this.#bytes.push((length << 4) | type)
      return
    }
    this.#bytes.push(0xf0 | type)
    this.#varint(length)
  }

  /** A number that is not negative. */
  i32(id: number, value: number): this {
    this.#field(id, I32)
    this.#varint(value * 2)
    return this
  }

  /** A number that is not negative. */
  i64(id: number, value: number): this {
    this.#field(id, I64)
    this.#varint(value * 2)
    return this
  }

  isTrue(id: number): this {
    this.#field(id, TRUE)
    return this
  }

  text(id: number, text: string): this {
    this.#field(id, BINARY)
    this.#text(text)
    return this
  }

  binary(id: number, bytes: Uint8Array): this {
    this.#field(id, BINARY)
    this.#varint(bytes.length)
    this.#bytes.push(...bytes)
    return this
  }

  struct(id: number, inner: ThriftStruct): this {
    this.#field(id, STRUCT)
    this.#bytes.push(...inner.bytes())
    return this
  }

  i32s(id: number, values: readonly number[]): this {
    this.#list(id, I32, values.length)
    for (const value of values) this.#varint(value * 2)
    return this
  }

  texts(id: number, texts: readonly string[]): this {
    this.#list(id, BINARY, texts.length)
    for (const text of texts) this.#text(text)
    return this
  }

  structs(id: number, inner: readonly ThriftStruct[]): this {
    this.#list(id, STRUCT, inner.length)
    for (const each of inner) for (const byte of each.bytes()) this.#bytes.push(byte)
    return this
  }

  /** The whole struct, with its end. */
  bytes(): readonly number[] {
    return [...this.#bytes, 0]
  }
}
