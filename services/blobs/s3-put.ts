/** Storing an object in S3, once, whatever becomes of the answers: whole where it is small, in parts where it is large. */
import { randomUUID } from 'node:crypto'
import { type FileHandle, open } from 'node:fs/promises'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  type CompletedPart,
  CreateMultipartUploadCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { errorText } from '#services/logger.ts'
import { outcomeOf, type Patience, retrying } from './s3-answer.ts'

/** An object as HEAD tells of it. */
export interface Held {
  readonly bytes: number
  readonly etag: string
  /** The mark of the put that stored it; undefined where something else did. */
  readonly writer: string | undefined
}

export interface PutDeps {
  readonly client: S3Client
  readonly bucket: string
  readonly patience: Patience
  /** Whether the server keeps `If-None-Match: *`. Where it may not, it is asked first: that leaves a gap, but a small one. */
  readonly isConditional: () => boolean
  readonly head: (objectKey: string) => Promise<Held | undefined>
  /** Parts of a large object. At least 5 MiB. */
  readonly partBytes: number
  /** Parts of one object that are under way at once. */
  readonly partsInFlight: number
}

export interface Stored {
  readonly created: boolean
  /** The version that is there now, where it is ours. */
  readonly etag: string | undefined
}

/** The name of the metadata that says which put an object comes from. An answer can be lost; the mark cannot. */
export const WRITER = 'stepstore-writer'

/** Throws where trying again may help. */
const goneAgain = (objectKey: string): Error =>
  Object.assign(new Error(`${objectKey} was there and is gone`), { $metadata: { httpStatusCode: 409 } })

/** Whether a put that failed is there all the same, by its mark; undefined where nothing is there. */
async function whose(deps: PutDeps, objectKey: string, writer: string): Promise<Stored | undefined> {
  const held = await deps.head(objectKey)
  if (held === undefined) return undefined
  return held.writer === writer ? { created: true, etag: held.etag } : { created: false, etag: undefined }
}

/** Stores bytes by one request. */
export async function putWhole(
  deps: PutDeps,
  objectKey: string,
  bytes: Uint8Array,
  ifAbsent: boolean,
): Promise<Stored> {
  const { client, bucket, patience } = deps
  const writer = randomUUID()
  return retrying('put', patience, async (attempt) => {
    if (ifAbsent && (attempt > 1 || !deps.isConditional())) {
      const found = await whose(deps, objectKey, writer)
      if (found !== undefined) return found
    }
    try {
      const { ETag: etag } = await client.send(
        new PutObjectCommand({
          Bucket: bucket,
          Key: objectKey,
          Body: bytes,
          ContentLength: bytes.length,
          Metadata: { [WRITER]: writer },
          ...(ifAbsent ? { IfNoneMatch: '*' } : {}),
        }),
      )
      return { created: true, etag }
    } catch (error) {
      if (!ifAbsent || outcomeOf(error) !== 'exists') throw error
      if (attempt === 1) return { created: false, etag: undefined }
      const found = await whose(deps, objectKey, writer)
      if (found === undefined) throw goneAgain(objectKey)
      return found
    }
  })
}

/** An upload in parts that cannot be completed any more must be begun again; this often. */
const UPLOADS_MAX = 3

/** Stores a file in parts. It becomes visible when the last request is done, whole or not at all. */
export async function putInParts(deps: PutDeps, objectKey: string, path: string, ifAbsent: boolean): Promise<Stored> {
  const writer = randomUUID()
  const file = await open(path, 'r')
  try {
    const { size } = await file.stat()
    // Nobody wants to send much only to hear that it is there.
    if (ifAbsent && (await deps.head(objectKey)) !== undefined) return { created: false, etag: undefined }
    for (let round = 1; ; round++) {
      const stored = await oneUpload(deps, { objectKey, file, size, writer, ifAbsent })
      if (stored !== undefined) return stored
      if (round === UPLOADS_MAX) throw goneAgain(objectKey)
    }
  } finally {
    await file.close()
  }
}

interface Upload {
  readonly objectKey: string
  readonly file: FileHandle
  readonly size: number
  readonly writer: string
  readonly ifAbsent: boolean
}

/** One upload, aborted unless it was completed. Undefined where it has to be begun again. */
async function oneUpload(deps: PutDeps, upload: Upload): Promise<Stored | undefined> {
  const { client, bucket, patience } = deps
  const target = { Bucket: bucket, Key: upload.objectKey }
  const { UploadId } = await retrying('create upload', patience, () =>
    client.send(
      new CreateMultipartUploadCommand({
        ...target,
        ChecksumAlgorithm: 'CRC32',
        Metadata: { [WRITER]: upload.writer },
      }),
    ),
  )
  let stored: Stored | undefined
  try {
    const parts = await sendParts(deps, upload, UploadId)
    stored = await complete(deps, upload, UploadId, parts)
    return stored
  } finally {
    if (stored?.created !== true) {
      // Parts of an upload that is not aborted are kept, and paid for, unseen. A rule of the bucket catches those of processes that died.
      await retrying('abort upload', patience, () =>
        client.send(new AbortMultipartUploadCommand({ ...target, UploadId })),
      ).catch((error: unknown) => {
        if (outcomeOf(error) !== 'absent')
          patience.logger('warn', 'upload not aborted', { key: upload.objectKey, error: errorText(error) })
      })
    }
  }
}

async function sendParts(
  deps: PutDeps,
  { objectKey, file, size }: Upload,
  uploadId: string | undefined,
): Promise<CompletedPart[]> {
  const { client, bucket, patience, partBytes, partsInFlight } = deps
  const count = Math.max(1, Math.ceil(size / partBytes))
  const parts: CompletedPart[] = []
  let next = 0
  let hasFailed = false
  const sender = async (): Promise<void> => {
    for (let index = next++; index < count && !hasFailed; index = next++) {
      const bytes = Buffer.alloc(Math.min(partBytes, size - index * partBytes))
      const { bytesRead } = await file.read(bytes, 0, bytes.length, index * partBytes)
      if (bytesRead !== bytes.length) throw new Error(`${objectKey}: its file became shorter while it was sent`)
      const PartNumber = index + 1
      const { ETag, ChecksumCRC32 } = await retrying('put part', patience, () =>
        client.send(
          new UploadPartCommand({
            Bucket: bucket,
            Key: objectKey,
            UploadId: uploadId,
            PartNumber,
            Body: bytes,
            ContentLength: bytes.length,
            ChecksumAlgorithm: 'CRC32',
          }),
        ),
      )
      parts[index] = { PartNumber, ETag, ChecksumCRC32 }
    }
  }
  const senders = Array.from({ length: Math.min(partsInFlight, count) }, () =>
    sender().catch((error: unknown) => {
      hasFailed = true
      throw error
    }),
  )
  // All of them must have come to rest before the file is closed and the upload aborted.
  const failed = (await Promise.allSettled(senders)).find((result) => result.status === 'rejected')
  if (failed !== undefined) throw failed.reason
  return parts
}

/** Completes an upload. Undefined where it has to be begun again. */
async function complete(
  deps: PutDeps,
  { objectKey, writer, ifAbsent }: Upload,
  uploadId: string | undefined,
  parts: CompletedPart[],
): Promise<Stored | undefined> {
  const { client, bucket, patience } = deps
  const command = { Bucket: bucket, Key: objectKey, UploadId: uploadId, MultipartUpload: { Parts: parts } }
  return retrying('complete upload', patience, async (attempt): Promise<Stored | undefined> => {
    if (ifAbsent && !deps.isConditional()) {
      const found = await whose(deps, objectKey, writer)
      if (found !== undefined) return found
    }
    try {
      const { ETag: etag } = await client.send(
        new CompleteMultipartUploadCommand({ ...command, ...(ifAbsent ? { IfNoneMatch: '*' } : {}) }),
      )
      return { created: true, etag }
    } catch (error) {
      const outcome = outcomeOf(error)
      if (outcome === 'exists' && attempt === 1) return { created: false, etag: undefined }
      if (outcome === 'refused') throw error
      const found = await whose(deps, objectKey, writer)
      if (found !== undefined && (found.created || ifAbsent)) return found
      // A conflict, or an upload that the server knows no more, cannot be completed by asking again.
      if (outcome === 'raced' || outcome === 'absent' || outcome === 'exists') return undefined
      throw error
    }
  })
}
