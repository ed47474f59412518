/**
 * Builds: found in blobs, else made once. The record of a build is put if absent, so that the first to finish fixes the
 * bytes of its URL for ever; whoever finishes second takes over the record of the first.
 */
import { createHash, randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Blobs } from '#services/blobs/blobs.ts'
import { errorText, type Logger } from '#services/logger.ts'
import { asProblem, Problem } from '#services/problem.ts'
import { isNeeded, compile, TABLES_READ } from './compile.ts'
import type { LakeFile, LakeFiles, LocalFile } from './files.ts'
import { countsFrom, type Counts, type Manifest } from './manifest.ts'
import { buildKey, canonicalQuery, type PinnedRequest } from './request.ts'
import type { CopyResult } from '#services/lake/jobs.ts'
import type { RunCopy } from './run-copy.ts'
import { queue, type Queue } from './queue.ts'

/** The state of the lake that a dataset is taken of. */
export interface DatasetSnapshot {
  readonly snapshot_id: number
  readonly created_at: string
  readonly log_id: string
  /** The next offset of each partition, as 0:123,3:45. */
  readonly cut: string
}

export type BuildState = 'queued' | 'running' | 'done' | 'failed' | 'cancelled'

/** A build under way, or one that ended a short while ago. */
export interface Build {
  readonly id: string
  readonly state: BuildState
  /** The share of its statements that are done. */
  readonly progress: number
  readonly problem: Problem | undefined
  /** The manifest, once it is done. Rejects with a Problem where it failed or was cancelled. */
  readonly done: Promise<Manifest>
}

export interface BuildsOptions {
  readonly blobs: Blobs
  readonly runCopy: RunCopy
  /** The files of a table at a snapshot. */
  readonly filesAt: (table: (typeof TABLES_READ)[number], snapshotId: number) => Promise<readonly LakeFile[]>
  /** Where files are written before they are put into blobs; made where it is missing. */
  readonly scratchDir: string
  readonly logger: Logger
  /** The time, in milliseconds since 1970. */
  readonly clock: () => number
  /** How many run at once. Default 1: DuckDB uses all threads it has for one. */
  readonly runningMax?: number
  /** How many may wait. */
  readonly waitingMax?: number
}

export interface Builds {
  /** The manifest of a build that is there, or undefined. */
  find(id: string): Promise<Manifest | undefined>
  /** Starts a build, or joins the one under way. Throws `too_many` when too many wait. */
  start(pinned: PinnedRequest, snapshot: DatasetSnapshot): Build
  /** Only the counts, without writing anything. Throws `too_many`. */
  count(pinned: PinnedRequest, signal: AbortSignal): Promise<Counts>
  /** A build under way, or one that failed or was cancelled lately. */
  status(id: string): Build | undefined
  /** Cancels a build under way; false where there is none. */
  cancel(id: string): boolean
  /** Cancels all and waits for them. */
  close(): Promise<void>
}

/** How many manifests and ended builds are remembered; they are small and do not change. */
const REMEMBERED_MAX = 512

interface Running {
  readonly build: { -readonly [Member in keyof Build]: Build[Member] }
  readonly abort: AbortController
}

interface Planned {
  readonly files: LakeFiles
  readonly lakeFiles: readonly string[]
}

const recordKey = (id: string) => `datasets/builds/${id}.json`

/** Forgets the oldest entries beyond the bound. */
function remember<Value>(map: Map<string, Value>, key: string, value: Value): void {
  map.delete(key)
  map.set(key, value)
  for (const oldest of map.keys()) {
    if (map.size <= REMEMBERED_MAX) break
    map.delete(oldest)
  }
}

/** The records of builds in blobs, and the ones read last in memory: they never change. */
function recordsOf(blobs: Blobs) {
  const manifests = new Map<string, Manifest>()

  async function find(id: string): Promise<Manifest | undefined> {
    const known = manifests.get(id)
    if (known !== undefined) return known
    const bytes = await blobs.get(recordKey(id))
    if (bytes === undefined) return undefined
    const manifest = JSON.parse(Buffer.from(bytes).toString('utf8')) as Manifest
    remember(manifests, id, manifest)
    return manifest
  }

  /** Makes the manifest the one of its build, unless there is one already; gives the one that counts. */
  async function record(manifest: Manifest): Promise<Manifest> {
    const { created } = await blobs.put(recordKey(manifest.build), Buffer.from(JSON.stringify(manifest)), {
      ifAbsent: true,
    })
    const first = created ? manifest : await find(manifest.build)
    if (first === undefined)
      throw new Problem('corrupt', `the record of build ${manifest.build} is there and cannot be read`)
    remember(manifests, manifest.build, first)
    return first
  }

  return { find, record }
}

export function builds(options: BuildsOptions): Builds {
  const waiting: Queue = queue({ runningMax: options.runningMax ?? 1, waitingMax: options.waitingMax ?? 32 })
  const { find, record } = recordsOf(options.blobs)
  const running = new Map<string, Running>()
  const ended = new Map<string, Build>()
  const closing = new AbortController()

  function start(pinned: PinnedRequest, snapshot: DatasetSnapshot): Build {
    const id = buildKey(pinned)
    const current = running.get(id)
    if (current !== undefined) return current.build
    const abort = new AbortController()
    const signal = AbortSignal.any([abort.signal, closing.signal])
    const work = waiting.add(async () => {
      entry.build.state = 'running'
      const onProgress = (share: number) => {
        entry.build.progress = share
      }
      return (await find(id)) ?? record(await make({ ...options, pinned, snapshot, signal, onProgress }))
    }, signal)
    const build: Running['build'] = { id, state: 'queued', progress: 0, problem: undefined, done: work }
    const entry: Running = { abort, build }
    running.set(id, entry)
    ended.delete(id)
    build.done = settled(work, build, signal, options.logger).finally(() => {
      running.delete(id)
      if (build.state !== 'done') remember(ended, id, build)
    })
    // Nobody may be waiting for it any more; who asks for its state is told.
    build.done.catch(() => {})
    return build
  }

  async function count(pinned: PinnedRequest, given: AbortSignal): Promise<Counts> {
    const signal = AbortSignal.any([given, closing.signal])
    return waiting.add(async () => {
      const { files } = await plan(options, pinned)
      const { prepare, counts } = compile(pinned.request, files)
      const result = await options.runCopy({ prepare, counts }, { signal })
      return countsFrom(result.counts, pinned.request.limit)
    }, signal)
  }

  async function close(): Promise<void> {
    closing.abort()
    await Promise.allSettled([...running.values()].map(({ build }) => build.done))
    await waiting.idle()
  }

  return {
    find,
    start,
    count,
    close,
    status: (id) => running.get(id)?.build ?? ended.get(id),
    cancel: (id) => {
      const entry = running.get(id)
      entry?.abort.abort()
      return entry !== undefined
    },
  }
}

/** Writes down in `build` how its work ends. */
async function settled(
  work: Promise<Manifest>,
  build: Running['build'],
  signal: AbortSignal,
  logger: Logger,
): Promise<Manifest> {
  try {
    const manifest = await work
    build.state = 'done'
    build.progress = 1
    return manifest
  } catch (error) {
    const problem = signal.aborted
      ? new Problem('conflict', 'the build was cancelled', { hint: 'ask for the dataset again to start a new one' })
      : asProblem(error)
    build.state = signal.aborted ? 'cancelled' : 'failed'
    build.problem = problem
    if (!signal.aborted) logger('error', 'dataset build failed', { build: build.id, error: errorText(error) })
    throw problem
  }
}

/** Finds the files that a request must read. */
async function plan({ blobs, filesAt }: BuildsOptions, { request, snapshotId }: PinnedRequest): Promise<Planned> {
  const files: { -readonly [Table in keyof LakeFiles]: LocalFile[] } = {}
  const lakeFiles: string[] = []
  for (const table of TABLES_READ) {
    const local: LocalFile[] = []
    for (const file of await filesAt(table, snapshotId)) {
      if (isNeeded(request, table, file)) {
        local.push({ ...file, localPath: await blobs.localPath(file.path) })
        lakeFiles.push(file.path)
      }
    }
    files[table] = local
  }
  return { files, lakeFiles }
}

interface Making extends BuildsOptions {
  readonly pinned: PinnedRequest
  readonly snapshot: DatasetSnapshot
  readonly signal: AbortSignal
  readonly onProgress: (share: number) => void
}

/** Writes the file, puts it into blobs under its hash, and says what it is. */
async function make(making: Making): Promise<Manifest> {
  const { pinned, snapshot, blobs, clock, logger } = making
  const started = clock()
  const { request } = pinned
  const planned = await plan(making, pinned)
  const compiled = compile(request, planned.files)
  await mkdir(making.scratchDir, { recursive: true })
  const output = join(making.scratchDir, `${randomUUID()}.${request.format}`)
  try {
    const copied: CopyResult = await making.runCopy(
      {
        prepare: compiled.prepare,
        counts: compiled.counts,
        write: { gather: compiled.gather, copy: compiled.copy(output) },
      },
      { signal: making.signal, onProgress: making.onProgress },
    )
    const [sha256, { size: bytes }] = await Promise.all([fileHash(output), stat(output)])
    const object = `datasets/objects/${sha256.slice(0, 2)}/${sha256}.${request.format}`
    await blobs.put(object, { file: output }, { ifAbsent: true })
    logger('info', 'dataset built', {
      build: buildKey(pinned),
      rows: copied.rows,
      bytes,
      duration_ms: clock() - started,
    })
    return {
      manifest_version: 1,
      build: buildKey(pinned),
      recipe: request.recipe,
      format: request.format,
      shape: request.shape,
      filter: canonicalQuery(request),
      snapshot: snapshot.snapshot_id,
      snapshot_created_at: snapshot.created_at,
      log_id: snapshot.log_id,
      offsets: snapshot.cut,
      counts: countsFrom(copied.counts, request.limit),
      rows: copied.rows,
      bytes,
      sha256,
      object,
      engine: copied.engine,
      lineage: { lake_files: planned.lakeFiles },
      created_at: new Date(clock()).toISOString(),
    }
  } finally {
    await rm(output, { force: true })
  }
}

async function fileHash(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer)
  return hash.digest('hex')
}
