/** Snapshots and their files as the store has them. */
import { sql } from 'kysely'
import type { Row } from '#schemas/tables.ts'
import type { Store } from '#services/store/store.ts'
import type { DatasetSnapshot } from './builds.ts'
import type { DatasetCatalog } from './datasets.ts'
import type { ColumnStats } from './files.ts'

const snapshotOf = ({ snapshot_id, created_at, log_id, cut }: Row<'snapshots'>): DatasetSnapshot => ({ snapshot_id, created_at, log_id, cut })

/** The catalog over a store. Snapshots that are not published do not exist for it. */
export function storeCatalog({ db }: Store): DatasetCatalog {
  const published = () => db.selectFrom('snapshots').selectAll().where('published', '=', true)
  return {
    newest: async () => {
      const row = await published().orderBy('snapshot_id', 'desc').limit(1).executeTakeFirst()
      return row === undefined ? undefined : snapshotOf(row)
    },
    byId: async (id) => {
      const row = await published().where('snapshot_id', '=', id).executeTakeFirst()
      return row === undefined ? undefined : snapshotOf(row)
    },
    oldestId: async () => (await published().orderBy('snapshot_id').limit(1).executeTakeFirst())?.snapshot_id,
    filesAt: async (table, id) => {
      const rows = await db
        .selectFrom('data_files')
        .select(['path', 'rows', 'stats'])
        .where('table_name', '=', table)
        .where(sql<boolean>`begin_snapshot <= ${id}::bigint and (end_snapshot is null or end_snapshot > ${id}::bigint)`)
        .orderBy('path')
        .execute()
      return rows.map(({ path, rows: count, stats }) => ({ path, rows: count, stats: (stats ?? {}) as Record<string, ColumnStats> }))
    },
  }
}
