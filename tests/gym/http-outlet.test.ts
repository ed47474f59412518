import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { httpOutlet } from '#services/gym/publish/http-outlet.ts'

let server: Server | undefined
afterEach(() => {
  server?.closeAllConnections()
  server?.close()
})

interface Came {
  readonly method: string | undefined
  readonly path: string | undefined
  readonly key: string | undefined
  readonly body: string
}

/** A platform that answers with these statuses, the last one for ever. */
async function platform(...statuses: number[]): Promise<{ url: string; came: Came[] }> {
  const came: Came[] = []
  const listening = createServer((incoming, response) => {
    let body = ''
    incoming.setEncoding('utf8').on('data', (piece: string) => (body += piece))
    incoming.on('end', () => {
      came.push({ method: incoming.method, path: incoming.url, key: incoming.headers.authorization, body })
      response.writeHead((statuses.length > 1 ? statuses.shift() : statuses[0]) ?? 200).end('{}')
    })
  })
  server = listening
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve))
  return { url: `http://127.0.0.1:${(listening.address() as AddressInfo).port}`, came }
}
const lines = [Buffer.from('{"a":1}'), Buffer.from('{"b":2}')]

it('sends events as lines and pictures by their hash, with the key', async () => {
  const { url, came } = await platform(200)
  const outlet = httpOutlet({ url, key: 'k', signal: new AbortController().signal })
  await outlet.send(lines)
  await outlet.putImage('ab', Buffer.from('png'))
  expect(came).toEqual([
    { method: 'POST', path: '/v1/events', key: 'Bearer k', body: '{"a":1}\n{"b":2}\n' },
    { method: 'PUT', path: '/v1/images/ab', key: 'Bearer k', body: 'png' },
  ])
})

it('waits out a server that starts, is over budget or fails, and sends the same again', async () => {
  const { url, came } = await platform(503, 429, 500, 200)
  const reasons: string[] = []
  await httpOutlet({
    url,
    key: undefined,
    signal: new AbortController().signal,
    onRetry: (reason) => reasons.push(reason),
  }).send(lines)
  expect(reasons).toEqual(['the server answered 503', 'the server answered 429', 'the server answered 500'])
  expect(new Set(came.map(({ body }) => body)).size).toBe(1)
})

it('tells what the server could not read, and goes on', async () => {
  const { url } = await platform(207)
  const unread: string[] = []
  const outlet = httpOutlet({
    url,
    key: undefined,
    signal: new AbortController().signal,
    onUnread: (what) => unread.push(what),
  })
  await outlet.send(lines)
  expect(unread).toEqual(['{}'])
})

it('gives up where the server refuses, saying what it said', async () => {
  const { url, came } = await platform(401)
  const outlet = httpOutlet({ url, key: undefined, signal: new AbortController().signal })
  await expect(outlet.send(lines)).rejects.toThrow('refused what the gym sends: 401')
  expect(came.length).toBe(1)
})

it('ends when it is told to, also while it waits for a server that is not there', async () => {
  const { url } = await platform(200)
  server?.close()
  server?.closeAllConnections()
  const stop = new AbortController()
  const sent = httpOutlet({ url, key: undefined, signal: stop.signal, onRetry: () => stop.abort() }).send(lines)
  await expect(sent).rejects.toThrow()
})
