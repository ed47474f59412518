/** Immutable bytes over HTTP: HEAD, validators and single ranges, as every reader of Parquet and images expects. */
import type { Blobs } from '#services/blobs/blobs.ts'
import { jsonText } from '#services/json-text.ts'
import { Problem, problemBody } from '#services/problem.ts'
import { askedBytes, namesBytes } from './byte-range.ts'
import { OBJECT, objectHeader, SENDS_OBJECTS } from './object-header.ts'

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

/** The answer to a range past the end, which says how long it is. */
export function pastEnd(bytes: number, headers: Readonly<Record<string, string>>): Response {
  const problem = new Problem('range_not_satisfiable', `there are ${bytes} bytes`, {
    hint: 'ask for a range that begins below that',
  })
  const more = { 'Content-Type': 'application/problem+json', 'Content-Range': `bytes */${bytes}` }
  return new Response(jsonText(problemBody(problem)), {
    status: problem.status,
    headers: { ...headers, ...more },
  })
}

/** What of the answer is the body: the bytes, or where who asked sends them itself their name. */
async function bodyOf(
  request: Request,
  { blobs, key }: Bytes,
  start: number,
  end: number,
): Promise<{ body: ReadableStream<Uint8Array> | null; length: Readonly<Record<string, string>> }> {
  const length = { 'Content-Length': String(end - start) }
  if (request.method === 'HEAD' || start === end) return { body: null, length }
  if (request.headers.get(SENDS_OBJECTS) === null) return { body: await blobs.stream(key, { start, end }), length }
  if ((await blobs.head(key)) === undefined) throw new Problem('not_found', `there is no object ${key}`)
  return { body: null, length: { [OBJECT]: objectHeader({ key, start, end }) } }
}

/** Answers GET and HEAD for bytes that never change. */
export async function byteAnswer(request: Request, what: Bytes): Promise<Response> {
  const etag = `"${what.sha256}"`
  const headers = {
    ETag: etag,
    'Cache-Control': 'private, max-age=31536000, immutable',
    'Accept-Ranges': 'bytes',
    ...what.headers,
  }
  if (namesBytes(request.headers.get('if-none-match'), etag)) return new Response(null, { status: 304, headers })
  const asked = askedBytes(request.headers.get('range'), request.headers.get('if-range'), what.bytes, etag)
  const typed = { ...headers, 'Content-Type': what.type }
  switch (asked.kind) {
    case 'past_end':
      return pastEnd(what.bytes, headers)
    case 'whole': {
      const { body, length } = await bodyOf(request, what, 0, what.bytes)
      return new Response(body, { headers: { ...typed, ...length } })
    }
    case 'part': {
      const { start, end } = asked
      const { body, length } = await bodyOf(request, what, start, end)
      return new Response(body, {
        status: 206,
        headers: {
          ...typed,
          ...length,
          'Content-Range': `bytes ${start}-${end - 1}/${what.bytes}`,
        },
      })
    }
  }
}
