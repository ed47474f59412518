import { createServer, type RequestListener, type Server } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { client, type Client } from '#services/cli/client.ts'

let server: Server | undefined

afterEach(() => {
  server?.closeAllConnections()
  server?.close()
  server = undefined
})

/** A client of a server that does this, patient for `silenceMsMax`. */
async function clientOf(listener: RequestListener, silenceMsMax: number): Promise<Client> {
  server = createServer(listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return client({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, key: undefined, silenceMsMax })
}

const SILENT = { code: 'unavailable', message: expect.stringMatching(/127\.0\.0\.1:\d+ does not answer: 0\.1 s/) }

test('a server that takes the connection and says nothing is said so, with its address, the time and what to do', async () => {
  const api = await clientOf(() => {}, 100)
  const asked = api.get('/v1/runs?wait=0')
  await expect(asked).rejects.toMatchObject({ ...SILENT, hint: expect.stringContaining('restart') })
  await expect(api.isThere()).rejects.toMatchObject(SILENT)
})

test('a server that stops in the middle of its answer is said so', async () => {
  const api = await clientOf((_, response) => {
    response.writeHead(200, { 'content-type': 'application/json' })
    response.write('{"rows":')
  }, 100)
  await expect(api.get('/v1/runs?wait=0')).rejects.toMatchObject(SILENT)
})

test('an answer may take longer than that, as long as something of it comes', async () => {
  const api = await clientOf((_, response) => {
    let left = 8
    const timer = setInterval(() => {
      response.write('\n')
      if (left-- > 0) return
      clearInterval(timer)
      response.end('{"ok":true}')
    }, 100)
  }, 600)
  expect(await api.post('/v1/verify?wait=0', {})).toEqual({ ok: true })
})

test('what the request asks the server to wait is not counted as silence', async () => {
  const api = await clientOf((_, response) => void setTimeout(() => response.end('{"rows":[]}'), 400), 100)
  expect(await api.get('/v1/runs?wait=5')).toEqual({ rows: [] })
})

test('where nothing listens there is no server', async () => {
  const api = await clientOf(() => {}, 100)
  server?.close()
  expect(await api.isThere()).toBe(false)
  await expect(api.get('/v1/runs')).rejects.toMatchObject({
    message: expect.stringContaining('no server answers at http://127.0.0.1:'),
    hint: expect.stringContaining('npm start'),
  })
})
