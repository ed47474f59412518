/** The jobs that ask: SQL that writes a dataset, and SQL whose rows come back. */
import type { DuckDBConnection } from '@duckdb/node-api'
import { DuckDBBlobValue, DuckDBListValue, DuckDBStructValue } from '@duckdb/node-api'
import { embedImages } from './embed.ts'
import type { CopyRequest, CopyResult, JobContext, RowsRequest, RowsResult } from './jobs.ts'
import { writeStream } from './row-stream.ts'

/** Runs the statements of a dataset in order. */
export async function runCopy(
  connection: DuckDBConnection,
  request: CopyRequest,
  context: JobContext,
  engine: string,
): Promise<CopyResult> {
  const gather = request.write?.gather ?? []
  const total = request.prepare.length + 1 + gather.length + (request.write === undefined ? 0 : 1)
  let done = 0
  const step = (): void => {
    done += 1
    context.signal.throwIfAborted()
    context.progress(done / total)
  }
  for (const statement of request.prepare) {
    await connection.run(statement)
    step()
  }
  const counts = await counted(connection, request.counts)
  step()
  for (const statement of gather) {
    if (typeof statement === 'string') await connection.run(statement)
    else if ((await connection.runAndReadAll(statement.onlyIf)).currentRowCount > 0) await connection.run(statement.sql)
    step()
  }
  const { write } = request
  if (write === undefined) return { counts, notTaken: [], rows: 0, engine }
  const notTaken = write.notTaken === undefined ? [] : await counted(connection, write.notTaken)
  if (write.embed !== undefined) await embedImages(connection, write.embed, context)
  const rows =
    typeof write.copy === 'string'
      ? Number((await connection.runAndReadAll(write.copy)).getRows()[0]?.[0] ?? 0)
      : await writeStream(connection, write.copy, context)
  step()
  return { counts, notTaken: notTaken.map(([why, n]) => [why ?? 'unknown', n]), rows, engine }
}

/** The rows of a query that counts by reason. */
async function counted(connection: DuckDBConnection, sql: string): Promise<[why: string | null, n: number][]> {
  const result = await connection.runAndReadAll(sql)
  return result.getRows().map(([why, n]) => [why === null ? null : String(why), Number(n)])
}

/** Runs one query and gives its first rows. */
export async function runRows(connection: DuckDBConnection, { sql, rowsMax }: RowsRequest): Promise<RowsResult> {
  const reader = await connection.streamAndReadUntil(sql, rowsMax + 1)
  const found = reader.getRowObjects()
  return {
    rows: found
      .slice(0, rowsMax)
      .map((row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, plain(value)]))),
    cut: found.length > rowsMax,
  }
}

/** A value of DuckDB as plain data. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value)
  if (value instanceof DuckDBBlobValue) return value.bytes
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof DuckDBListValue) return plain(value.items)
  if (value instanceof DuckDBStructValue)
    return Object.fromEntries(Object.entries(value.entries).map(([name, field]) => [name, plain(field)]))
  // Instants, dates and the like know their text.
  return (value as { toString(): string }).toString()
}
