/**
 * Which snapshot an unpinned URL stands for just now. A reader asks several times for one file; while it reads ranges
 * it must not be given another one, and who was told to come back later must find what was built for it.
 */
import { includes, parseOffsets, type Offsets } from '#services/position.ts'
import type { DatasetSnapshot } from './make.ts'

/** How long a reader may pause between two ranges. */
const PAUSE_MS_MAX = 60_000
/** How long a built dataset waits for the one who was told to come back. */
const OWED_MS_MAX = 600_000
const PATHS_MAX = 512

interface Recent {
  readonly snapshot: DatasetSnapshot
  readonly at: number
  /** Whether an answer was put off until it is built. */
  readonly owed: boolean
}

export interface RecentSnapshots {
  /** The snapshot that the path was answered from, where the caller continues or is owed an answer and it includes `after`. */
  find(path: string, after: Offsets, continues: boolean): DatasetSnapshot | undefined
  answered(path: string, snapshot: DatasetSnapshot): void
  /** Notes whether an answer from this snapshot was put off. */
  owed(path: string, snapshotId: number, isOwed: boolean): void
}

export function recentSnapshots(clock: () => number): RecentSnapshots {
  const byPath = new Map<string, Recent>()

  function set(path: string, recent: Recent): void {
    byPath.delete(path)
    byPath.set(path, recent)
    const [oldest] = byPath.keys()
    if (byPath.size > PATHS_MAX && oldest !== undefined) byPath.delete(oldest)
  }

  return {
    find: (path, after, continues) => {
      const recent = byPath.get(path)
      if (recent === undefined || !includes(parseOffsets(recent.snapshot.cut), after)) return undefined
      const age = clock() - recent.at
      return (continues && age < PAUSE_MS_MAX) || (recent.owed && age < OWED_MS_MAX) ? recent.snapshot : undefined
    },
    answered: (path, snapshot) => {
      const before = byPath.get(path)
      set(path, {
        snapshot,
        at: clock(),
        owed: before?.owed === true && before.snapshot.snapshot_id === snapshot.snapshot_id,
      })
    },
    owed: (path, snapshotId, isOwed) => {
      const current = byPath.get(path)
      if (current === undefined || current.snapshot.snapshot_id !== snapshotId) return
      set(path, { ...current, owed: isOwed })
    },
  }
}
