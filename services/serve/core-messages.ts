/** What the main thread and the core thread say to each other. */
import type { Config } from '#services/config.ts'
import type { NewRecord } from '#services/log/log.ts'
import type { Offsets } from '#services/position.ts'
import type { SentProblem } from '#services/sent-problem.ts'

/** What the core thread needs to begin. */
export interface CoreStart {
  readonly config: Config
  readonly publicUrl: string
  /** The unix socket at which the core answers reads. */
  readonly socket: string
  readonly scratchDir: string
}

/** The log is written by the main thread alone; the core asks it to. */
export type LogRequest =
  | { readonly do: 'append'; readonly records: readonly NewRecord[] }
  | { readonly do: 'continue_after'; readonly offsets: Offsets }

export interface RebuildReport {
  readonly reason: string
  readonly folded: number
  readonly total: number
}

export type FromCore =
  | { readonly kind: 'log'; readonly id: number; readonly request: LogRequest }
  | { readonly kind: 'rebuild'; readonly progress: RebuildReport }
  | { readonly kind: 'ready' }
  | { readonly kind: 'failed'; readonly problem: SentProblem; readonly text: string }
  | { readonly kind: 'stopped' }

export type ToCore =
  | { readonly kind: 'log_done'; readonly id: number; readonly offsets: Offsets }
  | { readonly kind: 'log_failed'; readonly id: number; readonly problem: SentProblem }
  | { readonly kind: 'stop' }
