/** Reads a Delta log as a foreign engine does: which files a table has at a version, by its last checkpoint and the commits after it. */
import type { LakeTableName } from '#schemas/lake.ts'
import type { Blobs } from '#services/blobs/blobs.ts'
import { sqlText } from '#services/lake/engine.ts'
import type { Lake } from '#services/lake/lake.ts'
import { Problem } from '#services/problem.ts'
import { checkpointKey, commitKey, noteOf, rootOf } from './actions.ts'
import { lastCheckpoint } from './checkpoint.ts'

/** A table as its Delta log has it. */
export interface DeltaState {
  /** The last version that is not newer than the snapshot asked for. */
  readonly version: number
  /** The size in bytes of each file, by its key. */
  readonly files: ReadonlyMap<string, number>
  /** What is wrong with the log itself. */
  readonly faults: readonly string[]
}

interface Action {
  readonly add?: { readonly path: string; readonly size: number }
  readonly remove?: { readonly path: string }
}

/** Files of one checkpoint are bounded by those of the table. */
const ROWS_MAX = 1_000_000

type Reading = Pick<Blobs, 'get' | 'localPath'>

/**
 * The state of a table's log at a snapshot. Undefined where there is no such version; `newer` where the last checkpoint is of
 * a newer snapshot, as when a publisher is at work. Throws `corrupt` where a commit is none of ours.
 */
export async function deltaStateAt(
  { blobs, lake }: { readonly blobs: Reading; readonly lake: Pick<Lake, 'run'> },
  table: LakeTableName,
  snapshotId: number,
): Promise<DeltaState | 'newer' | undefined> {
  const faults: string[] = []
  const files = new Map<string, number>()
  const begin = (await lastCheckpoint(blobs, table)) ?? 0
  let version = begin - 1
  let last = 0
  if (begin > 0) {
    const snapshot = noteOf(await commitOf(blobs, table, begin))?.snapshot_id ?? Infinity
    if (snapshot > snapshotId) return 'newer'
    for (const { path, size } of await checkpointFiles({ blobs, lake }, table, begin)) files.set(path, size)
    version = begin
    last = snapshot
  }
  for (;;) {
    const bytes = await blobs.get(commitKey(table, version + 1))
    if (bytes === undefined) break
    const text = Buffer.from(bytes).toString('utf8')
    const note = noteOf(text)
    if (note === undefined)
      throw new Problem('corrupt', `${commitKey(table, version + 1)} was not written by Stepstore`)
    if (note.snapshot_id > snapshotId) break
    if (note.snapshot_id <= last)
      faults.push(`version ${version + 1} is of snapshot ${note.snapshot_id}, which is not newer than the one before`)
    last = note.snapshot_id
    version += 1
    apply(table, text, version, files, faults)
  }
  return version < 0 ? undefined : { version, files, faults }
}

/** Adds and removes what a commit does. */
function apply(
  table: LakeTableName,
  text: string,
  version: number,
  files: Map<string, number>,
  faults: string[],
): void {
  for (const line of text.trim().split('\n')) {
    const { add, remove } = JSON.parse(line) as Action
    if (remove !== undefined && !files.delete(keyOf(table, remove.path)))
      faults.push(`version ${version} removes ${remove.path}, which the table does not have`)
    if (add === undefined) continue
    if (files.has(keyOf(table, add.path))) faults.push(`version ${version} adds ${add.path} again`)
    files.set(keyOf(table, add.path), add.size)
  }
}

const keyOf = (table: LakeTableName, path: string): string => `${rootOf(table)}${decodeURI(path)}`

async function commitOf(blobs: Reading, table: LakeTableName, version: number): Promise<string> {
  return Buffer.from((await blobs.get(commitKey(table, version))) ?? []).toString('utf8')
}

async function checkpointFiles(
  { blobs, lake }: { readonly blobs: Reading; readonly lake: Pick<Lake, 'run'> },
  table: LakeTableName,
  version: number,
): Promise<{ path: string; size: number }[]> {
  const path = await blobs.localPath(checkpointKey(table, version))
  const { rows } = await lake.run('rows', {
    sql: `select add.path as path, add.size::double as size from read_parquet(${sqlText(path)}) where add is not null`,
    rowsMax: ROWS_MAX,
  })
  return rows.map((row) => ({ path: keyOf(table, String(row['path'])), size: Number(row['size']) }))
}
