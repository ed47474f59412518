/** A web stream over a range of a file, which reads no faster than it is drained. */
import { open, type FileHandle } from 'node:fs/promises'
import { Problem } from '#services/problem.ts'
import type { ByteRange } from './blobs.ts'

const CHUNK_BYTES = 256 * 1024

/**
 * Streams the bytes [start, end) of a file. It is opened by the first read, so that a stream which nobody reads (the
 * answer to a HEAD request) holds nothing, and closed at the end, on an error, and when the reader cancels.
 */
export function fileStream(path: string, { start, end }: ByteRange): ReadableStream<Uint8Array> {
  let handle: FileHandle | undefined
  let at = start
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          handle ??= await open(path, 'r')
          if (at >= end) {
            await handle.close()
            controller.close()
            return
          }
          const chunk = new Uint8Array(Math.min(CHUNK_BYTES, end - at))
          const { bytesRead } = await handle.read(chunk, 0, chunk.length, at)
          if (bytesRead === 0) throw new Problem('corrupt', `${path} ends at byte ${at}, before ${end}`)
          at += bytesRead
          controller.enqueue(chunk.subarray(0, bytesRead))
        } catch (error) {
          await handle?.close()
          throw error
        }
      },
      cancel: () => handle?.close(),
    },
    { highWaterMark: 0 },
  )
}
