/** A built dataset as an HTTP answer: what readers send, and what they need, is in the tests. */
import type { Blobs } from '#services/blobs/blobs.ts'
import type { Manifest } from '#services/datasets/manifest.ts'
import { FORMATS } from '#services/datasets/recipes.ts'
import { formatPosition, parseOffsets } from '#services/position.ts'
import { byteAnswer } from './byte-answer.ts'
import { emptyNotice } from './dataset-notice.ts'

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

/** Clients take headers of 16 KiB in all (Node) to 64 KiB a line (Python); a longer URL is told by the pin, in a body. */
const LOCATION_CHARS_MAX = 8192

/** GET and HEAD, whole or in part. The body is read as the client takes it, and no further when it goes away. */
export async function datasetReply({
  blobs,
  manifest,
  request,
  pinned,
  pinnedUrl,
  manifestUrl,
}: DatasetReply): Promise<Response> {
  const { object, bytes, sha256, format } = manifest
  const notice = emptyNotice(manifest.counts, manifest.filter, manifest.snapshot)
  const headers = {
    'Stepstore-Rows': String(manifest.rows),
    'Stepstore-Manifest': manifestUrl,
    'Stepstore-Snapshot': String(manifest.snapshot),
    'Stepstore-Position': formatPosition(manifest.log_id, parseOffsets(manifest.offsets)),
    ...(notice === undefined ? {} : { 'Stepstore-Notice': notice }),
  }
  const unpinned = {
    'Cache-Control': 'private, no-cache',
    ...(pinnedUrl.length > LOCATION_CHARS_MAX ? {} : { 'Content-Location': pinnedUrl }),
  }
  return byteAnswer(request, {
    blobs,
    key: object,
    bytes,
    sha256,
    type: FORMATS[format].mediaType,
    headers: pinned ? headers : { ...headers, ...unpinned },
  })
}
