/** An HTTP server on a unix socket, for requests that the front passes on. */
import { createServer } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import { HEAD_BYTES_MAX } from './head-errors.ts'

/** Answers a request; streams and stops with it. */
export type Fetch = (request: Request) => Response | Promise<Response>

export interface SocketServer {
  /** Lets requests under way finish for a moment, then cuts them. */
  close(): Promise<void>
}

/** Reads may be long (a dataset), and whoever waits for one can ask again. */
const GRACE_MS = 1_000

/** Serves `fetch` at `path`, which must lie in a folder of this user's own. */
export async function serveOnSocket(fetch: Fetch, path: string): Promise<SocketServer> {
  const listener = getRequestListener(fetch, { overrideGlobalObjects: false })
  const server = createServer(
    // The front has checked the size, and adds a little.
    { keepAliveTimeout: 60_000, requestTimeout: 0, maxHeaderSize: 2 * HEAD_BYTES_MAX },
    (incoming, response) => void listener(incoming, response),
  )
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, resolve)
  })
  return {
    close: async () => {
      const closed = new Promise<void>((resolve) => {
        server.close(() => resolve())
      })
      server.closeIdleConnections()
      const timer = setTimeout(() => server.closeAllConnections(), GRACE_MS)
      await closed
      clearTimeout(timer)
    },
  }
}
