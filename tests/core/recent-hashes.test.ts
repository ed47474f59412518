/** Hashes that are handed on must be those of the records asked for, or none. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { RecentHashes } from '#services/core/recent-hashes.ts'

const hashOf = (offset: number): string | null => (offset % 7 === 3 ? null : `hash of ${offset}`)

test('a range names only records that were added, each with its own hash, whatever was added and in what parts', () => {
  const part = fc.record({ skip: fc.constantFrom(0, 0, 0, 5), length: fc.nat(12) })
  fc.assert(
    fc.property(fc.array(part, { maxLength: 40 }), fc.nat(200), fc.nat(60), (parts, from, length) => {
      const recent = new RecentHashes(10)
      let end = 0
      for (const { skip, length: records } of parts) {
        const at = end + skip
        recent.add(
          at,
          Array.from({ length: records }, (_, index) => hashOf(at + index)),
        )
        end = at + records
      }
      const known = recent.range(from, from + length)
      for (const [index, hash] of known.hashes.entries()) {
        const offset = known.from + index
        expect(offset).toBeGreaterThanOrEqual(from)
        expect(offset).toBeLessThan(Math.min(from + length, end))
        expect(hash).toBe(hashOf(offset))
      }
    }),
  )
})

test('the last records are known, and older ones are forgotten', () => {
  const recent = new RecentHashes(10)
  for (let offset = 0; offset < 1000; offset++) recent.add(offset, [hashOf(offset)])
  expect(recent.range(990, 1000).hashes).toEqual(Array.from({ length: 10 }, (_, index) => hashOf(990 + index)))
  expect(recent.range(0, 1000).hashes.length).toBeLessThanOrEqual(20)
})
