/** Blobs in S3, or in a server that speaks as S3 does. */
import { readFile, rm, stat } from 'node:fs/promises'
import { createWriteStream } from 'node:fs'
import type { Agent } from 'node:http'
import { pipeline } from 'node:stream/promises'
import {
  DeleteObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
  PutObjectCommand,
  S3Client,
  type S3ClientConfig,
} from '@aws-sdk/client-s3'
import { errorText, type Logger } from '#services/logger.ts'
import { Problem } from '#services/problem.ts'
import { BLOB_KEY, type BlobBody, type BlobInfo, type Blobs, type ByteRange } from './blobs.ts'
import { ObjectCache } from './object-cache.ts'
import { blobsProblem, outcomeOf, type Patience, retrying } from './s3-answer.ts'
import { type Held, putInParts, putWhole, type PutDeps, type Stored, WRITER } from './s3-put.ts'
import { type Opened, openObject, resumed, streamOf } from './s3-stream.ts'
import type { S3Place } from './s3-url.ts'

export interface S3Options extends S3Place {
  readonly logger: Logger
  /** Where local copies go. */
  readonly cacheFolder: string
  /** What local copies may take. Default 10 GiB. */
  readonly cacheBytesMax?: number
  /** A local path stays good at least so long after it was asked for. Default 30 min. */
  readonly cacheKeepMs?: number
  readonly clock?: () => Date
  /** Undefined takes them from the usual AWS variables, files and roles. */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string }
  /** A way to connect of one's own, such as through a proxy. */
  readonly agent?: Agent
  /** Default 6: about 5 s of pauses. */
  readonly attemptsMax?: number
  /** The first pause before trying again. Default 100 ms. */
  readonly pauseMs?: number
  readonly random?: () => number
  /** A file that is larger is stored in parts. Default 64 MiB. */
  readonly wholeBytesMax?: number
  /** Default 16 MiB; servers want at least 5 MiB. */
  readonly partBytes?: number
}

export interface S3Blobs extends Blobs {
  /** Whether the server keeps `If-None-Match: *`, as tried when it was opened; undefined where we may not write. */
  readonly conditionalPuts: boolean | undefined
}

const MIB = 1024 * 1024
const DEFAULTS = {
  cacheBytesMax: 10 * 1024 * MIB,
  cacheKeepMs: 30 * 60_000,
  attemptsMax: 6,
  pauseMs: 100,
  wholeBytesMax: 64 * MIB,
  partBytes: 16 * MIB,
}
const PARTS_IN_FLIGHT = 4
/** Files that are on their way at once; each holds up to 64 MiB in memory. */
const FILES_IN_FLIGHT = 2
const CONNECT_MS_MAX = 5_000
/** Nothing came for so long: the other side is gone. */
const SILENCE_MS_MAX = 30_000
const SOCKETS_MAX = 64

/** No key begins with a tilde, so this object is in nobody's way. It stays there: the next one who tries needs one request. */
const PROBE = '~probe'

/** Opens a bucket. Throws `unavailable` where it cannot be reached, is not there or refuses us. */
export async function s3Blobs(options: S3Options): Promise<S3Blobs> {
  const {
    cacheFolder,
    cacheBytesMax = DEFAULTS.cacheBytesMax,
    cacheKeepMs = DEFAULTS.cacheKeepMs,
    clock = () => new Date(),
  } = options
  const blobs = new S3Objects(
    options,
    await ObjectCache.open({ folder: cacheFolder, bytesMax: cacheBytesMax, keepMs: cacheKeepMs, clock }),
  )
  try {
    await blobs.probe()
    return blobs
  } catch (error) {
    await blobs.close()
    throw blobsProblem(error)
  }
}

function clientOf({ endpoint, region, pathStyle, credentials, agent, logger }: S3Options): S3Client {
  // The client calls every answer below 2xx an error, also those that are expected; what becomes of one is told by who asked.
  const note = (what: unknown) => logger('debug', 'object store client', { text: noteText(what) })
  const agents = agent ?? { keepAlive: true, maxSockets: SOCKETS_MAX }
  const config: S3ClientConfig = {
    forcePathStyle: pathStyle,
    // What may be done again, and after which look at the object, is decided here and not in the client.
    maxAttempts: 1,
    requestHandler: {
      connectionTimeout: CONNECT_MS_MAX,
      socketTimeout: SILENCE_MS_MAX,
      httpAgent: agents,
      ...(agent === undefined ? { httpsAgent: agents } : {}),
    },
    logger: {
      trace: () => undefined,
      debug: () => undefined,
      info: () => undefined,
      warn: note,
      error: note,
    },
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(region === undefined ? {} : { region }),
    ...(credentials === undefined ? {} : { credentials }),
  }
  return new S3Client(config)
}

function noteText(what: unknown): string {
  if (typeof what !== 'object' || what === null) return String(what)
  const { commandName, error } = what as { readonly commandName?: unknown; readonly error?: unknown }
  return `${typeof commandName === 'string' ? commandName : 'client'}: ${errorText(error)}`
}

const notFound = (key: string): Problem => new Problem('not_found', `there is no object ${key}`)

class S3Objects implements S3Blobs {
  conditionalPuts: boolean | undefined
  readonly #client: S3Client
  readonly #cache: ObjectCache
  readonly #bucket: string
  readonly #prefix: string
  readonly #wholeBytesMax: number
  readonly #patience: Patience
  readonly #put: PutDeps
  #filesInFlight = 0
  readonly #waiting: (() => void)[] = []

  constructor(options: S3Options, cache: ObjectCache) {
    const {
      attemptsMax = DEFAULTS.attemptsMax,
      pauseMs = DEFAULTS.pauseMs,
      random = Math.random,
      partBytes = DEFAULTS.partBytes,
    } = options
    this.#client = clientOf(options)
    this.#cache = cache
    this.#bucket = options.bucket
    this.#prefix = options.prefix
    this.#wholeBytesMax = options.wholeBytesMax ?? DEFAULTS.wholeBytesMax
    this.#patience = { attemptsMax, pauseMs, random, logger: options.logger }
    this.#put = {
      client: this.#client,
      bucket: this.#bucket,
      patience: this.#patience,
      isConditional: () => this.conditionalPuts === true,
      head: (objectKey) => this.#held(objectKey),
      partBytes,
      partsInFlight: PARTS_IN_FLIGHT,
    }
  }

  /** Puts the same object twice on condition that it is not there: a server that keeps conditions refuses one of them. */
  async probe(): Promise<void> {
    const tryOnce = (): Promise<'stored' | 'kept'> =>
      retrying('probe', this.#patience, async () => {
        try {
          await this.#client.send(
            new PutObjectCommand({
              Bucket: this.#bucket,
              Key: `${this.#prefix}${PROBE}`,
              Body: new Uint8Array(),
              ContentLength: 0,
              IfNoneMatch: '*',
            }),
          )
          return 'stored'
        } catch (error) {
          if (outcomeOf(error) === 'exists') return 'kept'
          throw error
        }
      })
    try {
      this.conditionalPuts = (await tryOnce()) === 'kept' || (await tryOnce()) === 'kept'
    } catch (error) {
      const status =
        error instanceof Error
          ? (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode
          : undefined
      if (status === 501) this.conditionalPuts = false
      else if (error instanceof Error && error.name === 'AccessDenied') await this.#page('')
      else throw error
    }
    if (this.conditionalPuts === false) this.#patience.logger('warn', 'the object store keeps no conditions on puts')
  }

  #objectKey(key: string): string {
    if (!BLOB_KEY.test(key)) throw new Problem('invalid', `not a blob key: ${JSON.stringify(key.slice(0, 80))}`)
    return this.#prefix + key
  }

  async put(
    key: string,
    body: BlobBody,
    { ifAbsent = false }: { readonly ifAbsent?: boolean } = {},
  ): Promise<{ readonly created: boolean }> {
    const objectKey = this.#objectKey(key)
    try {
      const { created } =
        body instanceof Uint8Array
          ? await putWhole(this.#put, objectKey, body, ifAbsent)
          : await this.#putFile(objectKey, body.file, ifAbsent)
      return { created }
    } catch (error) {
      // A local file that cannot be read is no fault of the store.
      throw error instanceof Error && 'syscall' in error && 'path' in error ? error : blobsProblem(error)
    }
  }

  async #putFile(objectKey: string, file: string, ifAbsent: boolean): Promise<Stored> {
    await this.#turn()
    try {
      const { size } = await stat(file)
      const stored =
        size <= this.#wholeBytesMax
          ? await putWhole(this.#put, objectKey, await readFile(file), ifAbsent)
          : await putInParts(this.#put, objectKey, file, ifAbsent)
      // What was just written is what is read next.
      if (stored.etag === undefined) await rm(file, { force: true })
      else await this.#cache.adopt(objectKey, stored.etag, size, file)
      return stored
    } finally {
      this.#filesInFlight -= 1
      this.#waiting.shift()?.()
    }
  }

  async #turn(): Promise<void> {
    while (this.#filesInFlight >= FILES_IN_FLIGHT) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    this.#filesInFlight += 1
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    const objectKey = this.#objectKey(key)
    const opened = await this.#open(objectKey)
    if (opened === undefined) return undefined
    const chunks: Uint8Array[] = []
    for await (const chunk of resumed(this.#put, objectKey, opened, 0)) chunks.push(chunk)
    return Buffer.concat(chunks)
  }

  /** Begins to read, or undefined where there is nothing. */
  async #open(objectKey: string, range?: ByteRange, etag?: string): Promise<Opened | undefined> {
    try {
      return await openObject(this.#put, objectKey, range, etag)
    } catch (error) {
      if (outcomeOf(error) === 'absent') return undefined
      throw isPastEnd(error) ? error : blobsProblem(error)
    }
  }

  async stream(key: string, range?: ByteRange): Promise<ReadableStream<Uint8Array>> {
    const objectKey = this.#objectKey(key)
    if (range !== undefined && range.start >= range.end) return this.#emptyStream(key, range)
    try {
      const opened = await this.#open(objectKey, range)
      if (opened === undefined) throw notFound(key)
      return streamOf(resumed(this.#put, objectKey, opened, range?.start ?? 0), opened)
    } catch (error) {
      // S3 has no empty range: one that begins where the object ends is refused there, and not here.
      if (range === undefined || !isPastEnd(error)) throw error
      return this.#emptyStream(key, { start: range.start, end: range.start })
    }
  }

  async #emptyStream(key: string, { start, end }: ByteRange): Promise<ReadableStream<Uint8Array>> {
    const info = await this.head(key)
    if (info === undefined) throw notFound(key)
    if (start > info.bytes || start > end) throw new Problem('range_not_satisfiable', `${key} has ${info.bytes} bytes`)
    return new ReadableStream({ start: (controller) => controller.close() })
  }

  async head(key: string): Promise<BlobInfo | undefined> {
    const held = await this.#held(this.#objectKey(key))
    return held === undefined ? undefined : { key, bytes: held.bytes }
  }

  async #held(objectKey: string): Promise<Held | undefined> {
    try {
      const answer = await retrying('head', this.#patience, () =>
        this.#client.send(new HeadObjectCommand({ Bucket: this.#bucket, Key: objectKey })),
      )
      return { bytes: answer.ContentLength ?? 0, etag: answer.ETag ?? '', writer: answer.Metadata?.[WRITER] }
    } catch (error) {
      if (outcomeOf(error) === 'absent') return undefined
      throw blobsProblem(error)
    }
  }

  async *list(prefix: string): AsyncIterable<BlobInfo> {
    let page = await this.#page(prefix)
    for (;;) {
      for (const { Key: objectKey = '', Size: bytes = 0 } of page.Contents ?? []) {
        const key = objectKey.slice(this.#prefix.length)
        if (BLOB_KEY.test(key)) yield { key, bytes }
      }
      const { NextContinuationToken } = page
      if (NextContinuationToken === undefined) return
      page = await this.#page(prefix, NextContinuationToken)
    }
  }

  async #page(prefix: string, after?: string): Promise<ListObjectsV2CommandOutput> {
    try {
      return await retrying('list', this.#patience, () =>
        this.#client.send(
          new ListObjectsV2Command({
            Bucket: this.#bucket,
            Prefix: this.#prefix + prefix,
            ...(after === undefined ? {} : { ContinuationToken: after }),
          }),
        ),
      )
    } catch (error) {
      throw blobsProblem(error)
    }
  }

  async delete(key: string): Promise<void> {
    const objectKey = this.#objectKey(key)
    try {
      await retrying('delete', this.#patience, () =>
        this.#client.send(new DeleteObjectCommand({ Bucket: this.#bucket, Key: objectKey })),
      )
    } catch (error) {
      if (outcomeOf(error) !== 'absent') throw blobsProblem(error)
    }
  }

  async localPath(key: string): Promise<string> {
    const objectKey = this.#objectKey(key)
    const held = await this.#held(objectKey)
    if (held === undefined) throw notFound(key)
    return this.#cache.take(objectKey, held.etag, held.bytes, async (path) => {
      const opened = held.bytes === 0 ? undefined : await this.#open(objectKey, undefined, held.etag)
      if (opened === undefined && held.bytes > 0) throw notFound(key)
      await pipeline(opened === undefined ? [] : resumed(this.#put, objectKey, opened, 0), createWriteStream(path))
    })
  }

  close(): Promise<void> {
    this.#client.destroy()
    return Promise.resolve()
  }
}

const isPastEnd = (error: unknown): boolean => error instanceof Error && error.name === 'InvalidRange'
