/** Batches as kafkajs writes them, read by ours, whole and damaged. */
import { createRequire } from 'node:module'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FAULT_HEADER } from '#schemas/envelope.ts'
import { readEvent } from '#services/core/event-reader.ts'
import { crc32c } from '#services/log/crc32c.ts'
import { batchesIn, committedOnly, type RawBatch, recordsOf } from '#services/log/kafka-batches.ts'

interface Encoded {
  readonly buffer: Buffer
}
interface Written {
  readonly offsetDelta: number
  readonly timestampDelta: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: Record<string, string>
}
const require = createRequire(import.meta.url)
const encodeRecord = require('kafkajs/src/protocol/recordBatch/record/v0') as (record: Written) => Encoded
const { RecordBatch } = require('kafkajs/src/protocol/recordBatch/v0') as {
  RecordBatch: (options: Record<string, unknown>) => Promise<Encoded>
}

const AT = 1_700_000_000_000

async function batch(base: number, records: readonly Written[], more: Record<string, unknown> = {}): Promise<Buffer> {
  const encoded = await RecordBatch({
    firstOffset: base,
    firstTimestamp: AT,
    maxTimestamp: AT + 5,
    lastOffsetDelta: records.at(-1)?.offsetDelta ?? 0,
    records: records.map(encodeRecord),
    ...more,
  })
  return encoded.buffer
}

/** Sets attributes that kafkajs never writes, and the checksum that goes with them. */
function withAttributes(bytes: Buffer, attributes: number): Buffer {
  const copy = Buffer.from(bytes)
  copy.writeInt16BE(attributes, 21)
  copy.writeUInt32BE(crc32c(copy, 21), 17)
  return copy
}

const plain = (offsetDelta: number, value: string): Written => ({
  offsetDelta,
  timestampDelta: 0,
  key: Buffer.from('k'),
  value: Buffer.from(value),
  headers: {},
})
const bytes = fc.option(fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array)))
const written = fc.record({
  timestampDelta: fc.integer({ min: -(2 ** 40), max: 2 ** 40 }),
  key: fc.option(fc.string()),
  value: bytes,
  headers: fc.dictionary(fc.string(), fc.string(), { maxKeys: 4 }),
})

async function only(raw: readonly RawBatch[]): Promise<RawBatch> {
  const [first] = raw
  if (first === undefined || raw.length !== 1) throw new Error(`${raw.length} batches`)
  return first
}

describe('batches', () => {
  test('give back every record, whatever is in it, compressed or not, also where offsets have gaps', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(written, fc.nat({ max: 3 })), { minLength: 1, maxLength: 12 }),
        fc.nat({ max: 2 ** 45 }),
        fc.boolean(),
        async (given, base, compressed) => {
          let delta = -1
          const records = given.map(([one, gap]) => ({
            ...one,
            key: one.key === null ? null : Buffer.from(one.key),
            offsetDelta: (delta += 1 + gap),
          }))
          const raw = await only(batchesIn(await batch(base, records, compressed ? { compression: 1 } : {})))
          expect(raw).toMatchObject({ base, next: base + delta + 1 })
          const found = await recordsOf(raw, 3, 1e6)
          expect(found).toEqual(
            given.map(([{ timestampDelta, key, value, headers }], index) => ({
              partition: 3,
              offset: base + (records[index]?.offsetDelta ?? 0),
              appendedAtMs: AT + timestampDelta,
              key: key ?? '',
              value,
              headers: Object.fromEntries(Object.entries(headers)),
            })),
          )
        },
      ),
    )
  })

  test('have the time of the log where the log stamps them', async () => {
    const raw = await only(batchesIn(withAttributes(await batch(0, [plain(0, 'a')]), 0x08)))
    expect((await recordsOf(raw, 0, 1000))[0]?.appendedAtMs).toBe(AT + 5)
  })

  test('are told from a last one that is cut off', async () => {
    const both = Buffer.concat([await batch(0, [plain(0, 'a'), plain(1, 'b')]), await batch(2, [plain(0, 'c')])])
    expect(batchesIn(both).map(({ base, next }) => [base, next])).toEqual([
      [0, 2],
      [2, 3],
    ])
    for (let length = 0; length < both.length; length++)
      expect(batchesIn(both.subarray(0, length)).every(({ next }) => next <= 2)).toBe(true)
  })

  test('that the log damaged are an error that says where, whichever byte it is', async () => {
    const good = await batch(7, [plain(0, 'a fact'), plain(1, 'another')])
    for (let place = 17; place < good.length; place++) {
      const bad = Buffer.from(good)
      bad.writeUInt8(bad.readUInt8(place) ^ 0x10, place)
      const raw = await only(batchesIn(bad))
      await expect(recordsOf({ ...raw, base: 7 }, 2, 1000)).rejects.toMatchObject({
        code: 'corrupt',
        message: expect.stringContaining('partition 2 of the topic is damaged at offset 7'),
      })
    }
  })

  test('that their producer made unreadable are one record without a value at their last offset, which is judged so', async () => {
    const three = [plain(0, 'a'), plain(1, 'b'), plain(2, 'c')]
    const bomb = await batch(10, [plain(0, 'x'.repeat(100_000))], { compression: 1 })
    const faults: readonly (readonly [Buffer, string])[] = [
      [withAttributes(await batch(10, three), 1), 'gzip'],
      [withAttributes(await batch(10, three), 2), 'snappy'],
      [withAttributes(await batch(10, three), 3), 'lz4'],
      [withAttributes(await batch(10, three), 4), 'zstd'],
      [withAttributes(await batch(10, three), 7), 'codec 7 is unknown'],
      [bomb, 'gzip'],
    ]
    for (const [made, why] of faults) {
      const raw = await only(batchesIn(made))
      const [record, ...others] = await recordsOf(raw, 1, 50_000)
      expect(others).toEqual([])
      expect(record).toMatchObject({ partition: 1, offset: raw.next - 1, value: null })
      expect(record?.headers[FAULT_HEADER]).toContain(`offsets 10 to ${raw.next - 1} cannot be read: ${why}`)
      expect(readEvent(record?.value ?? null, record?.headers)).toMatchObject({
        readable: false,
        code: 'undecodable',
        message: expect.stringContaining(why),
      })
    }
  })

  test('with records that end too early or are too long are a fault, and never an exception', async () => {
    const good = await batch(0, [plain(0, 'abc'), plain(1, 'def')])
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 57, max: good.length - 1 }), fc.nat({ max: 255 }), async (place, byte) => {
        const bad = Buffer.from(good)
        bad.writeUInt8(byte, place)
        // A checksum that fits: the producer itself made it so.
        const found = await recordsOf(await only(batchesIn(withAttributes(bad, 0))), 0, 1000)
        expect(Array.isArray(found)).toBe(true)
      }),
    )
  })

  test('of transactions that were rolled back are left out, and so are markers', () => {
    const of = (base: number, producer: number, kind: 'data' | 'marker' | 'plain'): RawBatch => ({
      base,
      next: base + 1,
      isControl: kind === 'marker',
      isTransactional: kind !== 'plain',
      producerId: BigInt(producer),
      bytes: Buffer.alloc(0),
    })
    // Producer 1 rolls back 0 and commits 5; producer 2 commits 1; 2 is of nobody's transaction.
    const all = [
      of(0, 1, 'data'),
      of(1, 2, 'data'),
      of(2, -1, 'plain'),
      of(3, 1, 'marker'),
      of(4, 2, 'marker'),
      of(5, 1, 'data'),
      of(6, 1, 'marker'),
    ]
    expect(committedOnly(all, [{ producerId: 1n, firstOffset: 0 }]).map(({ base }) => base)).toEqual([1, 2, 5])
    expect(committedOnly(all, []).map(({ base }) => base)).toEqual([0, 1, 2, 5])
  })

  test('with a value that is none are judged as empty', async () => {
    const raw = await only(batchesIn(await batch(0, [{ ...plain(0, ''), value: null }])))
    const [record] = await recordsOf(raw, 0, 1000)
    expect(readEvent(record?.value ?? null, record?.headers)).toMatchObject({ readable: false, code: 'empty' })
  })
})
