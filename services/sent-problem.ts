/** Errors on their way between threads and processes: plain data that an error is made of again. */
import type { ProblemCode } from '#schemas/problems.ts'
import { errorText } from './logger.ts'
import { Problem } from './problem.ts'

/** An error as it is posted. */
export interface SentProblem {
  /** Undefined where it was no Problem; `detail` is its text then, which is for operators. */
  readonly code: ProblemCode | undefined
  readonly detail: string
  readonly hint: string | undefined
  readonly details: Readonly<Record<string, unknown>>
  readonly retryAfterSeconds: number | undefined
  readonly cause: string | undefined
}

/** A thrown value, fit to be posted. */
export function sentProblem(thrown: unknown): SentProblem {
  if (!(thrown instanceof Problem))
    return {
      code: undefined,
      detail: errorText(thrown),
      hint: undefined,
      details: {},
      retryAfterSeconds: undefined,
      cause: undefined,
    }
  const { code, message, hint, details, retryAfterSeconds, cause } = thrown
  return {
    code,
    detail: message,
    hint,
    details,
    retryAfterSeconds,
    cause: cause === undefined ? undefined : errorText(cause),
  }
}

/** The error again. What was no Problem stays none, so that it counts as a fault of ours; `where` says whose it was. */
export function receivedProblem(
  { code, detail, hint, details, retryAfterSeconds, cause }: SentProblem,
  where: string,
): Error {
  if (code === undefined) return new Error(`in the ${where}: ${detail}`)
  return new Problem(code, detail, {
    details,
    ...(hint === undefined ? {} : { hint }),
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    ...(cause === undefined ? {} : { cause: new Error(cause) }),
  })
}
