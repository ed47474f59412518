/** Values of one column while rows gather, and as a page of a Parquet file in another order. */
import type { TextRoom } from './text-room.ts'

const INT32 = 1
const INT64 = 2
const DOUBLE = 5
const BYTES = 6
const BOOLEAN = 0

/** How a type of DuckDB lies in a Parquet file. */
export interface Layout {
  /** Parquet's own number for the type. */
  readonly physical: number
  readonly as: 'int32' | 'int64' | 'instant' | 'double' | 'flag' | 'day' | 'text'
}

const LAYOUTS: Readonly<Record<string, Layout>> = {
  INTEGER: { physical: INT32, as: 'int32' },
  DATE: { physical: INT32, as: 'day' },
  BIGINT: { physical: INT64, as: 'int64' },
  TIMESTAMPTZ: { physical: INT64, as: 'instant' },
  DOUBLE: { physical: DOUBLE, as: 'double' },
  BOOLEAN: { physical: BOOLEAN, as: 'flag' },
  VARCHAR: { physical: BYTES, as: 'text' },
  BLOB: { physical: BYTES, as: 'text' },
}

/** The layout of a scalar type. Throws on one that the lake does not use. */
export function layoutOf(type: string): Layout {
  const layout = LAYOUTS[type]
  if (layout === undefined) throw new Error(`no layout for the type ${type}`)
  return layout
}

const DAY_MS = 86_400_000
const HIGH = 2 ** 32
/** An instant to microseconds, as all rows have them. */
const INSTANT_CHARS = '2026-11-23T03:00:00.000000Z'.length
/** What an entry takes here: its levels, its value, its length. */
const ENTRY_BYTES = 14
/** Texts up to this are copied byte by byte: the call into the engine costs more. */
const SHORT_BYTES = 24

/** A value as the least or the greatest of a column: texts as UTF-8, instants in microseconds. */
export type Bound = number | Buffer

/** Which values entries have. */
export interface Span {
  /** How many are null. */
  readonly nulls: number
  /** Whether all are. */
  readonly isEmpty: boolean
  /** The least and the greatest, where they were looked for and have an order. */
  readonly low?: Bound
  readonly high?: Bound
}

/** A bound as it lies in a file. */
export function encoded({ physical, as }: Layout, bound: Bound): Buffer {
  if (typeof bound !== 'number') return bound
  const bytes = Buffer.alloc(physical === INT32 ? 4 : 8)
  if (as === 'double') bytes.writeDoubleLE(bound)
  else if (physical === INT32) bytes.writeInt32LE(bound)
  else bytes.writeBigInt64LE(BigInt(bound))
  return bytes
}

/** Bytes of a page, growing. */
export class Page {
  bytes = Buffer.allocUnsafeSlow(1024 * 1024)
  view = new DataView(this.bytes.buffer)
  length = 0

  /** Makes room for so many bytes and gives their place. */
  add(size: number): number {
    const at = this.length
    this.length += size
    if (this.length > this.bytes.length) {
      const more = Buffer.allocUnsafeSlow(Math.max(this.length, 2 * this.bytes.length))
      this.bytes.copy(more, 0, 0, at)
      this.bytes = more
      this.view = new DataView(more.buffer)
    }
    return at
  }

  varint(value: number): void {
    let rest = value
    for (; rest >= 128; rest >>>= 7) this.bytes[this.add(1)] = (rest & 127) | 128
    this.bytes[this.add(1)] = rest
  }
}

/** What has been added to a column, an entry for each value or null. */
export class Leaf {
  readonly layout: Layout
  readonly repeated: number
  readonly defined: number
  readonly #room: TextRoom
  #count = 0
  /** The level of definition of all entries so far, while they agree: most columns have a value in every row or in none. */
  #oneDef: number | undefined
  #reps: Uint8Array
  #defs = new Uint8Array(64)
  /** Numbers; of texts the place in the room, of instants the milliseconds. */
  #values = new Float64Array(64)
  /** Of texts the length in bytes, of instants the microseconds in the last millisecond. */
  #lengths: Uint32Array
  #last: unknown
  #lastValue = 0
  #lastLength = 0

  /** `repeated` and `defined` are the highest levels of repetition and definition. */
  constructor(type: string, repeated: number, defined: number, room: TextRoom) {
    this.layout = layoutOf(type)
    this.repeated = repeated
    this.defined = defined
    this.#room = room
    this.#reps = new Uint8Array(repeated > 0 ? 64 : 0)
    this.#lengths = new Uint32Array(this.layout.as === 'text' || this.layout.as === 'instant' ? 64 : 0)
  }

  #entry(rep: number, def: number): number {
    const at = this.#count++
    if (at === this.#defs.length) this.#grow(at * 2)
    if (at === 0) this.#oneDef = def
    else if (this.#oneDef !== def) this.#oneDef = undefined
    this.#defs[at] = def
    if (this.#reps.length > 0) {
      this.#reps[at] = rep
      // Lists of tokens may be longer than all texts, so they count as what waits.
      this.#room.bytes += ENTRY_BYTES
    }
    return at
  }

  #grow(entries: number): void {
    this.#defs = grown(this.#defs, new Uint8Array(entries))
    this.#values = grown(this.#values, new Float64Array(entries))
    if (this.#reps.length > 0) this.#reps = grown(this.#reps, new Uint8Array(entries))
    if (this.#lengths.length > 0) this.#lengths = grown(this.#lengths, new Uint32Array(entries))
  }

  /** Adds rows of which none has a value; there must be no others yet. */
  blank(rows: number): void {
    if (rows > this.#defs.length) this.#grow(rows)
    this.#defs.fill(0, 0, rows)
    this.#reps.fill(0, 0, rows)
    this.#count = rows
    this.#oneDef = rows > 0 ? 0 : undefined
  }

  /** Forgets the entries; their room is kept for what comes next. */
  clear(): void {
    this.#count = 0
    this.#last = undefined
  }

  /** Adds an entry without a value. */
  none(rep: number, def: number): void {
    this.#entry(rep, def)
  }

  /** Adds a value. Columns repeat themselves a lot, so the last value is looked at first. */
  some(rep: number, value: unknown): void {
    const at = this.#entry(rep, this.defined)
    if (value !== this.#last) this.#take(value)
    this.#values[at] = this.#lastValue
    if (this.#lengths.length > 0) this.#lengths[at] = this.#lastLength
  }

  #take(value: unknown): void {
    switch (this.layout.as) {
      case 'text':
        this.#lastValue = this.#room.keep(value)
        this.#lastLength = this.#room.lastLength
        break
      case 'instant':
        this.#lastValue = Date.parse(String(value))
        this.#lastLength = microsOf(String(value))
        break
      case 'day':
        this.#lastValue = Date.parse(String(value)) / DAY_MS
        break
      default:
        // Also no negative zero: JSON has none.
        this.#lastValue = Number(value) + 0
    }
    this.#last = value
  }

  get isText(): boolean {
    return this.layout.as === 'text'
  }

  /** Compares bounds of this column: texts by their bytes, as every reader does. */
  compare(left: Bound, right: Bound): number {
    return typeof left === 'number' || typeof right === 'number'
      ? Number(left) - Number(right)
      : Buffer.compare(left, right)
  }

  /** How many of these entries are null; with `isBounded` the least and greatest value too, unless one has no order. */
  span(entries: Uint32Array, isBounded: boolean): Span {
    const nulls = entries.length - this.#held(entries)
    const isEmpty = nulls === entries.length
    if (isEmpty || !isBounded || this.layout.as === 'flag') return { nulls, isEmpty }
    const bounds = this.isText ? this.#textBounds(entries) : this.#numberBounds(entries)
    return { nulls, isEmpty, ...bounds }
  }

  /** How many of these entries have a value. */
  #held(entries: Uint32Array): number {
    const { defined } = this
    if (this.#oneDef !== undefined) return this.#oneDef === defined ? entries.length : 0
    let held = 0
    for (const entry of entries) if (this.#defs[entry] === defined) held += 1
    return held
  }

  #numberBounds(entries: Uint32Array): { low: number; high: number } | undefined {
    const { defined } = this
    const isInstant = this.layout.as === 'instant'
    let [low, high] = [Infinity, -Infinity]
    for (const entry of entries) {
      if (this.#defs[entry] !== defined) continue
      const value = (this.#values[entry] ?? 0) * (isInstant ? 1000 : 1) + (isInstant ? (this.#lengths[entry] ?? 0) : 0)
      // NaN has no place in the order, and past 2^53 a double is too short for microseconds.
      if (Number.isNaN(value) || (isInstant && !Number.isSafeInteger(value))) return undefined
      if (value < low) low = value
      if (value > high) high = value
    }
    return { low, high }
  }

  #textBounds(entries: Uint32Array): { low: Buffer; high: Buffer } | undefined {
    let [low, high]: [Buffer | undefined, Buffer | undefined] = [undefined, undefined]
    let last = -1
    for (const entry of entries) {
      if (this.#defs[entry] !== this.defined) continue
      const place = this.#values[entry] ?? 0
      if (place === last) continue
      last = place
      const start = place % HIGH
      const text = this.#room.bytesAt(place).subarray(start, start + (this.#lengths[entry] ?? 0))
      if (low === undefined || Buffer.compare(text, low) < 0) low = text
      if (high === undefined || Buffer.compare(text, high) > 0) high = text
    }
    return low === undefined || high === undefined ? undefined : { low: Buffer.from(low), high: Buffer.from(high) }
  }

  /** The entry with which each row begins, and behind them the end of the last. */
  starts(): Uint32Array | undefined {
    if (this.repeated === 0) return undefined
    let rows = 0
    for (let at = 0; at < this.#count; at++) if (this.#reps[at] === 0) rows += 1
    const starts = new Uint32Array(rows + 1)
    let row = 0
    for (let at = 0; at < this.#count; at++) if (this.#reps[at] === 0) starts[row++] = at
    starts[rows] = this.#count
    return starts
  }

  /** The entries of these rows, in their order. */
  entries(rows: Uint32Array, starts: Uint32Array | undefined): Uint32Array {
    if (starts === undefined) return rows
    let count = 0
    for (const row of rows) count += (starts[row + 1] ?? 0) - (starts[row] ?? 0)
    const entries = new Uint32Array(count)
    let to = 0
    for (const row of rows) for (let at = starts[row] ?? 0; at < (starts[row + 1] ?? 0); at++) entries[to++] = at
    return entries
  }

  /** Writes levels and values of these entries as the body of a page. */
  write(page: Page, entries: Uint32Array): void {
    if (this.repeated > 0) writeLevels(page, entries, this.#reps)
    if (this.#oneDef === undefined) writeLevels(page, entries, this.#defs)
    else writeLevel(page, entries.length, this.#oneDef)
    if (this.#oneDef !== undefined && this.#oneDef !== this.defined) return
    if (this.layout.as === 'text') this.#writeTexts(page, entries)
    else if (this.layout.as === 'flag') this.#writeFlags(page, entries)
    else this.#writeNumbers(page, entries)
  }

  #writeTexts(page: Page, entries: Uint32Array): void {
    const { defined } = this
    let size = 0
    for (const entry of entries) if (this.#defs[entry] === defined) size += 4 + (this.#lengths[entry] ?? 0)
    let at = page.add(size)
    const { bytes, view } = page
    for (const entry of entries) {
      if (this.#defs[entry] !== defined) continue
      const length = this.#lengths[entry] ?? 0
      view.setUint32(at, length, true)
      at += 4
      const place = this.#values[entry] ?? 0
      const from = this.#room.bytesAt(place)
      const start = place % HIGH
      if (length > SHORT_BYTES) from.copy(bytes, at, start, start + length)
      else for (let n = 0; n < length; n++) bytes[at + n] = from[start + n] ?? 0
      at += length
    }
  }

  #writeFlags(page: Page, entries: Uint32Array): void {
    let bits = 0
    for (const entry of entries) {
      if (this.#defs[entry] !== this.defined) continue
      const at = bits % 8 === 0 ? page.add(1) : page.length - 1
      if (bits % 8 === 0) page.bytes[at] = 0
      if (this.#values[entry] === 1) page.bytes[at] = (page.bytes[at] ?? 0) | (1 << (bits % 8))
      bits += 1
    }
  }

  #writeNumbers(page: Page, entries: Uint32Array): void {
    const { as, physical } = this.layout
    const size = physical === INT32 ? 4 : 8
    let at = page.add(this.#held(entries) * size)
    const { view } = page
    for (const entry of entries) {
      if (this.#defs[entry] !== this.defined) continue
      const value = this.#values[entry] ?? 0
      if (as === 'double') view.setFloat64(at, value, true)
      else if (size === 4) view.setInt32(at, value, true)
      else if (as === 'instant') writeMicros(view, at, value, this.#lengths[entry] ?? 0)
      else writeWhole(view, at, value)
      at += size
    }
  }
}

/** A whole number that a double holds exactly. */
function writeWhole(view: DataView, at: number, value: number): void {
  view.setUint32(at, value >>> 0, true)
  view.setInt32(at + 4, Math.floor(value / HIGH), true)
}

function writeMicros(view: DataView, at: number, ms: number, micros: number): void {
  const whole = ms * 1000 + micros
  // From the year 2255 on a double is too short.
  if (Number.isSafeInteger(whole)) writeWhole(view, at, whole)
  else view.setBigInt64(at, BigInt(ms) * 1000n + BigInt(micros), true)
}

/** The microseconds in the last millisecond of an instant: the last three digits of `….123456Z`. */
function microsOf(instant: string): number {
  return instant.length === INSTANT_CHARS ? Number(instant.slice(23, 26)) : 0
}

function grown<Kind extends Uint8Array | Uint32Array | Float64Array>(from: Kind, to: Kind): Kind {
  to.set(from)
  return to
}

/** Levels that are all the same, as `writeLevels` writes them. */
function writeLevel(page: Page, entries: number, level: number): void {
  const head = page.add(4)
  page.varint(entries * 2)
  page.bytes[page.add(1)] = level
  page.view.setUint32(head, page.length - head - 4, true)
}

/** Levels as runs of equal ones, with their length in bytes in front. All levels here fit into a byte. */
function writeLevels(page: Page, entries: Uint32Array, levels: Uint8Array): void {
  const head = page.add(4)
  let [run, level] = [0, 0]
  const end = (): void => {
    if (run === 0) return
    page.varint(run * 2)
    page.bytes[page.add(1)] = level
  }
  for (const entry of entries) {
    const next = levels[entry] ?? 0
    if (next !== level) {
      end()
      run = 0
      level = next
    }
    run += 1
  }
  end()
  page.view.setUint32(head, page.length - head - 4, true)
}
