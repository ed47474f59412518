/** Brings the catalog in the store up to what blobs hold: after a lost store, or one that lost its last transactions. */
import type { Kysely } from 'kysely'
import type { Database } from '#schemas/tables.ts'
import type { Blobs } from '#services/blobs/blobs.ts'
import { type CatalogRecord, expiries, lockCatalog, readRecord } from '#services/lake/catalog.ts'
import { parseOffsets } from '#services/position.ts'
import type { Store } from '#services/store/store.ts'
import { PROJECTION } from './cut.ts'

/**
 * Enters every snapshot that blobs know and the store does not, and sets archive's cursor to the last of them. Returns how many.
 * Snapshots, file rows and numbers come back exactly as they were, but for snapshots that are no longer kept.
 */
export async function restoreCatalog(store: Store, blobs: Blobs): Promise<number> {
  const last = await store.db
    .selectFrom('snapshots')
    .select('snapshot_id')
    .orderBy('snapshot_id', 'desc')
    .limit(1)
    .executeTakeFirst()
  let next = (last?.snapshot_id ?? 0) + 1
  let restored = 0
  for (let record = await readRecord(blobs, next); record !== undefined; record = await readRecord(blobs, next)) {
    await restoreOne(store, record)
    restored += 1
    next += 1
  }
  if (restored > 0) {
    const oldest = (await expiries(blobs)).at(-1)?.oldest
    if (oldest !== undefined)
      await store.transaction(async ({ db }) => {
        await lockCatalog(db)
        await forget(db, oldest)
      })
  }
  return restored
}

/** Takes snapshots below `oldest` out of the catalog. Rows of files stay until the files are gone. */
export async function forget(db: Kysely<Database>, oldest: number): Promise<number> {
  const { numDeletedRows } = await db.deleteFrom('snapshots').where('snapshot_id', '<', oldest).executeTakeFirst()
  return Number(numDeletedRows)
}

function restoreOne(store: Store, record: CatalogRecord): Promise<void> {
  const { snapshot_id: id, created_at, log_id, cut, files, ended } = record
  return store.transaction(async ({ db }) => {
    await lockCatalog(db)
    const known = await db
      .selectFrom('snapshots')
      .select('snapshot_id')
      .where('snapshot_id', '>=', id)
      .executeTakeFirst()
    // Another process restores too.
    if (known !== undefined) return
    for (const file of files) {
      await db
        .insertInto('data_files')
        .values({ ...file, stats: JSON.stringify(file.stats), begin_snapshot: id, end_snapshot: null })
        .execute()
    }
    if (ended.length > 0)
      await db
        .updateTable('data_files')
        .set({ end_snapshot: id })
        .where('path', 'in', [...ended])
        .execute()
    await db.insertInto('snapshots').values({ snapshot_id: id, created_at, log_id, cut, published: true }).execute()
    for (const [partition, nextOffset] of parseOffsets(cut)) {
      await db
        .insertInto('cursors')
        .values({ projection: PROJECTION, partition, next_offset: nextOffset, epoch: 1, last_record_hash: null })
        .onConflict((conflict) =>
          conflict.columns(['projection', 'partition']).doUpdateSet({ next_offset: nextOffset }),
        )
        .execute()
    }
  })
}
