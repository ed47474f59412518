/** A proxy before an S3 server that makes a request fail as networks and servers do, by a plan. */
import { createServer, type IncomingMessage, request as ask, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/**
 * What becomes of a request. `reset_before`: the connection breaks and the server never hears of it. `lost_answer`: the server
 * does it, and the connection breaks before the answer. `cut_answer`: half of the answer's body comes. `slow`: it takes longer.
 * A number: the server never hears of it, and this status is the answer.
 */
export type Fault = 'reset_before' | 'lost_answer' | 'cut_answer' | 'slow' | 429 | 500 | 503

/** A request as a plan sees it. */
export interface Asked {
  readonly method: string
  /** Without the host. */
  readonly url: string
  /** How many came before it. */
  readonly index: number
  /** `CompleteMultipartUpload`, `PutObject`, … */
  readonly operation: string
}

/** What becomes of a request; nothing where it says nothing. */
export type Plan = (asked: Asked) => Fault | undefined | Promise<Fault | undefined>

export interface S3Faults {
  readonly endpoint: string
  /** Every request so far, in order. */
  readonly asked: readonly (Asked & { readonly fault: Fault | undefined })[]
  /** Connections that are open now. */
  openConnections(): Promise<number>
  /** Replaces the plan, which may do something of its own first. */
  plan(next: Plan): void
  close(): Promise<void>
}

const SLOW_MS = 200

function operationOf(method: string, url: string): string {
  const { pathname, searchParams } = new URL(url, 'http://s3')
  if (searchParams.has('list-type')) return 'ListObjects'
  const inParts = searchParams.has('uploadId') || searchParams.has('uploads')
  if (inParts)
    return (
      {
        POST: searchParams.has('uploads') ? 'CreateMultipartUpload' : 'CompleteMultipartUpload',
        PUT: 'UploadPart',
        DELETE: 'AbortMultipartUpload',
        GET: 'ListUploads',
      }[method] ?? method
    )
  return `${{ PUT: 'Put', GET: 'Get', HEAD: 'Head', DELETE: 'Delete' }[method] ?? method}${pathname.split('/').length > 2 ? 'Object' : 'Bucket'}`
}

async function bodyOf(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of message) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

const NAMES = { 429: 'TooManyRequests', 500: 'InternalError', 503: 'SlowDown' } as const

function refuse(response: ServerResponse, status: 429 | 500 | 503): void {
  response.writeHead(status, { 'content-type': 'application/xml' })
  response.end(`<?xml version="1.0"?><Error><Code>${NAMES[status]}</Code><Message>planned</Message></Error>`)
}

/** Starts a proxy that passes everything on to `target` until it is given a plan. */
export async function s3Faults(target: string): Promise<S3Faults> {
  const asked: (Asked & { readonly fault: Fault | undefined })[] = []
  let plan: Plan = () => undefined

  const pass = (request: IncomingMessage, response: ServerResponse, body: Buffer, fault: Fault | undefined): void => {
    const { hostname, port } = new URL(target)
    // The signature covers the host that the client named, so it is passed on as it came.
    const headers = { ...request.headers }
    const onward = ask(
      { hostname, port, method: request.method, path: request.url, headers, agent: false },
      (answer) => {
        if (fault === 'lost_answer') {
          answer.resume().once('end', () => request.socket.destroy())
          return
        }
        response.writeHead(answer.statusCode ?? 502, answer.headers)
        if (fault === 'cut_answer') {
          void bodyOf(answer).then((bytes) =>
            response.write(bytes.subarray(0, Math.floor(bytes.length / 2)), () => request.socket.destroy()),
          )
          return
        }
        answer.pipe(response)
        response.once('close', () => answer.destroy())
      },
    )
    onward.once('error', () => request.socket.destroy())
    onward.end(body)
  }

  const server = createServer((request, response) => {
    void (async () => {
      const { method = '', url = '' } = request
      const what = { method, url, index: asked.length, operation: operationOf(method, url) }
      const place = asked.push({ ...what, fault: undefined })
      const body = await bodyOf(request)
      const fault = await plan(what)
      asked[place - 1] = { ...what, fault }
      if (fault === 'reset_before') request.socket.destroy()
      else if (typeof fault === 'number') refuse(response, fault)
      else if (fault === 'slow') setTimeout(() => pass(request, response, body, fault), SLOW_MS)
      else pass(request, response, body, fault)
    })().catch(() => request.socket.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    openConnections: () =>
      new Promise((resolve, reject) =>
        server.getConnections((error, count) => (error === null ? resolve(count) : reject(error))),
      ),
    plan: (next) => {
      plan = next
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** A plan of chance: a share of the requests fails, each in one of several ways. The same seed gives the same plan for the same requests. */
export function faultsByChance(random: () => number, share: number, faults: readonly Fault[]): Plan {
  return () => (random() < share ? faults[Math.floor(random() * faults.length)] : undefined)
}
