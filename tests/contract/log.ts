/** What every adapter of the log port must do. An adapter's test file calls this with a way to open an empty one. */
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ByteRoom } from '#services/byte-room.ts'
import type { Log, LogRecord, NewRecord } from '#services/log/log.ts'
import type { Offsets } from '#services/position.ts'

const ALL = { recordsMax: 100_000, bytesMax: 1e9 }

const record = (key: string, text: string): NewRecord => ({
  key,
  headers: { 'content-type': 'application/cloudevents+json' },
  value: Buffer.from(text),
})

const textOf = (found: LogRecord): string => Buffer.from(found.value ?? []).toString()

/** All that a partition holds, read in pieces. */
async function whole(log: Log, partition: number, from = 0): Promise<LogRecord[]> {
  const found: LogRecord[] = []
  for (let next = from; ;) {
    const piece = await log.read(partition, next, { recordsMax: 7, bytesMax: 500 })
    const last = piece.at(-1)
    if (last === undefined) return found
    found.push(...piece)
    next = last.offset + 1
  }
}

/** Keys of each partition, so that a test can choose where a record goes. */
function keyIn(log: Log, partition: number): string {
  for (let index = 0; ; index++) if (log.partitionOf(`key-${index}`) === partition) return `key-${index}`
}

/** One caller: it appends its batches one after the other, each a list of (partition, bytes). */
const caller = fc.array(fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 3000 })), { maxLength: 6 }), {
  maxLength: 6,
})

export function logContract(name: string, openEmpty: () => Promise<Log>): void {
  describe(`log: ${name}`, () => {
    let log: Log

    beforeEach(async () => {
      log = await openEmpty()
    })
    afterEach(async () => {
      await log.close()
    })

    test('a record comes back as it was sent, in the partition of its key, with the time of its append', async () => {
      const value = Uint8Array.from({ length: 5000 }, (_, index) => (index * 31) % 256)
      const offsets = await log.append([
        { key: 'zürich/"1"', headers: { ce_id: 'é', 'content-type': 'application/json' }, value },
      ])
      const partition = log.partitionOf('zürich/"1"')
      expect(offsets).toEqual(new Map([[partition, 1]]))
      const found = await log.readOne(partition, 0)
      expect(found).toMatchObject({
        partition,
        offset: 0,
        key: 'zürich/"1"',
        headers: { ce_id: 'é', 'content-type': 'application/json' },
      })
      expect(Buffer.from(found?.value ?? []).equals(value)).toBe(true)
      expect(found?.appendedAtMs).toBeGreaterThan(0)
    })

    test('the empty value and one of 4 MiB come back', async () => {
      const key = keyIn(log, 1)
      const large = Buffer.alloc(4 * 1024 * 1024, 'x')
      await log.append([{ key, value: new Uint8Array() }, { key, value: large }, record(key, 'after')])
      const found = await log.read(1, 0, ALL)
      expect(found.map(({ value }) => value?.length)).toEqual([0, large.length, 5])
      expect(Buffer.from(found[1]?.value ?? []).equals(large)).toBe(true)
    })

    test('a room for values gives the same records, piece after piece', async () => {
      const key = keyIn(log, 1)
      const sizes = [1, 300_000, 4 * 1024 * 1024, 40, 2_500_000, 2_500_000, 9]
      await log.append(sizes.map((size, index) => ({ key, value: Buffer.alloc(size, index + 1) })))
      await log.append(sizes.map((size, index) => ({ key, value: Buffer.alloc(size, index + 101) })))
      const room = new ByteRoom()
      const seen: string[] = []
      for (let next = 0; ;) {
        const piece = await log.read(1, next, { recordsMax: 3, bytesMax: 1e9, room })
        const last = piece.at(-1)
        if (last === undefined) break
        for (const { offset, value } of piece) {
          const bytes = Buffer.from(value ?? [])
          expect(bytes.equals(Buffer.alloc(bytes.length, bytes[0]))).toBe(true)
          seen.push(`${offset}: ${bytes.length} of ${bytes[0]}`)
        }
        next = last.offset + 1
      }
      const wanted = [1, 101].flatMap((first) => sizes.map((size, index) => `${size} of ${first + index}`))
      expect(seen).toEqual(wanted.map((text, offset) => `${offset}: ${text}`))
    })

    test('records of one append keep their order in each partition', async () => {
      const keys = [keyIn(log, 0), keyIn(log, 1)]
      await log.append(Array.from({ length: 100 }, (_, index) => record(keys[index % 2] ?? '', `${index}`)))
      expect((await whole(log, 0)).map(textOf)).toEqual(Array.from({ length: 50 }, (_, index) => `${index * 2}`))
      expect((await whole(log, 1)).map(textOf)).toEqual(Array.from({ length: 50 }, (_, index) => `${index * 2 + 1}`))
    })

    test('reading from the middle of an append begins at the offset asked for', async () => {
      const key = keyIn(log, 2)
      await log.append(Array.from({ length: 20 }, (_, index) => record(key, `${index}`)))
      expect((await log.read(2, 13, ALL)).map(textOf)).toEqual(['13', '14', '15', '16', '17', '18', '19'])
    })

    test('a read gives no more records and bytes than asked for, but at least one', async () => {
      const key = keyIn(log, 0)
      await log.append(Array.from({ length: 10 }, () => record(key, 'x'.repeat(1000))))
      expect(await log.read(0, 0, { recordsMax: 3, bytesMax: 1e9 })).toHaveLength(3)
      expect((await log.read(0, 0, { recordsMax: 100, bytesMax: 3500 })).length).toBeLessThanOrEqual(3)
      expect(await log.read(0, 0, { recordsMax: 100, bytesMax: 1 })).toHaveLength(1)
    })

    test('at the end and past it there is nothing', async () => {
      const key = keyIn(log, 0)
      await log.append([record(key, 'only')])
      expect(await log.read(0, 1, ALL)).toEqual([])
      expect(await log.read(0, 99, ALL)).toEqual([])
      expect(await log.readOne(0, 1)).toBeUndefined()
      expect(await log.read(1, 0, ALL)).toEqual([])
    })

    test('bounds say what each partition holds', async () => {
      const key = keyIn(log, 3)
      await log.append([record(key, 'a'), record(key, 'b')])
      expect(await log.bounds()).toEqual([
        { start: 0, end: 0 },
        { start: 0, end: 0 },
        { start: 0, end: 0 },
        { start: 0, end: 2 },
      ])
    })

    test('an append of nothing changes nothing', async () => {
      expect(await log.append([])).toEqual(new Map())
      expect((await log.bounds()).every(({ end }) => end === 0)).toBe(true)
    })

    test('whatever callers do at once, offsets are dense, each record is found by range and by offset, and each caller keeps its order', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(caller, { minLength: 1, maxLength: 6 }), async (callers) => {
          const before = await log.bounds()
          const appended = new Map<string, Offsets>()
          await Promise.all(
            callers.map(async (batches, who) => {
              for (const [batch, parts] of batches.entries()) {
                const records = parts.map(([place, bytes], index) =>
                  record(keyIn(log, place % log.partitions), `${who} ${batch} ${index} ${'x'.repeat(bytes)}`),
                )
                appended.set(`${who} ${batch}`, await log.append(records))
              }
            }),
          )
          const seen = new Map<string, number>()
          for (const [partition, { end }] of (await log.bounds()).entries()) {
            const start = before[partition]?.end ?? 0
            const found = await whole(log, partition, start)
            expect(found.map(({ offset }) => offset)).toEqual(
              Array.from({ length: end - start }, (_, index) => start + index),
            )
            const last = new Map<string, number>()
            for (const item of found) {
              const [who = '', batch = '', index = ''] = textOf(item).split(' ')
              const place = Number(batch) * 1000 + Number(index)
              expect(place).toBeGreaterThan(last.get(who) ?? -1)
              last.set(who, place)
              expect(item.offset).toBeLessThan(appended.get(`${who} ${batch}`)?.get(partition) ?? 0)
              seen.set(`${who} ${batch} ${index}`, (seen.get(`${who} ${batch} ${index}`) ?? 0) + 1)
              expect(await log.readOne(partition, item.offset)).toEqual(item)
            }
          }
          const sent = callers.flatMap((batches, who) =>
            batches.flatMap((parts, batch) => parts.map((_, index) => `${who} ${batch} ${index}`)),
          )
          expect(seen).toEqual(new Map(sent.map((id) => [id, 1])))
        }),
        { numRuns: 25 },
      )
    })
  })
}
