/** Reads what a fetch brings: record batches (format 2) as Kafka stores them, one after the other. */
import { FAULT_HEADER } from '#schemas/envelope.ts'
import { errorText } from '#services/logger.ts'
import { Problem } from '#services/problem.ts'
import { crc32c } from './crc32c.ts'
import { decompress } from './kafka-codecs.ts'
import type { LogRecord } from './log.ts'

/** A batch that is not decoded yet: offsets in [base, next). */
export interface RawBatch {
  readonly base: number
  readonly next: number
  readonly isControl: boolean
  readonly isTransactional: boolean
  readonly producerId: bigint
  readonly bytes: Buffer
}

/** A transaction that was rolled back: its records begin at `firstOffset`. */
export interface Aborted {
  readonly producerId: bigint
  readonly firstOffset: number
}

const HEADER_BYTES = 61
const LENGTH_AT = 8
const MAGIC_AT = 16
const CRC_AT = 17
const ATTRIBUTES_AT = 21
const LAST_DELTA_AT = 23
const BASE_TIMESTAMP_AT = 27
const MAX_TIMESTAMP_AT = 35
const PRODUCER_AT = 43
const COUNT_AT = 57

const CODEC_BITS = 0x07
const APPEND_TIME_BIT = 0x08
const TRANSACTIONAL_BIT = 0x10
const CONTROL_BIT = 0x20

/** A batch of the format before, of which only the place is known. */
function oldBatch(bytes: Buffer, offset: number): RawBatch {
  return { base: offset, next: offset + 1, isControl: false, isTransactional: false, producerId: -1n, bytes }
}

/** Cuts the bytes of a fetch into batches. The last one may be cut off and is then left out. */
export function batchesIn(bytes: Buffer): RawBatch[] {
  const batches: RawBatch[] = []
  for (let place = 0; place + MAGIC_AT < bytes.length;) {
    const end = place + LENGTH_AT + 4 + bytes.readInt32BE(place + LENGTH_AT)
    if (end > bytes.length || end <= place) break
    const batch = bytes.subarray(place, end)
    const base = Number(batch.readBigInt64BE(0))
    if (batch.readInt8(MAGIC_AT) !== 2) batches.push(oldBatch(batch, base))
    else {
      const attributes = batch.readInt16BE(ATTRIBUTES_AT)
      batches.push({
        base,
        next: base + batch.readInt32BE(LAST_DELTA_AT) + 1,
        isControl: (attributes & CONTROL_BIT) !== 0,
        isTransactional: (attributes & TRANSACTIONAL_BIT) !== 0,
        producerId: batch.readBigInt64BE(PRODUCER_AT),
        bytes: batch,
      })
    }
    place = end
  }
  return batches
}

/** Leaves out control batches and the records of transactions that were rolled back, as Kafka's own clients do. */
export function committedOnly(batches: readonly RawBatch[], aborted: readonly Aborted[]): RawBatch[] {
  const waiting = aborted.toSorted((left, right) => left.firstOffset - right.firstOffset)
  const open = new Set<bigint>()
  return batches.filter((batch) => {
    while (waiting[0] !== undefined && waiting[0].firstOffset < batch.next) open.add(waiting.shift()?.producerId ?? -1n)
    if (batch.isControl) {
      // A marker ends the transaction of its producer.
      open.delete(batch.producerId)
      return false
    }
    return !(batch.isTransactional && open.has(batch.producerId))
  })
}

/** Reads numbers and byte strings of variable length. Throws RangeError at the end. */
class Cursor {
  place: number
  readonly bytes: Buffer

  constructor(bytes: Buffer, place: number) {
    this.bytes = bytes
    this.place = place
  }

  /** A zigzag number. Times take more than 32 bits, so it is put together by multiplication. */
  varint(): number {
    let value = 0
    let factor = 1
    for (let index = 0; index < 10; index++) {
      const byte = this.bytes[this.place++]
      if (byte === undefined) throw new RangeError('it ends too early')
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2
      factor *= 128
    }
    throw new RangeError('a number is too long')
  }

  slice(): Buffer | null {
    const length = this.varint()
    if (length < 0) return null
    const from = this.place
    this.place += length
    if (this.place > this.bytes.length) throw new RangeError('it ends too early')
    return this.bytes.subarray(from, this.place)
  }

  headers(): Record<string, string> {
    const headers: Record<string, string> = {}
    for (let left = this.varint(); left > 0; left--) {
      const name = this.slice()?.toString() ?? ''
      const value = this.slice()?.toString() ?? ''
      // A header of this name is an own property like any other, not the prototype.
      if (name === '__proto__') Object.defineProperty(headers, name, { value, enumerable: true, configurable: true })
      else headers[name] = value
    }
    return headers
  }
}

const timeAt = (bytes: Buffer, place: number): number => Number(bytes.readBigInt64BE(place))

function records(batch: RawBatch, partition: number, body: Buffer, from: number): LogRecord[] {
  const { bytes, base } = batch
  const byLog = (bytes.readInt16BE(ATTRIBUTES_AT) & APPEND_TIME_BIT) !== 0
  const [first, appended] = [timeAt(bytes, BASE_TIMESTAMP_AT), timeAt(bytes, MAX_TIMESTAMP_AT)]
  const cursor = new Cursor(body, from)
  const found: LogRecord[] = []
  let next = base
  for (let left = bytes.readInt32BE(COUNT_AT); left > 0; left--) {
    const end = cursor.varint() + cursor.place
    cursor.place++
    const sent = first + cursor.varint()
    const offset = base + cursor.varint()
    const key = cursor.slice()?.toString() ?? ''
    const value = cursor.slice()
    const headers = cursor.headers()
    if (cursor.place !== end) throw new RangeError('a record does not have the length that it names')
    if (offset < next || offset >= batch.next) throw new RangeError('its offsets are not in order')
    next = offset + 1
    found.push({ partition, offset, appendedAtMs: byLog ? appended : sent, key, headers, value })
  }
  return found
}

/** One record in place of a batch that cannot be read, at its last offset, so that a reader goes on behind it. */
function fault(batch: RawBatch, partition: number, why: string): LogRecord {
  const appendedAtMs = batch.bytes.length < HEADER_BYTES ? 0 : timeAt(batch.bytes, MAX_TIMESTAMP_AT)
  const text = `the records with offsets ${batch.base} to ${batch.next - 1} cannot be read: ${why}`
  const headers = { [FAULT_HEADER]: text.slice(0, 300) }
  return { partition, offset: batch.next - 1, appendedAtMs, key: '', headers, value: null }
}

/**
 * The records of a batch, decompressed to at most `bytesMax`. A batch that its producer made so that it cannot be read
 * comes back as one record with a null value and `FAULT_HEADER`. Throws `corrupt` where the log itself changed its bytes.
 */
export async function recordsOf(batch: RawBatch, partition: number, bytesMax: number): Promise<LogRecord[]> {
  const { bytes } = batch
  if (bytes.length < HEADER_BYTES || bytes.readInt8(MAGIC_AT) !== 2)
    return [fault(batch, partition, 'their format is older than Kafka 0.11')]
  if (crc32c(bytes, ATTRIBUTES_AT) !== bytes.readUInt32BE(CRC_AT)) {
    throw new Problem(
      'corrupt',
      `partition ${partition} of the topic is damaged at offset ${batch.base}: the checksum does not match`,
      { hint: 'restore the partition from another replica; `npx stepstore verify` says what the lake holds' },
    )
  }
  try {
    const codec = bytes.readInt16BE(ATTRIBUTES_AT) & CODEC_BITS
    if (codec === 0) return records(batch, partition, bytes, HEADER_BYTES)
    return records(batch, partition, await decompress(codec, bytes.subarray(HEADER_BYTES), bytesMax), 0)
  } catch (error) {
    return [fault(batch, partition, error instanceof Error ? error.message : errorText(error))]
  }
}
