/** How far the Delta logs are published: a note in the store for those who remove files. */
import type { Kysely } from 'kysely'
import type { Database } from '#schemas/tables.ts'

const NAME = 'delta_through'

/** The snapshot up to which the Delta logs of all tables are published; 0 where nothing is known. */
export async function deltaThrough(db: Kysely<Database>): Promise<number> {
  const row = await db.selectFrom('meta').select('value').where('name', '=', NAME).executeTakeFirst()
  return row === undefined ? 0 : Number(row.value)
}

/** Notes it. */
export async function noteDeltaThrough(db: Kysely<Database>, snapshotId: number): Promise<void> {
  await db
    .insertInto('meta')
    .values({ name: NAME, value: String(snapshotId) })
    .onConflict((conflict) => conflict.column('name').doUpdateSet({ value: String(snapshotId) }))
    .execute()
}
