/** Columns that grow: typed arrays, and dictionaries for texts that repeat. */

/** A value of a typed array; an index that is out of range reads as NaN, so callers stay within `size`. */
export const at = (values: ArrayLike<number>, index: number): number => values[index] ?? Number.NaN

/** The capacity for `needed` values, doubled from what there is so that growing costs the same for each value. */
const grownTo = (capacity: number, needed: number): number => Math.max(needed, capacity * 2, 64)

/** Numbers or null, which is kept as NaN: for integers, and for doubles that are never NaN themselves. */
export class Numbers {
  values = new Float64Array(0)

  /** Puts a value at an index. */
  set(index: number, value: number | null): void {
    if (index >= this.values.length) {
      const grown = new Float64Array(grownTo(this.values.length, index + 1)).fill(Number.NaN)
      grown.set(this.values)
      this.values = grown
    }
    this.values[index] = value ?? Number.NaN
  }

  get(index: number): number | null {
    const value = at(this.values, index)
    return Number.isNaN(value) ? null : value
  }

  get bytes(): number {
    return this.values.byteLength
  }
}

/** Doubles that may be NaN or infinite, or absent. */
export class Reals {
  values = new Float64Array(0)
  /** 1 where there is a value. */
  present = new Uint8Array(0)

  set(index: number, value: number | null): void {
    if (index >= this.values.length) {
      const length = grownTo(this.values.length, index + 1)
      const [values, present] = [new Float64Array(length), new Uint8Array(length)]
      values.set(this.values)
      present.set(this.present)
      this.values = values
      this.present = present
    }
    this.values[index] = value ?? 0
    this.present[index] = value === null ? 0 : 1
  }

  get(index: number): number | null {
    return this.present[index] === 1 ? at(this.values, index) : null
  }

  get bytes(): number {
    return this.values.byteLength + this.present.byteLength
  }
}

/** true (1), false (0) or unknown (-1). */
export class Flags {
  values = new Int8Array(0)

  set(index: number, value: boolean | null): void {
    if (index >= this.values.length) {
      const grown = new Int8Array(grownTo(this.values.length, index + 1)).fill(-1)
      grown.set(this.values)
      this.values = grown
    }
    this.values[index] = value === null ? -1 : value ? 1 : 0
  }

  get(index: number): boolean | null {
    const value = this.values[index] ?? -1
    return value < 0 ? null : value === 1
  }

  get bytes(): number {
    return this.values.byteLength
  }
}

/** What objects and map entries around a text cost, roughly. */
const TEXT_BYTES = 80

/** Distinct texts, numbered from 0 in the order in which they came. */
export class Dictionary {
  readonly texts: string[] = []
  readonly #codes = new Map<string, number>()
  #chars = 0

  /** The code of a text, which is new or known. */
  add(text: string): number {
    const known = this.#codes.get(text)
    if (known !== undefined) return known
    const code = this.texts.length
    this.texts.push(text)
    this.#codes.set(text, code)
    this.#chars += text.length
    return code
  }

  /** The code of a text, or undefined where it never came. */
  codeOf(text: string): number | undefined {
    return this.#codes.get(text)
  }

  /** The text of a code, or null for -1. */
  text(code: number): string | null {
    return this.texts[code] ?? null
  }

  get size(): number {
    return this.texts.length
  }

  get bytes(): number {
    return this.#chars + this.texts.length * TEXT_BYTES
  }
}

/** Texts or null, as codes of a dictionary; -1 is null. */
export class Texts {
  codes = new Int32Array(0)
  readonly dictionary: Dictionary

  constructor(dictionary: Dictionary = new Dictionary()) {
    this.dictionary = dictionary
  }

  set(index: number, text: string | null): void {
    this.setCode(index, text === null ? -1 : this.dictionary.add(text))
  }

  setCode(index: number, code: number): void {
    if (index >= this.codes.length) {
      const grown = new Int32Array(grownTo(this.codes.length, index + 1)).fill(-1)
      grown.set(this.codes)
      this.codes = grown
    }
    this.codes[index] = code
  }

  /** The code at an index, -1 for null. */
  code(index: number): number {
    return this.codes[index] ?? -1
  }

  get(index: number): string | null {
    return this.dictionary.text(this.code(index))
  }

  /** The bytes of the codes and of the dictionary. */
  get bytes(): number {
    return this.codes.byteLength + this.dictionary.bytes
  }
}

/** Lists of rows as one, one after the other. */
export function joinedRows(lists: readonly Uint32Array[]): Uint32Array {
  const rows = new Uint32Array(lists.reduce((sum, { length }) => sum + length, 0))
  let n = 0
  for (const list of lists) {
    rows.set(list, n)
    n += list.length
  }
  return rows
}
