/** Makes a cut part of the lake: files into blobs, one store transaction, the record in blobs, then published. */
import { randomUUID } from 'node:crypto'
import type { Kysely } from 'kysely'
import type { Database, Row } from '#schemas/tables.ts'
import type { Blobs } from '#services/blobs/blobs.ts'
import { lockCatalog, recordBytes, recordKey } from '#services/lake/catalog.ts'
import type { CutResult } from '#services/lake/jobs.ts'
import type { WrittenFile } from '#services/lake/parquet.ts'
import { formatOffsets, type Offsets } from '#services/position.ts'
import { Problem } from '#services/problem.ts'
import type { Store, StoreTransaction } from '#services/store/store.ts'
import { PROJECTION } from './cut.ts'

const sumOf = (offsets: Offsets): number => [...offsets.values()].reduce((sum, offset) => sum + offset, 0)
const wide = (value: number): string => String(value).padStart(12, '0')

/** What the key of a file begins with: the same for every attempt to write the same rows. */
function stemOf(file: WrittenFile, from: Offsets, to: Offsets): string {
  return `lake/${file.table}/dt=${file.dt}/${wide(sumOf(from))}-${wide(sumOf(to))}-${file.sha256.slice(0, 16)}`
}

/** A row of `data_files` that is in no snapshot yet. */
export type NewFile = Omit<Row<'data_files'>, 'begin_snapshot' | 'end_snapshot'>

/** The catalog's rows for the files of a cut, in the order of `result.files`, then `result.rewritten`. */
export interface CutFiles {
  readonly added: readonly { readonly row: NewFile; readonly localPath: string }[]
  readonly ended: readonly string[]
}

/**
 * The catalog's row for a file. Cuts are a chain of growing vectors, so the sum of a vector names it; the hash keeps files
 * that were written again apart, and `attempt` one attempt from another: a file that an attempt has left behind is never
 * taken up by the next, so that it may be swept away at any time.
 */
export function rowOf(file: WrittenFile, from: Offsets, to: Offsets, attempt: string): NewFile {
  const { table, dt, rows, bytes, sha256, stats } = file
  return {
    path: `${stemOf(file, from, to)}-${attempt}.parquet`,
    table_name: table,
    dt,
    rows,
    bytes,
    sha256,
    from_offsets: formatOffsets(from),
    to_offsets: formatOffsets(to),
    stats,
  }
}

/** What tells the files of this attempt from those of others. */
export function newAttempt(): string {
  return randomUUID().slice(0, 8)
}

/** Names the files of a cut. Files written again keep the offsets of those that they replace. */
export function nameFiles(
  result: CutResult,
  from: Offsets,
  to: Offsets,
  held: readonly { readonly path: string; readonly from: Offsets; readonly to: Offsets }[],
): CutFiles {
  const attempt = newAttempt()
  const offsetsOf = new Map(held.map((file) => [file.path, file]))
  const again = result.rewritten.map(({ path, file }) => {
    const old = offsetsOf.get(path)
    const [low, high] = [old?.from ?? from, old?.to ?? to]
    const stem = stemOf(file, low, high)
    return { path, stem, added: { row: rowOf(file, low, high, attempt), localPath: file.localPath } }
  })
  // A file that came out the same stays.
  const changed = again.filter(({ path, stem }) => !path.startsWith(stem))
  return {
    added: [
      ...result.files.map((file) => ({ row: rowOf(file, from, to, attempt), localPath: file.localPath })),
      ...changed.map(({ added }) => added),
    ],
    ended: changed.map(({ path }) => path),
  }
}

/** Puts the files into blobs. */
export async function upload(blobs: Blobs, { added }: CutFiles): Promise<void> {
  for (const { row, localPath } of added) await blobs.put(row.path, { file: localPath }, { ifAbsent: true })
}

async function moveCursor({ db }: StoreTransaction, from: Offsets, to: Offsets): Promise<void> {
  for (const [partition, nextOffset] of to) {
    const known = from.get(partition)
    if (known === undefined) {
      await db
        .insertInto('cursors')
        .values({ projection: PROJECTION, partition, next_offset: nextOffset, epoch: 1, last_record_hash: null })
        .execute()
      continue
    }
    const { numUpdatedRows } = await db
      .updateTable('cursors')
      .set({ next_offset: nextOffset })
      .where('projection', '=', PROJECTION)
      .where('partition', '=', partition)
      .where('next_offset', '=', known)
      .executeTakeFirst()
    if (numUpdatedRows !== 1n)
      throw new Problem('cursor_moved', `another archive moved the cursor of partition ${partition}`, {
        hint: 'let one process archive',
      })
  }
}

/** What a snapshot adds to the one before it, and what it leaves out. */
interface Entry {
  readonly cut: string
  readonly logId: string
  readonly createdAt: string
  readonly added: readonly NewFile[]
}

/** Enters a snapshot behind the newest. Those that it leaves out were ended before. */
async function enterSnapshot(
  db: Kysely<Database>,
  snapshotId: number,
  { cut, logId, createdAt, added }: Entry,
): Promise<Row<'snapshots'>> {
  const snapshot: Row<'snapshots'> = {
    snapshot_id: snapshotId,
    created_at: createdAt,
    log_id: logId,
    cut,
    published: false,
  }
  const paths = added.map(({ path }) => path)
  const doomed =
    paths.length === 0
      ? undefined
      : await db
          .selectFrom('lake_orphans')
          .select('path')
          .where('path', 'in', paths)
          .where('doomed', '=', true)
          .limit(1)
          .executeTakeFirst()
  if (doomed !== undefined)
    throw new Problem('cursor_moved', `${doomed.path} was swept away as an orphan before it was entered`, {
      hint: 'it is written again',
    })
  for (const row of added) {
    await db
      .insertInto('data_files')
      .values({ ...row, stats: JSON.stringify(row.stats), begin_snapshot: snapshotId, end_snapshot: null })
      .execute()
  }
  await db.insertInto('snapshots').values(snapshot).execute()
  return snapshot
}

const newestIn = (db: Kysely<Database>): Promise<Row<'snapshots'> | undefined> =>
  db.selectFrom('snapshots').selectAll().orderBy('snapshot_id', 'desc').limit(1).executeTakeFirst()

/** Ends files with a snapshot. False where one of them is in no snapshot any more. */
async function endFiles(db: Kysely<Database>, paths: readonly string[], snapshotId: number): Promise<boolean> {
  if (paths.length === 0) return true
  const { numUpdatedRows } = await db
    .updateTable('data_files')
    .set({ end_snapshot: snapshotId })
    .where('path', 'in', [...paths])
    .where('end_snapshot', 'is', null)
    .executeTakeFirst()
  return numUpdatedRows === BigInt(paths.length)
}

/** Enters a cut into the store, not yet published: file rows, the snapshot and the cursor, together or not at all. */
export function enter(
  store: Store,
  cut: {
    readonly from: Offsets
    readonly to: Offsets
    readonly files: CutFiles
    readonly logId: string
    readonly createdAt: string
    /** Throws where somebody else archives by now. */
    readonly fence?: ((db: Kysely<Database>) => Promise<void>) | undefined
  },
): Promise<Row<'snapshots'>> {
  return store.transaction(async (transaction) => {
    const { db } = transaction
    await lockCatalog(db)
    await cut.fence?.(db)
    await moveCursor(transaction, cut.from, cut.to)
    const snapshotId = ((await newestIn(db))?.snapshot_id ?? 0) + 1
    if (!(await endFiles(db, cut.files.ended, snapshotId)))
      throw new Problem('cursor_moved', 'a file that was written again was merged meanwhile', {
        hint: 'nothing was entered; the cut is made again',
      })
    return enterSnapshot(db, snapshotId, {
      cut: formatOffsets(cut.to),
      logId: cut.logId,
      createdAt: cut.createdAt,
      added: cut.files.added.map(({ row }) => row),
    })
  })
}

/**
 * Enters a snapshot of the same cut as the newest in which other files hold the same rows. Undefined, with nothing
 * changed, where one of the replaced files is in the newest snapshot no more: a cut has written it again, or another
 * compactor was faster.
 */
export function enterMerge(
  store: Store,
  merge: { readonly added: NewFile; readonly replaced: readonly string[]; readonly createdAt: string },
): Promise<Row<'snapshots'> | undefined> {
  return store
    .transaction(async ({ db }) => {
      await lockCatalog(db)
      const newest = await newestIn(db)
      if (newest === undefined) throw new Outrun()
      const snapshotId = newest.snapshot_id + 1
      if (!(await endFiles(db, merge.replaced, snapshotId))) throw new Outrun()
      return enterSnapshot(db, snapshotId, {
        cut: newest.cut,
        logId: newest.log_id,
        createdAt: merge.createdAt,
        added: [merge.added],
      })
    })
    .catch((error: unknown) => {
      if (error instanceof Outrun) return undefined
      throw error
    })
}

/** Somebody else was faster; thrown so that the transaction is rolled back. */
class Outrun extends Error {}

/** Puts the record of a snapshot into blobs and marks it as published. Doing it twice changes nothing. */
async function publishOne(store: Store, blobs: Blobs, snapshot: Row<'snapshots'>): Promise<void> {
  const bytes = await recordBytes(store.db, snapshot)
  const key = recordKey(snapshot.snapshot_id)
  const { created } = await blobs.put(key, bytes, { ifAbsent: true })
  if (!created && Buffer.compare(bytes, (await blobs.get(key)) ?? new Uint8Array()) !== 0) {
    throw new Problem('corrupt', `${key} is the record of another snapshot ${snapshot.snapshot_id}`, {
      hint: 'stop the other server that writes to these blobs, then run `npx stepstore rebuild catalog`',
    })
  }
  await store.db
    .updateTable('snapshots')
    .set({ published: true })
    .where('snapshot_id', '=', snapshot.snapshot_id)
    .execute()
}

/**
 * Publishes every snapshot that was entered and not published, in order: records in blobs are read as a chain, so one
 * may stand there only when those before it do. Returns how many; several processes may do it at once.
 */
export async function publish(store: Store, blobs: Blobs): Promise<number> {
  const rest = await store.db
    .selectFrom('snapshots')
    .selectAll()
    .where('published', '=', false)
    .orderBy('snapshot_id')
    .execute()
  for (const snapshot of rest) await publishOne(store, blobs, snapshot)
  return rest.length
}
