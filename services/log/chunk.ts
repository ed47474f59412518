/**
 * Many records of one partition in one value: what one durable write keeps of a partition.
 *
 * Little-endian: CRC-32 of the rest (4 bytes), format (4), base offset (double), append time (double), count (4),
 * bytes of the header table (4), the end of each record (4 each), the header table (JSON), and the records, each as
 * key length (2), index in the header table (2), key, value.
 */
import { crc32 } from 'node:zlib'
import type { ByteRoom } from '#services/byte-room.ts'
import type { LogRecord, NewRecord } from './log.ts'

const FORMAT = 1
const ENDS_AT = 32
const RECORD_HEAD = 4

/** The longest key, in bytes of UTF-8. */
export const KEY_BYTES_MAX = 0xffff

/** How many records fit into a chunk. */
export const CHUNK_RECORDS_MAX = 0xffff

/** A chunk that was looked at: where its parts are. */
export interface Chunk {
  readonly base: number
  readonly count: number
  readonly appendedAtMs: number
  readonly headers: readonly Readonly<Record<string, string>>[]
  readonly bytes: Buffer
  readonly recordsAt: number
}

/** Encodes records under dense offsets from `base` on, into memory that `room` gives. */
export function encodeChunk(base: number, appendedAtMs: number, records: readonly NewRecord[], room: ByteRoom): Buffer {
  const table: Readonly<Record<string, string>>[] = []
  const places = new Map<string, number>()
  const keyBytes: number[] = []
  const headerIndex: number[] = []
  let recordsBytes = 0
  let lastHeaders: NewRecord['headers']
  let lastIndex = -1
  for (const record of records) {
    // Records of a request share one headers object, so most skip the table.
    if (lastIndex < 0 || record.headers !== lastHeaders) {
      const text = JSON.stringify(record.headers ?? {})
      lastIndex = places.get(text) ?? table.length
      if (lastIndex === table.length) {
        places.set(text, lastIndex)
        table.push(record.headers ?? {})
      }
      lastHeaders = record.headers
    }
    const bytes = Buffer.byteLength(record.key)
    keyBytes.push(bytes)
    headerIndex.push(lastIndex)
    recordsBytes += RECORD_HEAD + bytes + record.value.length
  }
  const tableText = Buffer.from(JSON.stringify(table))
  const recordsAt = ENDS_AT + 4 * records.length + tableText.length
  const bytes = room.take(recordsAt + recordsBytes)
  bytes.writeUInt32LE(FORMAT, 4)
  bytes.writeDoubleLE(base, 8)
  bytes.writeDoubleLE(appendedAtMs, 16)
  bytes.writeUInt32LE(records.length, 24)
  bytes.writeUInt32LE(tableText.length, 28)
  bytes.set(tableText, ENDS_AT + 4 * records.length)
  let at = recordsAt
  for (const [index, record] of records.entries()) {
    const keyLength = keyBytes[index] ?? 0
    bytes.writeUInt16LE(keyLength, at)
    bytes.writeUInt16LE(headerIndex[index] ?? 0, at + 2)
    bytes.write(record.key, at + RECORD_HEAD, 'utf8')
    bytes.set(record.value, at + RECORD_HEAD + keyLength)
    at += RECORD_HEAD + keyLength + record.value.length
    bytes.writeUInt32LE(at - recordsAt, ENDS_AT + 4 * index)
  }
  bytes.writeUInt32LE(crc32(bytes.subarray(4)), 0)
  return bytes
}

/** The offset of the first record of a chunk, unchecked. */
export function baseOf(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getFloat64(8, true)
}

/** Looks at the head of a chunk and checks all of its bytes; undefined where they are not what was written. */
export function openChunk(bytes: Buffer): Chunk | undefined {
  if (bytes.length < ENDS_AT || crc32(bytes.subarray(4)) !== bytes.readUInt32LE(0) || bytes.readUInt32LE(4) !== FORMAT)
    return undefined
  const count = bytes.readUInt32LE(24)
  const tableAt = ENDS_AT + 4 * count
  const recordsAt = tableAt + bytes.readUInt32LE(28)
  return {
    base: bytes.readDoubleLE(8),
    count,
    appendedAtMs: bytes.readDoubleLE(16),
    headers: JSON.parse(bytes.toString('utf8', tableAt, recordsAt)) as Readonly<Record<string, string>>[],
    bytes,
    recordsAt,
  }
}

/** The record of a chunk at an index in [0, count). Its value is a view into the chunk. */
export function recordAt(chunk: Chunk, index: number, partition: number): LogRecord {
  const { bytes, recordsAt } = chunk
  const from = recordsAt + (index === 0 ? 0 : bytes.readUInt32LE(ENDS_AT + 4 * (index - 1)))
  const to = recordsAt + bytes.readUInt32LE(ENDS_AT + 4 * index)
  const keyTo = from + RECORD_HEAD + bytes.readUInt16LE(from)
  return {
    partition,
    offset: chunk.base + index,
    appendedAtMs: chunk.appendedAtMs,
    key: bytes.toString('utf8', from + RECORD_HEAD, keyTo),
    headers: chunk.headers[bytes.readUInt16LE(from + 2)] ?? {},
    value: bytes.subarray(keyTo, to),
  }
}
