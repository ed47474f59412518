/** A built dataset as an HTTP answer: what readers send, and what they need, is in the tests. */
import type { Blobs } from '#services/blobs/blobs.ts'
import { FORMATS } from '#services/datasets/recipes.ts'
import { Problem, problemBody } from '#services/problem.ts'
import { formatPosition, parseOffsets } from '#services/position.ts'
import type { Manifest } from '#services/datasets/manifest.ts'
import { askedBytes, namesBytes } from './byte-range.ts'

export interface DatasetReply {
  readonly blobs: Blobs
  readonly manifest: Manifest
  readonly request: Request
  /** Whether the URL that was asked for names the snapshot. */
  readonly pinned: boolean
  /** The URL that does. */
  readonly pinnedUrl: string
  readonly manifestUrl: string
}

function headersOf({ manifest, pinned, pinnedUrl, manifestUrl }: DatasetReply, etag: string): Record<string, string> {
  return {
    ETag: etag,
    'Accept-Ranges': 'bytes',
    'Cache-Control': pinned ? 'private, max-age=31536000, immutable' : 'private, no-cache',
    ...(pinned ? {} : { 'Content-Location': pinnedUrl }),
    'Stepstore-Rows': String(manifest.rows),
    'Stepstore-Manifest': manifestUrl,
    'Stepstore-Snapshot': String(manifest.snapshot),
    'Stepstore-Position': formatPosition(manifest.log_id, parseOffsets(manifest.offsets)),
  }
}

function pastEnd(bytes: number, headers: Record<string, string>): Response {
  const problem = new Problem('range_not_satisfiable', `the dataset has ${bytes} bytes`, { hint: 'ask for a range that begins below that' })
  const type = { 'Content-Type': 'application/problem+json', 'Content-Range': `bytes */${bytes}` }
  return new Response(JSON.stringify(problemBody(problem)), { status: problem.status, headers: { ...headers, ...type } })
}

/** GET and HEAD, whole or in part. The body is read as the client takes it, and no further when it goes away. */
export async function datasetReply(reply: DatasetReply): Promise<Response> {
  const { blobs, manifest, request } = reply
  const etag = `"${manifest.sha256}"`
  const headers = headersOf(reply, etag)
  if (namesBytes(request.headers.get('if-none-match'), etag)) return new Response(null, { status: 304, headers })
  const isHead = request.method === 'HEAD'
  const asked = askedBytes(request.headers.get('range'), request.headers.get('if-range'), manifest.bytes, etag)
  const typed = { ...headers, 'Content-Type': FORMATS[manifest.format].mediaType }
  switch (asked.kind) {
    case 'past_end':
      return pastEnd(manifest.bytes, headers)
    case 'whole': {
      const body = isHead || manifest.bytes === 0 ? null : await blobs.stream(manifest.object)
      return new Response(body, { headers: { ...typed, 'Content-Length': String(manifest.bytes) } })
    }
    case 'part': {
      const { start, end } = asked
      const body = isHead ? null : await blobs.stream(manifest.object, { start, end })
      const range = { 'Content-Range': `bytes ${start}-${end - 1}/${manifest.bytes}`, 'Content-Length': String(end - start) }
      return new Response(body, { status: 206, headers: { ...typed, ...range } })
    }
  }
}
