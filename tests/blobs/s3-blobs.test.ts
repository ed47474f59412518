/** The blobs port on a real S3 server. */
import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { Agent } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DOMAIN } from '#infra/local/s3.ts'
import type { Blobs } from '#services/blobs/blobs.ts'
import { blobsContract } from '#tests/contract/blobs.ts'
import { collected } from '#tests/support/collected.ts'
import { type S3Bucket, s3Bucket } from '#tests/support/s3-bucket.ts'
import { needsStack, stack } from '#tests/support/stack.ts'

const MIB = 1024 * 1024

describe.skipIf(stack === undefined)(`S3${needsStack}`, () => {
  let bucket: S3Bucket
  let folder: string
  beforeAll(async () => {
    bucket = await s3Bucket()
    folder = await mkdtemp(join(tmpdir(), 'stepstore-s3-test-'))
  })
  afterAll(async () => {
    await bucket.close()
    await rm(folder, { recursive: true, force: true })
  })

  blobsContract('S3, path style', () => bucket.open())

  /** Every name is this machine, as a bucket's own host name is in the DNS of a real store. */
  const everywhere = new Agent({
    lookup: (_host, options, done) =>
      options.all === true ? done(null, [{ address: '127.0.0.1', family: 4 }]) : done(null, '127.0.0.1', 4),
  })
  blobsContract('S3, the bucket in the host name, large files in parts', () =>
    bucket.open({
      pathStyle: false,
      endpoint: `http://${DOMAIN}:${stack?.s3.port}`,
      agent: everywhere,
      wholeBytesMax: 4,
      partBytes: 5 * MIB,
    }),
  )

  const text = async (blobs: Blobs, key: string): Promise<string> =>
    Buffer.from((await blobs.get(key)) ?? []).toString()

  test('the server is found to keep conditions, and what tells so is in nobody’s list', async () => {
    const options = bucket.place()
    const [first, again] = [await bucket.open(options), await bucket.open(options)]
    expect([first.conditionalPuts, again.conditionalPuts]).toEqual([true, true])
    expect(await collected(first.list(''))).toEqual([])
  })

  test('lists more keys than one answer holds', { timeout: 120_000 }, async () => {
    const blobs = await bucket.open()
    const keys = Array.from({ length: 1_234 }, (_, index) => `k/${String(index).padStart(5, '0')}`)
    for (let from = 0; from < keys.length; from += 50)
      await Promise.all(keys.slice(from, from + 50).map((key) => blobs.put(key, Buffer.from('x'))))
    expect((await collected(blobs.list('k/'))).map(({ key }) => key)).toEqual(keys)
  })

  test('two prefixes of a bucket see nothing of each other', async () => {
    const [one, two] = [await bucket.open(), await bucket.open()]
    await one.put('a', Buffer.from('one'))
    expect(await two.get('a')).toBeUndefined()
    expect(await collected(two.list(''))).toEqual([])
  })

  test('a large file goes in parts, comes back whole, and is then read from the local copy', async () => {
    const options = { ...bucket.place(), wholeBytesMax: 6 * MIB, partBytes: 5 * MIB }
    const blobs = await bucket.open(options)
    const file = join(folder, 'large')
    const bytes = randomBytes(12 * MIB + 345)
    await writeFile(file, bytes)
    expect(await blobs.put('large', { file }, { ifAbsent: true })).toEqual({ created: true })
    expect(await blobs.head('large')).toEqual({ key: 'large', bytes: bytes.length })
    expect(bytes.equals(Buffer.from(await new Response(await blobs.stream('large')).arrayBuffer()))).toBe(true)
    expect(bytes.equals(await readFile(await blobs.localPath('large')))).toBe(true)
    const other = await bucket.open({ ...options, cacheFolder: join(folder, 'other-cache') })
    expect(bytes.equals(await readFile(await other.localPath('large')))).toBe(true)
    expect(await bucket.uploads(`${options.prefix}large`)).toBe(0)
    await writeFile(file, bytes)
    expect(await other.put('large', { file }, { ifAbsent: true })).toEqual({ created: false })
    await expect(stat(file)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test('a local path is that of the newest bytes, and of a removed object there is none', async () => {
    const options = bucket.place()
    const [mine, theirs] = [
      await bucket.open(options),
      await bucket.open({ ...options, cacheFolder: join(folder, 'theirs') }),
    ]
    await mine.put('k', Buffer.from('first'))
    const first = await mine.localPath('k')
    expect(await mine.localPath('k')).toBe(first)
    await theirs.put('k', Buffer.from('second'))
    expect(await readFile(await mine.localPath('k'), 'utf8')).toBe('second')
    expect(await readFile(first, 'utf8')).toBe('first')
    await theirs.delete('k')
    await expect(mine.localPath('k')).rejects.toMatchObject({ code: 'not_found' })
  })

  test('an empty object has an empty stream and an empty local file', async () => {
    const blobs = await bucket.open()
    await blobs.put('empty', new Uint8Array())
    expect(await text(blobs, 'empty')).toBe('')
    expect(await new Response(await blobs.stream('empty')).text()).toBe('')
    expect((await stat(await blobs.localPath('empty'))).size).toBe(0)
  })

  test('a bucket that is not there, and a wrong secret, are told apart, each with what to do', async () => {
    await expect(bucket.open({ bucket: 'no-such-bucket' })).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('bucket'),
      hint: expect.stringContaining('BLOBS_URL'),
    })
    await expect(
      bucket.open({ credentials: { accessKeyId: stack?.s3.accessKeyId ?? '', secretAccessKey: 'wrong-secret' } }),
    ).rejects.toMatchObject({ code: 'unavailable', hint: expect.stringContaining('AWS_SECRET_ACCESS_KEY') })
    await expect(bucket.open({ endpoint: 'http://127.0.0.1:1', attemptsMax: 2 })).rejects.toMatchObject({
      code: 'unavailable',
      retryAfterSeconds: 5,
    })
  })
})
