/** Makes a cut part of the lake: files into blobs, one store transaction, the record in blobs, then published. */
import type { Row } from '#schemas/tables.ts'
import type { Blobs } from '#services/blobs/blobs.ts'
import { recordBytes, recordKey } from '#services/lake/catalog.ts'
import type { CutResult } from '#services/lake/jobs.ts'
import type { WrittenFile } from '#services/lake/parquet.ts'
import { formatOffsets, type Offsets } from '#services/position.ts'
import { Problem } from '#services/problem.ts'
import type { Store, StoreTransaction } from '#services/store/store.ts'
import { PROJECTION } from './cut.ts'

const sumOf = (offsets: Offsets): number => [...offsets.values()].reduce((sum, offset) => sum + offset, 0)
const wide = (value: number): string => String(value).padStart(12, '0')

/**
 * The blob key of a file. Cuts are a chain of growing vectors, so the sum of a vector names it; the hash keeps a file
 * that was written again, or by another attempt, apart.
 */
export function fileKey(file: WrittenFile, from: Offsets, to: Offsets): string {
  return `lake/${file.table}/dt=${file.dt}/${wide(sumOf(from))}-${wide(sumOf(to))}-${file.sha256.slice(0, 16)}.parquet`
}

type NewFile = Omit<Row<'data_files'>, 'begin_snapshot' | 'end_snapshot'>

/** The catalog's rows for the files of a cut, in the order of `result.files`, then `result.rewritten`. */
export interface CutFiles {
  readonly added: readonly { readonly row: NewFile; readonly localPath: string }[]
  readonly ended: readonly string[]
}

function rowOf(file: WrittenFile, from: Offsets, to: Offsets): NewFile {
  const { table, dt, rows, bytes, sha256, stats } = file
  return {
    path: fileKey(file, from, to),
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

/** Names the files of a cut. Files written again keep the offsets of those that they replace. */
export function nameFiles(
  result: CutResult,
  from: Offsets,
  to: Offsets,
  held: readonly { readonly path: string; readonly from: Offsets; readonly to: Offsets }[],
): CutFiles {
  const offsetsOf = new Map(held.map((file) => [file.path, file]))
  const again = result.rewritten.map(({ path, file }) => {
    const old = offsetsOf.get(path)
    return { path, added: { row: rowOf(file, old?.from ?? from, old?.to ?? to), localPath: file.localPath } }
  })
  // A file that came out the same keeps its name, and stays.
  const changed = again.filter(({ path, added }) => added.row.path !== path)
  return {
    added: [
      ...result.files.map((file) => ({ row: rowOf(file, from, to), localPath: file.localPath })),
      ...changed.map(({ added }) => added),
    ],
    ended: changed.map(({ path }) => path),
  }
}

/** Puts the files into blobs. One that is there already bears the same hash in its name. */
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

/** Enters a cut into the store, not yet published: file rows, the snapshot and the cursor, together or not at all. */
export function enter(
  store: Store,
  cut: {
    readonly from: Offsets
    readonly to: Offsets
    readonly files: CutFiles
    readonly logId: string
    readonly createdAt: string
  },
): Promise<Row<'snapshots'>> {
  return store.transaction(async (transaction) => {
    const { db } = transaction
    await moveCursor(transaction, cut.from, cut.to)
    const last = await db
      .selectFrom('snapshots')
      .select('snapshot_id')
      .orderBy('snapshot_id', 'desc')
      .limit(1)
      .executeTakeFirst()
    const snapshot: Row<'snapshots'> = {
      snapshot_id: (last?.snapshot_id ?? 0) + 1,
      created_at: cut.createdAt,
      log_id: cut.logId,
      cut: formatOffsets(cut.to),
      published: false,
    }
    for (const path of cut.files.ended) {
      const { numUpdatedRows } = await db
        .updateTable('data_files')
        .set({ end_snapshot: snapshot.snapshot_id })
        .where('path', '=', path)
        .where('end_snapshot', 'is', null)
        .executeTakeFirst()
      if (numUpdatedRows !== 1n)
        throw new Problem('cursor_moved', `another archive replaced ${path}`, { hint: 'let one process archive' })
    }
    for (const { row } of cut.files.added) {
      await db
        .insertInto('data_files')
        .values({ ...row, stats: JSON.stringify(row.stats), begin_snapshot: snapshot.snapshot_id, end_snapshot: null })
        .execute()
    }
    await db.insertInto('snapshots').values(snapshot).execute()
    return snapshot
  })
}

/** Puts the record of a snapshot into blobs and marks it as published. Doing it twice changes nothing. */
export async function publish(store: Store, blobs: Blobs, snapshot: Row<'snapshots'>): Promise<void> {
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
