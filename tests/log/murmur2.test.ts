import { expect, test } from 'vitest'
import { murmur2, partitionOf } from '#services/log/murmur2.ts'

test.each([
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
])('murmur2 of %s is what the Java client of Kafka computes', (text, hash) => {
  expect(murmur2(Buffer.from(text))).toBe(hash)
})

test('murmur2 of no bytes is what the Java client of Kafka computes', () => {
  expect(murmur2(new Uint8Array())).toBe(275646681)
})

test('a partition is the positive hash modulo the number of partitions', () => {
  expect(partitionOf('foobar', 50)).toBe(16)
})
