/**
 * Where texts and bytes wait for their page. As strings they would outlive the young part of the heap, and to move them
 * from there was a sixth of what staging costs.
 */
const ROOM_BYTES = 1024 * 1024
/** So many rooms are kept for what comes next: memory that is asked for again and again is cleared by the system each time. */
const KEPT_MAX = 48
const HIGH = 2 ** 32
/** Texts up to this are written byte by byte, where they are ASCII: the call into the engine costs more. */
const SHORT_CHARS = 40

export class TextRoom {
  /** The length in bytes of what was kept last. */
  lastLength = 0
  /** The bytes of all that was kept, and of what else its owners count here. */
  bytes = 0
  #rooms: Buffer<ArrayBuffer>[] = []
  readonly #spare: Buffer<ArrayBuffer>[] = []
  #room = Buffer.alloc(0)
  #used = 0

  /** Keeps a text as UTF-8, bytes as they are, or anything else as JSON text. Gives its place: the number of its room times 2^32, and where it begins there. */
  keep(value: unknown): number {
    const given = typeof value === 'string' || value instanceof Uint8Array ? value : JSON.stringify(value)
    // A UTF-16 unit takes at most 3 bytes.
    const most = typeof given === 'string' ? given.length * 3 : given.length
    if (most > this.#room.length - this.#used || this.#rooms.length === 0) {
      this.#open(most)
    }
    const at = this.#used
    if (typeof given === 'string') this.#used = this.#written(given, at)
    else {
      this.#room.set(given, at)
      this.#used = at + given.length
    }
    this.lastLength = this.#used - at
    this.bytes += this.lastLength
    return (this.#rooms.length - 1) * HIGH + at
  }

  #open(bytes: number): void {
    const spare = bytes <= ROOM_BYTES ? this.#spare.pop() : undefined
    this.#room = spare ?? Buffer.allocUnsafeSlow(Math.max(ROOM_BYTES, bytes))
    this.#rooms.push(this.#room)
    this.#used = 0
  }

  #written(text: string, at: number): number {
    const { length } = text
    if (length <= SHORT_CHARS) {
      const room = this.#room
      let n = 0
      for (; n < length; n++) {
        const code = text.charCodeAt(n)
        if (code > 127) break
        room[at + n] = code
      }
      if (n === length) return at + length
    }
    return at + this.#room.write(text, at)
  }

  /** The room in which a place lies. */
  bytesAt(place: number): Buffer {
    const room = this.#rooms[Math.floor(place / HIGH)]
    if (room === undefined) throw new Error('no such place')
    return room
  }

  /** Forgets everything; rooms are kept for what comes next. */
  clear(): void {
    for (const room of this.#rooms)
      if (room.length === ROOM_BYTES && this.#spare.length < KEPT_MAX) this.#spare.push(room)
    this.#rooms = []
    this.#room = Buffer.alloc(0)
    this.#used = 0
    this.bytes = 0
  }
}
