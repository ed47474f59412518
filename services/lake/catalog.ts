/** The catalog of the lake: which files a table has at which snapshot. Kept in the store, and as numbered records in blobs. */
import { type Kysely, sql } from 'kysely'
import type { LakeTableName } from '#schemas/lake.ts'
import type { Database, Row } from '#schemas/tables.ts'
import type { Blobs } from '#services/blobs/blobs.ts'
import { type Offsets, parseOffsets } from '#services/position.ts'
import { Problem } from '#services/problem.ts'
import type { ColumnStats } from './file-stats.ts'

/** A published state of the lake: everything below the cut, and nothing else. */
export interface Snapshot {
  readonly snapshot_id: number
  readonly created_at: string
  readonly cut: Offsets
}

/** A Parquet file of a lake table. */
export type DataFile = Omit<Row<'data_files'>, 'stats'> & { readonly stats: Readonly<Record<string, ColumnStats>> }

/** A row of `snapshots` as a snapshot. */
export function asSnapshot(row: Row<'snapshots'>): Snapshot {
  return { snapshot_id: row.snapshot_id, created_at: row.created_at, cut: parseOffsets(row.cut) }
}

/** The newest published snapshot; undefined while there is none. */
export function newestSnapshot(db: Kysely<Database>): Promise<Row<'snapshots'> | undefined> {
  return db
    .selectFrom('snapshots')
    .selectAll()
    .where('published', '=', true)
    .orderBy('snapshot_id', 'desc')
    .limit(1)
    .executeTakeFirst()
}

/**
 * Queues at the catalog: of those who enter or forget snapshots one works at a time, and each sees what the one before
 * did. It must be the first statement of its transaction, because that is when a transaction stops seeing others.
 */
export async function lockCatalog(db: Kysely<Database>): Promise<void> {
  await sql`lock table snapshots in share row exclusive mode`.execute(db)
}

/** A published snapshot by its number, or undefined. */
export function snapshotById(db: Kysely<Database>, snapshotId: number): Promise<Row<'snapshots'> | undefined> {
  return db
    .selectFrom('snapshots')
    .selectAll()
    .where('published', '=', true)
    .where('snapshot_id', '=', snapshotId)
    .executeTakeFirst()
}

/** The files of some tables at a snapshot, oldest first. */
const filesOf = (db: Kysely<Database>, tables: readonly LakeTableName[], snapshotId: number) =>
  db
    .selectFrom('data_files')
    .where('table_name', 'in', tables)
    .where('begin_snapshot', '<=', snapshotId)
    .where((where) => where.or([where('end_snapshot', 'is', null), where('end_snapshot', '>', snapshotId)]))
    .orderBy('path')

/** The files of a table at a snapshot, oldest first. */
export async function filesAt(db: Kysely<Database>, table: LakeTableName, snapshotId: number): Promise<DataFile[]> {
  return (await filesOf(db, [table], snapshotId).selectAll().execute()) as DataFile[]
}

/** Where the files of some tables lie at a snapshot, in one look and without what is known of their columns. */
export function filePathsAt(
  db: Kysely<Database>,
  tables: readonly LakeTableName[],
  snapshotId: number,
): Promise<{ readonly table_name: string; readonly path: string }[]> {
  return filesOf(db, tables, snapshotId).select(['table_name', 'path']).execute()
}

/** A file as a catalog record names it. */
export type RecordedFile = Omit<DataFile, 'begin_snapshot' | 'end_snapshot'>

/** What is needed to know a snapshot again when the store is lost, together with the records before it. */
export interface CatalogRecord {
  readonly format: 1
  readonly snapshot_id: number
  readonly created_at: string
  readonly log_id: string
  /** The next offset of each partition, as 0:123,3:45. */
  readonly cut: string
  /** Files that begin with this snapshot. */
  readonly files: readonly RecordedFile[]
  /** Paths of files that the snapshot before had and this one has not. */
  readonly ended: readonly string[]
}

const FOLDER = 'catalog/'

/** The blob key of a snapshot's record. */
export function recordKey(snapshotId: number): string {
  return `${FOLDER}${String(snapshotId).padStart(12, '0')}.json`
}

/** The record of a snapshot as bytes: the same for the same rows of the store. */
export async function recordBytes(db: Kysely<Database>, snapshot: Row<'snapshots'>): Promise<Uint8Array> {
  const { snapshot_id: id, created_at, log_id, cut } = snapshot
  const files = await db.selectFrom('data_files').selectAll().where('begin_snapshot', '=', id).orderBy('path').execute()
  const ended = await db
    .selectFrom('data_files')
    .select('path')
    .where('end_snapshot', '=', id)
    .orderBy('path')
    .execute()
  const record: CatalogRecord = {
    format: 1,
    snapshot_id: id,
    created_at,
    log_id,
    cut,
    files: files.map(({ path, table_name, dt, rows, bytes, sha256, from_offsets, to_offsets, stats }) => ({
      path,
      table_name,
      dt,
      rows,
      bytes,
      sha256,
      from_offsets,
      to_offsets,
      stats: stats as DataFile['stats'],
    })),
    ended: ended.map(({ path }) => path),
  }
  return new TextEncoder().encode(`${JSON.stringify(record)}\n`)
}

/** The record of a snapshot, or undefined where there is none. Throws `corrupt`, `newer_data`. */
export async function readRecord(blobs: Blobs, snapshotId: number): Promise<CatalogRecord | undefined> {
  const key = recordKey(snapshotId)
  const bytes = await blobs.get(key)
  if (bytes === undefined) return undefined
  let record: CatalogRecord
  try {
    record = JSON.parse(new TextDecoder().decode(bytes)) as CatalogRecord
  } catch (error) {
    throw new Problem('corrupt', `${key} is no catalog record`, {
      hint: 'restore it from a copy of the blobs',
      cause: error,
    })
  }
  if (record.format !== 1)
    throw new Problem('newer_data', `${key} was written by a newer version`, {
      hint: 'start that version, or a newer one',
    })
  return record
}

/** From which snapshot on the lake is kept. Files that only older ones had may be gone once it is written. */
export interface ExpiryRecord {
  readonly format: 1
  /** The oldest snapshot that is kept. */
  readonly oldest: number
  readonly expired_at: string
}

const EXPIRED = 'catalog-expired/'

/** Says in blobs that snapshots below `oldest` are no longer kept, before anything of them is removed. The first to say it counts. */
export async function putExpiry(blobs: Blobs, oldest: number, expiredAt: string): Promise<void> {
  const record: ExpiryRecord = { format: 1, oldest, expired_at: expiredAt }
  const key = `${EXPIRED}${String(oldest).padStart(12, '0')}.json`
  await blobs.put(key, new TextEncoder().encode(`${JSON.stringify(record)}\n`), { ifAbsent: true })
}

/** What was said about expiry, oldest first. Throws `newer_data`. */
export async function expiries(blobs: Blobs): Promise<ExpiryRecord[]> {
  const found: ExpiryRecord[] = []
  for await (const { key } of blobs.list(EXPIRED)) {
    const record = JSON.parse(Buffer.from((await blobs.get(key)) ?? []).toString('utf8')) as ExpiryRecord
    if (record.format !== 1)
      throw new Problem('newer_data', `${key} was written by a newer version`, {
        hint: 'start that version, or a newer one',
      })
    found.push(record)
  }
  return found
}

/** The newest record in blobs: how far the lake goes whatever became of the store. Undefined for an empty lake. */
export async function newestRecord(blobs: Blobs): Promise<CatalogRecord | undefined> {
  let last: string | undefined
  for await (const { key } of blobs.list(FOLDER)) last = key
  return last === undefined ? undefined : readRecord(blobs, Number(last.slice(FOLDER.length).replace('.json', '')))
}
