/** Repeatable chance: SFC32 with the seed in its four words, as published by Chris Doty-Humphrey (PractRand). */

/** Draws whole numbers; equal seeds draw equal ones. */
export class Chance {
  readonly #state = new Uint32Array(4)

  /** `seed` is a whole number from 0 to 2^53-1. */
  constructor(seed: number) {
    this.#state.set([seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0, 0x9e3779b9, 1])
    for (let warming = 0; warming < 16; warming++) this.next()
  }

  /** 32 bits. */
  next(): number {
    const state = this.#state
    const [a = 0, b = 0, c = 0, d = 0] = state
    const drawn = (a + b + d) >>> 0
    state[3] = d + 1
    state[0] = b ^ (b >>> 9)
    state[1] = c + (c << 3)
    state[2] = ((c << 21) | (c >>> 11)) + drawn
    return drawn
  }

  /** A whole number from 0 to below `n`. */
  below(n: number): number {
    return Math.floor((this.next() / 2 ** 32) * n)
  }
}
