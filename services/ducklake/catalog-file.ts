/** Writes a DuckLake catalog as the database file that DuckDB attaches: rows into lines, lines into tables. */
import { once } from 'node:events'
import { createWriteStream, type WriteStream } from 'node:fs'
import { join } from 'node:path'
import { type Kysely, sql } from 'kysely'
import type { Database } from '#schemas/tables.ts'
import type { DataFile } from '#services/lake/catalog.ts'
import type { CopyRequest } from '#services/lake/jobs.ts'
import { FileRows } from './file-rows.ts'
import { describeTables, type MetadataRow } from './lake-rows.ts'
import { type CatalogVersion, type MetadataTable, metadataTables } from './metadata-tables.ts'

/** What is read from the store at once. */
const PAGE = 2_000

/** Rows of the metadata tables as files of JSON lines, one for each table that has any. */
class LineFiles {
  readonly #folder: string
  readonly #open = new Map<MetadataTable, WriteStream>()

  constructor(folder: string) {
    this.#folder = folder
  }

  /** The files so far, by table. */
  get paths(): ReadonlyMap<MetadataTable, string> {
    return new Map([...this.#open.keys()].map((table) => [table, join(this.#folder, `${table}.jsonl`)]))
  }

  readonly put = (table: MetadataTable, row: MetadataRow): void => {
    const known = this.#open.get(table) ?? createWriteStream(join(this.#folder, `${table}.jsonl`))
    if (!this.#open.has(table)) {
      // Whoever waits for the file hears of it.
      known.on('error', () => undefined)
      this.#open.set(table, known)
    }
    known.write(`${JSON.stringify(row)}\n`)
  }

  /** Resolves when what was put has left memory. Throws what writing failed with. */
  async drained(): Promise<void> {
    for (const stream of this.#open.values()) {
      if (stream.errored !== null) throw stream.errored
      if (stream.writableNeedDrain) await once(stream, 'drain')
    }
  }

  async close(): Promise<void> {
    for (const stream of this.#open.values()) {
      stream.end()
      if (!stream.closed) await once(stream, 'close')
      if (stream.errored !== null) throw stream.errored
    }
  }
}

/** Files that some snapshot from `oldest` to `last` has, in the order in which they came. */
async function* filesBetween(db: Kysely<Database>, oldest: number, last: number): AsyncGenerator<readonly DataFile[]> {
  let after: readonly [number, string] = [-1, '']
  for (;;) {
    const rows = await db
      .selectFrom('data_files')
      .selectAll()
      .where('begin_snapshot', '<=', last)
      .where((where) => where.or([where('end_snapshot', 'is', null), where('end_snapshot', '>', oldest)]))
      .where(sql<boolean>`(begin_snapshot, path) > (${after[0]}::bigint, ${after[1]}::text)`)
      .orderBy('begin_snapshot')
      .orderBy('path')
      .limit(PAGE)
      .execute()
    const end = rows.at(-1)
    if (end === undefined) return
    yield rows as DataFile[]
    after = [end.begin_snapshot, end.path]
  }
}

async function snapshotsUpTo(db: Kysely<Database>, last: number) {
  return db
    .selectFrom('snapshots')
    .select(['snapshot_id', 'created_at'])
    .where('published', '=', true)
    .where('snapshot_id', '<=', last)
    .orderBy('snapshot_id')
    .execute()
}

export interface CatalogRequest {
  readonly snapshotId: number
  readonly version: CatalogVersion
  /** The URL under which the folders of the tables are, with a slash at its end. */
  readonly filesUrl: string
}

/** Writes everything that the catalog says into `folder`, as JSON lines. Returns the files by table. */
export async function writeLines(
  db: Kysely<Database>,
  { snapshotId, version, filesUrl }: CatalogRequest,
  folder: string,
): Promise<ReadonlyMap<MetadataTable, string>> {
  const lines = new LineFiles(folder)
  try {
    const snapshots = await snapshotsUpTo(db, snapshotId)
    const oldest = snapshots[0]?.snapshot_id ?? snapshotId
    const metadata = { version, created_by: 'Stepstore', data_path: filesUrl, encrypted: 'false' }
    for (const [key, value] of Object.entries(metadata)) lines.put('ducklake_metadata', { key, value })
    describeTables(oldest, lines.put)
    const rows = new FileRows(snapshotId, lines.put)
    for await (const page of filesBetween(db, oldest, snapshotId)) {
      for (const file of page) rows.add(file)
      await lines.drained()
    }
    for (const snapshot of snapshots) rows.snapshot(snapshot)
    rows.finish()
  } finally {
    await lines.close()
  }
  return lines.paths
}

/**
 * DuckDB 1.4 takes a column of which a file says nothing for one that no row of it can match, so each file says of every
 * column at least that nothing is known.
 */
const sayNothing = (alias: string): string => `
insert into ${alias}.ducklake_file_column_stats by name
select data_file_id, f.table_id, column_id
from ${alias}.ducklake_data_file f join ${alias}.ducklake_column c on c.table_id = f.table_id
where not exists (
  from ${alias}.ducklake_file_column_stats s where s.data_file_id = f.data_file_id and s.column_id = c.column_id)
order by all`

const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`

/** The job that makes a database file of the lines. `alias` must be of no other database that is open. */
export function catalogJob(
  version: CatalogVersion,
  lines: ReadonlyMap<MetadataTable, string>,
  { alias, path }: { readonly alias: string; readonly path: string },
): CopyRequest {
  const tables = Object.entries(metadataTables(version))
  const filled = tables.flatMap(([table, columns]) => {
    const from = lines.get(table as MetadataTable)
    if (from === undefined) return []
    const types = Object.entries(columns).map(([name, type]) => `${literal(name)}: ${literal(type)}`)
    return `insert into ${alias}.${table} by name select * from read_json(${literal(from)}, format = 'newline_delimited', columns = {${types.join(', ')}})`
  })
  return {
    prepare: [
      // What every reader since DuckDB 1.0 knows; blocks of 16 KiB, so that an empty catalog is not of megabytes.
      `attach ${literal(path)} as ${alias} (storage_version 'v1.0.0', block_size 16384)`,
      ...tables.map(([table, columns]) => {
        const defined = Object.entries(columns).map(([name, type]) => `"${name}" ${type}`)
        return `create table ${alias}.${table} (${defined.join(', ')})`
      }),
      ...filled,
      ...(version === '0.3' ? [sayNothing(alias)] : []),
      `checkpoint ${alias}`,
      `detach ${alias}`,
    ],
    counts: 'select null, 0',
  }
}
