import { gzipSync, zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { crc32c } from '#services/log/crc32c.ts'
import { CodecFault, decompress } from '#services/log/kafka-codecs.ts'

const [GZIP, SNAPPY, LZ4, ZSTD] = [1, 2, 3, 4]
const TEXT = `${'step '.repeat(40)}end${Array.from({ length: 90 }, (_, index) => String.fromCharCode(97 + ((index * 7) % 26))).join('')}`

/** TEXT as python-snappy 0.7.3 and lz4 4.4.5 compress it. */
const MADE = {
  snappy: 'a502107374657020fe0500fe0500ee05000d0570656e6461686f76636a7178656c737a676e7562697077646b7279666d74fe1a00',
  snappyFramed:
    '82534e415050590000000001000000010000000d64107374657020fe05007a05000000002fc101107374657020fe05007a050070656e6461686f76636a7178656c737a676e7562697077646b7279666d74fe1a00',
  lz4Linked:
    '04224d186c40250100000000000049310000005f73746570200500b0ff0e656e6461686f76636a7178656c737a676e7562697077646b7279666d741a00285078656c737a0000000021b443f4',
  lz4BlockChecksums:
    '04224d187040ad310000005f73746570200500b0ff0e656e6461686f76636a7178656c737a676e7562697077646b7279666d741a00285078656c737a56617e2a00000000',
}

const undone = async (codec: number, hex: string): Promise<string> =>
  (await decompress(codec, Buffer.from(hex, 'hex'), 1e6)).toString()

describe('codecs', () => {
  test('undo what other libraries made: raw and framed snappy, lz4 with linked blocks and with checksums', async () => {
    expect(await undone(SNAPPY, MADE.snappy)).toBe(TEXT)
    expect(await undone(SNAPPY, MADE.snappyFramed)).toBe(TEXT)
    expect(await undone(LZ4, MADE.lz4Linked)).toBe(TEXT)
    expect(await undone(LZ4, MADE.lz4BlockChecksums)).toBe(TEXT)
    expect(await undone(GZIP, gzipSync(TEXT).toString('hex'))).toBe(TEXT)
    expect(await undone(ZSTD, zstdCompressSync(TEXT).toString('hex'))).toBe(TEXT)
  })

  test.each([
    ['gzip', GZIP, gzipSync(Buffer.alloc(1e6))],
    ['zstd', ZSTD, zstdCompressSync(Buffer.alloc(1e6))],
    ['snappy', SNAPPY, Buffer.from(MADE.snappy, 'hex')],
    ['lz4', LZ4, Buffer.from(MADE.lz4Linked, 'hex')],
  ])('%s gives no more than it may', async (_, codec, bytes) => {
    await expect(decompress(codec, bytes, 200)).rejects.toThrow(CodecFault)
  })

  test('bytes that were changed or cut off give a fault or other bytes, and never more than they may', async () => {
    const made = [
      Buffer.from(MADE.snappy, 'hex'),
      Buffer.from(MADE.snappyFramed, 'hex'),
      Buffer.from(MADE.lz4Linked, 'hex'),
      Buffer.from(MADE.lz4BlockChecksums, 'hex'),
    ]
    await fc.assert(
      fc.asyncProperty(
        fc.nat({ max: 3 }),
        fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 3 }),
        fc.nat({ max: 400 }),
        async (which, flips, length) => {
          const bytes = Buffer.from(made[which] ?? []).subarray(0, length)
          for (const [place, byte] of flips) if (bytes.length > 0) bytes[place % bytes.length] = byte
          const result = await decompress(which < 2 ? SNAPPY : LZ4, bytes, 5000).catch((error: unknown) => error)
          if (Buffer.isBuffer(result)) expect(result.length).toBeLessThanOrEqual(5000)
          else expect(result).toBeInstanceOf(CodecFault)
        },
      ),
      { numRuns: 2000 },
    )
  })

  test('a codec that nobody knows is a fault', async () => {
    await expect(decompress(6, Buffer.from('x'), 100)).rejects.toThrow('codec 6 is unknown')
  })

  test('the checksum is CRC-32C, whatever the length', () => {
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283)
    expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa)
    expect(crc32c(Buffer.alloc(32, 0xff))).toBe(0x62a8ab43)
    expect(crc32c(Buffer.from('xx123456789y'), 2, 11)).toBe(0xe3069283)
  })
})
