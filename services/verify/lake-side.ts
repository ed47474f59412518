/** Compares the lake at a snapshot with the log. Sums of hashes find a difference in few bytes; rows are read where one is. */
import { hash } from 'node:crypto'
import type { Log } from '#services/log/log.ts'
import { recordsOf } from './expected.ts'
import type { Differences } from './report.ts'

/** Reads rows of one lake table at the snapshot. `from` stands for the table in the statement. */
export type LakeQuery = (table: string, statement: (from: string) => string) => Promise<Record<string, unknown>[]>

/** Offsets summed together; where a sum differs, that many records are compared one by one. */
const BUCKET_RECORDS = 8192

interface Sum {
  n: number
  total: bigint
}

/** The first 52 bits of a hash, which any engine can add up without rounding. */
const bits = (hex: string) => BigInt(`0x${hex.slice(0, 13)}`)

function add(sums: Map<number, Sum>, bucket: number, hex: string): void {
  const sum = sums.get(bucket) ?? { n: 0, total: 0n }
  sum.n += 1
  sum.total += bits(hex)
  sums.set(bucket, sum)
}

async function sumsOf(query: LakeQuery, table: string, partition: number, hex: string): Promise<Map<number, Sum>> {
  const rows = await query(
    table,
    (from) =>
      `select ("offset" // ${BUCKET_RECORDS})::integer as bucket, count(*)::integer as n, sum(('0x' || substr(${hex}, 1, 13))::bigint)::varchar as total from ${from} where "partition" = ${partition} group by 1`,
  )
  return new Map(
    rows.map((row) => [Number(row['bucket']), { n: Number(row['n']), total: BigInt(String(row['total'])) }]),
  )
}

function differing(expected: ReadonlyMap<number, Sum>, found: ReadonlyMap<number, Sum>): number[] {
  const buckets = new Set([...expected.keys(), ...found.keys()])
  return [...buckets]
    .filter(
      (bucket) =>
        expected.get(bucket)?.n !== found.get(bucket)?.n || expected.get(bucket)?.total !== found.get(bucket)?.total,
    )
    .sort((left, right) => left - right)
}

const bucketFilter = (partition: number, bucket: number) =>
  `"partition" = ${partition} and "offset" >= ${bucket * BUCKET_RECORDS} and "offset" < ${(bucket + 1) * BUCKET_RECORDS}`

/** Compares the raw bytes of every record of a partition in [start, end) with the lake's table of events. */
export async function compareEvents(
  log: Log,
  query: LakeQuery,
  partition: number,
  start: number,
  end: number,
  differences: Differences,
): Promise<void> {
  const expected = new Map<number, Sum>()
  for await (const records of recordsOf(log, partition, start, end)) {
    for (const record of records)
      add(expected, Math.floor(record.offset / BUCKET_RECORDS), hash('sha256', record.value ?? new Uint8Array(), 'hex'))
  }
  const found = await sumsOf(query, 'events', partition, 'sha256(raw)')
  // What lies below the start of the log is in the lake alone.
  for (const bucket of found.keys()) if ((bucket + 1) * BUCKET_RECORDS <= start) found.delete(bucket)
  for (const bucket of differing(expected, found)) {
    const rows = await query(
      'events',
      (from) =>
        `select "offset"::double as "offset", sha256(raw) as hash from ${from} where ${bucketFilter(partition, bucket)} order by 1`,
    )
    const held = new Map(rows.map((row) => [Number(row['offset']), String(row['hash'])]))
    if (rows.length !== held.size)
      differences.add({
        where: 'lake.events',
        key: `${partition}:${bucket * BUCKET_RECORDS}…`,
        what: `${rows.length - held.size} records are there twice`,
      })
    for await (const records of recordsOf(
      log,
      partition,
      Math.max(start, bucket * BUCKET_RECORDS),
      Math.min(end, (bucket + 1) * BUCKET_RECORDS),
    )) {
      for (const record of records) {
        const key = `${partition}:${record.offset}`
        const seen = held.get(record.offset)
        held.delete(record.offset)
        if (seen === undefined) differences.add({ where: 'lake.events', key, what: 'the record is missing' })
        else if (seen !== hash('sha256', record.value ?? new Uint8Array(), 'hex'))
          differences.add({ where: 'lake.events', key, what: 'the bytes are not those in the log' })
      }
    }
    for (const offset of held.keys())
      if (offset >= start)
        differences.add({ where: 'lake.events', key: `${partition}:${offset}`, what: 'the log has no such record' })
  }
}

/** A fact as a lake table of facts must hold it. */
export interface ExpectedFact {
  readonly offset: number
  readonly contentHash: string
  readonly key: string
}

/** Compares a lake table that has a row for each fact (steps, scores, items, annotations, metrics) with the log. */
export async function compareFacts(
  query: LakeQuery,
  table: string,
  partition: number,
  facts: readonly ExpectedFact[],
  differences: Differences,
): Promise<void> {
  const expected = new Map<number, Sum>()
  for (const fact of facts) add(expected, Math.floor(fact.offset / BUCKET_RECORDS), fact.contentHash)
  for (const bucket of differing(expected, await sumsOf(query, table, partition, 'content_hash'))) {
    const rows = await query(
      table,
      (from) =>
        `select "offset"::double as "offset", content_hash from ${from} where ${bucketFilter(partition, bucket)}`,
    )
    const held = new Map(rows.map((row) => [Number(row['offset']), String(row['content_hash'])]))
    if (rows.length !== held.size)
      differences.add({
        where: `lake.${table}`,
        key: `${partition}:${bucket * BUCKET_RECORDS}…`,
        what: `${rows.length - held.size} rows are there twice`,
      })
    for (const fact of facts) {
      if (Math.floor(fact.offset / BUCKET_RECORDS) !== bucket) continue
      const seen = held.get(fact.offset)
      held.delete(fact.offset)
      if (seen === undefined) differences.add({ where: `lake.${table}`, key: fact.key, what: 'the row is missing' })
      else if (seen !== fact.contentHash)
        differences.add({
          where: `lake.${table}`,
          key: fact.key,
          what: 'the content is not that in the log',
          expected: fact.contentHash,
          found: seen,
        })
    }
    for (const offset of held.keys())
      differences.add({
        where: `lake.${table}`,
        key: `${partition}:${offset}`,
        what: 'no fact of the log made this row',
      })
  }
}

/** The columns of a finished trajectory that are compared. */
const TRAJECTORY_COLUMNS = [
  'run_id',
  'item_id',
  'group_id',
  'status',
  'n_steps',
  'n_steps_seen',
  'n_tool_calls',
  'n_conflicts',
  'last_offset',
] as const

/** Compares the finished trajectories of a partition. */
export async function compareTrajectories(
  query: LakeQuery,
  partition: number,
  rows: readonly Record<string, unknown>[],
  differences: Differences,
): Promise<void> {
  const columns = TRAJECTORY_COLUMNS.map((column) =>
    column.startsWith('n_') || column.endsWith('offset') ? `"${column}"::double as "${column}"` : `"${column}"`,
  ).join(', ')
  const expected = new Map(rows.map((row) => [String(row['trajectory_id']), row]))
  let after = ''
  for (;;) {
    const page = await query(
      'trajectories',
      (from) =>
        `select trajectory_id, ${columns} from ${from} where "partition" = ${partition} and trajectory_id > '${after.replaceAll("'", "''")}' order by trajectory_id limit 5000`,
    )
    for (const row of page) {
      const id = String(row['trajectory_id'])
      const wanted = expected.get(id)
      if (wanted === undefined)
        differences.add({
          where: 'lake.trajectories',
          key: id,
          what: 'the log has no such finished trajectory, or the row is there twice',
        })
      else
        for (const column of TRAJECTORY_COLUMNS)
          differences.compare(
            'lake.trajectories',
            id,
            `${column} is not what the log says`,
            wanted[column],
            row[column],
          )
      expected.delete(id)
    }
    const last = page.at(-1)
    if (last === undefined || page.length < 5000) break
    after = String(last['trajectory_id'])
  }
  for (const id of expected.keys()) differences.add({ where: 'lake.trajectories', key: id, what: 'the row is missing' })
}
