/**
 * Cuts a JSON array (or values one after another, such as JSON Lines) into its elements, without reading it whole:
 * memory holds one element. Garbage is reported with its place and the reading goes on behind it. See WHY.md.
 */
import { isUtf8 } from 'node:buffer'

/** One element, or what stood where an element should: then `fault` says what is wrong with it. */
export interface Element {
  /** Its place among the elements, from 0; garbage counts too. */
  readonly index: number
  readonly byteOffset: number
  /** How many bytes of the source are read, this element included; for progress. */
  readonly bytesRead: number
  readonly value: unknown
  readonly fault: string | undefined
}

export interface ElementOptions {
  /** The longest element, in bytes; a longer one is reported as a fault. */
  readonly elementBytesMax: number
  /** How an element begins, to find the next one after garbage, such as `{"task_id":`. Matches at most 64 bytes. */
  readonly begins: RegExp
}

const DEPTH_MAX = 512
/** Kept when garbage is thrown away, so that a beginning that is split between two chunks is found. */
const TAIL_BYTES = 64

const OUTSIDE = new Uint8Array(256)
for (const letter of ' \t\r\n{}[],:"0123456789+-.eEtrufalsn') OUTSIDE[letter.charCodeAt(0)] = 1

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const OPEN_LIST = 0x5b
const CLOSE_LIST = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d

const isSpace = (byte: number): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09

/** Finds where a JSON value ends, byte by byte and over as many chunks as it takes. It looks no closer than that. */
class ValueScanner {
  readonly #open = new Uint8Array(DEPTH_MAX)
  #depth = 0
  #inString = false
  #escaped = false
  fault: string | undefined

  reset(): void {
    this.#depth = 0
    this.#inString = false
    this.#escaped = false
    this.fault = undefined
  }

  /** Scans bytes [from, to). Answers the end of the value, or -1 where more bytes are needed or `fault` is set. */
  scan(bytes: Uint8Array, from: number, to: number): number {
    for (let at = from; at < to; at++) {
      const byte = bytes[at] ?? 0
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false
        else if (byte === BACKSLASH) this.#escaped = true
        else if (byte === QUOTE) {
          this.#inString = false
          if (this.#depth === 0) return at + 1
        } else if (byte < 0x20) return this.#fail('a control character inside a string')
        continue
      }
      if (OUTSIDE[byte] === 0) return this.#fail('not JSON')
      if (byte === QUOTE) this.#inString = true
      else if (byte === OPEN_OBJECT || byte === OPEN_LIST) {
        if (this.#depth === DEPTH_MAX) return this.#fail(`nested more than ${DEPTH_MAX} deep`)
        this.#open[this.#depth++] = byte
      } else if (byte === CLOSE_OBJECT || byte === CLOSE_LIST) {
        // A bracket that closes the outer list ends a bare word such as 12 or null.
        if (this.#depth === 0) return at
        if (this.#open[--this.#depth] !== byte - 2) return this.#fail('brackets do not match')
        if (this.#depth === 0) return at + 1
      } else if (this.#depth === 0 && (byte === COMMA || isSpace(byte))) return at
    }
    return -1
  }

  #fail(fault: string): -1 {
    this.fault = fault
    return -1
  }
}

/** Bytes that are still needed, in one piece, with the place of the first of them in the source. */
class Window {
  bytes = Buffer.allocUnsafe(256 * 1024)
  from = 0
  to = 0
  #base = 0

  push(chunk: Uint8Array): void {
    const kept = this.to - this.from
    if (this.to + chunk.length > this.bytes.length) {
      const size = kept + chunk.length
      const target = size > this.bytes.length ? Buffer.allocUnsafe(size * 2) : this.bytes
      this.bytes.copy(target, 0, this.from, this.to)
      this.#base += this.from
      this.bytes = target
      this.from = 0
      this.to = kept
    }
    this.bytes.set(chunk, this.to)
    this.to += chunk.length
  }

  /** The place in the source of a place in `bytes`. */
  offset(at: number): number {
    return this.#base + at
  }
}

/** The elements of a source of bytes, one at a time. Never throws on content; the source's own errors pass through. */
export async function* jsonElements(
  source: AsyncIterable<Uint8Array>,
  options: ElementOptions,
): AsyncGenerator<Element> {
  const cutter = new Cutter(options)
  for await (const chunk of source) {
    cutter.window.push(chunk)
    yield* cutter.cut(false)
  }
  yield* cutter.cut(true)
}

class Cutter {
  readonly window = new Window()
  readonly #options: ElementOptions
  readonly #scanner = new ValueScanner()
  #index = 0
  #inList = false
  /** How many bytes of the element at `window.from` are scanned already. */
  #scanned = 0
  #state: 'between' | 'inside' | 'lost' = 'between'

  constructor(options: ElementOptions) {
    this.#options = options
  }

  *cut(isEnd: boolean): Generator<Element> {
    for (;;) {
      if (this.#state === 'lost' && !this.#find(isEnd)) return
      if (this.#state === 'between' && !this.#enter()) return
      const { window } = this
      const end = this.#scanner.scan(window.bytes, window.from + this.#scanned, window.to)
      this.#scanned = window.to - window.from
      if (end >= 0) yield this.#element(end)
      else if (this.#scanner.fault !== undefined) yield this.#garbage(this.#scanner.fault)
      else if (this.#scanned > this.#options.elementBytesMax) {
        yield this.#garbage(`longer than ${this.#options.elementBytesMax} bytes`)
      } else if (!isEnd) return
      // A bare word may end with the source; anything else was cut off.
      else if (this.#isWord()) yield this.#element(window.to)
      else yield this.#garbage('the source ends in the middle of it')
    }
  }

  #isWord(): boolean {
    const first = this.window.bytes[this.window.from]
    return first !== QUOTE && first !== OPEN_OBJECT && first !== OPEN_LIST
  }

  /** Goes to the next element. False where there is none yet. */
  #enter(): boolean {
    const { window } = this
    while (window.from < window.to) {
      const byte = window.bytes[window.from] ?? 0
      const isMark = window.offset(window.from) < 3 && (byte === 0xef || byte === 0xbb || byte === 0xbf)
      if (byte === OPEN_LIST && !this.#inList) this.#inList = true
      else if (byte === CLOSE_LIST && this.#inList) this.#inList = false
      else if (!isSpace(byte) && byte !== COMMA && !isMark) {
        this.#state = 'inside'
        this.#scanned = 0
        this.#scanner.reset()
        return true
      }
      window.from++
    }
    return false
  }

  /** Looks for the beginning of an element behind garbage. False where there is none yet. */
  #find(isEnd: boolean): boolean {
    const { window } = this
    const found = window.bytes.toString('latin1', window.from, window.to).search(this.#options.begins)
    if (found >= 0) {
      window.from += found
      this.#state = 'between'
      return true
    }
    window.from = isEnd ? window.to : Math.max(window.from, window.to - TAIL_BYTES)
    return false
  }

  #element(end: number): Element {
    const { window } = this
    const bytes = window.bytes.subarray(window.from, end)
    if (bytes.length > this.#options.elementBytesMax)
      return this.#garbage(`longer than ${this.#options.elementBytesMax} bytes`)
    if (!isUtf8(bytes)) return this.#garbage('not UTF-8')
    let value: unknown
    try {
      value = JSON.parse(bytes.toString('utf8'))
    } catch (error) {
      return this.#garbage(error instanceof Error ? error.message.slice(0, 200) : 'not JSON')
    }
    const byteOffset = window.offset(window.from)
    window.from = end
    this.#state = 'between'
    return { index: this.#index++, byteOffset, bytesRead: window.offset(end), value, fault: undefined }
  }

  #garbage(fault: string): Element {
    const { window } = this
    const byteOffset = window.offset(window.from)
    window.from++
    this.#state = 'lost'
    return { index: this.#index++, byteOffset, bytesRead: window.offset(window.from), value: undefined, fault }
  }
}
