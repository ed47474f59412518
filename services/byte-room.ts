/**
 * Memory that serves again. Buffers of 100 KB and more lie outside the heap of the engine, where each is cleared by the
 * system when it is made, and many of them bring on collections of the whole heap.
 */
const BLOCK_BYTES = 4 * 1024 * 1024
/** Blocks that are kept; what needs more gets memory that is let go of. */
const BLOCKS_MAX = 4

export class ByteRoom {
  readonly #blocks: Buffer[] = []
  #block = 0
  #used = 0

  /** So many bytes, with anything in them, valid until the next `clear`. */
  take(length: number): Buffer {
    if (length > BLOCK_BYTES) return Buffer.allocUnsafe(length)
    if (length > BLOCK_BYTES - this.#used) {
      this.#block += 1
      this.#used = 0
    }
    if (this.#block >= BLOCKS_MAX) return Buffer.allocUnsafe(length)
    const block = (this.#blocks[this.#block] ??= Buffer.allocUnsafeSlow(BLOCK_BYTES))
    this.#used += length
    return block.subarray(this.#used - length, this.#used)
  }

  /** A copy of `bytes`, valid until the next `clear`. */
  copy(bytes: Uint8Array): Buffer {
    const copy = this.take(bytes.length)
    copy.set(bytes)
    return copy
  }

  /** Gives everything back: whoever still holds some will see other bytes in them. */
  clear(): void {
    this.#block = 0
    this.#used = 0
  }
}
