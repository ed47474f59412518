/**
 * What of the lake may go. Pure: the state of the catalog in, what to forget and what to remove out. Everything that is
 * ever removed from the lake is named here first.
 */

/** How long things are kept, in milliseconds. */
export interface Rules {
  /** A snapshot is kept this long. The newest is always kept. */
  readonly snapshotMs: number
  /** What was kept for snapshots stays this much longer: for readers that hold no lease, such as foreign ones. */
  readonly graceMs: number
  /** An object that no snapshot has stays this long: it may belong to a cut or merge under way. */
  readonly orphanMs: number
}

const HOUR_MS = 3_600_000
export const RULES: Rules = { snapshotMs: 30 * 24 * HOUR_MS, graceMs: 24 * HOUR_MS, orphanMs: 24 * HOUR_MS }

/** The state of the catalog, times in milliseconds since 1970. */
export interface LakeState {
  readonly nowMs: number
  /** Published snapshots. */
  readonly snapshots: readonly { readonly snapshot_id: number; readonly created_ms: number }[]
  /** Files that a snapshot has left out. */
  readonly ended: readonly { readonly path: string; readonly begin_snapshot: number; readonly end_snapshot: number }[]
  /** Who reads which snapshot, and until when at most. */
  readonly readers: readonly { readonly snapshot_id: number; readonly expires_ms: number }[]
  /** What was said in blobs about expiry. */
  readonly expiries: readonly { readonly oldest: number; readonly expired_ms: number }[]
  /** Up to which snapshot the Delta logs of all tables are published. */
  readonly deltaThrough: number
  /** Objects that no snapshot has and that are not doomed yet. */
  readonly orphans: readonly { readonly path: string; readonly seen_ms: number }[]
}

export interface SweepPlan {
  /** Snapshots below this are to be forgotten; undefined where nothing changes. */
  readonly oldest: number | undefined
  /** Files to remove: nothing that is kept has them. */
  readonly remove: readonly string[]
  /** Orphans to remove. */
  readonly doom: readonly string[]
}

/** The oldest snapshot that must be kept. */
export function oldestKept({ nowMs, snapshots, readers, deltaThrough }: LakeState, { snapshotMs }: Rules): number {
  const newest = Math.max(0, ...snapshots.map(({ snapshot_id }) => snapshot_id))
  const young = snapshots.filter(({ created_ms }) => created_ms > nowMs - snapshotMs)
  const read = readers.filter(({ expires_ms }) => expires_ms > nowMs)
  return Math.min(
    newest,
    deltaThrough,
    ...young.map(({ snapshot_id }) => snapshot_id),
    ...read.map(({ snapshot_id }) => snapshot_id),
  )
}

/** What may be forgotten and removed now. */
export function planSweep(state: LakeState, rules: Rules): SweepPlan {
  const { nowMs, snapshots, ended, readers, expiries, deltaThrough, orphans } = state
  const oldest = oldestKept(state, rules)
  const longAgo = expiries.filter(({ expired_ms }) => expired_ms <= nowMs - rules.graceMs)
  // Whatever was said of expiry, a snapshot that is listed is kept.
  const listed = Math.min(...snapshots.map(({ snapshot_id }) => snapshot_id))
  const gone = Math.min(Math.max(0, ...longAgo.map((expiry) => expiry.oldest)), listed)
  const isRead = (begin: number, end: number): boolean =>
    readers.some(({ snapshot_id: id, expires_ms }) => expires_ms > nowMs && id >= begin && id < end)
  return {
    oldest: snapshots.some(({ snapshot_id }) => snapshot_id < oldest) ? oldest : undefined,
    remove: ended
      .filter(({ end_snapshot: end }) => end <= gone && end <= deltaThrough)
      .filter(({ begin_snapshot: begin, end_snapshot: end }) => !isRead(begin, end))
      .map(({ path }) => path),
    doom: orphans.filter(({ seen_ms }) => seen_ms <= nowMs - rules.orphanMs).map(({ path }) => path),
  }
}
