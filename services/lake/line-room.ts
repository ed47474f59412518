/**
 * Where lines wait as bytes. As strings they would outlive the young part of the heap, and to move them from there was a
 * sixth of what staging costs.
 */
const ROOM_BYTES = 1024 * 1024

export class LineRoom {
  #room = Buffer.allocUnsafeSlow(0)
  #used = 0

  /** Keeps the pieces as one line and gives its bytes. */
  keep(...pieces: readonly (string | Uint8Array)[]): Uint8Array {
    let bytesMax = 0
    // A UTF-16 unit takes at most 3 bytes.
    for (const piece of pieces) bytesMax += typeof piece === 'string' ? piece.length * 3 : piece.length
    if (bytesMax > ROOM_BYTES) return Buffer.concat(pieces.map((piece) => Buffer.from(piece)))
    if (bytesMax > this.#room.length - this.#used) {
      this.#room = Buffer.allocUnsafeSlow(ROOM_BYTES)
      this.#used = 0
    }
    const from = this.#used
    for (const piece of pieces) {
      if (typeof piece === 'string') this.#used += this.#room.write(piece, this.#used)
      else {
        this.#room.set(piece, this.#used)
        this.#used += piece.length
      }
    }
    return this.#room.subarray(from, this.#used)
  }
}

/** The most bytes of lines of one table that wait in memory: a cut of the usual size has 40 million. Beyond it they go out as they came. */
export const WAITING_BYTES_MAX = 128 * 1024 * 1024
