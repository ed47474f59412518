import { createHash } from 'node:crypto'

/** A stream of chance that is the same on every machine for the same seed and names. */
export type Random = {
  /** A number in [0, 1) with 32 bits of chance. */
  next(): number
  /** A whole number in [from, to). */
  int(from: number, to: number): number
  /** True with probability `share` (0..1). Always draws once, so later draws do not move. */
  chance(share: number): boolean
  /** One element; throws on an empty list. */
  pick<T>(list: readonly T[]): T
  /** A shuffled copy (Fisher-Yates). */
  shuffle<T>(list: readonly T[]): T[]
}

/** A part of a stream's name: what is drawn, for which item, by whom. */
export type SeedName = string | number

/**
 * A generator (xoshiro128**) for one named purpose. Names keep purposes apart: another colour drawn
 * under `random(seed, 'item', 3, 'look')` never changes what `random(seed, 'item', 3, 'values')` gives.
 */
export function random(seed: SeedName, ...names: SeedName[]): Random {
  const digest = createHash('sha256')
    .update(JSON.stringify([String(seed), ...names]))
    .digest()
  let a = digest.readUInt32LE(0)
  let b = digest.readUInt32LE(4)
  let c = digest.readUInt32LE(8)
  // The all-zero state would repeat for ever; one set bit rules it out.
  let d = (digest.readUInt32LE(12) | 1) >>> 0

  function next(): number {
    const scrambled = Math.imul(rotateLeft(Math.imul(b, 5), 7), 9) >>> 0
    const shifted = b << 9
    c ^= a
    d ^= b
    b ^= c
    a ^= d
    c ^= shifted
    d = rotateLeft(d, 11)
    return scrambled / 2 ** 32
  }
  function int(from: number, to: number): number {
    return from + Math.floor(next() * (to - from))
  }
  function pick<T>(list: readonly T[]): T {
    if (list.length === 0) throw new RangeError('cannot pick from an empty list')
    return list[int(0, list.length)] as T
  }
  function shuffle<T>(list: readonly T[]): T[] {
    const copy = [...list]
    for (let last = copy.length - 1; last > 0; last--) {
      const other = int(0, last + 1)
      ;[copy[last], copy[other]] = [copy[other] as T, copy[last] as T]
    }
    return copy
  }
  return { next, int, chance: (share) => next() < share, pick, shuffle }
}

function rotateLeft(word: number, bits: number): number {
  return ((word << bits) | (word >>> (32 - bits))) >>> 0
}
