/** The probe of containers, against a server that is well, ill, or gone. */
import { execFile } from 'node:child_process'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const probe = fileURLToPath(import.meta.resolve('#bin/probe.js'))

/** How the probe of `path` ends: its exit code, and what it printed. */
function ask(port: number, path: string): Promise<{ code: number; text: string }> {
  return new Promise((resolve) => {
    const env = { PATH: '/usr/bin', PORT: String(port), STEPSTORE_KEY: 'the key' }
    execFile(process.execPath, [probe, path], { env }, (error, text) =>
      resolve({ code: error === null ? 0 : Number(error.code), text }),
    )
  })
}

test('a probe bears the key, ends well on 200 and badly on everything else', async () => {
  const server = createServer((request, response) => {
    const isKnown = request.headers.authorization === 'Bearer the key'
    response.statusCode = !isKnown ? 401 : request.url === '/healthz' ? 200 : 503
    response.end(`said of ${request.url}`)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  try {
    expect(await ask(port, '/healthz')).toEqual({ code: 0, text: 'said of /healthz' })
    expect(await ask(port, '/readyz')).toEqual({ code: 1, text: 'said of /readyz' })
  } finally {
    server.close()
  }
  expect(await ask(port, '/healthz')).toMatchObject({ code: 1, text: expect.stringContaining('no answer') as string })
})
