/** Removes what no snapshot that is kept, no reader and no grace period needs: see policy.ts for what that is. */
import { sql } from 'kysely'
import { forget } from '#services/archive/restore.ts'
import type { Blobs } from '#services/blobs/blobs.ts'
import { expiries, lockCatalog, newestRecord, putExpiry } from '#services/lake/catalog.ts'
import { keptSnapshots } from '#services/lake/kept.ts'
import { deltaThrough } from '#services/lake/delta-progress.ts'
import type { Logger } from '#services/logger.ts'
import type { Store } from '#services/store/store.ts'
import { type LakeState, planSweep, type Rules } from './policy.ts'

export interface SweepWorld {
  readonly store: Store
  readonly blobs: Blobs
  readonly logger: Logger
  /** The time, in milliseconds since 1970. */
  readonly clock: () => number
}

/** What a sweep did. */
export interface Swept {
  /** Snapshots that were forgotten. */
  readonly snapshots: number
  /** Files of snapshots that are no longer kept. */
  readonly files: number
  readonly orphans: number
  /** Objects that no snapshot has, and that are too young to be removed. */
  readonly waiting: number
}

const LAKE = 'lake/'
const DELTA_LOG = '/_delta_log/'
/** Rows of one statement. */
const BATCH = 500
/** After this long nobody can still be entering a file that was doomed, not even a process that stood still. */
const DOOMED_MS = 90 * 24 * 3_600_000

function* batches<Item>(items: readonly Item[]): Iterable<readonly Item[]> {
  for (let at = 0; at < items.length; at += BATCH) yield items.slice(at, at + BATCH)
}

/** Lists the objects of the lake and notes those that no snapshot has. True where the catalog can be believed. */
async function noteOrphans({ store, blobs, clock, logger }: SweepWorld): Promise<boolean> {
  const seenAt = new Date(clock()).toISOString()
  const listed: { path: string; bytes: number }[] = []
  for await (const { key, bytes } of blobs.list(LAKE)) if (!key.includes(DELTA_LOG)) listed.push({ path: key, bytes })
  // After the list, so that what was entered meanwhile is known; and never against a catalog that was not restored yet.
  const last = (await newestRecord(blobs))?.snapshot_id ?? 0
  const newest = await store.db
    .selectFrom('snapshots')
    .select('snapshot_id')
    .orderBy('snapshot_id', 'desc')
    .limit(1)
    .executeTakeFirst()
  if ((newest?.snapshot_id ?? 0) < last) {
    logger('warn', 'orphans not looked for: the catalog in the store is behind its records in blobs', { records: last })
    return false
  }
  const known = new Set((await store.db.selectFrom('data_files').select('path').execute()).map(({ path }) => path))
  const orphans = listed.filter(({ path }) => !known.has(path))
  for (const some of batches(orphans)) {
    await store.db
      .insertInto('lake_orphans')
      .values(some.map(({ path, bytes }) => ({ path, bytes, seen_at: seenAt, doomed: false })))
      .onConflict((conflict) => conflict.doNothing())
      .execute()
  }
  const there = new Set(orphans.map(({ path }) => path))
  const noted = await store.db.selectFrom('lake_orphans').select(['path', 'seen_at', 'doomed']).execute()
  const over = noted.filter(({ path, doomed, seen_at: seen }) =>
    doomed ? Date.parse(seen) < clock() - DOOMED_MS : !there.has(path),
  )
  for (const some of batches(over))
    await store.db
      .deleteFrom('lake_orphans')
      .where(
        'path',
        'in',
        some.map(({ path }) => path),
      )
      .execute()
  return true
}

/** Reads what the policy decides by, at one moment. */
async function stateOf({ store, blobs, clock }: SweepWorld): Promise<LakeState> {
  const said = await expiries(blobs)
  // A snapshot that is marked is as one that is being read for ever.
  const kept = (await keptSnapshots(blobs)).map((id) => ({ snapshot_id: id, expires_ms: Infinity }))
  return store.transaction(async ({ db }) => {
    const snapshots = await db
      .selectFrom('snapshots')
      .select(['snapshot_id', 'created_at'])
      .where('published', '=', true)
      .execute()
    const ended = await db
      .selectFrom('data_files')
      .select(['path', 'begin_snapshot', 'end_snapshot'])
      .where('end_snapshot', 'is not', null)
      .execute()
    const readers = await db.selectFrom('lake_readers').select(['snapshot_id', 'expires_at']).execute()
    const orphans = await db
      .selectFrom('lake_orphans')
      .select(['path', 'seen_at'])
      .where('doomed', '=', false)
      .execute()
    return {
      nowMs: clock(),
      snapshots: snapshots.map((row) => ({ snapshot_id: row.snapshot_id, created_ms: Date.parse(row.created_at) })),
      ended: ended.map((row) => ({ ...row, end_snapshot: row.end_snapshot ?? Infinity })),
      readers: [
        ...kept,
        ...readers.map((row) => ({ snapshot_id: row.snapshot_id, expires_ms: Date.parse(row.expires_at) })),
      ],
      expiries: said.map((record) => ({ oldest: record.oldest, expired_ms: Date.parse(record.expired_at) })),
      deltaThrough: await deltaThrough(db),
      orphans: orphans.map((row) => ({ path: row.path, seen_ms: Date.parse(row.seen_at) })),
    }
  })
}

/** Takes snapshots out of the catalog, first in blobs, so that they do not come back with a lost store. */
async function expire({ store, blobs, clock }: SweepWorld, oldest: number): Promise<number> {
  await putExpiry(blobs, oldest, new Date(clock()).toISOString())
  return store.transaction(async ({ db }) => {
    await lockCatalog(db)
    return forget(db, oldest)
  })
}

/** Dooms orphans: from then on none of them can be entered. Those that were entered meanwhile are none. */
async function doom(store: Store, paths: readonly string[]): Promise<string[]> {
  const doomed: string[] = []
  for (const some of batches(paths)) {
    doomed.push(
      ...(await store.transaction(async ({ db }) => {
        await lockCatalog(db)
        const entered = await db
          .selectFrom('data_files')
          .select('path')
          .where('path', 'in', [...some])
          .execute()
        const known = new Set(entered.map(({ path }) => path))
        const orphans = some.filter((path) => !known.has(path))
        if (orphans.length > 0)
          await db.updateTable('lake_orphans').set({ doomed: true }).where('path', 'in', orphans).execute()
        return orphans
      })),
    )
  }
  return doomed
}

/** Sweeps once. Any number of processes may; what is interrupted is done by the next sweep. */
export async function sweep(world: SweepWorld, rules: Rules): Promise<Swept> {
  const { store, blobs, logger } = world
  const believed = await noteOrphans(world)
  const first = await stateOf(world)
  const { oldest } = planSweep(first, rules)
  const snapshots = oldest === undefined ? 0 : await expire(world, oldest)
  const plan = planSweep(await stateOf(world), rules)
  for (const path of plan.remove) await blobs.delete(path)
  for (const some of batches(plan.remove))
    await store.db
      .deleteFrom('data_files')
      .where('path', 'in', [...some])
      .execute()
  const doomed = believed ? await doom(store, plan.doom) : []
  // Those of a sweep that died before it was done, too.
  const left = await store.db.selectFrom('lake_orphans').select('path').where('doomed', '=', true).execute()
  for (const { path } of left) await blobs.delete(path)
  await store.db
    .deleteFrom('lake_readers')
    .where('expires_at', '<', new Date(world.clock() - rules.graceMs).toISOString())
    .execute()
  const { n } = await store.db
    .selectFrom('lake_orphans')
    .select(sql<number>`count(*)`.as('n'))
    .where('doomed', '=', false)
    .executeTakeFirstOrThrow()
  const swept = { snapshots, files: plan.remove.length, orphans: doomed.length, waiting: Number(n) }
  if (swept.snapshots + swept.files + swept.orphans > 0) logger('info', 'lake swept', { ...swept })
  return swept
}
