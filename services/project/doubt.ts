/** Whether the rows in the store belong to this log and this version, and what to do where they do not. */
import { CURSOR_OF, PROJECTED } from '#schemas/tables.ts'
import type { Log, LogRecord } from '#services/log/log.ts'
import { Problem } from '#services/problem.ts'
import type { Store } from '#services/store/store.ts'
import { sql } from 'kysely'
import { recordHash } from '#services/core/judge.ts'

/** The version of the fold. Raise it when the same log would give other rows; the next start folds everything again. */
export const PROJECTION_VERSION = 1

/** The name of our cursors. */
export const PROJECTION = CURSOR_OF.project

/** The reason why the rows cannot be trusted, or undefined where they can. */
export async function doubtOf(store: Store, log: Log): Promise<string | undefined> {
  const meta = new Map((await store.db.selectFrom('meta').selectAll().execute()).map((row) => [row.name, row.value]))
  const bounds = await log.bounds()
  if (!meta.has('log_id')) return bounds.some(({ end }) => end > 0) ? 'it is empty, and the log is not' : undefined
  if (meta.get('log_id') !== log.id) return 'the rows belong to another log'
  if (meta.get('projection_version') !== String(PROJECTION_VERSION)) return 'the rows were folded by another version'
  const cursors = await store.db.selectFrom('cursors').selectAll().where('projection', '=', PROJECTION).execute()
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

/** Empties every table, so that everything is folded, and the catalog restored, from the beginning. */
export async function emptyStore(store: Store): Promise<void> {
  await store.transaction(async ({ db }) => {
    for (const table of [...PROJECTED, 'cursors', 'meta', 'snapshots', 'data_files'])
      await sql`truncate table ${sql.table(table)}`.execute(db)
  })
}

/** Empties what is folded and its cursors; the catalog stays. */
export async function emptyProjections(store: Store): Promise<void> {
  await store.transaction(async ({ db }) => {
    for (const table of PROJECTED) await sql`truncate table ${sql.table(table)}`.execute(db)
    await db.deleteFrom('cursors').where('projection', '=', PROJECTION).execute()
  })
}

/** Notes which log and version the rows belong to. */
export async function claimStore(store: Store, log: Log): Promise<void> {
  await store.transaction(async ({ db }) => {
    const rows = [
      { name: 'log_id', value: log.id },
      { name: 'projection_version', value: String(PROJECTION_VERSION) },
    ]
    await db
      .insertInto('meta')
      .values(rows)
      .onConflict((conflict) => conflict.column('name').doUpdateSet((row) => ({ value: row.ref('excluded.value') })))
      .execute()
  })
}
