import { createWriteStream } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ObjectCache } from '#services/blobs/object-cache.ts'
import { canMount, fillDisk, mount, unmountAll } from '#tests/support/small-disk.ts'

const MINUTE = 60_000
let folder = ''
let nowMs = Date.UTC(2026, 0, 1)
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stepstore-cache-'))
  nowMs = Date.UTC(2026, 0, 1)
})
afterEach(() => {
  unmountAll()
  return rm(folder, { recursive: true, force: true })
})

const open = (bytesMax = 100): Promise<ObjectCache> =>
  ObjectCache.open({ folder, bytesMax, keepMs: 10 * MINUTE, clock: () => new Date(nowMs) })

/** Fills that count themselves. */
function filler(text: string): { fill: (path: string) => Promise<void>; readonly calls: number } {
  const state = {
    calls: 0,
    fill: (path: string): Promise<void> => {
      state.calls += 1
      return writeFile(path, text)
    },
  }
  return state
}

const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )

test('an object is fetched once, and again where its version is another', async () => {
  const cache = await open()
  const one = filler('one')
  const paths = await Promise.all([cache.take('k', 'v1', 3, one.fill), cache.take('k', 'v1', 3, one.fill)])
  expect(await cache.take('k', 'v1', 3, one.fill)).toBe(paths[0])
  expect([one.calls, paths[1]]).toEqual([1, paths[0]])
  const two = await cache.take('k', 'v2', 3, filler('two').fill)
  expect([await readFile(paths[0], 'utf8'), await readFile(two, 'utf8')]).toEqual(['one', 'two'])
})

test('what was fetched is found by the next opening', async () => {
  await (await open()).take('k', 'v', 3, filler('one').fill)
  const again = filler('one')
  await (await open()).take('k', 'v', 3, again.fill)
  expect(again.calls).toBe(0)
})

test('a copy that is too short or failed is not used, and not left behind', async () => {
  const cache = await open()
  await expect(cache.take('k', 'v', 5, filler('one').fill)).rejects.toThrow('5 bytes')
  await expect(cache.take('k', 'v', 5, () => Promise.reject(new RangeError('mine')))).rejects.toThrow('mine')
  expect(await readdir(join(folder, '~filling'))).toEqual([])
  expect(await readFile(await cache.take('k', 'v', 5, filler('whole').fill), 'utf8')).toBe('whole')
})

test('beyond its bound what was not used for longest goes, as soon as nobody can be about to open it', async () => {
  const cache = await open(100)
  const take = (key: string): Promise<string> => cache.take(key, 'v', 40, filler('x'.repeat(40)).fill)
  const [a, b] = [await take('a'), await take('b')]
  nowMs += 20 * MINUTE
  expect(await take('a')).toBe(a)
  const c = await take('c')
  expect(await Promise.all([a, b, c].map(isThere))).toEqual([true, false, true])
  // All three were asked for just now, so all stay, bound or not.
  const d = await take('d')
  expect(await Promise.all([a, c, d].map(isThere))).toEqual([true, true, true])
  nowMs += 20 * MINUTE
  await open(100)
  expect((await Promise.all([a, c, d].map(isThere))).filter((there) => there)).toHaveLength(2)
})

test('a local file is taken over without being fetched', async () => {
  const cache = await open()
  const file = join(folder, 'mine')
  await writeFile(file, 'abc')
  await cache.adopt('k', 'v', 3, file)
  const fetched = filler('abc')
  expect(await readFile(await cache.take('k', 'v', 3, fetched.fill), 'utf8')).toBe('abc')
  expect([fetched.calls, await isThere(file)]).toEqual([0, false])
})

test('opening removes fills that nobody ends any more, and spares those under way', async () => {
  const filling = join(folder, '~filling')
  await mkdir(filling)
  await writeFile(join(filling, 'old'), 'x')
  await writeFile(join(filling, 'young'), 'x')
  await utimes(join(filling, 'old'), 0, 0)
  await utimes(join(filling, 'young'), nowMs / 1000, nowMs / 1000)
  await open()
  expect(await readdir(filling)).toEqual(['young'])
})

test.skipIf(!canMount)(
  'a full disk is unavailable, leaves nothing behind, and is used again when there is space (needs the right to mount a tmpfs)',
  async () => {
    mount(folder, 4)
    const cache = await open()
    const text = 'x'.repeat(2 ** 20)
    const streamed = (path: string): Promise<void> => pipeline(Readable.from([text]), createWriteStream(path))
    const release = fillDisk(folder)
    await expect(cache.take('k', 'v', text.length, streamed)).rejects.toMatchObject({
      code: 'unavailable',
      message: 'the folder of local copies cannot be written (ENOSPC)',
      hint: expect.stringContaining('space') as unknown,
    })
    expect(await readdir(join(folder, '~filling'))).toEqual([])
    release()
    expect(await readFile(await cache.take('k', 'v', text.length, streamed), 'utf8')).toBe(text)
  },
)
