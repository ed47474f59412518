/** Immutable bytes over real sockets, fault by fault as readers provoke them. */
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readdir, readlink, rm } from 'node:fs/promises'
import { Agent, type IncomingMessage, request as ask } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Hono } from 'hono'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Blobs } from '#services/blobs/blobs.ts'
import { directoryBlobs } from '#services/blobs/directory.ts'
import { byteAnswer } from '#services/query/bytes/byte-answer.ts'
import { serveOnSocket, type SocketServer } from '#services/serve/socket-server.ts'
import { hasProc } from '#tests/support/processes.ts'

const KEY = 'datasets/large.parquet'
const SIZE = 8 * 1024 * 1024 + 17
const content = randomBytes(SIZE)
const sha256 = createHash('sha256').update(content).digest('hex')

let folder: string
let blobs: Blobs
let server: SocketServer
let socketPath: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stepstore-bytes-'))
  blobs = await directoryBlobs({ folder: join(folder, 'blobs') })
  await blobs.put(KEY, content)
  socketPath = join(folder, 's')
  const app = new Hono()
  app.get('/file.parquet', (context) =>
    byteAnswer(context.req.raw, { blobs, key: KEY, bytes: SIZE, sha256, type: 'application/vnd.apache.parquet' }),
  )
  server = await serveOnSocket((request) => app.fetch(request), socketPath)
})
afterAll(async () => {
  await server.close()
  await blobs.close()
  await rm(folder, { recursive: true, force: true })
})

interface Asking {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly agent?: Agent
}

/** The answer with nothing of its body read. */
async function begun({ method = 'GET', headers = {}, agent }: Asking = {}): Promise<IncomingMessage> {
  const sent = ask({ socketPath, path: '/file.parquet', method, headers, ...(agent === undefined ? {} : { agent }) })
  sent.end()
  const [answer] = (await once(sent, 'response')) as [IncomingMessage]
  return answer
}

async function read(asking: Asking): Promise<{ status: number; headers: IncomingMessage['headers']; body: Buffer }> {
  const answer = await begun(asking)
  const pieces: Buffer[] = []
  for await (const piece of answer) pieces.push(piece as Buffer)
  return { status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(pieces) }
}

/** How often this process has the object open. */
async function timesOpen(): Promise<number> {
  const links = await Promise.all(
    (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')),
  )
  return links.filter((link) => link.endsWith(KEY)).length
}

describe('bytes over sockets', () => {
  it.skipIf(!hasProc)(
    'a GET that nobody reads holds up nobody, and costs nothing once it is dropped (needs /proc)',
    async () => {
      const unread = await Promise.all(Array.from({ length: 12 }, () => begun()))
      const { status, body } = await read({ headers: { range: 'bytes=-4' } })
      expect([status, body]).toEqual([206, content.subarray(-4)])
      // What is open waits for its reader: none was read to its end into memory.
      expect(await timesOpen()).toBe(unread.length)
      for (const answer of unread) answer.destroy()
      await expect.poll(timesOpen).toBe(0)
    },
  )

  it('six sockets read their parts at once, and the parts make the whole', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 6 })
    const step = Math.ceil(SIZE / 40)
    const starts = Array.from({ length: 40 }, (_, index) => index * step)
    const parts = await Promise.all(
      starts.map(async (start) => {
        const end = Math.min(SIZE, start + step)
        const part = await read({ headers: { range: `bytes=${start}-${end - 1}` }, agent })
        expect([part.status, part.headers['content-length']]).toEqual([206, String(end - start)])
        expect(part.headers['content-range']).toBe(`bytes ${start}-${end - 1}/${SIZE}`)
        expect(part.headers.etag).toBe(`"${sha256}"`)
        return part.body
      }),
    )
    agent.destroy()
    expect(Buffer.concat(parts).equals(content)).toBe(true)
  })

  it.each([SIZE, SIZE + 1, 10 * SIZE, Number.MAX_SAFE_INTEGER])(
    'a suffix of %i bytes is all of it, as a part',
    async (length) => {
      const { status, headers, body } = await read({ headers: { range: `bytes=-${length}` } })
      expect([status, headers['content-range']]).toEqual([206, `bytes 0-${SIZE - 1}/${SIZE}`])
      expect(body.equals(content)).toBe(true)
    },
  )

  it.each([
    ['the first byte behind the end', `bytes=${SIZE}-`],
    ['far behind the end', `bytes=${SIZE * 2}-${SIZE * 3}`],
    ['no bytes at all', 'bytes=-0'],
  ])('%s is 416 and says how many there are', async (_, range) => {
    const { status, headers } = await read({ headers: { range } })
    expect([status, headers['content-range']]).toEqual([416, `bytes */${SIZE}`])
  })

  it('a range that ends behind the end is cut there', async () => {
    const { status, headers, body } = await read({ headers: { range: `bytes=${SIZE - 3}-${SIZE + 1000}` } })
    expect([status, headers['content-length'], body]).toEqual([206, '3', content.subarray(-3)])
  })

  it('HEAD says the size, and that ranges work, and sends nothing', async () => {
    for (const headers of [{}, { range: 'bytes=0-9' }] as const) {
      const [head, full] = [await read({ method: 'HEAD', headers }), await read({ headers })]
      expect([head.status, head.body.length]).toEqual([full.status, 0])
      for (const name of ['content-length', 'content-range', 'content-type', 'etag', 'accept-ranges', 'cache-control'])
        expect([name, head.headers[name]]).toEqual([name, full.headers[name]])
      expect(head.headers['accept-ranges']).toBe('bytes')
    }
  })

  it('is never coded, whatever the reader would take', async () => {
    const { headers, body } = await read({ headers: { 'accept-encoding': 'gzip, deflate, br, zstd' } })
    expect([headers['content-encoding'], headers['content-length']]).toEqual([undefined, String(SIZE)])
    expect(body.equals(content)).toBe(true)
  })
})
