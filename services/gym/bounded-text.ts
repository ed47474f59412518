/** The body of an answer in bounded memory. */

/** Thrown for a body that is longer than it may be. */
export class TooLong extends Error {}

/** The text of a body of at most `bytesMax` bytes. Throws TooLong beyond that, and what the connection throws. */
export async function boundedText(answer: Response, bytesMax: number): Promise<string> {
  if (answer.body === null) return ''
  const pieces: Uint8Array[] = []
  let bytes = 0
  const reader = answer.body.getReader()
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      bytes += next.value.length
      if (bytes > bytesMax) throw new TooLong(`the answer is over ${bytesMax} bytes`)
      pieces.push(next.value)
    }
  } catch (error) {
    await reader.cancel().catch(() => {})
    throw error
  }
  return Buffer.concat(pieces).toString('utf8')
}
