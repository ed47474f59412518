/** How a compiled dataset is run. The lake process does it; tests run it on a DuckDB of their own. */

/** One connection, statements in order; the first that fails ends the job. */
export interface CopyJob {
  readonly prepare: readonly string[]
  /** A query that gives (left_out, n). */
  readonly counts: string
  /** Absent where only the counts are wanted. */
  readonly write?: { readonly gather: readonly string[]; readonly copy: string }
}

export interface CopyResult {
  /** Rows of `counts`. */
  readonly counts: readonly (readonly [leftOut: string | null, n: number])[]
  /** Rows written. */
  readonly rows: number
  /** The engine and its version, such as `duckdb v1.5.6`. */
  readonly engine: string
}

export interface CopyOptions {
  /** Aborting stops the statement that is running; the job then rejects. */
  readonly signal: AbortSignal
  /** Told after each statement: the share of statements done, 0 to 1. */
  readonly onProgress?: (share: number) => void
}

export type RunCopy = (job: CopyJob, options: CopyOptions) => Promise<CopyResult>
