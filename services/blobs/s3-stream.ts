/** Reading an object of S3 as a stream that goes on where a connection broke, and never mixes two versions. */
import type { Readable } from 'node:stream'
import { GetObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { Problem } from '#services/problem.ts'
import type { ByteRange } from './blobs.ts'
import { blobsProblem, outcomeOf, type Patience, retrying } from './s3-answer.ts'

export interface ReadDeps {
  readonly client: S3Client
  readonly bucket: string
  readonly patience: Patience
}

/** What GET began to answer. */
export interface Opened {
  readonly body: Readable
  readonly bytes: number
  readonly etag: string | undefined
}

/** Begins to read a range that is not empty, or all. Throws what the server answers, before any byte. */
export async function openObject(
  { client, bucket, patience }: ReadDeps,
  objectKey: string,
  range?: ByteRange,
  etag?: string,
): Promise<Opened> {
  return retrying('get', patience, async () => {
    const answer = await client.send(
      new GetObjectCommand({
        Bucket: bucket,
        Key: objectKey,
        ...(range === undefined ? {} : { Range: `bytes=${range.start}-${range.end - 1}` }),
        ...(etag === undefined ? {} : { IfMatch: etag }),
      }),
    )
    // In Node the body is a Readable; the type also covers browsers.
    return { body: answer.Body as Readable, bytes: answer.ContentLength ?? 0, etag: answer.ETag }
  })
}

/**
 * The bytes of what was opened. A connection that breaks is opened again where it broke, `attemptsMax` times without a
 * byte between; an object that was replaced meanwhile is an error, `unavailable`.
 */
export async function* resumed(
  deps: ReadDeps,
  objectKey: string,
  first: Opened,
  start: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  let opened = first
  let at = start
  const end = start + first.bytes
  let fruitless = 0
  try {
    for (;;) {
      try {
        for await (const chunk of opened.body as AsyncIterable<Buffer>) {
          at += chunk.length
          fruitless = 0
          yield chunk
        }
        if (at >= end) return
        throw new Error(`the answer ended at byte ${at}, before ${end}`)
      } catch (error) {
        fruitless += 1
        // A body that is whole and yet fails was found spoilt by its checksum: what was passed on cannot be taken back.
        if (at >= end)
          throw new Problem('corrupt', `${objectKey} came with another checksum than its own`, { cause: error })
        if (error instanceof Problem || fruitless >= deps.patience.attemptsMax) throw blobsProblem(error)
        opened = await reopened(deps, objectKey, { start: at, end }, first.etag)
      }
    }
  } finally {
    opened.body.destroy()
  }
}

async function reopened(
  deps: ReadDeps,
  objectKey: string,
  range: ByteRange,
  etag: string | undefined,
): Promise<Opened> {
  try {
    return await openObject(deps, objectKey, range, etag)
  } catch (error) {
    const outcome = outcomeOf(error)
    if (outcome !== 'exists' && outcome !== 'absent') throw blobsProblem(error)
    throw new Problem('unavailable', `${objectKey} was replaced or removed while it was read`, {
      hint: 'read it again',
      retryAfterSeconds: 1,
      cause: error,
    })
  }
}

/** A web stream over chunks that reads no faster than it is drained, and stops when it is cancelled. */
export function streamOf(
  chunks: AsyncGenerator<Uint8Array, void, undefined>,
  opened: Opened,
): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await chunks.next()
        if (done === true) controller.close()
        else controller.enqueue(value)
      },
      async cancel() {
        // A generator that never ran has no `finally` to run.
        opened.body.destroy()
        await chunks.return()
      },
    },
    { highWaterMark: 0 },
  )
}
