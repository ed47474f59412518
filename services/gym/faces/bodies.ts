/** Bodies of requests in bounded memory: no one of them too large, and not too much of them at once. */
import { Problem } from '#services/problem.ts'

export interface BodyLimits {
  /** The largest body. */
  readonly bytesMax: number
  /** The most bytes of bodies in memory at once. */
  readonly inFlightMax: number
}

export interface Bodies {
  /** The bytes of a body, counted until `done` has run. Throws `too_large` and `too_many`. */
  read<Value>(request: Request, done: (bytes: Buffer) => Promise<Value>): Promise<Value>
}

/** A reader of bodies within limits. */
export function boundedBodies({ bytesMax, inFlightMax }: BodyLimits): Bodies {
  let held = 0
  return {
    read: async (request, done) => {
      const pieces: Uint8Array[] = []
      let bytes = 0
      try {
        for await (const piece of request.body ?? []) {
          bytes += piece.length
          held += piece.length
          if (bytes > bytesMax)
            throw new Problem('too_large', `the body is over ${bytesMax} bytes`, { hint: 'send less at once' })
          if (held > inFlightMax) {
            throw new Problem('too_many', 'too many large requests are under way', {
              hint: 'send the same again in a moment',
              retryAfterSeconds: 1,
            })
          }
          pieces.push(piece)
        }
        return await done(Buffer.concat(pieces))
      } finally {
        held -= bytes
      }
    },
  }
}

/** JSON of bytes. Throws `invalid`; nothing at all is an empty object. */
export function jsonOf(bytes: Buffer): unknown {
  if (bytes.length === 0) return {}
  try {
    return JSON.parse(bytes.toString('utf8')) as unknown
  } catch (error) {
    throw new Problem('invalid', `the body is no JSON: ${error instanceof Error ? error.message.slice(0, 120) : ''}`, {
      hint: 'send a JSON object as application/json',
    })
  }
}
