/** Murmur2 as Kafka's Java client computes it, so that a key has the same partition in every log. */

const SEED = 0x9747b28c
const FACTOR = 0x5bd1e995

/** The 32-bit signed murmur2 hash of bytes. */
export function murmur2(bytes: Uint8Array): number {
  const length = bytes.length
  let hash = SEED ^ length
  let at = 0
  for (; at + 4 <= length; at += 4) {
    let word =
      (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24)
    word = Math.imul(word, FACTOR)
    word ^= word >>> 24
    hash = Math.imul(hash, FACTOR) ^ Math.imul(word, FACTOR)
  }
  const rest = length - at
  if (rest > 2) hash ^= (bytes[at + 2] ?? 0) << 16
  if (rest > 1) hash ^= (bytes[at + 1] ?? 0) << 8
  if (rest > 0) hash = Math.imul(hash ^ (bytes[at] ?? 0), FACTOR)
  hash ^= hash >>> 13
  hash = Math.imul(hash, FACTOR)
  return hash ^ (hash >>> 15)
}

/** The partition of a key, of its UTF-8 bytes: the positive hash modulo the number of partitions. */
export function partitionOf(key: string, partitions: number): number {
  return (murmur2(Buffer.from(key)) & 0x7fffffff) % partitions
}
