/** One request to a remote tool, bounded: JSON there, JSON back, and every way in which that fails told apart. */
import { boundedText, TooLong } from '#services/gym/bounded-text.ts'
import { RemoteFailure } from '#services/gym/tools/tools.ts'

/** Room for a segmentation of many masks with a picture; what is longer is no answer of a tool. */
export const ANSWER_BYTES_MAX = 8 * 1024 * 1024
/** How much of an error's text a policy is shown. */
const QUOTED_MAX = 200

export interface Asked {
  readonly url: string
  readonly body: unknown
  /** The key of the endpoint, where it wants one. */
  readonly key?: string | undefined
  readonly bytesMax?: number
}

/**
 * POSTs JSON and gives the JSON of the answer. Throws RemoteFailure: `infra` where the server cannot be reached, answers
 * an error of its own, is cut off or is stopped by `signal`; `tool_error` where it refuses the request (400, 413, 422);
 * `bad_output` where it answers well, but with no JSON or far too much of it.
 */
export async function askedJson(
  { url, body, key, bytesMax = ANSWER_BYTES_MAX }: Asked,
  signal: AbortSignal,
): Promise<unknown> {
  let answer: Response
  try {
    answer = await fetch(url, {
      method: 'POST',
      // A redirect would carry the pictures, and perhaps the key, to somewhere that nobody named.
      redirect: 'error',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json',
        ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
      },
      body: JSON.stringify(body),
      signal,
    })
  } catch (error) {
    throw lost(error, signal)
  }
  const said = await textOf(answer, bytesMax, signal)
  // Endpoints like to quote the key that they refuse.
  const text = key === undefined ? said : said.replaceAll(key, '********')
  if (!answer.ok) throw refused(answer.status, text)
  try {
    return JSON.parse(text) as unknown
  } catch {
    throw new RemoteFailure('bad_output', 'JSONDecodeError', `the tool's answer is no JSON: ${quoted(text)}`)
  }
}

async function textOf(answer: Response, bytesMax: number, signal: AbortSignal): Promise<string> {
  try {
    return await boundedText(answer, bytesMax)
  } catch (error) {
    if (!(error instanceof TooLong)) throw lost(error, signal)
    throw new RemoteFailure('bad_output', 'OutputTooLarge', `the tool's answer is over ${bytesMax} bytes`)
  }
}

function lost(error: unknown, signal: AbortSignal): RemoteFailure {
  if (signal.aborted) return new RemoteFailure('infra', 'Timeout', 'the tool did not answer in time')
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  const word = cause instanceof Error ? ((cause as NodeJS.ErrnoException).code ?? cause.message) : String(cause)
  return new RemoteFailure(
    'infra',
    'ConnectionError',
    `the tool's server cannot be reached, or broke off: ${quoted(word)}`,
  )
}

function refused(status: number, text: string): RemoteFailure {
  const kind = status === 400 || status === 413 || status === 422 ? 'tool_error' : 'infra'
  const words = quoted(text)
  return new RemoteFailure(kind, 'HTTPError', `the tool's server answered ${status}${words === '' ? '' : `: ${words}`}`)
}

/** The beginning of a text in one line. */
export function quoted(text: string): string {
  return text.slice(0, QUOTED_MAX).replaceAll(/\s+/g, ' ').trim()
}
