/** Which snapshot of the lake a read is answered from. */
import type { Kysely } from 'kysely'
import type { Database, Row } from '#schemas/tables.ts'
import { formatOffsets, includes, type Offsets, parseOffsets } from '#services/position.ts'
import { Problem } from '#services/problem.ts'
import { behind, type Reading, wanted } from './reading.ts'

/** Published snapshots. */
export const publishedSnapshots = (db: Kysely<Database>) =>
  db.selectFrom('snapshots').selectAll().where('published', '=', true)

/** The next offset of each partition that a snapshot includes everything below of. */
export const cutOf = (snapshot: Row<'snapshots'>): Offsets => parseOffsets(snapshot.cut)

/** Waits until a snapshot includes what the read asks for. Throws `behind`. */
export async function reachSnapshot(call: Reading): Promise<void> {
  const want = await wanted(call)
  if (want.size === 0) return
  const found = await call.deps.archive.reach(want, call.query.wait * 1000, call.request.signal)
  if (found === undefined) throw behind('no snapshot of the lake includes the position yet')
}

/** The newest snapshot. Throws `not_found` where there is none yet. */
export async function newestSnapshot(db: Kysely<Database>): Promise<Row<'snapshots'>> {
  const found = await publishedSnapshots(db).orderBy('snapshot_id', 'desc').limit(1).executeTakeFirst()
  if (found !== undefined) return found
  throw new Problem('not_found', 'the lake has no snapshot yet', {
    hint: 'after=latest waits for one that has everything',
  })
}

/** The snapshot of this number. Throws `not_found` for one that never was, `snapshot_expired` for one that is no longer kept. */
export async function snapshotOf(db: Kysely<Database>, id: number): Promise<Row<'snapshots'>> {
  const found = await publishedSnapshots(db).where('snapshot_id', '=', id).executeTakeFirst()
  if (found !== undefined) return found
  const oldest = await publishedSnapshots(db).orderBy('snapshot_id').limit(1).executeTakeFirst()
  if (oldest !== undefined && id > 0 && id < oldest.snapshot_id)
    throw new Problem('snapshot_expired', `snapshot ${id} is no longer kept; the oldest is ${oldest.snapshot_id}`, {
      hint: 'take a newer one; /v1/snapshots lists them',
    })
  throw new Problem('not_found', `there is no snapshot ${id}`, {
    hint: 'list them: /v1/snapshots; after=latest waits for one that has everything',
  })
}

/** Refuses to answer from a named snapshot what is to include a later position. */
export function checkIncludes(snapshot: Row<'snapshots'>, want: Offsets): void {
  if (includes(cutOf(snapshot), want)) return
  throw new Problem(
    'invalid_parameter',
    `snapshot ${snapshot.snapshot_id} was taken before ${formatOffsets(want)}, which after names`,
    { hint: 'leave out one of snapshot and after', details: { parameter: 'after' } },
  )
}
