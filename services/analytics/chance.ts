/** Repeatable chance: SFC32 with the seed in its four words, as published by Chris Doty-Humphrey (PractRand). */

/** Draws whole numbers; equal seeds draw equal ones. */
export class Chance {
  // Signed words of 32 bits in fields of their own: taking an array apart runs its iterator, millions of times here.
  #a: number
  #b: number
  #c = 0x9e3779b9 | 0
  #d = 1

  /** `seed` is a whole number from 0 to 2^53-1. */
  constructor(seed: number) {
    this.#a = seed | 0
    this.#b = Math.floor(seed / 2 ** 32) | 0
    for (let warming = 0; warming < 16; warming++) this.next()
  }

  /** 32 bits. */
  next(): number {
    const [b, c, d] = [this.#b, this.#c, this.#d]
    const drawn = (this.#a + b + d) | 0
    this.#d = (d + 1) | 0
    this.#a = b ^ (b >>> 9)
    this.#b = (c + (c << 3)) | 0
    this.#c = (((c << 21) | (c >>> 11)) + drawn) | 0
    return drawn >>> 0
  }

  /** A whole number from 0 to below `n`. */
  below(n: number): number {
    return Math.floor((this.next() / 2 ** 32) * n)
  }
}
