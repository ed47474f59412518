/** Whether the rows in the store belong to this log and this version, and what to do where they do not. */
import { CURSOR_OF, type Database, PROJECTED } from '#schemas/tables.ts'
import { disown } from '#services/claims/claims.ts'
import { recordHash } from '#services/core/judge.ts'
import type { Log, LogRecord } from '#services/log/log.ts'
import { formatOffsets } from '#services/position.ts'
import { Problem } from '#services/problem.ts'
import type { Store } from '#services/store/store.ts'
import { type Kysely, sql } from 'kysely'

/** The version of the fold. Raise it when the same log would give other rows; the next start folds everything again. */
export const PROJECTION_VERSION = 2

/** The name of our cursors. */
export const PROJECTION = CURSOR_OF.project

/** Where `meta` says until where everything is folded again, and why. */
export const REBUILD = 'rebuild'

/** The reason why the rows cannot be trusted, or undefined where they can. */
async function doubtOf(db: Kysely<Database>, log: Log): Promise<string | undefined> {
  const meta = new Map((await db.selectFrom('meta').selectAll().execute()).map((row) => [row.name, row.value]))
  const bounds = await log.bounds()
  if (!meta.has('log_id')) return bounds.some(({ end }) => end > 0) ? 'it is empty, and the log is not' : undefined
  if (meta.get('log_id') !== log.id) return 'the rows belong to another log'
  if (meta.get('projection_version') !== String(PROJECTION_VERSION)) return 'the rows were folded by another version'
  const cursors = await db.selectFrom('cursors').selectAll().where('projection', '=', PROJECTION).execute()
  for (const cursor of cursors) {
    const held = bounds[cursor.partition]
    if (held === undefined || cursor.next_offset > held.end)
      return `the rows of partition ${cursor.partition} go past the end of the log`
    if (cursor.next_offset <= held.start || cursor.last_record_hash === null) continue
    const last = await readLast(log, cursor.partition, cursor.next_offset - 1)
    if (last === 'damaged') continue
    if (last === undefined || recordHash(last) !== cursor.last_record_hash)
      return `the last folded record of partition ${cursor.partition} is not the one in the log`
  }
  return undefined
}

/** The last folded record. Where the log is damaged there the rows are the better witness, and verify says what is lost. */
async function readLast(log: Log, partition: number, offset: number): Promise<LogRecord | 'damaged' | undefined> {
  try {
    return await log.readOne(partition, offset)
  } catch (error) {
    if (error instanceof Problem && error.code === 'corrupt') return 'damaged'
    throw error
  }
}

/** Empties every table, so that everything is folded, and the catalog restored, from the beginning. Whoever owned a part does not any more. */
export async function emptyStore(store: Store): Promise<void> {
  await store.transaction(({ db }) => emptied(db))
}

async function emptied(db: Kysely<Database>): Promise<void> {
  for (const table of [...PROJECTED, 'cursors', 'meta', 'snapshots', 'data_files', 'cut_wants'])
    await sql`truncate table ${sql.table(table)}`.execute(db)
  for (const projection of Object.values(CURSOR_OF)) await disown(db, projection)
}

/** Empties what is folded and its cursors; the catalog stays. Those who fold go on from the beginning. */
export async function emptyProjections(store: Store): Promise<void> {
  await store.transaction(async ({ db }) => {
    for (const table of PROJECTED) await sql`truncate table ${sql.table(table)}`.execute(db)
    await db.deleteFrom('cursors').where('projection', '=', PROJECTION).execute()
    await disown(db, PROJECTION)
  })
}

/**
 * Empties the store where its rows are in doubt, and notes which log and version they belong to. Of processes that start
 * at once one does it. Returns the doubt, also that of `known`, if there was any.
 */
export async function settleStore(store: Store, log: Log, known: string | undefined): Promise<string | undefined> {
  const ends = new Map((await log.bounds()).map(({ end }, partition) => [partition, end]))
  return store.transaction(async ({ db }) => {
    // The first statement, so that what is read after it is no older than the lock.
    await sql`lock table meta in share row exclusive mode`.execute(db)
    const doubt = await doubtOf(db, log)
    if (doubt !== undefined) await emptied(db)
    const reason = known ?? doubt
    await noted(db, {
      log_id: log.id,
      projection_version: String(PROJECTION_VERSION),
      ...(reason === undefined ? {} : { [REBUILD]: JSON.stringify({ reason, ends: formatOffsets(ends) }) }),
    })
    return reason
  })
}

/** Whether rows come from past the end of the log, as it tells its end now. */
export async function isPastEnd(store: Store, log: Log): Promise<boolean> {
  const cursors = await store.db.selectFrom('cursors').selectAll().where('projection', '=', PROJECTION).execute()
  const bounds = await log.bounds()
  return cursors.some(({ partition, next_offset: next }) => next > (bounds[partition]?.end ?? 0))
}

async function noted(db: Kysely<Database>, values: Readonly<Record<string, string>>): Promise<void> {
  await db
    .insertInto('meta')
    .values(Object.entries(values).map(([name, value]) => ({ name, value })))
    .onConflict((conflict) => conflict.column('name').doUpdateSet((row) => ({ value: row.ref('excluded.value') })))
    .execute()
}

/**
 * Lets nobody but the owner of `epoch` move the cursor of a partition from here on. Throws `newer_data` where the rows
 * belong to another log or version than ours by now.
 */
export async function fencePartition(db: Kysely<Database>, log: Log, partition: number, epoch: number): Promise<void> {
  const meta = new Map((await db.selectFrom('meta').selectAll().execute()).map((row) => [row.name, row.value]))
  if (meta.get('log_id') !== log.id || meta.get('projection_version') !== String(PROJECTION_VERSION)) {
    throw new Problem('newer_data', 'the rows belong to another log or to another version of the fold by now', {
      hint: 'start this process again, with the version that the others run',
    })
  }
  await db
    .insertInto('cursors')
    .values({ projection: PROJECTION, partition, next_offset: 0, epoch, last_record_hash: null })
    .onConflict((conflict) => conflict.columns(['projection', 'partition']).doUpdateSet({ epoch }))
    .execute()
}
