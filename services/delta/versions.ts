/** Which version of a Delta table is a snapshot of the lake. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { LakeTableName } from '#schemas/lake.ts'
import type { Blobs } from '#services/blobs/blobs.ts'
import { deltaThrough } from '#services/lake/delta-progress.ts'
import { Problem } from '#services/problem.ts'
import type { Store } from '#services/store/store.ts'
import { commitKey, noteOf } from './actions.ts'
import { lastCheckpoint } from './checkpoint.ts'

type Reading = Pick<Blobs, 'get'>

/** The snapshot of a version; undefined where there is no such commit. */
async function snapshotOf(blobs: Reading, table: LakeTableName, version: number): Promise<number | undefined> {
  const bytes = await blobs.get(commitKey(table, version))
  return bytes === undefined ? undefined : noteOf(Buffer.from(bytes).toString('utf8'))?.snapshot_id
}

export interface DeltaAt {
  readonly snapshotId: number
  /** How long to wait for the logs to include it. */
  readonly waitMs: number
  readonly signal: AbortSignal
}

/** How often the logs are looked at while they are waited for. */
const EVERY_MS = 250

/**
 * The version of each table that has the rows of a snapshot. Versions rise with snapshots, so of each log some 15 commits
 * are read. Throws `behind` where the logs are not published so far in time, `snapshot_expired` where they begin later.
 */
export async function deltaVersions<Table extends LakeTableName>(
  { store, blobs }: { readonly store: Store; readonly blobs: Reading },
  tables: readonly Table[],
  { snapshotId, waitMs, signal }: DeltaAt,
): Promise<readonly { readonly table: Table; readonly version: number }[]> {
  for (let waited = 0; (await deltaThrough(store.db)) < snapshotId; waited += EVERY_MS) {
    if (waited >= waitMs)
      throw new Problem('behind', `the Delta logs do not include snapshot ${snapshotId} yet`, {
        hint: 'ask again later, or wait longer with wait=60',
        retryAfterSeconds: 2,
      })
    await sleep(EVERY_MS, undefined, { signal })
  }
  return Promise.all(tables.map(async (table) => ({ table, version: await versionAt(blobs, table, snapshotId) })))
}

/** The last version whose snapshot is not newer. Throws `snapshot_expired` where the log begins later. */
export async function versionAt(blobs: Reading, table: LakeTableName, snapshotId: number): Promise<number> {
  const isNotNewer = async (version: number): Promise<boolean | undefined> => {
    const snapshot = await snapshotOf(blobs, table, version)
    return snapshot === undefined ? undefined : snapshot <= snapshotId
  }
  let low = -1
  let high = (await lastCheckpoint(blobs, table)) ?? 0
  for (let step = 1; (await isNotNewer(high)) === true; step *= 2) {
    low = high
    high += step
  }
  // A commit before the last checkpoint that is not there was removed for its age; one after it was never written.
  const isMissingOld = low < 0
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if ((await isNotNewer(middle)) ?? isMissingOld) low = middle
    else high = middle
  }
  if (low >= 0 && (await isNotNewer(low)) === true) return low
  throw new Problem('snapshot_expired', `the Delta log of ${table} begins after snapshot ${snapshotId}`, {
    hint: 'ask for a newer snapshot, or read the rows from /v1/datasets, which needs no Delta log',
  })
}
