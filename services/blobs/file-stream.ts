/** A web stream over a range of a file, which reads no faster than it is drained. */
import { open } from 'node:fs/promises'
import { Problem } from '#services/problem.ts'
import type { ByteRange } from './blobs.ts'

const CHUNK_BYTES = 256 * 1024

/** Streams the bytes [start, end) of a file. The file is closed at the end, on an error, and when the reader cancels. */
export async function fileStream(path: string, { start, end }: ByteRange): Promise<ReadableStream<Uint8Array>> {
  const handle = await open(path, 'r')
  let at = start
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        if (at >= end) {
          await handle.close()
          controller.close()
          return
        }
        try {
          const chunk = new Uint8Array(Math.min(CHUNK_BYTES, end - at))
          const { bytesRead } = await handle.read(chunk, 0, chunk.length, at)
          if (bytesRead === 0) throw new Problem('corrupt', `${path} ends at byte ${at}, before ${end}`)
          at += bytesRead
          controller.enqueue(chunk.subarray(0, bytesRead))
        } catch (error) {
          await handle.close()
          throw error
        }
      },
      cancel: () => handle.close(),
    },
    { highWaterMark: 0 },
  )
}
