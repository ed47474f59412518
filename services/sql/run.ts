/** Runs one query in a sandbox and writes its answer to a file. */
import type { DuckDBResult } from '@duckdb/node-api'
import { randomUUID } from 'node:crypto'
import { type FileHandle, open, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { ARROW_END, arrowBatch, arrowSchema } from './arrow-stream.ts'
import { arrowField } from './arrow-types.ts'
import { overLimit } from './engine-problem.ts'
import { jsonValue } from './json-answer.ts'
import type { RunDone, SqlColumn, SqlLimits, ToRun } from './messages.ts'
import { bindParams } from './parameters.ts'
import { type Sandbox, answerFolder } from './sandbox.ts'
import { Problem } from '#services/problem.ts'
import { readStatement } from './statement.ts'

export interface RunContext {
  readonly sandbox: Pick<Sandbox, 'connection' | 'prepare'>
  readonly folder: string
  readonly limits: SqlLimits
}

const CSV_TIME = '%Y-%m-%dT%H:%M:%S.%fZ'

const tooManyRows = (most: number, hint: string): Problem => overLimit(`has more than ${most} rows`, hint)
const MORE_ROWS = 'add LIMIT, or aggregate; whole sets of rows come from /v1/datasets'

/** Answers up to this size go to the server as a message: a file for each took as long as a short query. */
const SHORT_BYTES = 64 * 1024

/** An answer that is written piece by piece, up to a bound: held while it is short, then in a file. */
class Answer {
  readonly #path: string
  readonly #bytesMax: number
  #held: Uint8Array[] = []
  #file: FileHandle | undefined
  bytes = 0

  constructor(path: string, bytesMax: number) {
    this.#path = path
    this.#bytesMax = bytesMax
  }

  async write(...pieces: readonly Uint8Array[]): Promise<void> {
    for (const piece of pieces) {
      this.bytes += piece.length
      if (this.bytes > this.#bytesMax) throw overLimit(`has an answer of more than ${this.#bytesMax} bytes`, MORE_ROWS)
      if (piece.length === 0) continue
      // What a piece lies in may be used again by who gave it.
      if (this.#file === undefined) this.#held.push(Uint8Array.from(piece))
      else await this.#file.writeFile(piece)
    }
    if (this.#file === undefined && this.bytes > SHORT_BYTES) await this.#spill()
  }

  async #spill(): Promise<void> {
    this.#file = await open(this.#path, 'wx')
    const held = this.#held
    this.#held = []
    for (const piece of held) await this.#file.writeFile(piece)
  }

  /** What was written: nothing can be added afterwards. */
  async end(): Promise<RunDone['answer']> {
    if (this.#file === undefined) return { text: Buffer.concat(this.#held) }
    await this.close()
    return { file: this.#path }
  }

  /** Lets go of the file. Doing it twice changes nothing. */
  async close(): Promise<void> {
    const file = this.#file
    this.#file = undefined
    await file?.close()
  }
}

async function writeJson(result: DuckDBResult, answer: Answer, run: ToRun, rowsMax: number): Promise<number> {
  const names = result.deduplicatedColumnNames()
  const columns: SqlColumn[] = names.map((name, index) => ({ name, type: result.columnType(index).toString() }))
  await answer.write(Buffer.from(`{"snapshot":${run.snapshot},"columns":${JSON.stringify(columns)},"rows":[`))
  let rows = 0
  for (let chunk = await result.fetchChunk(); chunk !== null && chunk.rowCount > 0; chunk = await result.fetchChunk()) {
    const values = chunk
      .getRows()
      .map((row) =>
        JSON.stringify(Object.fromEntries(row.map((value, index) => [names[index] ?? '', jsonValue(value)]))),
      )
    const comma = rows === 0 ? '' : ','
    rows += values.length
    if (rows > rowsMax) throw tooManyRows(rowsMax, `${MORE_ROWS}; csv, arrow and parquet take more rows than json`)
    await answer.write(Buffer.from(comma + values.join(',\n')))
  }
  await answer.write(Buffer.from(`],"n_rows":${rows}}\n`))
  return rows
}

/** Rows of a record batch, roughly: a chunk of the engine holds 2048. */
const BATCH_ROWS = 16_384

async function writeArrow(result: DuckDBResult, answer: Answer, rowsMax: number): Promise<number> {
  const names = result.deduplicatedColumnNames()
  const fields = names.map((name, index) => arrowField(name, result.columnType(index)))
  await answer.write(arrowSchema(fields))
  let rows = 0
  let held = 0
  let columns: unknown[][] = names.map(() => [])
  const flush = async (): Promise<void> => {
    if (held > 0) await answer.write(...arrowBatch(fields, columns, held))
    columns = names.map(() => [])
    held = 0
  }
  for (let chunk = await result.fetchChunk(); chunk !== null && chunk.rowCount > 0; chunk = await result.fetchChunk()) {
    rows += chunk.rowCount
    held += chunk.rowCount
    if (rows > rowsMax) throw tooManyRows(rowsMax, MORE_ROWS)
    for (const [index, column] of columns.entries())
      for (const value of chunk.getColumnValues(index)) column.push(value)
    if (held >= BATCH_ROWS) await flush()
  }
  await flush()
  await answer.write(ARROW_END)
  return rows
}

/** CSV and Parquet are written by the engine itself. */
async function copied({ sandbox, limits }: RunContext, body: string, run: ToRun, file: string): Promise<number> {
  const options =
    run.format === 'csv' ? `FORMAT csv, HEADER, TIMESTAMPFORMAT '${CSV_TIME}'` : 'FORMAT parquet, COMPRESSION zstd'
  // One row more than may be answered shows that there are too many.
  const sql = `COPY (SELECT * FROM (\n${body}\n) LIMIT ${limits.rowsMax + 1}) TO '${file.replaceAll("'", "''")}' (${options})`
  // Its text names the file, so nobody asks for it again.
  const statement = await sandbox.connection.prepare(sql)
  bindParams(statement, run.params)
  const result = await statement.runAndReadAll()
  const rows = Number(result.getRows()[0]?.[0] ?? 0)
  if (rows > limits.rowsMax) throw tooManyRows(limits.rowsMax, MORE_ROWS)
  return rows
}

async function streamed(context: RunContext, sql: string, run: ToRun, file: string): Promise<RunDone> {
  const { sandbox, limits } = context
  const statement = await sandbox.prepare(sql)
  bindParams(statement, run.params)
  const result = await statement.stream()
  const answer = new Answer(file, limits.bytesMax)
  try {
    const rows =
      run.format === 'arrow'
        ? await writeArrow(result, answer, limits.rowsMax)
        : await writeJson(result, answer, run, limits.jsonRowsMax)
    return { answer: await answer.end(), rows, bytes: answer.bytes }
  } finally {
    await answer.close()
  }
}

/** Runs a query that was inspected. Throws Problems and the engine's errors; then there is no file. */
export async function runQuery(context: RunContext, run: ToRun): Promise<RunDone> {
  const { body, explain } = readStatement(run.sql)
  if (explain !== 'no' && run.format !== 'json')
    throw new Problem('bad_sql', 'EXPLAIN answers in json', { hint: 'leave out format' })
  const file = join(answerFolder(context.folder), `${randomUUID()}.${run.format}`)
  try {
    if (run.format !== 'csv' && run.format !== 'parquet')
      return await streamed(context, `${EXPLAIN[explain]}${body}`, run, file)
    const rows = await copied(context, body, run, file)
    const { size } = await stat(file)
    // What the engine writes itself is watched meanwhile, and may be done between two looks.
    if (size > context.limits.bytesMax)
      throw overLimit(`has an answer of more than ${context.limits.bytesMax} bytes`, MORE_ROWS)
    return { answer: { file }, rows, bytes: size }
  } catch (error) {
    await rm(file, { force: true })
    throw error
  }
}

const EXPLAIN = { no: '', plan: 'EXPLAIN ', analyze: 'EXPLAIN ANALYZE ' } as const
