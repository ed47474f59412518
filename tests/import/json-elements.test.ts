import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { jsonElements, type Element } from '#services/import/json-elements.ts'

const options = { elementBytesMax: 4096, begins: /\{\s*"task_id"\s*:/ }

async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function elements(text: string | Uint8Array, size = 7): Promise<Element[]> {
  const bytes = typeof text === 'string' ? Buffer.from(text) : text
  const found: Element[] = []
  for await (const element of jsonElements(pieces(bytes, size), options)) found.push(element)
  return found
}

const values = (found: readonly Element[]) => found.map(({ value, fault }) => (fault === undefined ? value : 'garbage'))

describe('elements of a JSON array', () => {
  test('come back as JSON.parse gives them, however the bytes are cut and spaced', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.jsonValue()),
        fc.integer({ min: 1, max: 50 }),
        fc.constantFrom(undefined, 1, 2),
        async (list, size, indent) => {
          const found = await elements(JSON.stringify(list, null, indent), size)
          expect(found.map((element) => element.value)).toEqual(JSON.parse(JSON.stringify(list)))
          expect(found.every((element) => element.fault === undefined)).toBe(true)
        },
      ),
      { numRuns: 200 },
    )
  })

  test('come from JSON Lines, one after another, and behind a byte order mark', async () => {
    expect(values(await elements('\uFEFF{"task_id":1}\n{"task_id":2}\n'))).toEqual([{ task_id: 1 }, { task_id: 2 }])
  })

  const faults: readonly (readonly [string, string])[] = [
    ['a bare word', 'oops'],
    ['a wrong bracket', '{"task_id": 7, "traj": ]}'],
    ['a string that never ends', '{"task_id": 7, "traj": "Hi! I am'],
    ['a record cut off between two fields', '{"task_id": 7, "traj": [{"role": "user"}'],
    ['a number that is none', '{"task_id": 1-2}'],
    ['nesting without end', '['.repeat(1000)],
    ['a record that is too long', `{"task_id": 7, "x": "${'x'.repeat(5000)}"}`],
  ]
  test.each(faults)('%s costs itself and nothing behind it', async (_name, garbage) => {
    // Enough behind it for the reader to notice a record that was cut off.
    const good = Array.from({ length: 60 }, (_, index) => ({
      task_id: index,
      text: `It's "${index}", {so} [it] is` + '.'.repeat(60),
    }))
    const [first, ...rest] = good.map((value) => JSON.stringify(value))
    const found = await elements(`[${first}, ${garbage}, ${rest.join(', ')}]`, 1000)
    expect(found.filter((element) => element.fault !== undefined).length).toBeGreaterThan(0)
    expect(found.filter((element) => element.fault === undefined).map((element) => element.value)).toEqual(good)
    expect(found[1]?.byteOffset).toBe((first ?? '').length + 3)
  })

  test('a byte that is not UTF-8 is a fault of its element alone', async () => {
    const bytes = Buffer.concat([Buffer.from('[{"task_id":"'), Buffer.from([0xff]), Buffer.from('"},{"task_id":2}]')])
    expect(values(await elements(bytes))).toEqual(['garbage', { task_id: 2 }])
  })

  test('a source that ends in the middle of a record says so', async () => {
    const found = await elements('[{"task_id":1},{"task_id":2')
    expect(values(found)).toEqual([{ task_id: 1 }, 'garbage'])
    expect(found[1]?.fault).toContain('ends in the middle')
  })

  test('memory holds one element, not the source', async () => {
    const record = Buffer.from(`{"task_id":1,"text":"${'x'.repeat(3000)}"},`)
    const chunk = Buffer.concat(Array.from({ length: 300 }, () => record))
    async function* long(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('[')
      for (let turn = 0; turn < 200; turn++) yield chunk
      yield Buffer.from(']')
    }
    // Other tests of this process leave buffers behind; what counts is how much is added to them.
    const before = process.memoryUsage().arrayBuffers
    let count = 0
    let most = 0
    for await (const element of jsonElements(long(), options)) {
      expect(element.fault).toBeUndefined()
      if (++count % 5000 === 0) most = Math.max(most, process.memoryUsage().arrayBuffers)
    }
    expect(count).toBe(60_000)
    // 180 MB went through.
    expect(most - before).toBeLessThan(90e6)
  })
})
