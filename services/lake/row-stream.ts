/** Rows written one after the other by the process itself, where DuckDB cannot write them: Arrow, tar, and JSON with images in it. */
import { open, type FileHandle } from 'node:fs/promises'
import { type DuckDBConnection, DuckDBListValue } from '@duckdb/node-api'
import { ArrowFile } from './arrow-file.ts'
import { imageBytes, imageMediaType, imageName } from './embed.ts'
import type { JobContext, RowStream } from './jobs.ts'
import { tarEnd, tarEntry } from './tar.ts'

type Row = readonly unknown[]
type Images = ReadonlyMap<string, Uint8Array | null>

/** Rows of a batch: a whole conversation each, with its images. */
const ROWS_AT_ONCE = 256

/** How a format writes rows. */
interface Writer {
  begin(): Uint8Array
  batch(rows: readonly Row[], images: Images): Uint8Array[]
  end(): Uint8Array
}

const hashesOf = (value: unknown): string[] =>
  value instanceof DuckDBListValue ? value.items.filter((item) => typeof item === 'string') : []

function arrowWriter({ columns = {}, images }: RowStream): Writer {
  const file = new ArrowFile(columns)
  const embedded = new Set(Object.keys(columns).flatMap((name, index) => (images.includes(name) ? [index] : [])))
  const withBytes = (value: unknown, found: Images): unknown =>
    value === null
      ? null
      : hashesOf(value).map((hash) => {
          const bytes = found.get(hash) ?? null
          return { bytes, path: bytes === null ? hash : imageName(hash, bytes) }
        })
  return {
    begin: () => file.begin(),
    batch: (rows, found) => [
      file.batch(
        embedded.size === 0
          ? rows
          : rows.map((row) => row.map((value, index) => (embedded.has(index) ? withBytes(value, found) : value))),
      ),
    ],
    end: () => file.end(),
  }
}

/** A JSON object as text with further members at its end. */
function withMembers(row: unknown, members: readonly (readonly [name: string, value: unknown])[]): string {
  const text = String(row)
  if (members.length === 0) return text
  const more = members.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(',')
  return `${text.slice(0, -1)}${text === '{}' ? '' : ','}${more}}`
}

/** Images as data URLs; those that are not held by their hash. */
function jsonlWriter({ images }: RowStream): Writer {
  const url = (hash: string, found: Images): string => {
    const bytes = found.get(hash)
    return bytes === null || bytes === undefined
      ? hash
      : `data:${imageMediaType(bytes)};base64,${Buffer.from(bytes).toString('base64')}`
  }
  return {
    begin: () => new Uint8Array(),
    batch: (rows, found) =>
      rows.map(([row, ...lists]) =>
        Buffer.from(
          `${withMembers(
            row,
            images.map((name, index) => [name, hashesOf(lists[index]).map((hash) => url(hash, found))]),
          )}\n`,
        ),
      ),
    end: () => new Uint8Array(),
  }
}

/** WebDataset: files of one row share what stands before the first dot. The row names its images as they lie beside it. */
function tarWriter({ images }: RowStream): Writer {
  let nth = 0
  return {
    begin: () => new Uint8Array(),
    batch: (rows, found) =>
      rows.flatMap(([row, ...lists]) => {
        const key = String(nth++).padStart(9, '0')
        const files: Buffer[] = []
        const members = images.map((name, index): [string, string[]] => [
          name,
          hashesOf(lists[index]).map((hash) => {
            const bytes = found.get(hash)
            if (bytes === null || bytes === undefined) return hash
            const file = imageName(`${key}.${files.length}`, bytes)
            files.push(tarEntry(file, bytes))
            return file
          }),
        ])
        return [tarEntry(`${key}.json`, Buffer.from(withMembers(row, members))), ...files]
      }),
    end: tarEnd,
  }
}

const WRITERS = { arrow: arrowWriter, jsonl: jsonlWriter, tar: tarWriter } as const

/** Writes the rows of a query to a file; gives how many. No more than a batch of them is in memory. */
export async function writeStream(
  connection: DuckDBConnection,
  stream: RowStream,
  context: JobContext,
): Promise<number> {
  const writer = WRITERS[stream.as](stream)
  const names = stream.as === 'arrow' ? Object.keys(stream.columns ?? {}) : ['row', ...stream.images]
  const shown = stream.images.map((name) => names.indexOf(name))
  const file = await open(stream.path, 'w')
  let count = 0
  try {
    await write(file, writer.begin())
    for await (const rows of batches(connection, stream.sql)) {
      context.signal.throwIfAborted()
      const hashes = rows.flatMap((row) => shown.flatMap((index) => hashesOf(row[index])))
      const images = hashes.length === 0 ? new Map<string, null>() : await imageBytes(context, hashes)
      for (const bytes of writer.batch(rows, images)) await write(file, bytes)
      count += rows.length
    }
    await write(file, writer.end())
    return count
  } finally {
    await file.close()
  }
}

/** The rows of a query by ROWS_AT_ONCE, so that a file does not depend on how the engine divides them. */
async function* batches(connection: DuckDBConnection, sql: string): AsyncGenerator<Row[]> {
  const result = await connection.stream(sql)
  let pending: Row[] = []
  for (;;) {
    const chunk = await result.fetchChunk()
    if (chunk === null || chunk.rowCount === 0) break
    pending.push(...chunk.getRows())
    for (; pending.length >= ROWS_AT_ONCE; pending = pending.slice(ROWS_AT_ONCE)) yield pending.slice(0, ROWS_AT_ONCE)
  }
  if (pending.length > 0) yield pending
}

async function write(file: FileHandle, bytes: Uint8Array): Promise<void> {
  if (bytes.length > 0) await file.writeFile(bytes)
}
