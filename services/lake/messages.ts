/** What goes back and forth between a lake client and its process. */
import type { ProblemCode } from '#schemas/problems.ts'
import { Problem } from '#services/problem.ts'
import { errorText } from '#services/logger.ts'
import type { EngineOptions } from './engine.ts'
import type { JobKind, Jobs } from './jobs.ts'

export type ToProcess =
  | { readonly is: 'open'; readonly options: EngineOptions }
  | { readonly is: 'run'; readonly id: number; readonly kind: JobKind; readonly request: Jobs[JobKind]['request'] }
  | { readonly is: 'cancel'; readonly id: number }

export type FromProcess =
  | { readonly is: 'progress'; readonly id: number; readonly share: number }
  | { readonly is: 'done'; readonly id: number; readonly result: Jobs[JobKind]['result'] }
  | { readonly is: 'failed'; readonly id: number; readonly failure: Failure }

/** An error on its way between processes. `code` is undefined where it was no Problem. */
export interface Failure {
  readonly code: ProblemCode | undefined
  readonly message: string
  readonly hint: string | undefined
  readonly retryAfterSeconds: number | undefined
  readonly cause: string | undefined
}

export function asFailure(error: unknown): Failure {
  if (!(error instanceof Problem))
    return {
      code: undefined,
      message: errorText(error),
      hint: undefined,
      retryAfterSeconds: undefined,
      cause: undefined,
    }
  const { code, message, hint, retryAfterSeconds, cause } = error
  return { code, message, hint, retryAfterSeconds, cause: cause === undefined ? undefined : errorText(cause) }
}

/** The error again. What was no Problem stays none, so that it counts as a fault of ours. */
export function fromFailure({ code, message, hint, retryAfterSeconds, cause }: Failure): Error {
  if (code === undefined) return new Error(`in the lake process: ${message}`)
  return new Problem(code, message, {
    ...(hint === undefined ? {} : { hint }),
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    ...(cause === undefined ? {} : { cause: new Error(cause) }),
  })
}
