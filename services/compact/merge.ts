/** Merges small files of the lake into large ones. A merge is a snapshot of the same cut with other files. */
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { enterMerge, newAttempt, publish, rowOf } from '#services/archive/commit.ts'
import type { Blobs } from '#services/blobs/blobs.ts'
import type { Lake } from '#services/lake/lake.ts'
import type { Logger } from '#services/logger.ts'
import type { Store } from '#services/store/store.ts'
import { type Candidate, type Merge, planMerges, type Sizes } from './plan.ts'

export interface MergeWorld {
  readonly store: Store
  readonly blobs: Blobs
  readonly lake: Lake
  readonly logger: Logger
  /** The time, in milliseconds since 1970. */
  readonly clock: () => number
}

/** What came of a merge. */
export interface Merged {
  readonly table: string
  readonly dt: string
  readonly files: number
  readonly bytes_before: number
  readonly bytes_after: number
  /** The snapshot that has the new file; null where a cut or another compactor changed one of the files first, and nothing was entered. */
  readonly snapshot_id: number | null
}

/** A merge is done in memory that is bounded, and packed well only where it is not done again. */
const LEVELS = { final: 9, passing: 3 }

/** The files of the newest snapshot, as merges are planned from them. */
export async function candidates({ store }: Pick<MergeWorld, 'store'>): Promise<Candidate[]> {
  const rows = await store.db
    .selectFrom('data_files')
    .leftJoin('snapshots', 'snapshots.snapshot_id', 'data_files.begin_snapshot')
    .select(['path', 'table_name', 'dt', 'bytes', 'rows', 'from_offsets', 'to_offsets', 'snapshots.created_at'])
    .where('end_snapshot', 'is', null)
    .execute()
  // The snapshot of a file that is older than all that are kept is not known any more.
  return rows.map(({ created_at, ...file }) => ({
    ...file,
    begun_ms: created_at === null ? 0 : Date.parse(created_at),
  }))
}

/** Merges one group. Throws what store, blobs and lake throw, and `corrupt` where the new file does not hold the same rows. */
export async function mergeOne(world: MergeWorld, merge: Merge, signal: AbortSignal): Promise<Merged> {
  const { store, blobs, lake, logger, clock } = world
  const startedMs = clock()
  const folder = await mkdtemp(join(lake.scratchDir, 'merge-'))
  try {
    const localPaths: string[] = []
    for (const { path } of merge.files) localPaths.push(await blobs.localPath(path))
    const file = await lake.run(
      'merge',
      {
        table: merge.table,
        dt: merge.dt,
        localPaths,
        level: merge.isFinal ? LEVELS.final : LEVELS.passing,
        localPath: join(folder, 'merged.parquet'),
      },
      { signal },
    )
    const added = rowOf(file, merge.from, merge.to, newAttempt())
    signal.throwIfAborted()
    await blobs.put(added.path, { file: file.localPath }, { ifAbsent: true })
    const replaced = merge.files.map(({ path }) => path)
    const snapshot = await enterMerge(store, { added, replaced, createdAt: new Date(startedMs).toISOString() })
    if (snapshot === undefined) await blobs.delete(added.path)
    else await publish(store, blobs)
    logger('info', snapshot === undefined ? 'merge outrun' : 'files merged', {
      table: merge.table,
      dt: merge.dt,
      files: merge.files.length,
      bytes: merge.bytes,
      bytes_merged: file.bytes,
      ms: clock() - startedMs,
    })
    return {
      table: merge.table,
      dt: merge.dt,
      files: merge.files.length,
      bytes_before: merge.bytes,
      bytes_after: file.bytes,
      snapshot_id: snapshot?.snapshot_id ?? null,
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Merges may be worth merging again; more often than this in a row only where new files keep coming. */
const ROUNDS_MAX = 4

/** Does all merges that are worth doing now, and those that come of them. One that is outrun is left for the next time. */
export async function mergeAll(
  world: MergeWorld,
  sizes: Sizes,
  signal: AbortSignal,
  options: { readonly everything?: boolean; readonly onMerged?: (merged: Merged) => void } = {},
): Promise<Merged[]> {
  const done: Merged[] = []
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const merges = planMerges(await candidates(world), sizes, world.clock(), options)
    let progressed = false
    for (const merge of merges) {
      signal.throwIfAborted()
      const merged = await mergeOne(world, merge, signal)
      done.push(merged)
      options.onMerged?.(merged)
      progressed ||= merged.snapshot_id !== null
    }
    if (!progressed) break
  }
  return done
}
