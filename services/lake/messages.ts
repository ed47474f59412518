/** What goes back and forth between a lake client and its process. */
import type { SentProblem } from '#services/sent-problem.ts'
import type { EngineOptions } from './engine.ts'
import type { JobKind, Jobs } from './jobs.ts'

export type ToProcess =
  | { readonly is: 'open'; readonly options: EngineOptions }
  | { readonly is: 'run'; readonly id: number; readonly kind: JobKind; readonly request: Jobs[JobKind]['request'] }
  | { readonly is: 'cancel'; readonly id: number }

export type FromProcess =
  | { readonly is: 'progress'; readonly id: number; readonly share: number }
  | { readonly is: 'done'; readonly id: number; readonly result: Jobs[JobKind]['result'] }
  | { readonly is: 'failed'; readonly id: number; readonly problem: SentProblem }
