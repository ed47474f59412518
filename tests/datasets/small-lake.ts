/** A lake of a few rows in a temporary folder, with a catalog in memory. */
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { LAKE_TABLES, lakeColumns, type LakeTableName } from '#schemas/lake.ts'
import { directoryBlobs } from '#services/blobs/directory.ts'
import type { Blobs } from '#services/blobs/blobs.ts'
import { datasets, type Datasets, type DatasetCatalog, type DatasetsOptions } from '#services/datasets/datasets.ts'
import type { DatasetSnapshot } from '#services/datasets/make.ts'
import type { ColumnStats, LakeFile } from '#services/datasets/files.ts'
import type { RunCopy } from '#services/datasets/run-copy.ts'
import { inProcessLake } from '#tests/support/in-process-lake.ts'
import { memoryLog } from '#tests/support/memory-log.ts'
import { silent } from '#services/logger.ts'

export type LakeRows = { readonly [Table in LakeTableName]?: readonly Readonly<Record<string, unknown>>[] }

export interface SmallLake {
  /** A folder that goes with it. */
  readonly folder: string
  readonly blobs: Blobs
  readonly datasets: Datasets
  readonly catalog: DatasetCatalog
  readonly runCopy: RunCopy
  /** Adds a snapshot with these rows as one more file of each table. */
  add(rows: LakeRows, cut?: string): Promise<number>
  /** Forgets the snapshots below. */
  expire(below: number): void
  /** The rows of a Parquet or JSON file, as DuckDB reads them; lists and structs as plain values. */
  query(sql: string): Promise<Record<string, unknown>[]>
  close(): Promise<void>
}

/** What the archive says of the columns of a file. */
const STATED =
  'run_id trajectory_id item_id group_id policy_version train_step status type verdict image_id reward_version raw_output'.split(
    ' ',
  )

/** The least and greatest value of each column that has any, and how many rows have none. */
function statsOf(
  rows: readonly Readonly<Record<string, unknown>>[],
  isStated: (column: string) => boolean,
): LakeFile['stats'] {
  const stats = STATED.filter(isStated).map((column): [string, ColumnStats] => {
    const values = rows
      .map((row) => row[column])
      .filter((value) => typeof value === 'string' || typeof value === 'number')
    const sorted = values.toSorted((left, right) =>
      typeof left === 'number' && typeof right === 'number'
        ? left - right
        : Buffer.compare(Buffer.from(String(left)), Buffer.from(String(right))),
    )
    const bounds = sorted.length === 0 || column === 'raw_output' ? {} : { min: sorted[0], max: sorted.at(-1) }
    return [column, { ...bounds, null_count: rows.length - values.length }]
  })
  return Object.fromEntries(stats)
}

/** A lake with no snapshot yet. `isStated` says which columns of the next file the catalog knows the bounds of. */
export async function smallLake(
  options: Partial<DatasetsOptions> = {},
  isStated: (column: string) => boolean = () => true,
): Promise<SmallLake> {
  const folder = await mkdtemp(join(tmpdir(), 'stepstore-datasets-'))
  const blobs = await directoryBlobs({ folder: join(folder, 'blobs') })
  const engine = await inProcessLake(
    join(folder, 'engine'),
    () => memoryLog(),
    () => blobs,
  )
  const runCopy: RunCopy = (request, running) => engine.copy(request, running)
  const duckdb = await DuckDBInstance.create(':memory:', { threads: '1' })
  const connection = await duckdb.connect()
  const snapshots: DatasetSnapshot[] = []
  const files: { readonly table: LakeTableName; readonly begin: number; readonly file: LakeFile }[] = []
  const catalog: DatasetCatalog = {
    newest: async () => snapshots.at(-1),
    byId: async (id) => snapshots.find((snapshot) => snapshot.snapshot_id === id),
    oldestId: async () => snapshots[0]?.snapshot_id,
    filesAt: async (table, id) =>
      files.filter((known) => known.table === table && known.begin <= id).map(({ file }) => file),
  }

  async function write(
    table: LakeTableName,
    rows: readonly Readonly<Record<string, unknown>>[],
    snapshotId: number,
  ): Promise<void> {
    const source = join(folder, `${randomUUID()}.ndjson`)
    const target = join(folder, `${randomUUID()}.parquet`)
    await writeFile(source, rows.map((row) => JSON.stringify(row)).join('\n'))
    const types = Object.entries(lakeColumns(table)).map(([name, type]) => `'${name}': '${type}'`)
    const raw = table === 'events' ? 'REPLACE (encode(raw) AS raw)' : ''
    const read = `read_json('${source}', format = 'newline_delimited', columns = {${types.join(', ').replace("'BLOB'", "'VARCHAR'")}})`
    const order = LAKE_TABLES[table].sort.map((name) => `"${name}"`).join(', ')
    await connection.run(
      `COPY (SELECT * ${raw} FROM ${read} ORDER BY ${order}) TO '${target}' (FORMAT parquet, COMPRESSION zstd)`,
    )
    const key = `lake/${table}/${String(snapshotId)}-${randomUUID()}.parquet`
    await blobs.put(key, { file: target })
    files.push({ table, begin: snapshotId, file: { path: key, rows: rows.length, stats: statsOf(rows, isStated) } })
  }

  const served = datasets({
    blobs,
    catalog,
    runCopy,
    logger: silent,
    publicUrl: 'http://stepstore.test',
    clock: () => 0,
    scratchDir: join(folder, 'scratch'),
    reach: async () => undefined,
    ...options,
  })
  return {
    folder,
    blobs,
    catalog,
    datasets: served,
    runCopy,
    add: async (rows, cut = '') => {
      const id = (snapshots.at(-1)?.snapshot_id ?? 0) + 1
      for (const table of Object.keys(rows) as LakeTableName[]) {
        const given = rows[table] ?? []
        if (given.length > 0) await write(table, given, id)
      }
      snapshots.push({ snapshot_id: id, created_at: '2026-01-01T00:00:00.000000Z', log_id: 'log-1', cut })
      return id
    },
    expire: (below) => {
      snapshots.splice(
        0,
        snapshots.findIndex((snapshot) => snapshot.snapshot_id >= below),
      )
    },
    query: async (sql) => (await connection.runAndReadAll(sql)).getRowObjectsJson(),
    close: async () => {
      await served.close()
      connection.closeSync()
      duckdb.closeSync()
      await engine.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** A finished trajectory with nothing wrong; `n_steps` defaults to 1. */
export function trajectory(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const n = Number(fields['n_steps'] ?? 1)
  return {
    run_id: 'r1',
    item_id: 'i1',
    policy_version: 0,
    status: 'completed',
    end_reason: 'answer',
    n_steps: n,
    n_steps_seen: n,
    step_index_max: n === 0 ? null : n - 1,
    n_conflicts: 0,
    image_ids: [],
    dt: '2026-01-01',
    ...fields,
  }
}

/** A request with nothing asked. */
export const everything = {
  recipe: 'trajectories',
  format: 'parquet',
  shape: 'openai',
  conditions: {},
  rewardVersion: undefined,
  include: [],
  limit: undefined,
  seed: undefined,
} as const
