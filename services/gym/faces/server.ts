/** The gym at a port, or at a unix socket: HTTP for all faces, and WebSockets for OpenEnv. */
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { getRequestListener } from '@hono/node-server'
import type { ItemKind } from '#services/gym/items/item.ts'
import type { Gym } from '#services/gym/loop/gym.ts'
import type { Logger } from '#services/logger.ts'
import { asProblem, Problem, problemBody } from '#services/problem.ts'
import { checkKey, facesApp } from './app.ts'
import { openEnvSockets } from './openenv-socket.ts'

export interface GymServerOptions {
  readonly gym: Gym
  readonly kinds: readonly ItemKind[]
  /** A port of a host (0 takes a free one), or the path of a unix socket. */
  readonly listen: { readonly host: string; readonly port: number } | { readonly path: string }
  readonly key: string | undefined
  /** A session without a message for so long is closed. */
  readonly idleMs: number
  /** Why nothing can be played now, or not for long. Default: nothing is wrong. */
  readonly troubles?: () => readonly string[]
  readonly logger: Logger
  /** Milliseconds, rising. */
  readonly clock: () => number
}

export interface GymServer {
  /** 0 at a unix socket. */
  readonly port: number
  /** Ends all sessions, lets requests under way finish for a moment, and cuts the rest. The gym stays open. */
  close(): Promise<void>
}

/** Where all faces are found, too, so that they can share a port with others. */
const PREFIX = /^\/gym(?=[/?]|$)/
const GRACE_MS = 1_000
const CONNECTIONS_MAX = 4_096
/** A turn with its tokens and log probabilities. */
const MESSAGE_BYTES_MAX = 4 * 1024 * 1024
const HEAD_BYTES_MAX = 64 * 1024

/** Serves all faces of a gym. Throws `unavailable` where the port is taken. */
export async function serveGym(options: GymServerOptions): Promise<GymServer> {
  const { gym, key, idleMs, logger, clock, kinds, troubles = () => [] } = options
  const sockets = openEnvSockets({
    gym,
    sessionsMax: gym.counts().episodes_max,
    bytesMax: MESSAGE_BYTES_MAX,
    idleMs,
    logger,
  })
  const app = facesApp({ gym, kinds, key, idleMs, troubles, sessions: () => sockets.count, clock, logger })
  const listener = getRequestListener((request) => app.fetch(request), { overrideGlobalObjects: false })
  const server = createServer(
    { keepAliveTimeout: 65_000, maxHeaderSize: HEAD_BYTES_MAX, noDelay: true, shouldUpgradeCallback: isWebSocket },
    (incoming, response) => {
      incoming.url = withoutPrefix(incoming.url)
      void listener(incoming, response)
    },
  )
  server.maxConnections = CONNECTIONS_MAX
  server.on('upgrade', (incoming, socket, head) => {
    const refusal = refusalOf(incoming, key)
    if (refusal === undefined) sockets.upgrade(incoming, socket, head, pathOf(incoming) === '/mcp')
    else refuse(socket, refusal)
  })
  await listening(server, options.listen)
  server.on('error', (error) => logger('error', 'the gym server failed', { error: error.message }))
  return {
    port: 'path' in options.listen ? 0 : (server.address() as AddressInfo).port,
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      await sockets.close()
      server.closeIdleConnections()
      const timer = setTimeout(() => server.closeAllConnections(), GRACE_MS)
      await closed
      clearTimeout(timer)
    },
  }
}

/** Other upgrades that clients offer (h2c) go on as the plain requests that they are. */
const isWebSocket = ({ headers }: IncomingMessage): boolean => headers.upgrade?.toLowerCase() === 'websocket'

/** The path as the faces have it. */
function withoutPrefix(url = '/'): string {
  const bare = url.replace(PREFIX, '')
  return bare.startsWith('/') ? bare : `/${bare}`
}

const urlOf = (incoming: IncomingMessage): URL | null => URL.parse(withoutPrefix(incoming.url), 'http://gym')
const pathOf = (incoming: IncomingMessage): string | undefined => urlOf(incoming)?.pathname

/** Why a connection may not become a WebSocket; undefined where it may. */
function refusalOf(incoming: IncomingMessage, key: string | undefined): Problem | undefined {
  const url = urlOf(incoming)
  if (url === null || !['/ws', '/mcp'].includes(url.pathname))
    return new Problem('not_found', 'there is no WebSocket here', { hint: 'connect to /ws' })
  try {
    const { authorization = '' } = incoming.headers
    checkKey(key, { url: url.href, headers: new Headers(authorization === '' ? {} : { authorization }) })
    return undefined
  } catch (error) {
    return asProblem(error)
  }
}

function refuse(socket: Duplex, problem: Problem): void {
  const body = JSON.stringify(problemBody(problem))
  socket.on('error', () => socket.destroy())
  socket.end(
    `HTTP/1.1 ${problem.status} ${problem.code}\r\nContent-Type: application/problem+json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  )
}

function listening(server: Server, listen: GymServerOptions['listen']): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EADDRINUSE' || 'path' in listen) return reject(error)
      reject(
        new Problem('unavailable', `port ${listen.port} of ${listen.host} is taken`, {
          hint: 'stop the program that has it, or choose another one with --port',
          cause: error,
        }),
      )
    })
    server.listen(listen, resolve)
  })
}
