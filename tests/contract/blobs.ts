/** What every adapter of the blobs port must do. An adapter's test file calls this with a way to open it. */
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Blobs } from '#services/blobs/blobs.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (value: Uint8Array | undefined): string | undefined =>
  value === undefined ? undefined : new TextDecoder().decode(value)

async function drain(stream: ReadableStream<Uint8Array>): Promise<string> {
  return new Response(stream).text()
}

async function keys(blobs: Blobs, prefix: string): Promise<string[]> {
  const found: string[] = []
  for await (const { key } of blobs.list(prefix)) found.push(key)
  return found
}

export function blobsContract(name: string, openEmpty: () => Promise<Blobs>): void {
  describe(`blobs: ${name}`, () => {
    let blobs: Blobs
    let folder: string

    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), 'stepstore-blobs-body-'))
      blobs = await openEmpty()
    })
    afterEach(async () => {
      await blobs.close()
      await rm(folder, { recursive: true, force: true })
    })

    test('what was put comes back, byte for byte, and replaces what was there', async () => {
      const odd = Uint8Array.from({ length: 1000 }, (_, index) => (index * 7) % 256)
      await blobs.put('a/b/odd', odd)
      expect(await blobs.get('a/b/odd')).toEqual(Buffer.from(odd))
      await blobs.put('a/b/odd', bytes('second'))
      expect(text(await blobs.get('a/b/odd'))).toBe('second')
      expect(await blobs.head('a/b/odd')).toEqual({ key: 'a/b/odd', bytes: 6 })
    })

    test('what is not there is undefined, or not_found where a path or stream is asked for', async () => {
      await blobs.put('a/b', bytes('x'))
      for (const key of ['nothing', 'a', 'a/b/c']) {
        expect(await blobs.get(key)).toBeUndefined()
        expect(await blobs.head(key)).toBeUndefined()
        await expect(blobs.stream(key)).rejects.toMatchObject({ code: 'not_found' })
        await expect(blobs.localPath(key)).rejects.toMatchObject({ code: 'not_found' })
      }
    })

    test('ifAbsent keeps what is there', async () => {
      expect(await blobs.put('one', bytes('first'), { ifAbsent: true })).toEqual({ created: true })
      expect(await blobs.put('one', bytes('second'), { ifAbsent: true })).toEqual({ created: false })
      expect(text(await blobs.get('one'))).toBe('first')
    })

    test('of 50 that put the same key if absent exactly one wins, and its bytes stay', async () => {
      const results = await Promise.all(
        Array.from({ length: 50 }, (_, index) =>
          blobs.put('race/one', bytes(`writer ${index} ${'x'.repeat(index * 1000)}`), { ifAbsent: true }),
        ),
      )
      const winners = results.flatMap(({ created }, index) => (created ? [index] : []))
      expect(winners).toHaveLength(1)
      expect(text(await blobs.get('race/one'))?.startsWith(`writer ${winners[0]} `)).toBe(true)
    })

    test('a reader never sees a part of an object while it is replaced', async () => {
      const bodies = ['a', 'b'].map((letter) => bytes(letter.repeat(400_000)))
      await blobs.put('torn', bodies[0] ?? bytes(''))
      let writing = true
      const writer = (async () => {
        for (let round = 0; round < 20; round++) await blobs.put('torn', bodies[round % 2] ?? bytes(''))
        writing = false
      })()
      while (writing) {
        const seen = await blobs.get('torn')
        expect(seen?.length).toBe(400_000)
        expect(new Set(seen).size).toBe(1)
      }
      await writer
    })

    test('a local file is moved in', async () => {
      const file = join(folder, 'body')
      await writeFile(file, 'from a file')
      await blobs.put('moved/in', { file })
      expect(text(await blobs.get('moved/in'))).toBe('from a file')
      await expect(stat(file)).rejects.toMatchObject({ code: 'ENOENT' })
      await writeFile(file, 'too late')
      expect(await blobs.put('moved/in', { file }, { ifAbsent: true })).toEqual({ created: false })
      await expect(stat(file)).rejects.toMatchObject({ code: 'ENOENT' })
      expect(text(await blobs.get('moved/in'))).toBe('from a file')
    })

    test('ranges are half open and end where the object ends', async () => {
      await blobs.put('digits', bytes('0123456789'))
      expect(await drain(await blobs.stream('digits'))).toBe('0123456789')
      expect(await drain(await blobs.stream('digits', { start: 2, end: 5 }))).toBe('234')
      expect(await drain(await blobs.stream('digits', { start: 8, end: 50 }))).toBe('89')
      expect(await drain(await blobs.stream('digits', { start: 10, end: 10 }))).toBe('')
      await expect(blobs.stream('digits', { start: 11, end: 12 })).rejects.toMatchObject({
        code: 'range_not_satisfiable',
      })
    })

    test('a long object streams whole', async () => {
      const long = 'stepstore '.repeat(100_000)
      await blobs.put('long', bytes(long))
      expect(await drain(await blobs.stream('long'))).toBe(long)
    })

    test('lists keys in their order, under any prefix', async () => {
      const all = [
        'a',
        'b-c/x',
        'b/a/1',
        'b/a/2',
        'b/b',
        'b0',
        'catalog/000000000001.json',
        'catalog/000000000002.json',
      ]
      for (const key of [...all].reverse()) await blobs.put(key, bytes(key))
      expect(await keys(blobs, '')).toEqual(all)
      expect(await keys(blobs, 'b')).toEqual(['b-c/x', 'b/a/1', 'b/a/2', 'b/b', 'b0'])
      expect(await keys(blobs, 'b/a')).toEqual(['b/a/1', 'b/a/2'])
      expect(await keys(blobs, 'catalog/')).toEqual(['catalog/000000000001.json', 'catalog/000000000002.json'])
      expect(await keys(blobs, 'nothing/here')).toEqual([])
    })

    test('delete removes, and does nothing where there is nothing', async () => {
      await blobs.put('gone', bytes('x'))
      await blobs.delete('gone')
      await blobs.delete('gone')
      expect(await blobs.get('gone')).toBeUndefined()
      expect(await keys(blobs, '')).toEqual([])
    })

    test('refuses keys that are no relative paths of safe segments', async () => {
      for (const key of ['', '/a', 'a/', 'a//b', '../a', 'a/../b', './a', 'a\nb', 'a b', '~incoming/a']) {
        await expect(blobs.put(key, bytes('x'))).rejects.toMatchObject({ code: 'invalid' })
        await expect(blobs.get(key)).rejects.toMatchObject({ code: 'invalid' })
      }
    })

    test('a local program can read an object at its local path', async () => {
      await blobs.put('lake/steps/x.parquet', bytes('12345'))
      expect((await stat(await blobs.localPath('lake/steps/x.parquet'))).size).toBe(5)
    })
  })
}
