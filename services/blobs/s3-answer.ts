/** What an answer of an object store, or the lack of one, tells; and trying again. */
import { setTimeout as sleep } from 'node:timers/promises'
import { errorText, type Logger } from '#services/logger.ts'
import { Problem } from '#services/problem.ts'

/**
 * `absent`: there is no such object (or upload). `exists`: a condition was not met. `again`: refused for now, and nothing was done.
 * `raced`: the same, as another request about the same object was under way. `unknown`: it was done or it was not.
 * `refused`: it will be refused again.
 */
export type Outcome = 'absent' | 'exists' | 'again' | 'raced' | 'unknown' | 'refused'

interface Answer {
  readonly name: string
  readonly status: number | undefined
}

function answerOf(error: unknown): Answer {
  if (!(error instanceof Error)) return { name: '', status: undefined }
  const { $metadata, $response } = error as {
    $metadata?: { httpStatusCode?: number }
    $response?: { statusCode?: number }
  }
  return { name: error.name, status: $metadata?.httpStatusCode ?? $response?.statusCode }
}

/** Bytes that were spoilt or did not come on the way there: to send them again may help. */
const SPOILT = new Set([
  'BadDigest',
  'InvalidDigest',
  'XAmzContentSHA256Mismatch',
  'XAmzContentChecksumMismatch',
  'IncompleteBody',
  'RequestTimeout',
])
const LATER = new Set([408, 425, 429])
const WORTH_RETRYING = new Set<Outcome>(['again', 'raced', 'unknown'])

/** The outcome of a request that failed. No answer, a cut one and a 5xx all mean that it may have been done. */
export function outcomeOf(error: unknown): Outcome {
  const { name, status } = answerOf(error)
  if (name === 'NoSuchBucket') return 'refused'
  if (status === 404) return 'absent'
  if (status === 412 || name === 'PreconditionFailed') return 'exists'
  if (status === 409) return 'raced'
  if (SPOILT.has(name) || (status !== undefined && LATER.has(status))) return 'again'
  return status !== undefined && status >= 400 && status < 500 ? 'refused' : 'unknown'
}

type Said = readonly [detail: string, hint: string]
const CREDENTIALS: Said = [
  'the object store refuses the credentials',
  'correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or the role of this machine)',
]
const SAID: Readonly<Record<string, Said>> = {
  NoSuchBucket: ['the bucket of BLOBS_URL does not exist', 'make it, or correct BLOBS_URL'],
  AccessDenied: [
    'the object store does not allow it',
    'let the credentials list the bucket, and get, put and delete its objects',
  ],
  Forbidden: [
    'the object store does not allow it',
    'let the credentials list the bucket, and get, put and delete its objects',
  ],
  InvalidAccessKeyId: CREDENTIALS,
  SignatureDoesNotMatch: CREDENTIALS,
  CredentialsProviderError: [
    'there are no credentials for the object store',
    'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or give this machine a role)',
  ],
  ExpiredToken: ['the credentials of the object store have expired', 'renew them'],
  RequestTimeTooSkewed: ['the clock of this machine differs from that of the object store', 'set the clock (NTP)'],
  PermanentRedirect: ['the bucket lies in another region', 'set region= in BLOBS_URL'],
}

const AFTER_SECONDS = 5

/** A failure that does not go away as `unavailable`, with what to do; a problem as it is. */
export function blobsProblem(error: unknown): Problem {
  if (error instanceof Problem) return error
  const [detail, hint] = SAID[answerOf(error).name] ?? [
    'the object store does not answer as it should',
    'see that it can be reached at BLOBS_URL, then send the same again',
  ]
  return new Problem('unavailable', detail, { hint, retryAfterSeconds: AFTER_SECONDS, cause: error })
}

/** How often and how long to try. */
export interface Patience {
  readonly attemptsMax: number
  /** The first pause; each next one is twice as long, up to 5 s, and is cut short by chance so that many do not come back at once. */
  readonly pauseMs: number
  /** A number in [0, 1). */
  readonly random: () => number
  readonly logger: Logger
}

const PAUSE_MS_MAX = 5_000

/** Throws on what trying again cannot mend, and after the last attempt. `attempt` counts from 1. */
export async function retrying<Result>(
  what: string,
  { attemptsMax, pauseMs, random, logger }: Patience,
  work: (attempt: number) => Promise<Result>,
): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work(attempt)
    } catch (error) {
      const outcome = error instanceof Problem ? 'refused' : outcomeOf(error)
      const isForGood =
        !WORTH_RETRYING.has(outcome) || (error instanceof Error && error.name === 'CredentialsProviderError')
      if (isForGood || attempt >= attemptsMax) throw error
      logger('debug', 'object store failed', { request: what, attempt, error: errorText(error) })
      await sleep(Math.min(pauseMs * 2 ** (attempt - 1), PAUSE_MS_MAX) * (0.5 + random() / 2))
    }
  }
}
