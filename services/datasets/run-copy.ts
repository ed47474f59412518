/** How a compiled dataset is run: by the lake process, or in tests by a DuckDB of their own. */
import type { CopyRequest, CopyResult } from '#services/lake/jobs.ts'

export interface RunOptions {
  /** Aborting stops the statement that is running; the job then rejects. */
  readonly signal: AbortSignal
  /** Told the share of the statements that are done, 0 to 1. */
  readonly onProgress?: (share: number) => void
}

export type RunCopy = (request: CopyRequest, options: RunOptions) => Promise<CopyResult>
