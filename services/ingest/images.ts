/** PUT /v1/images/{sha256} and POST /v1/images/missing: pictures by their hash, once. */
import { createHash } from 'node:crypto'
import type { Blobs } from '#services/blobs/blobs.ts'
import { ownEvent } from '#services/core/own-event.ts'
import type { Log, NewRecord } from '#services/log/log.ts'
import { formatPosition } from '#services/position.ts'
import { Problem } from '#services/problem.ts'
import { codingOf, readBody } from './body.ts'
import type { Budget } from './budget.ts'
import { bodyOf, jsonReply, parameters, type Call } from './request.ts'

/** The largest image, in bytes. */
export const IMAGE_BYTES_MAX = 32 * 1024 * 1024

/** How many hashes may be asked for at once. */
export const MISSING_MAX = 10_000

/** How many image ids are remembered as told to the log; beyond it some are told again, which counts once. */
const TOLD_MAX = 200_000

const MISSING_BODY_MAX = 1024 * 1024
const HEADS_AT_ONCE = 32
const SHA256 = /^[0-9a-f]{64}$/
const MEDIA_TYPES = ['image/png', 'image/jpeg', 'image/webp'] as const
type MediaType = (typeof MEDIA_TYPES)[number]

export interface ImagesDeps {
  readonly log: Log
  readonly blobs: Blobs
  readonly budget: Budget
}

/** The handlers of the image routes that write. They throw problems. */
export interface ImageRoutes {
  readonly put: (call: Call) => Promise<Response>
  readonly missing: (call: Call) => Promise<Response>
}

const keyOf = (imageId: string): string => `images/${imageId.slice(0, 2)}/${imageId}`

/** The media type that the first bytes of a picture show. */
function mediaTypeOf(bytes: Uint8Array): MediaType | undefined {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 12)).toString('latin1')
  if (head.startsWith('\x89PNG\r\n\x1a\n')) return 'image/png'
  if (head.startsWith('\xff\xd8\xff')) return 'image/jpeg'
  return head.startsWith('RIFF') && head.slice(8, 12) === 'WEBP' ? 'image/webp' : undefined
}

function storedRecord(imageId: string, mediaType: MediaType, bytes: number): NewRecord {
  return ownEvent(
    'image.stored',
    { image_id: imageId, media_type: mediaType, bytes },
    { id: imageId, source: 'urn:stepstore:ingest' },
  )
}

async function headBytes(blobs: Blobs, key: string): Promise<Uint8Array> {
  const pieces: Uint8Array[] = []
  const stream = await blobs.stream(key, { start: 0, end: 12 })
  for await (const piece of stream as unknown as AsyncIterable<Uint8Array>) pieces.push(piece)
  return Buffer.concat(pieces)
}

async function missingIds(call: Call, budget: Budget): Promise<string[]> {
  const lease = budget.lease()
  try {
    const body = await readBody(bodyOf(call), codingOf(call.req.header('content-encoding')), {
      bytesMax: MISSING_BODY_MAX,
      lease,
    })
    const sent = JSON.parse(body.toString('utf8')) as unknown
    const ids = Array.isArray(sent) ? (sent as unknown[]) : (sent as { image_ids?: unknown } | null)?.image_ids
    if (!Array.isArray(ids))
      throw new Problem('bad_body', 'the body holds no list of hashes', { hint: 'send {"image_ids": ["…"]} or ["…"]' })
    if (ids.length > MISSING_MAX)
      throw new Problem('too_large', `the list has ${ids.length} hashes, the most is ${MISSING_MAX}`, {
        hint: 'ask in parts',
      })
    const bad = ids.findIndex((id) => typeof id !== 'string' || !SHA256.test(id))
    if (bad >= 0)
      throw new Problem('bad_body', `entry ${bad} is not a SHA-256 in lower-case hex`, {
        hint: 'send the hash of the bytes of each image',
        details: { index: bad },
      })
    return [...new Set(ids as string[])]
  } catch (error) {
    if (error instanceof SyntaxError)
      throw new Problem('bad_body', `the body is not JSON: ${error.message}`, { hint: 'send {"image_ids": ["…"]}' })
    throw error
  } finally {
    lease.release()
  }
}

/** Writes the facts that pictures are there, and remembers which were written. */
interface Teller {
  readonly knows: (imageId: string) => boolean
  /** Resolves with the position when the facts are durable. */
  readonly tell: (records: readonly NewRecord[]) => Promise<string>
}

function teller(log: Log): Teller {
  const told = new Set<string>()
  return {
    knows: (imageId) => told.has(imageId),
    tell: async (records) => {
      const position = formatPosition(log.id, await log.append(records))
      if (told.size > TOLD_MAX) told.clear()
      for (const { key } of records) told.add(key)
      return position
    },
  }
}

function putRoute({ blobs, budget }: ImagesDeps, facts: Teller): ImageRoutes['put'] {
  return async (call) => {
    parameters(call, [])
    const imageId = call.req.param('sha256') ?? ''
    if (!SHA256.test(imageId))
      throw new Problem('invalid', 'the name of an image is the SHA-256 of its bytes in lower-case hex', {
        hint: 'PUT /v1/images/<64 hex digits>',
      })
    const sentType = (call.req.header('content-type') ?? '').split(';')[0]?.trim().toLowerCase()
    if (!MEDIA_TYPES.some((mediaType) => mediaType === sentType)) {
      throw new Problem('unsupported_media_type', `cannot keep ${JSON.stringify(sentType)}`, {
        hint: `send one of ${MEDIA_TYPES.join(', ')}`,
        details: { accepted: MEDIA_TYPES },
      })
    }
    const coding = codingOf(call.req.header('content-encoding'))
    if (Number(call.req.header('content-length') ?? 0) > IMAGE_BYTES_MAX)
      throw new Problem('too_large', `an image has at most ${IMAGE_BYTES_MAX} bytes`)
    const lease = budget.lease()
    try {
      const hash = createHash('sha256')
      const body = await readBody(bodyOf(call), coding, {
        bytesMax: IMAGE_BYTES_MAX,
        lease,
        onPiece: (piece) => hash.update(piece),
      })
      const found = hash.digest('hex')
      if (found !== imageId)
        throw new Problem('unreadable', `the body hashes to ${found}, not to ${imageId}`, {
          hint: 'PUT it under the SHA-256 of exactly these bytes',
        })
      const mediaType = mediaTypeOf(body)
      if (mediaType !== sentType || mediaType === undefined) {
        throw new Problem('unreadable', `the bytes are ${mediaType ?? 'no picture that is known'}, not ${sentType}`, {
          hint: 'send the content type of the bytes',
        })
      }
      const { created } = await blobs.put(keyOf(imageId), body, { ifAbsent: true })
      // The picture comes before the event, so that no event names bytes that are not there. A picture whose event was
      // lost between the two is told when it is put or asked for again.
      const position =
        created || !facts.knows(imageId) ? await facts.tell([storedRecord(imageId, mediaType, body.length)]) : undefined
      return jsonReply(
        { image_id: imageId, media_type: mediaType, bytes: body.length },
        created ? 201 : 200,
        position === undefined ? {} : { 'stepstore-position': position },
      )
    } finally {
      lease.release()
    }
  }
}

function missingRoute({ blobs, budget }: ImagesDeps, facts: Teller): ImageRoutes['missing'] {
  return async (call) => {
    parameters(call, [])
    const ids = await missingIds(call, budget)
    const absent = new Set<string>()
    const untold: NewRecord[] = []
    const queue = ids.filter((id) => !facts.knows(id)).values()
    const look = async (): Promise<void> => {
      for (const id of queue) {
        const info = await blobs.head(keyOf(id))
        const mediaType = info === undefined ? undefined : mediaTypeOf(await headBytes(blobs, keyOf(id)))
        if (info === undefined || mediaType === undefined) absent.add(id)
        else untold.push(storedRecord(id, mediaType, info.bytes))
      }
    }
    await Promise.all(Array.from({ length: HEADS_AT_ONCE }, look))
    if (untold.length > 0) await facts.tell(untold)
    return jsonReply({ missing: ids.filter((id) => absent.has(id)) })
  }
}

/** Makes the handlers. */
export function imageRoutes(deps: ImagesDeps): ImageRoutes {
  const facts = teller(deps.log)
  return { put: putRoute(deps, facts), missing: missingRoute(deps, facts) }
}
