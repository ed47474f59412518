/** Records of the log as the lake keeps them for ever, for when the log no longer holds them. */
import type { Kysely } from 'kysely'
import { sql } from 'kysely'
import type { Database } from '#schemas/tables.ts'
import type { Blobs } from '#services/blobs/blobs.ts'
import type { LogRecord, ReadLimit } from '#services/log/log.ts'
import { type DataFile, filesAt } from './catalog.ts'
import { sqlText } from './engine.ts'
import type { KeptRecord, RecordPlace } from './jobs.ts'
import type { Lake } from './lake.ts'
import { parseOffsets } from '#services/position.ts'

export interface LakeReader {
  readonly db: Kysely<Database>
  readonly blobs: Blobs
  readonly lake: Lake
}

const COLUMNS = `"partition", "offset", epoch_ms(appended_at) as appended_at_ms, key, headers, raw`

async function eventFiles({ db }: LakeReader): Promise<DataFile[]> {
  const row = await sql<{ last: number | null }>`select max(snapshot_id) as last from snapshots`.execute(db)
  const last = row.rows[0]?.last ?? null
  return last === null ? [] : filesAt(db, 'events', Number(last))
}

function mayHold(file: DataFile, { partition, offset }: RecordPlace): boolean {
  return (
    offset >= (parseOffsets(file.from_offsets).get(partition) ?? 0) &&
    offset < (parseOffsets(file.to_offsets).get(partition) ?? 0)
  )
}

function asRecord(row: Readonly<Record<string, unknown>>): LogRecord {
  return {
    partition: Number(row['partition']),
    offset: Number(row['offset']),
    appendedAtMs: Number(row['appended_at_ms']),
    key: String(row['key']),
    headers: JSON.parse(String(row['headers'])) as Record<string, string>,
    value: row['raw'] instanceof Uint8Array ? row['raw'] : null,
  }
}

async function select(
  reader: LakeReader,
  files: readonly DataFile[],
  where: string,
  rowsMax: number,
): Promise<LogRecord[]> {
  if (files.length === 0) return []
  const paths = await Promise.all(files.map((file) => reader.blobs.localPath(file.path)))
  const from = `read_parquet([${paths.map(sqlText).join(', ')}], hive_partitioning = false)`
  const { rows } = await reader.lake.run('rows', {
    sql: `select ${COLUMNS} from ${from} where ${where} order by "partition", "offset" limit ${rowsMax}`,
    rowsMax,
  })
  return rows.map(asRecord)
}

/** How many places one query asks for. */
const PLACES_MAX = 500

/** The records at these places, in order of place; those that the lake does not hold, and those without bytes, are left out. */
export async function lakeRecords(reader: LakeReader, places: readonly RecordPlace[]): Promise<KeptRecord[]> {
  const files = await eventFiles(reader)
  const found: KeptRecord[] = []
  for (let at = 0; at < places.length; at += PLACES_MAX) {
    const wanted = places.slice(at, at + PLACES_MAX)
    const where = wanted
      .map(({ partition, offset }) => `("partition" = ${partition} and "offset" = ${offset})`)
      .join(' or ')
    const records = await select(
      reader,
      files.filter((file) => wanted.some((place) => mayHold(file, place))),
      where,
      PLACES_MAX,
    )
    for (const { value, ...record } of records) if (value !== null) found.push({ ...record, value })
  }
  return found
}

/** Records of a partition from an offset on, in order, as the log would give them; empty where the lake holds no more. */
export async function lakeRecordsFrom(
  reader: LakeReader,
  partition: number,
  fromOffset: number,
  { recordsMax }: Pick<ReadLimit, 'recordsMax'>,
): Promise<LogRecord[]> {
  const files = (await eventFiles(reader))
    .map((file) => ({
      file,
      from: parseOffsets(file.from_offsets).get(partition) ?? 0,
      to: parseOffsets(file.to_offsets).get(partition) ?? 0,
    }))
    .filter(({ from, to }) => fromOffset < to && from < to)
  let next = fromOffset
  for (;;) {
    // A cut has one file for each day of append, and merged files of two days may overlap in their offsets. Where the
    // next file begins, records may lie in that too, so that is how far those that may hold `next` are complete.
    const first = Math.min(...files.filter(({ to }) => next < to).map(({ from }) => Math.max(from, next)))
    if (first === Infinity) return []
    const holding = files.filter(({ from, to }) => from <= first && first < to)
    const end = Math.min(
      ...holding.map(({ to }) => to),
      ...files.filter(({ from }) => from > first).map(({ from }) => from),
    )
    const records = await select(
      reader,
      holding.map(({ file }) => file),
      `"partition" = ${partition} and "offset" >= ${first} and "offset" < ${end}`,
      recordsMax,
    )
    if (records.length > 0) return records
    next = end
  }
}
