/** Reads that are answered from the lake: the snapshot that they are of, and its files where a program can read them. */
import type { LakePaths } from '#services/analytics/lake-rows.ts'
import type { LakeTableName } from '#schemas/lake.ts'
import { filesAt } from '#services/lake/catalog.ts'
import { type Offsets, includes } from '#services/position.ts'
import type { QueryDeps } from './deps.ts'
import { type Reading, behind, wanted } from './reading.ts'
import { checkIncludes, cutOf, newestSnapshot, snapshotOf } from './snapshots.ts'

/** A snapshot and everything below which it includes. */
export interface LakeState {
  readonly id: number
  readonly cut: Offsets
}

/**
 * The snapshot of this number, or the newest that includes what `after` names. Throws `not_found`, `snapshot_expired`,
 * `invalid_parameter` for one that is older than `after`, `behind` where none comes in time.
 */
export async function lakeState(call: Reading, id: number | undefined): Promise<LakeState> {
  const { deps, query, request } = call
  const want = await wanted(call)
  const { newest } = deps.archive
  // The newest is there: the store need not be asked.
  if (newest !== undefined && (id ?? newest.snapshot_id) === newest.snapshot_id && includes(newest.cut, want))
    return { id: newest.snapshot_id, cut: newest.cut }
  if (id !== undefined) {
    const found = await snapshotOf(deps.store.db, id)
    checkIncludes(found, want)
    return { id, cut: cutOf(found) }
  }
  const reached = await deps.archive.reach(want, query.wait * 1000, request.signal)
  if (reached === undefined && want.size === 0) {
    const found = await newestSnapshot(deps.store.db)
    return { id: found.snapshot_id, cut: cutOf(found) }
  }
  if (reached === undefined) throw behind('the lake has no snapshot that includes the position yet')
  return { id: reached.snapshot_id, cut: reached.cut }
}

/** Remote files are fetched so many at a time. */
const FILES_AT_ONCE = 8

/** The local paths of the files of some tables at a snapshot. */
export async function lakePaths(
  { store, blobs }: QueryDeps,
  tables: readonly LakeTableName[],
  snapshotId: number,
): Promise<LakePaths> {
  const found: Record<string, readonly string[]> = {}
  for (const table of tables) {
    const files = await filesAt(store.db, table, snapshotId)
    const paths: string[] = []
    for (let from = 0; from < files.length; from += FILES_AT_ONCE)
      paths.push(
        ...(await Promise.all(files.slice(from, from + FILES_AT_ONCE).map(({ path }) => blobs.localPath(path)))),
      )
    found[table] = paths
  }
  return found
}
