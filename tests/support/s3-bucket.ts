/** A bucket of the stack's S3 server, and ways to open it for a test. */
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DeleteObjectCommand, ListMultipartUploadsCommand, S3Client } from '@aws-sdk/client-s3'
import { BUCKET, endpointOf, REGION } from '#infra/local/s3.ts'
import { type S3Blobs, type S3Options, s3Blobs } from '#services/blobs/s3.ts'
import { silent } from '#services/logger.ts'
import { stack } from './stack.ts'

export interface S3Bucket {
  readonly endpoint: string
  /** Opens a place that nothing was put into, unless options name one. */
  open(options?: Partial<S3Options>): Promise<S3Blobs>
  /** Options for a place that nothing was put into. */
  place(): S3Options
  /** Uploads in parts of one object that were neither completed nor aborted. */
  uploads(objectKey: string): Promise<number>
  /** Removes an object, whatever its key. */
  remove(objectKey: string): Promise<void>
  close(): Promise<void>
}

/** Short pauses, so that a test that fails many requests does not wait. */
const PAUSE_MS = 1

export async function s3Bucket(): Promise<S3Bucket> {
  if (stack === undefined) throw new Error('there is no stack')
  const { s3 } = stack
  const folder = await mkdtemp(join(tmpdir(), 'stepstore-s3-'))
  const opened: S3Blobs[] = []
  const client = new S3Client({ endpoint: endpointOf(s3), region: REGION, forcePathStyle: true, credentials: s3 })
  const place = (): S3Options => ({
    bucket: BUCKET,
    prefix: `test/${randomUUID()}/`,
    endpoint: endpointOf(s3),
    region: REGION,
    pathStyle: true,
    credentials: s3,
    cacheFolder: join(folder, randomUUID()),
    logger: silent,
    pauseMs: PAUSE_MS,
  })
  return {
    endpoint: endpointOf(s3),
    place,
    open: async (options = {}) => {
      const blobs = await s3Blobs({ ...place(), ...options })
      opened.push(blobs)
      return blobs
    },
    // MinIO lists those of one object only.
    uploads: async (objectKey) =>
      (await client.send(new ListMultipartUploadsCommand({ Bucket: BUCKET, Prefix: objectKey }))).Uploads?.length ?? 0,
    remove: async (objectKey) => {
      await client.send(new DeleteObjectCommand({ Bucket: BUCKET, Key: objectKey }))
    },
    close: async () => {
      for (const blobs of opened) await blobs.close()
      client.destroy()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
