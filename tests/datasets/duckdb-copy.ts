/** Runs compiled datasets on a DuckDB in this process. */
import { DuckDBInstance } from '@duckdb/node-api'
import type { RunCopy } from '#services/datasets/run-copy.ts'

/** A RunCopy over one in-memory DuckDB, a connection for each job. */
export async function duckdbCopy(): Promise<{ readonly run: RunCopy; readonly instance: DuckDBInstance; close(): void }> {
  const instance = await DuckDBInstance.create(':memory:', { threads: '2' })
  const run: RunCopy = async (job, { signal, onProgress }) => {
    const connection = await instance.connect()
    const stop = () => connection.interrupt()
    signal.addEventListener('abort', stop)
    try {
      const statements = [...job.prepare, ...(job.write === undefined ? [] : [...job.write.gather, job.write.copy])]
      let rows = 0
      for (const [index, sql] of statements.entries()) {
        signal.throwIfAborted()
        const result = await connection.run(sql)
        rows = result.rowsChanged
        onProgress?.((index + 1) / statements.length)
      }
      const counts = await connection.runAndReadAll(job.counts)
      return {
        counts: counts.getRows().map(([why, n]) => [why === null ? null : String(why), Number(n)] as const),
        rows, engine: 'duckdb test',
      }
    } finally {
      signal.removeEventListener('abort', stop)
      connection.closeSync()
    }
  }
  return { run, instance, close: () => instance.closeSync() }
}
