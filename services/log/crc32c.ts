/** CRC-32C (Castagnoli), which Kafka puts on every batch. Eight bytes a turn. */

const POLYNOMIAL = 0x82f63b78
const TABLES = Array.from({ length: 8 }, () => new Int32Array(256))
const [T0 = new Int32Array(), T1 = T0, T2 = T0, T3 = T0, T4 = T0, T5 = T0, T6 = T0, T7 = T0] = TABLES

for (let byte = 0; byte < 256; byte++) {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ POLYNOMIAL
  T0[byte] = crc
}
for (let table = 1; table < 8; table++) {
  const [before, now] = [TABLES[table - 1] ?? T0, TABLES[table] ?? T0]
  for (let byte = 0; byte < 256; byte++) {
    const crc = before[byte] ?? 0
    now[byte] = (crc >>> 8) ^ (T0[crc & 0xff] ?? 0)
  }
}

const at = (table: Int32Array, index: number): number => table[index & 0xff] ?? 0

/** The CRC-32C of `bytes` in [from, to), as an unsigned 32-bit number. */
export function crc32c(bytes: Uint8Array, from = 0, to = bytes.length): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  let crc = ~0
  let place = from
  for (; place + 8 <= to; place += 8) {
    const low = crc ^ view.getInt32(place, true)
    const high = view.getInt32(place + 4, true)
    crc =
      at(T7, low) ^
      at(T6, low >>> 8) ^
      at(T5, low >>> 16) ^
      at(T4, low >>> 24) ^
      at(T3, high) ^
      at(T2, high >>> 8) ^
      at(T1, high >>> 16) ^
      at(T0, high >>> 24)
  }
  for (; place < to; place++) crc = (crc >>> 8) ^ at(T0, crc ^ (bytes[place] ?? 0))
  return ~crc >>> 0
}
