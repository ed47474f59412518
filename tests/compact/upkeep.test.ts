import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { silent } from '#services/logger.ts'
import { pgliteStore } from '#services/store/pglite.ts'
import type { Store } from '#services/store/store.ts'
import { upkeepOf } from '#services/verify/upkeep.ts'

let store: Store
beforeAll(async () => {
  store = await pgliteStore({ clock: () => new Date(), logger: silent })
}, 240_000)
afterAll(() => store.close())

const findings = async (nowMs = Date.now()): Promise<string[]> =>
  (await upkeepOf(store.db, [{ start: 0, end: 5 }], nowMs)).findings.map(({ what }) => what)

test('what is behind, quarantined and lying about is counted, and named where somebody has to act', async () => {
  const { db } = store
  expect(await findings()).toEqual([])
  await db
    .insertInto('cursors')
    .values({ projection: 'project', partition: 0, next_offset: 3, epoch: 1, last_record_hash: null })
    .execute()
  await db
    .insertInto('snapshots')
    .values({ snapshot_id: 7, created_at: '2026-01-01T00:00:00Z', log_id: 'l', cut: '0:2', published: true })
    .execute()
  await db
    .insertInto('lake_orphans')
    .values([
      { path: 'a', bytes: 4, seen_at: '', doomed: false },
      { path: 'b', bytes: 9, seen_at: '', doomed: true },
    ])
    .execute()
  await db
    .insertInto('quarantine')
    .values({
      quarantine_id: 'q',
      partition: 0,
      offset: 1,
      last_offset: 1,
      n_seen: 1,
      bytes: 1,
      code: 'c',
      message: '',
      pointer: '',
      hint: '',
      state: 'open',
      seen_at: '',
    })
    .execute()
  expect(await upkeepOf(db, [{ start: 0, end: 5 }], Date.now())).toMatchObject({
    lag: [{ partition: 0, log_end: 5, store_behind: 2, lake_behind: 3 }],
    quarantined: 1,
    snapshots: 1,
    delta_behind: 7,
    orphans: { n: 1, bytes: 4 },
  })
  expect(await findings()).toEqual(['1 records could not be read'])
})

test('a schema that was changed by hand is told column by column', async () => {
  await sql`alter table scores drop column format_ok`.execute(store.db)
  await sql`alter table items alter column question type varchar(9)`.execute(store.db)
  await sql`alter table items add column mine integer`.execute(store.db)
  const [drift, ...others] = await findings()
  expect(others).toEqual([])
  expect(drift).toContain('scores.format_ok is missing')
  expect(drift).toContain('items.question is character varying and should be text')
  expect(drift).toContain('items.mine is not one of ours')
})
