/** The blobs port where the network and the server fail: every request, in every way, alone and by chance. */
import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { S3Blobs, S3Options } from '#services/blobs/s3.ts'
import { random } from '#services/gym/random.ts'
import { collected } from '#tests/support/collected.ts'
import { type S3Bucket, s3Bucket } from '#tests/support/s3-bucket.ts'
import { type Fault, faultsByChance, type S3Faults, s3Faults } from '#tests/support/s3-faults.ts'
import { seedOf } from '#tests/support/seed.ts'
import { needsStack, stack } from '#tests/support/stack.ts'

const MIB = 1024 * 1024
const FAULTS: readonly Fault[] = ['reset_before', 'lost_answer', 'cut_answer', 'slow', 429, 500, 503]
const IN_PARTS = { wholeBytesMax: 5 * MIB, partBytes: 5 * MIB }

describe.skipIf(stack === undefined)(`S3 with faults${needsStack}`, () => {
  let bucket: S3Bucket
  let faults: S3Faults
  let folder: string
  let place: S3Options
  /** Past the proxy. */
  let direct: S3Blobs
  let blobs: S3Blobs
  beforeAll(async () => {
    bucket = await s3Bucket()
    folder = await mkdtemp(join(tmpdir(), 'stepstore-s3-faults-'))
  })
  afterAll(async () => {
    await bucket.close()
    await rm(folder, { recursive: true, force: true })
  })
  beforeEach(async () => {
    faults = await s3Faults(bucket.endpoint)
    place = bucket.place()
    direct = await bucket.open(place)
    blobs = await bucket.open({ ...place, ...IN_PARTS, cacheFolder: join(folder, 'cache'), endpoint: faults.endpoint })
  })
  afterEach(() => faults.close())

  /** The first request of an operation fails; what comes after it does not. */
  const failFirst = (operation: string, fault: Fault): void => {
    let isDone = false
    faults.plan((asked) => {
      if (isDone || asked.operation !== operation) return undefined
      isDone = true
      return fault
    })
  }
  const failed = (): number => faults.asked.filter(({ fault }) => fault !== undefined).length
  const text = async (from: S3Blobs, key: string): Promise<string> =>
    Buffer.from((await from.get(key)) ?? []).toString()

  describe.each(FAULTS)('%s', (fault) => {
    test('on a put: it is stored once and was ours', async () => {
      failFirst('PutObject', fault)
      expect(await blobs.put('k', Buffer.from('mine'), { ifAbsent: true })).toEqual({ created: true })
      expect(failed()).toBe(1)
      expect(await text(direct, 'k')).toBe('mine')
    })

    test('on a put where another one is there: it is told so, and stays', async () => {
      await direct.put('k', Buffer.from('theirs'))
      failFirst('PutObject', fault)
      expect(await blobs.put('k', Buffer.from('mine'), { ifAbsent: true })).toEqual({ created: false })
      expect(await text(direct, 'k')).toBe('theirs')
    })

    test('on reads of every kind: they give what is there', async () => {
      await direct.put('a/k', Buffer.from('0123456789'))
      failFirst('GetObject', fault)
      expect(await text(blobs, 'a/k')).toBe('0123456789')
      failFirst('GetObject', fault)
      expect(await new Response(await blobs.stream('a/k', { start: 2, end: 8 })).text()).toBe('234567')
      failFirst('HeadObject', fault)
      expect(await blobs.head('a/k')).toEqual({ key: 'a/k', bytes: 10 })
      failFirst('HeadObject', fault)
      expect(await blobs.head('nothing')).toBeUndefined()
      failFirst('ListObjects', fault)
      expect(await collected(blobs.list(''))).toEqual([{ key: 'a/k', bytes: 10 }])
      failFirst('DeleteObject', fault)
      await blobs.delete('a/k')
      expect(await direct.head('a/k')).toBeUndefined()
    })

    test.each(['CreateMultipartUpload', 'UploadPart', 'CompleteMultipartUpload'])(
      'on %s: the object is whole, and was ours',
      async (operation) => {
        const bytes = randomBytes(11 * MIB)
        const file = join(folder, 'large')
        await writeFile(file, bytes)
        failFirst(operation, fault)
        expect(await blobs.put('large', { file }, { ifAbsent: true })).toEqual({ created: true })
        expect(failed()).toBe(1)
        expect(bytes.equals((await direct.get('large')) ?? Buffer.alloc(0))).toBe(true)
        // The server may know of an upload of which we never learnt.
        const mayStay = operation === 'CreateMultipartUpload' && (fault === 'lost_answer' || fault === 'cut_answer')
        expect(await bucket.uploads(`${place.prefix}large`)).toBe(mayStay ? 1 : 0)
      },
    )
  })

  test(
    'of 20 that put the same key through a bad network, exactly one learns that it won, and its bytes are there',
    { timeout: 120_000 },
    async () => {
      const seed = seedOf('S3 race')
      for (let round = 0; round < 5; round++) {
        faults.plan(
          faultsByChance(random(seed, 'faults', round).next, 0.3, ['reset_before', 'lost_answer', 429, 500, 503]),
        )
        const key = `race/${round}`
        const results = await Promise.allSettled(
          Array.from({ length: 20 }, (_, writer) =>
            blobs.put(key, Buffer.from(`writer ${writer}`), { ifAbsent: true }),
          ),
        )
        faults.plan(() => undefined)
        const there = await text(direct, key)
        const winners = results.flatMap((result, writer) =>
          result.status === 'fulfilled' && result.value.created ? [`writer ${writer}`] : [],
        )
        // One that gave up may have won without learning it; whoever learns it is right.
        expect(winners.every((winner) => winner === there)).toBe(true)
        if (results.every(({ status }) => status === 'fulfilled')) expect(winners).toHaveLength(1)
      }
      expect(failed()).toBeGreaterThan(20)
    },
  )

  test('a server that never answers well is given up after a bounded number of requests, as unavailable', async () => {
    const before = faults.asked.length
    faults.plan(() => 503)
    await expect(blobs.put('k', Buffer.from('x'), { ifAbsent: true })).rejects.toMatchObject({
      code: 'unavailable',
      retryAfterSeconds: 5,
    })
    await expect(blobs.get('k')).rejects.toMatchObject({ code: 'unavailable' })
    expect(faults.asked.length - before).toBeLessThan(40)
  })

  test('an upload in parts that fails for good leaves no parts behind, and keeps the file', async () => {
    const file = join(folder, 'kept')
    await writeFile(file, randomBytes(11 * MIB))
    faults.plan(({ operation }) => (operation === 'UploadPart' ? 500 : undefined))
    await expect(blobs.put('large', { file }, { ifAbsent: true })).rejects.toMatchObject({ code: 'unavailable' })
    expect(await direct.head('large')).toBeUndefined()
    expect(await bucket.uploads(`${place.prefix}large`)).toBe(0)
    expect((await readFile(file)).length).toBe(11 * MIB)
  })

  test('another one that completes first wins over an upload in parts', async () => {
    const file = join(folder, 'loser')
    await writeFile(file, randomBytes(6 * MIB))
    faults.plan(async ({ operation }) => {
      if (operation === 'CompleteMultipartUpload') await direct.put('large', Buffer.from('theirs'), { ifAbsent: true })
      return undefined
    })
    expect(await blobs.put('large', { file }, { ifAbsent: true })).toEqual({ created: false })
    expect(await text(direct, 'large')).toBe('theirs')
    expect(await bucket.uploads(`${place.prefix}large`)).toBe(0)
    // The local copy is of what is there, not of what was to be there.
    expect(await readFile(await blobs.localPath('large'), 'utf8')).toBe('theirs')
  })

  test('a long stream goes on where it breaks, again and again', async () => {
    const bytes = randomBytes(3 * MIB)
    await direct.put('long', bytes)
    let cuts = 0
    faults.plan(({ operation }) => (operation === 'GetObject' && cuts++ < 9 ? 'cut_answer' : undefined))
    const chunks = await collected(await blobs.stream('long', { start: 1_000, end: bytes.length }))
    expect(bytes.subarray(1_000).equals(Buffer.concat(chunks))).toBe(true)
    expect(failed()).toBe(9)
  })

  test('a stream whose object is replaced while its connection is broken ends with an error, never with a mixture', async () => {
    await direct.put('k', Buffer.alloc(MIB, 'a'))
    let isFirst = true
    faults.plan(async ({ operation }) => {
      if (operation !== 'GetObject') return undefined
      if (isFirst) {
        isFirst = false
        return 'cut_answer'
      }
      await direct.put('k', Buffer.alloc(MIB, 'b'))
      return undefined
    })
    await expect(new Response(await blobs.stream('k')).text()).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('replaced'),
    })
  })

  test('a stream that is cancelled, read or not, gives its connection back', async () => {
    await direct.put('long', Buffer.alloc(20 * MIB))
    const before = await faults.openConnections()
    for (let turn = 0; turn < 5; turn++) {
      const unread = await blobs.stream('long')
      await unread.cancel()
      const reader = (await blobs.stream('long')).getReader()
      expect((await reader.read()).value?.length).toBeGreaterThan(0)
      await reader.cancel()
    }
    // The proxy hears of it a moment later.
    await expect.poll(() => faults.openConnections()).toBeLessThanOrEqual(before + 1)
  })

  test('local copies that break while they are made are made again, whole', async () => {
    const bytes = randomBytes(2 * MIB)
    await direct.put('k', bytes)
    failFirst('GetObject', 'cut_answer')
    const paths = await Promise.all([blobs.localPath('k'), blobs.localPath('k')])
    expect(new Set(paths).size).toBe(1)
    expect(bytes.equals(await readFile(paths[0] ?? ''))).toBe(true)
    expect(faults.asked.filter(({ operation }) => operation === 'GetObject')).toHaveLength(2)
  })

  test('a server that ignores conditions is found out, and what is there stays all the same', async () => {
    // As such a server does: the newer one takes the place of the older.
    faults.plan(async ({ operation, url }) => {
      if (operation === 'PutObject')
        await bucket.remove(decodeURIComponent(url.split('?')[0] ?? '').slice(`/${place.bucket}/`.length))
      return undefined
    })
    const careless = await bucket.open({
      ...place,
      prefix: `${place.prefix}careless/`,
      cacheFolder: join(folder, 'careless'),
      endpoint: faults.endpoint,
    })
    expect(careless.conditionalPuts).toBe(false)
    expect(await careless.put('k', Buffer.from('first'), { ifAbsent: true })).toEqual({ created: true })
    expect(await careless.put('k', Buffer.from('second'), { ifAbsent: true })).toEqual({ created: false })
    expect(await text(careless, 'k')).toBe('first')
  })
})
