/** Which version of a Delta table is a snapshot of the lake. */
import type { LakeTableName } from '#schemas/lake.ts'
import type { Blobs } from '#services/blobs/blobs.ts'
import { deltaThrough } from '#services/lake/delta-progress.ts'
import { Problem } from '#services/problem.ts'
import type { Store } from '#services/store/store.ts'
import { commitKey, noteOf } from './actions.ts'
import { lastCheckpoint } from './checkpoint.ts'

/** The snapshot of a version; undefined where there is no such commit. */
async function snapshotOf(blobs: Blobs, table: LakeTableName, version: number): Promise<number | undefined> {
  const bytes = await blobs.get(commitKey(table, version))
  return bytes === undefined ? undefined : noteOf(Buffer.from(bytes).toString('utf8'))?.snapshot_id
}

/**
 * The version of each table that has the rows of a snapshot. Versions rise with snapshots, so of each log some 15 commits
 * are read. Throws `behind` where the logs are not published so far, `snapshot_expired` where they begin later.
 */
export async function deltaVersions<Table extends LakeTableName>(
  { store, blobs }: { readonly store: Store; readonly blobs: Blobs },
  tables: readonly Table[],
  snapshotId: number,
): Promise<ReadonlyMap<Table, number>> {
  if ((await deltaThrough(store.db)) < snapshotId)
    throw new Problem('behind', `the Delta logs do not include snapshot ${snapshotId} yet`, {
      hint: 'ask again in some seconds',
      retryAfterSeconds: 2,
    })
  const versions = new Map<Table, number>()
  for (const table of tables) versions.set(table, await versionAt(blobs, table, snapshotId))
  return versions
}

/** The last version whose snapshot is not newer. */
async function versionAt(blobs: Blobs, table: LakeTableName, snapshotId: number): Promise<number> {
  const isBefore = async (version: number): Promise<boolean | undefined> => {
    const snapshot = await snapshotOf(blobs, table, version)
    return snapshot === undefined ? undefined : snapshot <= snapshotId
  }
  // Commits behind the last checkpoint are few; those long before it are no longer there, and count as before.
  let low = -1
  let high = (await lastCheckpoint(blobs, table)) ?? 0
  for (let step = 1; (await isBefore(high)) === true; step *= 2) {
    low = high
    high += step
  }
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if ((await isBefore(middle)) ?? middle < high) low = middle
    else high = middle
  }
  if (low >= 0 && (await isBefore(low)) === true) return low
  throw new Problem('snapshot_expired', `the Delta log of ${table} begins after snapshot ${snapshotId}`, {
    hint: 'ask for a newer snapshot, or read the rows from /v1/datasets, which needs no Delta log',
  })
}
