/** A file that is written line by line through one buffer: what a job hands to DuckDB. */
import { closeSync, openSync, writeSync } from 'node:fs'

const BUFFER_BYTES = 128 * 1024

/** Appends texts and bytes to a new file. Synchronous: it serves processes that do nothing else meanwhile. */
export class LineFile {
  readonly path: string
  /** How many lines were ended. */
  lines = 0
  /** The longest line, in bytes. */
  lineBytesMax = 0
  readonly #fd: number
  readonly #buffer = Buffer.allocUnsafe(BUFFER_BYTES)
  #used = 0
  #lineBytes = 0
  #isClosed = false

  constructor(path: string) {
    this.path = path
    this.#fd = openSync(path, 'w')
  }

  text(text: string): this {
    // A UTF-16 unit takes at most 3 bytes.
    if (text.length * 3 > BUFFER_BYTES - this.#used) this.#flush()
    if (text.length * 3 > BUFFER_BYTES) return this.bytes(Buffer.from(text))
    const written = this.#buffer.write(text, this.#used)
    this.#used += written
    this.#lineBytes += written
    return this
  }

  bytes(bytes: Uint8Array): this {
    if (bytes.length > BUFFER_BYTES - this.#used) this.#flush()
    if (bytes.length > BUFFER_BYTES) {
      writeAll(this.#fd, bytes)
    } else {
      this.#buffer.set(bytes, this.#used)
      this.#used += bytes.length
    }
    this.#lineBytes += bytes.length
    return this
  }

  endLine(): void {
    this.text('\n')
    this.lines += 1
    this.lineBytesMax = Math.max(this.lineBytesMax, this.#lineBytes)
    this.#lineBytes = 0
  }

  #flush(): void {
    writeAll(this.#fd, this.#buffer.subarray(0, this.#used))
    this.#used = 0
  }

  /** Writes what is left and closes the file. Doing it twice changes nothing. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    try {
      this.#flush()
    } finally {
      closeSync(this.#fd)
    }
  }
}

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at)
}
