/** The one error class: a code for machines, a sentence for people, and a hint that says what to do. */
import { PROBLEMS, type ProblemCode } from '#schemas/problems.ts'

export interface ProblemOptions {
  /** What to do about it, if possible a command. */
  readonly hint?: string
  /** Further members of the answer, such as `build` or `index`. */
  readonly details?: Readonly<Record<string, unknown>>
  /** After how many seconds to try again; becomes Retry-After. */
  readonly retryAfterSeconds?: number
  readonly cause?: unknown
}

/** Something that went wrong and that the caller can understand. `message` is safe to show. */
export class Problem extends Error {
  readonly code: ProblemCode
  readonly hint: string | undefined
  readonly details: Readonly<Record<string, unknown>>
  readonly retryAfterSeconds: number | undefined

  constructor(code: ProblemCode, detail: string, options: ProblemOptions = {}) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'Problem'
    this.code = code
    this.hint = options.hint
    this.details = options.details ?? {}
    this.retryAfterSeconds = options.retryAfterSeconds
  }

  /** The HTTP status that belongs to the code. */
  get status(): number {
    return PROBLEMS[this.code].status
  }
}

/** Any thrown value as a problem. What is not ours becomes `internal`, and its text stays with operators. */
export function asProblem(thrown: unknown): Problem {
  return thrown instanceof Problem
    ? thrown
    : new Problem('internal', 'something failed inside Stepstore', { cause: thrown })
}

/** The RFC 9457 body of a problem. */
export function problemBody(problem: Problem): Record<string, unknown> {
  return {
    type: `urn:stepstore:problem:${problem.code}`,
    title: PROBLEMS[problem.code].meaning,
    status: problem.status,
    code: problem.code,
    detail: problem.message,
    ...(problem.hint === undefined ? {} : { hint: problem.hint }),
    ...problem.details,
  }
}
