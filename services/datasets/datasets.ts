/** Datasets: a request, the snapshot it is taken of, and the bytes that stand for the two for ever. */
import { setTimeout as delay } from 'node:timers/promises'
import { formatOffsets, includes, parseOffsets, type Offsets } from '#services/position.ts'
import { Problem } from '#services/problem.ts'
import type { Blobs } from '#services/blobs/blobs.ts'
import type { Logger } from '#services/logger.ts'
import { errorText } from '#services/logger.ts'
import { builds, type Build, type Builds, type BuildStatus } from './builds.ts'
import type { TABLES_READ } from './compile.ts'
import type { LakeFile } from './files.ts'
import type { DatasetSnapshot } from './make.ts'
import type { Counts, Manifest } from './manifest.ts'
import { recentSnapshots } from './recent.ts'
import { buildKey, datasetPath, type DatasetRequest, type PinnedRequest } from './request.ts'
import type { RunCopy } from './run-copy.ts'
import { savedRecipes, type SavedRecipes } from './saved-recipes.ts'

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
  /** What comes before the path in URLs that are written into datasets. */
  readonly publicUrl: string
  /** The time, in milliseconds since 1970. */
  readonly clock: () => number
  /** A folder of its own for files that are being written. */
  readonly scratchDir: string
  readonly runningMax?: number
  readonly waitingMax?: number
  /** Whether a policy names a dataset as one that it was trained on: such a one is kept as if it were pinned. */
  readonly isTrainedOn?: (manifest: Manifest) => Promise<boolean>
}

/** How long what was built for an unpinned URL is kept, and how often it is looked for. */
const UNPINNED_MS = 24 * 3_600_000
const SWEEP_MS = 3_600_000

/** Which state a dataset is asked of: a snapshot by its number, or the newest that includes these offsets. */
export interface Wanted {
  readonly snapshotId: number | undefined
  readonly after: Offsets
  readonly waitMs: number
  /** Whether the caller goes on reading what it began to read, without naming its snapshot. */
  readonly continues?: boolean
  /** Whether the caller is handed a URL that stays. Default: where it names a snapshot. */
  readonly keep?: boolean
  readonly signal?: AbortSignal
}

/** A request with its snapshot. Where the snapshot itself is no longer kept, there is a manifest. */
export type Pinned = PinnedRequest & { readonly keep: boolean } & (
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
  /** The manifests whose bytes have this hash. */
  manifestsOf(sha256: string): Promise<readonly Manifest[]>
  status(build: string): Promise<BuildStatus | undefined>
  cancel(build: string): Promise<boolean>
  readonly recipes: SavedRecipes
  /** Removes what was built for unpinned URLs more than a day ago. Returns how many. It does so by itself, too. */
  sweep(): Promise<number>
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

/** Datasets over blobs and a catalog. It goes on with builds that were left behind, and removes what is too old. */
export function datasets(options: DatasetsOptions): Datasets {
  const { catalog, logger, isTrainedOn = async () => false } = options
  const recent = recentSnapshots(options.clock)
  const made: Builds = builds({ ...options, filesAt: (table, id) => catalog.filesAt(table, id) })
  const { records } = made
  const sweep = (): Promise<number> => records.sweep(UNPINNED_MS, isTrainedOn)
  const inBackground = (what: string, work: Promise<unknown>): Promise<unknown> =>
    work.catch((error: unknown) => logger('warn', what, { error: errorText(error) }))
  let background = inBackground(
    'builds that were left behind not gone on with',
    made.resume((id) => catalog.byId(id)),
  )
  const timer = setInterval(() => {
    background = background.then(() => inBackground('old datasets not removed', sweep()))
  }, SWEEP_MS)
  timer.unref()

  return {
    pin: async (request, wanted) => {
      const { snapshotId } = wanted
      const keep = wanted.keep ?? snapshotId !== undefined
      if (snapshotId !== undefined) {
        const manifest = wanted.after.size === 0 ? await records.find(buildKey({ request, snapshotId })) : undefined
        if (manifest !== undefined) return { request, snapshotId, keep, manifest, snapshot: undefined }
      }
      const path = datasetPath(request)
      const snapshot =
        snapshotId === undefined
          ? (recent.find(path, wanted.after, wanted.continues ?? false) ?? (await newest(options, wanted)))
          : await named(options, snapshotId, wanted.after)
      if (snapshotId === undefined) recent.answered(path, snapshot)
      return { request, snapshotId: snapshot.snapshot_id, keep, manifest: undefined, snapshot }
    },

    ready: async (pinned, waitMs, signal) => {
      const id = buildKey(pinned)
      // Before anything is answered, so that a URL that was handed out is never swept.
      if (pinned.keep) await records.pin(id)
      const manifest = pinned.manifest ?? (await records.find(id))
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
      const manifest = pinned.manifest ?? (await records.find(buildKey(pinned)))
      return manifest === undefined ? made.count(pinned, signal) : manifest.counts
    },

    manifest: (build) => records.find(build),
    manifestsOf: (sha256) => records.ofBytes(sha256),
    status: (build) => made.status(build),
    cancel: (build) => made.cancel(build),
    recipes: savedRecipes(options.blobs, options.clock),
    sweep,
    close: async () => {
      clearInterval(timer)
      await made.close()
      await background
    },
  }
}
