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
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { getRequestListener } from '@hono/node-server'
import { jsonText } from '#services/json-text.ts'
import type { Logger } from '#services/logger.ts'
import { asProblem, Problem, problemBody } from '#services/problem.ts'
import { namedBytes, OBJECT, SENDS_OBJECTS } from '#services/query/bytes/object-header.ts'
import { sendFile } from './file-sending.ts'
import type { GymProcess } from './gym-process.ts'
import { handOn, isGym } from './gym-proxy.ts'
import { answerHeadErrors, HEAD_BYTES_MAX } from './head-errors.ts'

interface Fetching {
  fetch(request: Request, bindings: object): Response | Promise<Response>
}

export interface FrontOptions {
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  /** The ingest routes, run on this thread; undefined where this process does not run ingest. */
  readonly ingest: Fetching | undefined
  /** The unix socket of the query server. It may appear later, and may go. Undefined where this process runs ingest alone. */
  readonly querySocket: string | undefined
  /** The gym, where this process runs it: it answers under /gym and /v1/gym. */
  readonly gym?: GymProcess | undefined
  readonly logger: Logger
  /** The folder of the objects, where they lie in one that this process can read: their bytes are then sent from here. */
  readonly objectsFolder?: string | undefined
  /** How long the query server may take to say whether it is ready before the front says that it is not. Default 6 s. */
  readonly readyMsMax?: number
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
/** The query server itself waits 4 s for its store. */
const READY_MS_MAX = 6_000
const CONNECTIONS_MAX = 10_000

/** Headers that belong to one connection, or to what the front and the query server say to each other, and are not passed on. */
const HOP_BY_HOP = new Set([
  SENDS_OBJECTS,
  OBJECT,
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

/** Where a process does not run ingest. */
function answerNoIngest(incoming: IncomingMessage, response: ServerResponse): void {
  incoming.resume()
  const problem = new Problem('not_found', 'this process does not run ingest', {
    hint: 'send to a process that does: PROGRAMS unset, or with ingest in it',
  })
  response.writeHead(problem.status, { 'content-type': 'application/problem+json' })
  response.end(jsonText(problemBody(problem)))
}

/** Alive is whoever can say so. */
const isHealth = (incoming: IncomingMessage): boolean => /^\/healthz(\?|$)/.test(incoming.url ?? '')

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
  response.end(jsonText(problemBody(problem)))
}

/** Why reads are of no use, where the query server cannot say it. */
function answerNotReady(response: ServerResponse, code: 'starting' | 'not_answering', detail: string): void {
  if (response.headersSent || response.destroyed) return
  const headers = { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store', 'retry-after': '1' }
  response.writeHead(503, headers)
  response.end(jsonText({ ready: false, reasons: [{ code, detail }] }))
}

const isReadiness = (incoming: IncomingMessage): boolean => /^\/readyz(\?|$)/.test(incoming.url ?? '')

interface QueryServer {
  readonly agent: Agent
  readonly socketPath: string
  readonly objectsFolder: string | undefined
  readonly readyMsMax: number
}

/** Hands back an answer of the query server: its body, or the bytes that it names. */
function handBack(answer: IncomingMessage, response: ServerResponse, objectsFolder: string | undefined): void {
  const headers = passedOn(answer.headers)
  const object = answer.headers[OBJECT]
  if (typeof object === 'string' && objectsFolder !== undefined) {
    answer.resume()
    const { key, start, end } = namedBytes(object)
    const begin = () =>
      void response.writeHead(answer.statusCode ?? 502, { ...headers, 'content-length': String(end - start) })
    sendFile(response, { path: join(objectsFolder, key), start, end }, begin).catch(() => answerUnavailable(response))
    return
  }
  // Lists such as Set-Cookie and Link stay apart as they came.
  response.writeHead(answer.statusCode ?? 502, answer.statusMessage, headers)
  answer.pipe(response)
  answer.on('error', () => response.destroy())
  answer.on('close', () => {
    if (!answer.complete) response.destroy()
  })
}

/** Hands a request to the query server and its answer back; either side that goes away takes the other with it. */
function passOn(
  incoming: IncomingMessage,
  response: ServerResponse,
  { agent, socketPath, objectsFolder, readyMsMax }: QueryServer,
): void {
  const chunked = incoming.headers['transfer-encoding'] !== undefined
  const onward = request({
    agent,
    socketPath,
    method: incoming.method,
    path: incoming.url,
    headers: {
      ...passedOn(incoming.headers),
      ...(chunked ? { 'transfer-encoding': 'chunked' } : {}),
      ...(objectsFolder === undefined ? {} : { [SENDS_OBJECTS]: 'true' }),
    },
  })
  const silence = isReadiness(incoming)
    ? setTimeout(() => {
        const detail = `the core thread, which answers reads, has not answered for ${readyMsMax / 1000} s`
        answerNotReady(response, 'not_answering', detail)
        onward.destroy()
      }, readyMsMax)
    : undefined
  onward.on('response', (answer) => {
    clearTimeout(silence)
    handBack(answer, response, objectsFolder)
  })
  onward.on('error', () => {
    clearTimeout(silence)
    incoming.unpipe(onward)
    incoming.resume()
    if (isReadiness(incoming)) answerNotReady(response, 'starting', 'the query program is not up; it may be starting')
    else answerUnavailable(response)
  })
  response.on('close', () => {
    clearTimeout(silence)
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

/** Hands a request to the gym, which may have to be started first. */
async function passToGym(
  incoming: IncomingMessage,
  response: ServerResponse,
  gym: GymProcess,
  agent: Agent,
): Promise<void> {
  try {
    await gym.ready()
  } catch (error) {
    const problem = asProblem(error)
    response.writeHead(problem.status, { 'content-type': 'application/problem+json' })
    response.end(jsonText(problemBody(problem)))
    incoming.resume()
    return
  }
  passOn(incoming, response, { agent, socketPath: gym.socket, objectsFolder: undefined, readyMsMax: READY_MS_MAX })
}

/** Who answers what: ingest on this thread, everything else on the socket, and what this process does not run not at all. */
function answering(
  { ingest: app, querySocket, objectsFolder, gym, readyMsMax = READY_MS_MAX }: FrontOptions,
  agent: Agent,
): (incoming: IncomingMessage, response: ServerResponse) => void {
  const ingest =
    app === undefined
      ? undefined
      : getRequestListener((call, bindings) => app.fetch(call, bindings), { overrideGlobalObjects: true })
  return (incoming, response) => {
    if (gym !== undefined && isGym(incoming.url)) void passToGym(incoming, response, gym, agent)
    else if (querySocket !== undefined && !isIngest(incoming.method ?? '', incoming.url ?? ''))
      passOn(incoming, response, { agent, socketPath: querySocket, objectsFolder, readyMsMax })
    else if (ingest !== undefined) void ingest(incoming, response)
    else if (isHealth(incoming)) response.end(jsonText({ status: 'ok' }))
    else answerNoIngest(incoming, response)
  }
}

/** Starts the front. Throws `unavailable` where the port is taken. */
export async function startFront(options: FrontOptions): Promise<Front> {
  const agent = new Agent({ keepAlive: true, maxSockets: Infinity, maxFreeSockets: 64 })
  const answer = answering(options, agent)
  const underWay = new Set<ServerResponse>()
  const upgraded = new Set<Duplex>()
  let closing = false
  const server = createServer(
    {
      headersTimeout: HEADERS_MS_MAX,
      requestTimeout: REQUEST_MS_MAX,
      keepAliveTimeout: KEEP_ALIVE_MS,
      maxHeaderSize: HEAD_BYTES_MAX,
      noDelay: true,
      // Other upgrades that clients offer (h2c) go on as the plain requests that they are.
      shouldUpgradeCallback: ({ headers, url }) =>
        options.gym !== undefined && isGym(url) && headers.upgrade?.toLowerCase() === 'websocket',
    },
    (incoming, response) => {
      underWay.add(response)
      response.on('close', () => underWay.delete(response))
      if (closing) response.setHeader('connection', 'close')
      answer(incoming, response)
    },
  )
  server.maxConnections = CONNECTIONS_MAX
  server.on('upgrade', (incoming, socket, head) => {
    upgraded.add(socket)
    socket.on('close', () => upgraded.delete(socket))
    if (options.gym !== undefined) void handOn(options.gym, incoming, socket, head)
  })
  answerHeadErrors(server)
  await listening(server, options)
  server.on('error', (error) => options.logger('error', 'front failed', { error: error.message }))
  return {
    port: (server.address() as AddressInfo).port,
    close: async (graceMs) => {
      closing = true
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      for (const response of underWay) if (!response.headersSent) response.setHeader('connection', 'close')
      server.closeIdleConnections()
      for (const socket of upgraded) socket.destroy()
      const timer = setTimeout(() => server.closeAllConnections(), graceMs)
      await closed
      clearTimeout(timer)
      agent.destroy()
    },
  }
}
