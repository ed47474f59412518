/** Leases of readers: the files of a snapshot that somebody has asked for stay a while, whatever becomes of the snapshot. */
import { randomUUID } from 'node:crypto'
import type { Kysely } from 'kysely'
import type { Database } from '#schemas/tables.ts'
import { errorText, type Logger } from '#services/logger.ts'
import { Problem } from '#services/problem.ts'

export interface SnapshotLeases {
  /** Sees to it that the files of a snapshot stay for at least half an hour from now. Throws `snapshot_expired` where it is forgotten already. */
  hold(snapshotId: number): Promise<void>
}

const HOUR_MS = 3_600_000
const LEASE_MS = HOUR_MS
const RENEW_MS = HOUR_MS / 2
/** Snapshots whose leases are remembered. */
const REMEMBERED_MAX = 1_000

/** Leases in the store, one for each process and snapshot. `clock` gives milliseconds since 1970. */
export function snapshotLeases(options: {
  readonly store: { readonly db: Kysely<Database> }
  readonly logger: Logger
  readonly clock: () => number
}): SnapshotLeases {
  const { store, logger, clock } = options
  const readerId = randomUUID()
  const heldUntil = new Map<number, number>()

  async function write(snapshotId: number, untilMs: number): Promise<void> {
    const expires_at = new Date(untilMs).toISOString()
    await store.db
      .insertInto('lake_readers')
      .values({ reader_id: `${readerId}/${snapshotId}`, snapshot_id: snapshotId, expires_at })
      .onConflict((conflict) => conflict.column('reader_id').doUpdateSet({ expires_at }))
      .execute()
  }

  return {
    hold: async (snapshotId) => {
      const now = clock()
      if ((heldUntil.get(snapshotId) ?? 0) > now + LEASE_MS - RENEW_MS) return
      // A reader that may not write has the grace period of the sweep still.
      await write(snapshotId, now + LEASE_MS).catch((error: unknown) =>
        logger('warn', 'lease of a snapshot not written', { snapshot: snapshotId, error: errorText(error) }),
      )
      // Asked only now: what expires after this sees the lease.
      const kept = await store.db
        .selectFrom('snapshots')
        .select('snapshot_id')
        .where('snapshot_id', '=', snapshotId)
        .executeTakeFirst()
      if (kept === undefined)
        throw new Problem('snapshot_expired', `snapshot ${snapshotId} is no longer kept`, {
          hint: 'leave out snapshot for the newest',
        })
      heldUntil.set(snapshotId, now + LEASE_MS)
      if (heldUntil.size > REMEMBERED_MAX) heldUntil.delete(heldUntil.keys().next().value ?? 0)
    },
  }
}
