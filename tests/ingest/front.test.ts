import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { request } from 'node:http'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ingestWorld, type IngestWorld } from '#tests/support/ingest-world.ts'

let world: IngestWorld
let query: Server | undefined

beforeEach(async () => {
  world = await ingestWorld()
})
afterEach(async () => {
  query?.closeAllConnections()
  query?.close()
  query = undefined
  await world.close()
})

async function queryServer(handler: (incoming: IncomingMessage, response: ServerResponse) => void): Promise<void> {
  query = createServer(handler)
  query.listen(world.querySocket)
  await once(query, 'listening')
}

const EVENT = '{"specversion":"1.0","id":"1","source":"s","type":"run.started","data":{"run_id":"r","kind":"rl"}}'
const postEvent = (): Promise<Response> =>
  fetch(`${world.url}/v1/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/cloudevents+json' },
    body: EVENT,
  })

test('without a query server reads are 503 with Retry-After, and events are taken', async () => {
  const read = await fetch(`${world.url}/v1/runs`)
  expect([read.status, read.headers.get('retry-after'), read.headers.get('content-type')]).toEqual([
    503,
    '1',
    'application/problem+json',
  ])
  expect(await read.json()).toMatchObject({ code: 'unavailable', hint: expect.any(String) })
  expect((await postEvent()).status).toBe(200)
  expect(await (await fetch(`${world.url}/healthz`)).json()).toEqual({ status: 'ok' })
})

test('a read goes to the query server with method, path, headers and body, and its answer comes back', async () => {
  await queryServer((incoming, response) => {
    let body = ''
    incoming.on('data', (piece: Buffer) => (body += piece.toString()))
    incoming.on('end', () => {
      response.writeHead(206, { 'content-type': 'text/csv', etag: '"x"', 'set-cookie': ['a=1', 'b=2'] })
      response.end(
        JSON.stringify({ method: incoming.method, url: incoming.url, range: incoming.headers['range'], body }),
      )
    })
  })
  const reply = await fetch(`${world.url}/v1/sql?a=%20b`, {
    method: 'POST',
    headers: { range: 'bytes=0-1' },
    body: 'select 1',
  })
  expect([reply.status, reply.headers.get('etag'), reply.headers.getSetCookie()]).toEqual([206, '"x"', ['a=1', 'b=2']])
  expect(await reply.json()).toEqual({ method: 'POST', url: '/v1/sql?a=%20b', range: 'bytes=0-1', body: 'select 1' })
})

test('which requests are whose', async () => {
  await queryServer((_, response) => response.end('query'))
  const text = async (path: string, method: string): Promise<string> =>
    (await fetch(`${world.url}${path}`, { method })).text()
  const image = `/v1/images/${'a'.repeat(64)}`
  for (const [path, method] of [
    [image, 'GET'],
    [`${image}?w=64`, 'GET'],
    [image, 'DELETE'],
    ['/v1/images/missing', 'GET'],
    ['/v1/eventsx', 'POST'],
    ['/', 'GET'],
  ] as const) {
    expect(await text(path, method)).toBe('query')
  }
  for (const [path, method] of [
    ['/v1/events', 'GET'],
    ['/v1/events?x=1', 'POST'],
    [image, 'PUT'],
    ['/v1/images/missing', 'POST'],
    ['/healthz?x=1', 'GET'],
  ] as const) {
    expect(await text(path, method)).toContain('urn:stepstore:problem')
  }
})

test('a query server that does not answer makes readiness false, with the reason', async () => {
  const { startFront } = await import('#services/serve/front.ts')
  const hanging = await startFront({
    host: '127.0.0.1',
    port: 0,
    ingest: { fetch: () => new Response() },
    querySocket: world.querySocket,
    logger: () => {},
    readyMsMax: 50,
  })
  const ready = async (): Promise<unknown> => {
    const reply = await fetch(`http://127.0.0.1:${hanging.port}/readyz`)
    return { status: reply.status, ...((await reply.json()) as object) }
  }
  expect(await ready()).toMatchObject({ status: 503, ready: false, reasons: [{ code: 'starting' }] })
  await queryServer(() => {})
  expect(await ready()).toMatchObject({ status: 503, ready: false, reasons: [{ code: 'not_answering' }] })
  await hanging.close(1_000)
})

test('a HEAD keeps the length of the answer that it stands for', async () => {
  await queryServer((_, response) => {
    response.writeHead(200, { 'content-length': '123456' })
    response.end()
  })
  const reply = await fetch(`${world.url}/v1/datasets/sft.parquet`, { method: 'HEAD' })
  expect([reply.status, reply.headers.get('content-length'), await reply.text()]).toEqual([200, '123456', ''])
})

test('a long answer streams: it waits for the client, and stops when the client goes away', async () => {
  let written = 0
  let stopped: () => void = () => {}
  const closed = new Promise<void>((resolve) => (stopped = resolve))
  await queryServer((_, response) => {
    const piece = Buffer.alloc(256 * 1024)
    const pump = (): void => {
      while (!response.destroyed && response.write(piece)) written += piece.length
      written += piece.length
    }
    response.on('drain', pump)
    response.on('close', () => stopped())
    pump()
  })
  const client = request(`${world.url}/v1/tail`)
  client.on('error', () => {})
  client.end()
  const [reply] = (await once(client, 'response')) as [IncomingMessage]
  reply.pause()
  let before = -1
  while (before !== written) {
    before = written
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  // What is under way fills buffers of sockets, and no more.
  expect(written).toBeLessThan(64 * 1024 * 1024)
  client.destroy()
  await closed
})

test('a query server that dies in the middle of an answer cuts the client off, and the next read is 503', async () => {
  await queryServer((_, response) => {
    response.writeHead(200, { 'content-length': '1000' })
    response.write('begun')
    setTimeout(() => response.destroy(), 20)
  })
  const reply = await fetch(`${world.url}/v1/runs`)
  await expect(reply.text()).rejects.toThrow()
  query?.closeAllConnections()
  query?.close()
  await rm(world.querySocket, { force: true })
  expect((await fetch(`${world.url}/v1/runs`)).status).toBe(503)
})

test('closing finishes what is under way, and takes no more', async () => {
  const slow = request(`${world.url}/v1/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/cloudevents+json', 'content-length': EVENT.length },
  })
  const answered = once(slow, 'response') as Promise<[IncomingMessage]>
  slow.write(EVENT.slice(0, 10))
  while ((await postEvent()).status !== 200);
  const closing = world.front.close(5_000)
  slow.end(EVENT.slice(10))
  const [reply] = await answered
  expect([reply.statusCode, reply.headers['connection']]).toEqual([200, 'close'])
  reply.resume()
  await closing
  await expect(postEvent()).rejects.toThrow()
  expect(await world.records()).toHaveLength(2)
})

test('a port that is taken is said so', async () => {
  const { startFront } = await import('#services/serve/front.ts')
  const again = startFront({
    host: '127.0.0.1',
    port: world.front.port,
    ingest: { fetch: () => new Response() },
    querySocket: world.querySocket,
    logger: () => {},
  })
  await expect(again).rejects.toMatchObject({ code: 'unavailable', hint: expect.stringContaining('PORT') })
})
