/** Memory that serves again after it was given back, and never before. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { ByteRoom } from '#services/byte-room.ts'

const size = fc.oneof(fc.integer({ min: 0, max: 2000 }), fc.integer({ min: 1_000_000, max: 6_000_000 }))

it('gives out no byte twice until it is cleared', () => {
  const room = new ByteRoom()
  fc.assert(
    fc.property(fc.array(size, { maxLength: 12 }), (sizes) => {
      room.clear()
      const taken = sizes.map((length, index) => room.take(length).fill(index + 1))
      for (const [index, bytes] of taken.entries()) {
        expect(bytes.length).toBe(sizes[index])
        expect([bytes[0], bytes.at(-1)]).toEqual(bytes.length === 0 ? [undefined, undefined] : [index + 1, index + 1])
        expect(bytes.equals(Buffer.alloc(bytes.length, index + 1))).toBe(true)
      }
    }),
    { numRuns: 30 },
  )
})

it('gives the same memory again once it is cleared', () => {
  const room = new ByteRoom()
  const first = room.copy(Buffer.from('first'))
  room.clear()
  expect(room.copy(Buffer.from('other')).buffer).toBe(first.buffer)
  expect(first.toString()).toBe('other')
})

it('keeps no more than 16 MiB', () => {
  const room = new ByteRoom()
  const blocks = (): Set<ArrayBufferLike> => new Set(Array.from({ length: 8 }, () => room.take(4 * 1024 * 1024).buffer))
  const before = blocks()
  room.clear()
  expect([...blocks()].filter((block) => before.has(block))).toHaveLength(4)
})
