/** The statements by which workers live, and parts of a projection get and lose owners. Time is the store's alone. */
import { type Kysely, sql } from 'kysely'
import type { Database } from '#schemas/tables.ts'
import type { Store } from '#services/store/store.ts'

/** A part of a projection with the epoch under which it may be written. */
export interface Claim {
  readonly part: number
  readonly epoch: number
}

/** A part as the store knows it. */
export interface Owned extends Claim {
  readonly owner: string | null
}

const NOW_MS = sql<number>`(extract(epoch from clock_timestamp()) * 1000)::bigint`

/** A worker whose lease ran out this many leases ago is forgotten. */
const FORGOTTEN_LEASES = 10

/** Enters a worker. */
export async function join(db: Kysely<Database>, worker: string, program: string, leaseMs: number): Promise<void> {
  await sql`insert into workers (worker_id, program, joined_at_ms, lease_until_ms, failing)
    values (${worker}, ${program}, ${NOW_MS}, ${NOW_MS} + ${leaseMs}::bigint, null)`.execute(db)
  await sql`delete from workers where lease_until_ms < ${NOW_MS} - ${leaseMs * FORGOTTEN_LEASES}::bigint`.execute(db)
}

/** Renews a lease. False where it ran out before: others may have taken what the worker had. */
export async function renew(
  db: Kysely<Database>,
  worker: string,
  leaseMs: number,
  failing: string | undefined,
): Promise<boolean> {
  const { numAffectedRows } =
    await sql`update workers set lease_until_ms = ${NOW_MS} + ${leaseMs}::bigint, failing = ${failing ?? null}
    where worker_id = ${worker} and lease_until_ms >= ${NOW_MS}`.execute(db)
  return numAffectedRows === 1n
}

/** Takes a worker out, and its name from everything that it owned. */
export async function leave(store: Store, worker: string): Promise<void> {
  await store.transaction(async ({ db }) => {
    await db.updateTable('claims').set({ owner: null }).where('owner', '=', worker).execute()
    await db.deleteFrom('workers').where('worker_id', '=', worker).execute()
  })
}

/** The living workers of a program, those that came first first, with what they say of themselves. */
export async function workersOf(
  db: Kysely<Database>,
  program: string,
): Promise<readonly { readonly worker_id: string; readonly failing: string | null }[]> {
  const { rows } = await sql<{ worker_id: string; failing: string | null }>`select worker_id, failing from workers
    where program = ${program} and lease_until_ms >= ${NOW_MS} order by joined_at_ms, worker_id`.execute(db)
  return rows
}

/** The parts of a projection that were ever claimed. */
export function owned(db: Kysely<Database>, projection: string): Promise<Owned[]> {
  return db
    .selectFrom('claims')
    .select(['part', 'owner', 'epoch'])
    .where('projection', '=', projection)
    .orderBy('part')
    .execute()
}

/** Gives a part back. */
export async function release(db: Kysely<Database>, projection: string, part: number, worker: string): Promise<void> {
  await db
    .updateTable('claims')
    .set({ owner: null })
    .where('projection', '=', projection)
    .where('part', '=', part)
    .where('owner', '=', worker)
    .execute()
}

/**
 * Takes a part for a worker, if nobody who lives has it, and raises its epoch. `fence` runs in the same transaction: it
 * must see to it that nothing is written under an older epoch from then on. With `byForce` the owner is not asked.
 */
export function take(
  store: Store,
  wanted: { readonly projection: string; readonly part: number; readonly worker: string; readonly byForce: boolean },
  fence: (db: Kysely<Database>, claim: Claim) => Promise<void>,
): Promise<Claim | undefined> {
  const { projection, part, worker, byForce } = wanted
  return store.transaction(async ({ db }) => {
    // The owner before may have been stopped with rows locked; his transaction times out, and until then others go on.
    await sql`set local lock_timeout = '1s'`.execute(db)
    await db
      .insertInto('claims')
      .values({ projection, part, owner: null, epoch: 1 })
      .onConflict((conflict) => conflict.doNothing())
      .execute()
    const free = byForce
      ? sql`true`
      : sql`(owner is null or owner = ${worker} or not exists (select from workers where worker_id = claims.owner and lease_until_ms >= ${NOW_MS}))`
    const { rows } = await sql<{ epoch: number }>`update claims set owner = ${worker}, epoch = epoch + 1
      where projection = ${projection} and part = ${part} and ${free} returning epoch`.execute(db)
    const epoch = rows[0]?.epoch
    if (epoch === undefined) return undefined
    const claim = { part, epoch: Number(epoch) }
    await fence(db, claim)
    return claim
  })
}

/** Takes every part of a projection from whoever has it: what they still write is refused. */
export async function disown(db: Kysely<Database>, projection: string): Promise<void> {
  await sql`update claims set owner = null, epoch = epoch + 1 where projection = ${projection}`.execute(db)
}
