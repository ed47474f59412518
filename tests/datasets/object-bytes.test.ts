/** Bytes of objects through the front: the query server names them, and the front sends them from the folder itself. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { get } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { directoryBlobs } from '#services/blobs/directory.ts'
import type { Blobs } from '#services/blobs/blobs.ts'
import { silent } from '#services/logger.ts'
import { asProblem, problemBody } from '#services/problem.ts'
import { byteAnswer } from '#services/query/bytes/byte-answer.ts'
import { startFront, type Front } from '#services/serve/front.ts'
import { serveOnSocket, type SocketServer } from '#services/serve/socket-server.ts'

const BYTES = Buffer.from(Array.from({ length: 1_000_003 }, (_, n) => n % 251))
const KEY = 'datasets/objects/a'

let folder: string
let blobs: Blobs
let query: SocketServer
const fronts: Front[] = []
/** Requests that the query server answered with the bytes themselves. */
let streamed = 0

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stepstore-object-bytes-'))
  await mkdir(join(folder, 'blobs', 'datasets', 'objects'), { recursive: true })
  await writeFile(join(folder, 'blobs', KEY), BYTES)
  const kept = await directoryBlobs({ folder: join(folder, 'blobs') })
  blobs = new Proxy(kept, {
    get: (target, name) => {
      if (name === 'stream') streamed += 1
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  const answer = async (request: Request): Promise<Response> => {
    const key = new URL(request.url).pathname.slice(1)
    try {
      return await byteAnswer(request, { blobs, key, bytes: BYTES.length, sha256: 'abc', type: 'a/b' })
    } catch (error) {
      return Response.json(problemBody(asProblem(error)), { status: asProblem(error).status })
    }
  }
  query = await serveOnSocket(answer, join(folder, 'socket'))
  for (const objectsFolder of [join(folder, 'blobs'), undefined, join(folder, 'elsewhere')])
    fronts.push(
      await startFront({
        host: '127.0.0.1',
        port: 0,
        ingest: undefined,
        querySocket: join(folder, 'socket'),
        logger: silent,
        objectsFolder,
      }),
    )
})

afterAll(async () => {
  for (const front of fronts) await front.close(100)
  await query.close()
  await rm(folder, { recursive: true, force: true })
})

const urlOf = (front: number, key = KEY): string => `http://127.0.0.1:${fronts[front]?.port}/${key}`

async function asked(front: number, init: RequestInit, key?: string) {
  const answer = await fetch(urlOf(front, key), init)
  const headers = Object.fromEntries([...answer.headers].filter(([name]) => !['date', 'keep-alive'].includes(name)))
  return { status: answer.status, headers, body: Buffer.from(await answer.arrayBuffer()) }
}

describe('bytes through the front', () => {
  it.each([
    ['whole', {}],
    ['as a head', { method: 'HEAD' }],
    ['from the middle', { headers: { range: 'bytes=300000-700001' } }],
    ['from the end', { headers: { range: 'bytes=-8' } }],
    ['of one byte', { headers: { range: 'bytes=0-0' } }],
    ['past the end', { headers: { range: 'bytes=2000000-' } }],
    ['that are known', { headers: { 'if-none-match': '"abc"' } }],
  ] as const)('are the same from the folder as from the query server: %s', async (_, init) => {
    const before = streamed
    const own = await asked(0, init)
    expect(streamed).toBe(before)
    expect(own).toEqual(await asked(1, init))
    expect(own.headers).not.toHaveProperty('stepstore-object')
  })

  it('are all there, in order', async () => {
    const { body } = await asked(0, {})
    expect(body.equals(BYTES)).toBe(true)
    const part = await asked(0, { headers: { range: 'bytes=300000-700001' } })
    expect(part.body.equals(BYTES.subarray(300_000, 700_002))).toBe(true)
  })

  it('come in answers with a body whatever a client says of itself', async () => {
    const { body } = await asked(1, { headers: { 'stepstore-sends-objects': 'true' } })
    expect(body.equals(BYTES)).toBe(true)
  })

  it('that are not there are an error', async () => {
    expect((await asked(0, {}, 'datasets/objects/none')).status).toBe(404)
    expect((await asked(2, {})).status).toBe(503)
  })

  it('are sent no further to a client that goes away, and the next one is answered', async () => {
    for (let n = 0; n < 20; n++)
      await new Promise<void>((resolve, reject) => {
        const going = get(urlOf(0), (answer) => answer.once('data', () => going.destroy()))
        going.on('close', resolve).on('error', (error: NodeJS.ErrnoException) => {
          if (error.code !== 'ECONNRESET') reject(error)
        })
      })
    expect((await asked(0, {})).body.length).toBe(BYTES.length)
  })
})
