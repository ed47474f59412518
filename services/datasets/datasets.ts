/** Datasets: a request, the snapshot it is taken of, and the bytes that stand for the two for ever. */
import { setTimeout as delay } from 'node:timers/promises'
import { formatOffsets, includes, parseOffsets, type Offsets } from '#services/position.ts'
import { Problem } from '#services/problem.ts'
import type { Blobs } from '#services/blobs/blobs.ts'
import type { Logger } from '#services/logger.ts'
import { builds, type Build, type Builds, type DatasetSnapshot } from './builds.ts'
import type { TABLES_READ } from './compile.ts'
import type { LakeFile } from './files.ts'
import type { Counts, Manifest } from './manifest.ts'
import { recentSnapshots } from './recent.ts'
import { buildKey, datasetPath, type DatasetRequest, type PinnedRequest } from './request.ts'
import type { RunCopy } from './run-copy.ts'

/** What is known of snapshots and their files. Only published snapshots are in it. */
export interface DatasetCatalog {
  newest(): Promise<DatasetSnapshot | undefined>
  byId(id: number): Promise<DatasetSnapshot | undefined>
  /** The number of the oldest snapshot that is kept. */
  oldestId(): Promise<number | undefined>
  filesAt(table: (typeof TABLES_READ)[number], snapshotId: number): Promise<readonly LakeFile[]>
}

export interface DatasetsOptions {
  readonly blobs: Blobs
  readonly catalog: DatasetCatalog
  /** The first snapshot that includes the offsets, or undefined where none comes in time. */
  readonly reach: (
    offsets: Offsets,
    timeoutMs: number,
    signal?: AbortSignal,
  ) => Promise<{ readonly snapshot_id: number } | undefined>
  readonly runCopy: RunCopy
  readonly logger: Logger
  /** The time, in milliseconds since 1970. */
  readonly clock: () => number
  /** A folder of its own for files that are being written. */
  readonly scratchDir: string
  readonly runningMax?: number
  readonly waitingMax?: number
}

/** Which state a dataset is asked of: a snapshot by its number, or the newest that includes these offsets. */
export interface Wanted {
  readonly snapshotId: number | undefined
  readonly after: Offsets
  readonly waitMs: number
  /** Whether the caller goes on reading what it began to read, without naming its snapshot. */
  readonly continues?: boolean
  readonly signal?: AbortSignal
}

/** A request with its snapshot. Where the snapshot itself is no longer kept, there is a manifest. */
export type Pinned = PinnedRequest &
  (
    | { readonly manifest: Manifest; readonly snapshot: undefined }
    | { readonly manifest: undefined; readonly snapshot: DatasetSnapshot }
  )

export interface Datasets {
  /**
   * Finds the snapshot of a request. Throws `not_found` for a snapshot that never was, `snapshot_expired` for one that
   * is no longer kept (unless the dataset was built while it was), `behind` where the state does not come in time.
   */
  pin(request: DatasetRequest, wanted: Wanted): Promise<Pinned>
  /** The manifest, or the build where it is not done in time. Throws what the build throws. */
  ready(
    pinned: Pinned,
    waitMs: number,
    signal?: AbortSignal,
  ): Promise<{ readonly manifest: Manifest } | { readonly build: Build }>
  /** The counts alone. */
  counts(pinned: Pinned, signal: AbortSignal): Promise<Counts>
  manifest(build: string): Promise<Manifest | undefined>
  status(build: string): Build | undefined
  cancel(build: string): boolean
  close(): Promise<void>
}

function behind(detail: string): Problem {
  return new Problem('behind', detail, { hint: 'ask again later, or wait longer with wait=60', retryAfterSeconds: 1 })
}

async function newest(
  { catalog, reach }: DatasetsOptions,
  { after, waitMs, signal }: Wanted,
): Promise<DatasetSnapshot> {
  const now = await catalog.newest()
  if (now !== undefined && includes(parseOffsets(now.cut), after)) return now
  const reached = await reach(after, waitMs, signal)
  if (reached === undefined) throw behind(`the lake does not include ${formatOffsets(after) || 'anything'} yet`)
  const snapshot = await catalog.byId(reached.snapshot_id)
  if (snapshot === undefined)
    throw new Problem('internal', `snapshot ${reached.snapshot_id} was reached and is not in the catalog`)
  return snapshot
}

async function named({ catalog }: DatasetsOptions, id: number, after: Offsets): Promise<DatasetSnapshot> {
  const snapshot = await catalog.byId(id)
  if (snapshot === undefined) {
    const oldest = await catalog.oldestId()
    if (oldest !== undefined && id < oldest && id > 0) {
      throw new Problem('snapshot_expired', `snapshot ${id} is no longer kept; the oldest is ${oldest}`, {
        hint: 'leave out snapshot for the newest',
      })
    }
    throw new Problem('not_found', `there is no snapshot ${id}`, {
      hint: '/v1/snapshots lists them; leave out snapshot for the newest',
    })
  }
  if (!includes(parseOffsets(snapshot.cut), after)) {
    throw new Problem('invalid_parameter', `snapshot ${id} was taken before the position in after`, {
      hint: 'leave out one of snapshot and after',
      details: { parameter: 'after' },
    })
  }
  return snapshot
}

/** Waits for a build; undefined where it is not done in time. */
async function inTime(build: Build, waitMs: number, signal: AbortSignal | undefined): Promise<Manifest | undefined> {
  const over = new AbortController()
  const stop = signal === undefined ? over.signal : AbortSignal.any([over.signal, signal])
  try {
    return await Promise.race([build.done, delay(waitMs, undefined, { signal: stop })])
  } finally {
    over.abort()
  }
}

export function datasets(options: DatasetsOptions): Datasets {
  const recent = recentSnapshots(options.clock)
  const made: Builds = builds({ ...options, filesAt: (table, id) => options.catalog.filesAt(table, id) })

  return {
    pin: async (request, wanted) => {
      const { snapshotId } = wanted
      if (snapshotId !== undefined) {
        const manifest = wanted.after.size === 0 ? await made.find(buildKey({ request, snapshotId })) : undefined
        if (manifest !== undefined) return { request, snapshotId, manifest, snapshot: undefined }
      }
      const path = datasetPath(request)
      const snapshot =
        snapshotId === undefined
          ? (recent.find(path, wanted.after, wanted.continues ?? false) ?? (await newest(options, wanted)))
          : await named(options, snapshotId, wanted.after)
      if (snapshotId === undefined) recent.answered(path, snapshot)
      return { request, snapshotId: snapshot.snapshot_id, manifest: undefined, snapshot }
    },

    ready: async (pinned, waitMs, signal) => {
      const manifest = pinned.manifest ?? (await made.find(buildKey(pinned)))
      if (manifest !== undefined) {
        recent.owed(datasetPath(pinned.request), pinned.snapshotId, false)
        return { manifest }
      }
      if (pinned.snapshot === undefined) throw new Problem('internal', 'a dataset without manifest and snapshot')
      const build = made.start(pinned, pinned.snapshot)
      const done = await inTime(build, waitMs, signal)
      recent.owed(datasetPath(pinned.request), pinned.snapshotId, done === undefined)
      return done === undefined ? { build } : { manifest: done }
    },

    counts: async (pinned, signal) => {
      const manifest = pinned.manifest ?? (await made.find(buildKey(pinned)))
      return manifest === undefined ? made.count(pinned, signal) : manifest.counts
    },

    manifest: (build) => made.find(build),
    status: (build) => made.status(build),
    cancel: (build) => made.cancel(build),
    close: () => made.close(),
  }
}
