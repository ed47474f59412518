/** /v1/images/{sha256}: bytes by their hash. They are put by the ingest program; here they are read. */
import type { Blobs } from '#services/blobs/blobs.ts'
import { Problem } from '#services/problem.ts'
import { byteAnswer } from '#services/query/bytes/byte-answer.ts'
import { type Route, READ_PARAMETERS, route } from '#services/query/route.ts'
import { reached } from '#services/query/reading.ts'

const HASH = /^[0-9a-f]{64}$/

/** Where the bytes of an image lie. */
const imageKey = (sha256: string) => `images/${sha256.slice(0, 2)}/${sha256}`

/** The media type that the first bytes of a picture show. */
export function imageType(head: Uint8Array): string {
  const text = Buffer.from(head).toString('latin1')
  if (text.startsWith('\x89PNG\r\n\x1a\n')) return 'image/png'
  if (text.startsWith('\xff\xd8\xff')) return 'image/jpeg'
  if (text.startsWith('RIFF') && text.slice(8, 12) === 'WEBP') return 'image/webp'
  return 'application/octet-stream'
}

async function firstBytes(blobs: Blobs, key: string, bytes: number): Promise<Uint8Array> {
  if (bytes === 0) return new Uint8Array()
  const chunks: Uint8Array[] = []
  for await (const chunk of await blobs.stream(key, { start: 0, end: Math.min(bytes, 16) })) chunks.push(chunk)
  return Buffer.concat(chunks)
}

const read = route({
  path: '/v1/images/{sha256}',
  tag: 'Images',
  summary: 'Read an image',
  detail: 'The bytes never change. HEAD, ranges and validators work.',
  pathParameters: { sha256: 'The SHA-256 of the bytes, in lowercase hex.' },
  parameters: READ_PARAMETERS,
  answers: [
    { status: 200, description: 'The image.', types: ['image/png', 'image/jpeg', 'image/webp'] },
    { status: 206, description: 'A range of it.', types: ['image/png', 'image/jpeg', 'image/webp'] },
  ],
  problems: ['not_found', 'range_not_satisfiable'],
  handle: async (call) => {
    const { deps, request } = call
    const sha256 = call.path('sha256')
    if (!HASH.test(sha256))
      throw new Problem('not_found', 'an image is named by 64 lowercase hex digits', {
        hint: 'use the SHA-256 of its bytes',
      })
    await reached(call)
    const key = imageKey(sha256)
    const held = await deps.blobs.head(key)
    if (held === undefined)
      throw new Problem('not_found', `the bytes of image ${sha256} are not held`, {
        hint: `send them: PUT /v1/images/${sha256}`,
      })
    const type = imageType(await firstBytes(deps.blobs, key, held.bytes))
    return byteAnswer(request, {
      blobs: deps.blobs,
      key,
      bytes: held.bytes,
      sha256,
      type,
      headers: { 'X-Content-Type-Options': 'nosniff' },
    })
  },
})

export const IMAGE_ROUTES: readonly Route[] = [read]
