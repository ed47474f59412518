/** Immutable bytes over HTTP: HEAD, validators and single ranges, as every reader of Parquet and images expects. */
import type { Blobs, ByteRange } from '#services/blobs/blobs.ts'
import { Problem } from '#services/problem.ts'

/** What is served. */
export interface Bytes {
  readonly blobs: Blobs
  readonly key: string
  readonly bytes: number
  /** The SHA-256 of the bytes, which is their entity tag. */
  readonly sha256: string
  readonly type: string
  /** Further headers of every answer. */
  readonly headers?: Readonly<Record<string, string>>
}

/**
 * The range that a `Range` header asks for, or undefined for all of it: no header, another unit, several ranges or
 * nonsense (RFC 9110 lets a server ignore those). Throws `range_not_satisfiable`.
 */
export function byteRange(header: string | null, bytes: number): ByteRange | undefined {
  const match = /^bytes=\s*(\d{0,16})-(\d{0,16})\s*$/.exec(header ?? '')
  if (match === null) return undefined
  const [, first = '', last = ''] = match
  if (first === '' && last === '') return undefined
  if (first === '') {
    if (Number(last) === 0 || bytes === 0) throw notSatisfiable(bytes)
    return { start: Math.max(0, bytes - Number(last)), end: bytes }
  }
  if (last !== '' && Number(last) < Number(first)) return undefined
  if (Number(first) >= bytes) throw notSatisfiable(bytes)
  return { start: Number(first), end: last === '' ? bytes : Math.min(bytes, Number(last) + 1) }
}

/** A range past the end; the edge adds `Content-Range`, which says how long it is. */
export class RangeProblem extends Problem {
  readonly bytes: number

  constructor(bytes: number) {
    super('range_not_satisfiable', `the range lies past the end: there are ${bytes} bytes`, { details: { bytes } })
    this.bytes = bytes
  }
}

const notSatisfiable = (bytes: number) => new RangeProblem(bytes)

const tagOf = (sha256: string) => `"${sha256}"`

function matches(header: string | null, tag: string): boolean {
  return header !== null && header.split(',').some((given) => given.trim() === '*' || given.trim().replace(/^W\//, '') === tag)
}

/** Answers GET and HEAD for bytes that never change. */
export async function byteAnswer(request: Request, what: Bytes): Promise<Response> {
  const tag = tagOf(what.sha256)
  const always = { ETag: tag, 'Cache-Control': 'private, max-age=31536000, immutable', 'Accept-Ranges': 'bytes', ...what.headers }
  if (matches(request.headers.get('if-none-match'), tag)) return new Response(null, { status: 304, headers: always })
  const condition = request.headers.get('if-range')
  const range = request.method === 'HEAD' || (condition !== null && condition !== tag) ? undefined : byteRange(request.headers.get('range'), what.bytes)
  const length = range === undefined ? what.bytes : range.end - range.start
  const headers = {
    ...always,
    'Content-Type': what.type,
    'Content-Length': String(length),
    ...(range === undefined ? {} : { 'Content-Range': `bytes ${range.start}-${range.end - 1}/${what.bytes}` }),
  }
  if (request.method === 'HEAD') return new Response(null, { headers })
  const body = length === 0 ? null : await what.blobs.stream(what.key, range)
  return new Response(body, { status: range === undefined ? 200 : 206, headers })
}
