/** What goes back and forth between the server and a process that runs queries. Plain data only. */
import type { SentProblem } from '#services/sent-problem.ts'
import type { SqlView, TablePaths } from './views.ts'

/** The forms of an answer. */
export const SQL_FORMATS = ['json', 'csv', 'arrow', 'parquet'] as const
export type SqlFormat = (typeof SQL_FORMATS)[number]

/** A value for a parameter. Whole numbers are BIGINT, others DOUBLE. */
export type SqlValue = string | number | boolean | null
/** Values by place, or by name. */
export type SqlParams =
  | readonly (SqlValue | readonly SqlValue[])[]
  | Readonly<Record<string, SqlValue | readonly SqlValue[]>>

/** What one query may use. */
export interface SqlLimits {
  /** How long it may run. */
  readonly timeMs: number
  /** What the engine may hold. */
  readonly memoryMb: number
  /** What its process may hold in all; more, and it is ended. */
  readonly processMb: number
  /** What it may spill to disk, in MB. */
  readonly spillMb: number
  /** The largest answer, in bytes. */
  readonly bytesMax: number
  /** The most rows of an answer. */
  readonly rowsMax: number
  /** The most rows of an answer in JSON, which is made in memory by those who read it. */
  readonly jsonRowsMax: number
  readonly threads: number
}

export interface ToRun {
  readonly sql: string
  readonly params: SqlParams
  readonly format: SqlFormat
  /** Which state the paths are of; equal for equal paths. */
  readonly snapshot: number
  readonly views: readonly SqlView[]
  readonly paths: TablePaths
}

/** A column of an answer, with DuckDB's name of its type. */
export interface SqlColumn {
  readonly name: string
  readonly type: string
}

export interface RunDone {
  /** The answer itself where it is short, else the file that it is in, which belongs to whoever is told of it. */
  readonly answer: { readonly text: Uint8Array } | { readonly file: string }
  readonly rows: number
  readonly bytes: number
}

export type ToSql =
  | { readonly is: 'open'; readonly folder: string; readonly limits: SqlLimits }
  | { readonly is: 'inspect'; readonly sql: string }
  | { readonly is: 'run'; readonly run: ToRun }
  | { readonly is: 'cancel' }

/** An error of a query. */
export interface SqlFailure {
  readonly problem: SentProblem
  /** Whether the process had better be replaced. */
  readonly spent: boolean
}

export type FromSql =
  | { readonly is: 'inspected'; readonly views: readonly SqlView[] }
  /** `spent`: it still holds memory that it should give back. */
  | { readonly is: 'done'; readonly done: RunDone; readonly spent: boolean }
  | { readonly is: 'failed'; readonly failure: SqlFailure }

/** The last words of a process that ended itself because it held more memory than it may. */
export const OVER_MEMORY = 'over the memory that this process may hold\n'
