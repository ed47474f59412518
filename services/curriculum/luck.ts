/** A number from 0 to 1 for each item and seed, that does not depend on which other items there are. */

const mixed = (value: number): number => {
  let word = value >>> 0
  word = Math.imul(word ^ (word >>> 16), 0x85ebca6b)
  word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35)
  return (word ^ (word >>> 16)) >>> 0
}

/** Above 0 and below 1, with 53 bits. FNV-1a over the code units in two lanes, each finished as MurmurHash3 finishes. */
export function luckOf(seed: number, text: string): number {
  let one = mixed(seed >>> 0) ^ 0x811c9dc5
  let other = mixed(Math.floor(seed / 2 ** 32) ^ 0x5bd1e995)
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    one = Math.imul(one ^ unit, 0x01000193)
    other = Math.imul(other ^ unit, 0x5bd1e995)
    other ^= other >>> 15
  }
  const high = mixed(one ^ text.length)
  const low = mixed(other ^ high)
  return ((high >>> 5) * 2 ** 26 + (low >>> 6) + 0.5) / 2 ** 53
}
