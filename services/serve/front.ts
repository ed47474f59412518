/**
 * The front: one port. What is ingest's is answered here; every other request goes, streaming, to the query server on
 * a unix socket, so that no read can delay an acknowledgement.
 */
import {
  Agent,
  createServer,
  request,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type Server,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import type { Logger } from '#services/logger.ts'
import { Problem, problemBody } from '#services/problem.ts'

export interface FrontOptions {
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  /** The ingest routes, run on this thread. */
  readonly ingest: { fetch(request: Request, bindings: object): Response | Promise<Response> }
  /** The unix socket of the query server. It may appear later, and may go. */
  readonly querySocket: string
  readonly logger: Logger
}

export interface Front {
  readonly port: number
  /** Takes no more requests, lets those under way finish for up to `graceMs`, then cuts what is left. */
  close(graceMs: number): Promise<void>
}

const HEADERS_MS_MAX = 20_000
/** The whole of a request, its body included: 64 MiB at 0.5 MB/s. */
const REQUEST_MS_MAX = 130_000
const KEEP_ALIVE_MS = 65_000
const CONNECTIONS_MAX = 10_000

/** Headers that belong to one connection and are not passed on. */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

const IMAGE_PATH = /^\/v1\/images\/[^/]+$/

/** Whether ingest answers a request. */
export function isIngest(method: string, url: string): boolean {
  const end = url.indexOf('?')
  const path = end < 0 ? url : url.slice(0, end)
  if (path === '/v1/events' || path === '/healthz') return true
  if (path === '/v1/images/missing') return method === 'POST'
  return method === 'PUT' && IMAGE_PATH.test(path)
}

function passedOn(headers: IncomingMessage['headers']): OutgoingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !HOP_BY_HOP.has(name)))
}

function answerUnavailable(response: ServerResponse): void {
  if (response.headersSent || response.destroyed) {
    response.destroy()
    return
  }
  const problem = new Problem('unavailable', 'the query program is not up (it may be starting)', {
    hint: 'ask again; events are taken meanwhile',
    retryAfterSeconds: 1,
  })
  response.writeHead(problem.status, { 'content-type': 'application/problem+json', 'retry-after': '1' })
  response.end(JSON.stringify(problemBody(problem)))
}

/** Hands a request to the query server and its answer back; either side that goes away takes the other with it. */
function passOn(incoming: IncomingMessage, response: ServerResponse, agent: Agent, socketPath: string): void {
  const chunked = incoming.headers['transfer-encoding'] !== undefined
  const onward = request({
    agent,
    socketPath,
    method: incoming.method,
    path: incoming.url,
    headers: { ...passedOn(incoming.headers), ...(chunked ? { 'transfer-encoding': 'chunked' } : {}) },
  })
  onward.on('response', (answer) => {
    const headers = passedOn(answer.headers)
    // Lists such as Set-Cookie and Link stay apart as they came.
    response.writeHead(answer.statusCode ?? 502, answer.statusMessage, headers)
    answer.pipe(response)
    answer.on('error', () => response.destroy())
    answer.on('close', () => {
      if (!answer.complete) response.destroy()
    })
  })
  onward.on('error', () => {
    incoming.unpipe(onward)
    incoming.resume()
    answerUnavailable(response)
  })
  response.on('close', () => {
    if (!response.writableFinished) onward.destroy()
  })
  incoming.on('error', () => onward.destroy())
  incoming.pipe(onward)
}

function listening(server: Server, options: FrontOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EADDRINUSE') return reject(error)
      reject(
        new Problem('unavailable', `port ${options.port} of ${options.host} is taken`, {
          hint: 'stop the program that has it, or set PORT',
          details: { port_taken: true },
          cause: error,
        }),
      )
    })
    server.listen({ host: options.host, port: options.port }, resolve)
  })
}

/** Starts the front. Throws `unavailable` where the port is taken. */
export async function startFront(options: FrontOptions): Promise<Front> {
  const agent = new Agent({ keepAlive: true, maxSockets: Infinity, maxFreeSockets: 64 })
  const ingest = getRequestListener((call, bindings) => options.ingest.fetch(call, bindings), {
    overrideGlobalObjects: true,
  })
  const underWay = new Set<ServerResponse>()
  let closing = false
  const server = createServer(
    { headersTimeout: HEADERS_MS_MAX, requestTimeout: REQUEST_MS_MAX, keepAliveTimeout: KEEP_ALIVE_MS, noDelay: true },
    (incoming, response) => {
      underWay.add(response)
      response.on('close', () => underWay.delete(response))
      if (closing) response.setHeader('connection', 'close')
      if (isIngest(incoming.method ?? '', incoming.url ?? '')) void ingest(incoming, response)
      else passOn(incoming, response, agent, options.querySocket)
    },
  )
  server.maxConnections = CONNECTIONS_MAX
  await listening(server, options)
  server.on('error', (error) => options.logger('error', 'front failed', { error: error.message }))
  return {
    port: (server.address() as AddressInfo).port,
    close: async (graceMs) => {
      closing = true
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      for (const response of underWay) if (!response.headersSent) response.setHeader('connection', 'close')
      server.closeIdleConnections()
      const timer = setTimeout(() => server.closeAllConnections(), graceMs)
      await closed
      clearTimeout(timer)
      agent.destroy()
    },
  }
}
