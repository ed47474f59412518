/** Reads the body of a request, decoded, within bounds. */
import type { Readable } from 'node:stream'
import { constants, createGunzip, createZstdDecompress } from 'node:zlib'
import { Problem } from '#services/problem.ts'
import type { Lease } from './budget.ts'

/** Content codings that are taken. */
export const CODINGS = ['gzip', 'zstd'] as const

export type Coding = (typeof CODINGS)[number] | 'identity'

/** What bytes come from: a node stream where there is one (it is the cheaper), else a web stream. */
export type BodySource = Readable | ReadableStream<Uint8Array> | null

export interface BodyLimit {
  readonly bytesMax: number
  /** Pays for the bytes held; the caller releases it. */
  readonly lease: Lease
  /** Called with each piece as it comes. */
  readonly onPiece?: (piece: Uint8Array) => void
}

/** The coding that a Content-Encoding header names. Throws `unsupported_media_type`. */
export function codingOf(header: string | undefined): Coding {
  const name = (header ?? '').trim().toLowerCase()
  if (name === '' || name === 'identity') return 'identity'
  if (name === 'gzip' || name === 'x-gzip') return 'gzip'
  if (name === 'zstd') return 'zstd'
  throw new Problem('unsupported_media_type', `cannot decode the content coding ${JSON.stringify(name.slice(0, 40))}`, {
    hint: `send one of ${CODINGS.join(', ')}, or none`,
    details: { accepted_codings: CODINGS },
  })
}

const tooLarge = (bytesMax: number): Problem =>
  new Problem('too_large', `the body has more than ${bytesMax} bytes`, { hint: 'send it in smaller parts' })

const cutShort = (cause?: unknown): Problem =>
  new Problem('bad_body', 'the connection closed before the whole body came', { cause })

class Pieces {
  readonly #limit: BodyLimit
  readonly #pieces: Uint8Array[] = []
  #bytes = 0

  constructor(limit: BodyLimit) {
    this.#limit = limit
  }

  add(piece: Uint8Array): void {
    if (this.#bytes + piece.length > this.#limit.bytesMax) throw tooLarge(this.#limit.bytesMax)
    this.#limit.lease.take(piece.length)
    this.#bytes += piece.length
    this.#limit.onPiece?.(piece)
    this.#pieces.push(piece)
  }

  whole(): Buffer {
    const [only] = this.#pieces
    if (only !== undefined && this.#pieces.length === 1)
      return Buffer.from(only.buffer, only.byteOffset, only.byteLength)
    return Buffer.concat(this.#pieces, this.#bytes)
  }
}

function readNode(source: Readable, limit: BodyLimit): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const pieces = new Pieces(limit)
    const settle = (act: () => void): void => {
      source.off('data', onData)
      source.off('end', onEnd)
      source.off('error', onError)
      source.off('close', onClose)
      act()
    }
    const onData = (piece: Uint8Array): void => {
      try {
        pieces.add(piece)
      } catch (error) {
        // The rest is thrown away as it comes, so that the answer can still be sent.
        settle(() => reject(error as Error))
        source.on('error', () => {})
        source.resume()
      }
    }
    const onEnd = (): void => settle(() => resolve(pieces.whole()))
    const onError = (error: Error): void => settle(() => reject(cutShort(error)))
    const onClose = (): void => settle(() => reject(cutShort()))
    source.on('data', onData)
    source.on('end', onEnd)
    source.on('error', onError)
    source.on('close', onClose)
    if (source.destroyed && !source.readableEnded) onClose()
  })
}

async function readWeb(source: ReadableStream<Uint8Array>, limit: BodyLimit): Promise<Buffer> {
  const pieces = new Pieces(limit)
  for await (const piece of source as unknown as AsyncIterable<Uint8Array>) pieces.add(piece)
  return pieces.whole()
}

/** Decodes a piece at a time, so that a small body that swells costs no more than the limit. */
async function decode(coded: Buffer, coding: 'gzip' | 'zstd', limit: BodyLimit): Promise<Buffer> {
  const decoder =
    coding === 'gzip'
      ? createGunzip({ chunkSize: 256 * 1024 })
      : // RFC 9659: windows of more than 8 MiB are not for HTTP. A frame could ask for 128 MiB otherwise.
        createZstdDecompress({ chunkSize: 256 * 1024, params: { [constants.ZSTD_d_windowLogMax]: 23 } })
  const pieces = new Pieces(limit)
  decoder.end(coded)
  try {
    for await (const piece of decoder as AsyncIterable<Buffer>) pieces.add(piece)
  } catch (error) {
    if (error instanceof Problem) throw error
    throw new Problem('bad_body', `the body is not whole ${coding}: ${error instanceof Error ? error.message : ''}`, {
      hint: 'send the body again',
      cause: error,
    })
  } finally {
    decoder.destroy()
  }
  return pieces.whole()
}

/** The decoded bytes of a body. Throws `too_large`, `too_many` and `bad_body`. */
export async function readBody(source: BodySource, coding: Coding, limit: BodyLimit): Promise<Buffer> {
  if (source === null) return Buffer.alloc(0)
  const read = 'getReader' in source ? readWeb : readNode
  if (coding === 'identity') return await read(source as Readable & ReadableStream<Uint8Array>, limit)
  const coded = await read(source as Readable & ReadableStream<Uint8Array>, {
    bytesMax: limit.bytesMax,
    lease: limit.lease,
  })
  return await decode(coded, coding, limit)
}
