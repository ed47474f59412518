import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { zstdDecompressSync } from 'node:zlib'
import { afterEach, describe, expect, test } from 'vitest'
import { sender, type SenderOptions } from '#services/import/send.ts'
import { formatPosition, parsePosition } from '#services/position.ts'

const LOG = 'log-1'
let server: Server | undefined

afterEach(
  () =>
    new Promise<void>((resolve) => {
      server?.closeAllConnections()
      if (server === undefined) resolve()
      else server.close(() => resolve())
      server = undefined
    }),
)

/** A server that keeps what it is sent, unless `before` answers first. Answers its URL and what it kept, in order. */
async function keeper(
  before: (attempt: number, response: ServerResponse, incoming: IncomingMessage) => boolean = () => false,
) {
  const kept: string[][] = []
  let attempts = 0
  let together = 0
  let most = 0
  const own = createServer((incoming, response) => {
    const chunks: Buffer[] = []
    most = Math.max(most, ++together)
    response.on('close', () => together--)
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
    incoming.on('end', () => {
      if (before(attempts++, response, incoming)) return
      kept.push(zstdDecompressSync(Buffer.concat(chunks)).toString().trimEnd().split('\n'))
      const position = formatPosition(LOG, new Map([[kept.length % 2, kept.length]]))
      setTimeout(() => response.end(JSON.stringify({ accepted: 1, position })), 5)
    })
  })
  server = own
  await new Promise<void>((resolve) => own.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(own.address() as AddressInfo).port}`,
    kept,
    attempts: () => attempts,
    most: () => most,
  }
}

const bytes = (...texts: string[]) => texts.map((text) => Buffer.from(text))
const waits: number[] = []
const options = (url: string, more: Partial<SenderOptions> = {}): SenderOptions => ({
  url,
  key: undefined,
  inFlightMax: 1,
  random: () => 1,
  sleep: async (ms) => {
    waits.push(ms)
  },
  ...more,
})

function problem(response: ServerResponse, status: number, body: object, headers: Record<string, string> = {}): true {
  response.writeHead(status, { 'content-type': 'application/problem+json', ...headers })
  response.end(JSON.stringify(body))
  return true
}

describe('the sender', () => {
  test('keeps units whole and in order, and answers the position that includes all', async () => {
    const { url, kept } = await keeper()
    const out = sender(options(url, { batchEventsMax: 4 }))
    for (const name of ['a', 'b', 'c']) await out.add(bytes(`${name}1`, `${name}2`, `${name}3`))
    const position = await out.finish()
    expect(kept).toEqual([
      ['a1', 'a2', 'a3'],
      ['b1', 'b2', 'b3'],
      ['c1', 'c2', 'c3'],
    ])
    expect(parsePosition(position ?? '').offsets).toEqual(
      new Map([
        [0, 2],
        [1, 3],
      ]),
    )
  })

  test('sends a unit that is too large for one batch in parts, one after another', async () => {
    const { url, kept, most } = await keeper()
    const out = sender(options(url, { batchBytesMax: 10, inFlightMax: 4 }))
    await out.add(bytes('aaaa', 'bbbb', 'cccc', 'dddd', 'eeee'))
    await out.finish()
    expect(kept.flat()).toEqual(['aaaa', 'bbbb', 'cccc', 'dddd', 'eeee'])
    expect(kept.length).toBeGreaterThan(1)
    expect(most()).toBe(1)
  })

  test('has no more requests under way than it may', async () => {
    const { url, most, kept } = await keeper()
    const out = sender(options(url, { batchEventsMax: 1, inFlightMax: 3 }))
    for (let index = 0; index < 20; index++) await out.add(bytes(String(index)))
    await out.finish()
    expect(kept.flat().toSorted()).toEqual(Array.from({ length: 20 }, (_, index) => String(index)).toSorted())
    expect(most()).toBeLessThanOrEqual(3)
  })

  test('sends again after 429 and 503, and waits as Retry-After says', async () => {
    waits.length = 0
    const { url, kept } = await keeper((attempt, response) =>
      attempt === 0
        ? problem(response, 429, { detail: 'busy' }, { 'retry-after': '7' })
        : attempt === 1 && problem(response, 503, { detail: 'away' }),
    )
    const out = sender(options(url))
    await out.add(bytes('x'))
    await out.finish()
    expect(kept).toEqual([['x']])
    expect(waits).toEqual([7000, 400])
  })

  test('sends again when the connection is cut', async () => {
    const { url, kept } = await keeper((attempt, response) => attempt < 2 && Boolean(response.destroy()))
    const out = sender(options(url))
    await out.add(bytes('x'))
    await out.finish()
    expect(kept).toEqual([['x']])
  })

  test('gives up after a while, and says what to do', async () => {
    const { url } = await keeper((_attempt, response) => problem(response, 503, { detail: 'the disk is full' }))
    const out = sender(options(url, { giveUpMs: -1 }))
    await out.add(bytes('x'))
    await expect(out.finish()).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('the disk is full'),
      hint: expect.stringContaining('run the same import again'),
    })
  })

  test('stops at once where trying again cannot help', async () => {
    const { url, attempts } = await keeper((_attempt, response) =>
      problem(response, 401, { code: 'unauthorized', detail: 'the key is wrong', hint: 'set it' }),
    )
    const out = sender(options(url, { key: 'k', batchEventsMax: 1 }))
    await expect(
      (async () => {
        for (let index = 0; index < 50; index++) await out.add(bytes('x'))
        await out.finish()
      })(),
    ).rejects.toMatchObject({ code: 'unauthorized', hint: 'set it' })
    expect(attempts()).toBeLessThan(4)
  })

  test('bears the key', async () => {
    let borne: string | undefined
    const { url } = await keeper((_attempt, _response, incoming) => {
      borne = incoming.headers.authorization
      return false
    })
    const out = sender(options(url, { key: 'k' }))
    await out.add(bytes('x'))
    await out.finish()
    expect(borne).toBe('Bearer k')
  })

  test('answers nothing where nothing was sent', async () => {
    expect(await sender(options('http://127.0.0.1:1')).finish()).toBeUndefined()
  })
})
