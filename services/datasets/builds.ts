/**
 * Builds: found in blobs, else made once. The record of a build is put if absent, so that the first to finish fixes the
 * bytes of its URL for ever; whoever finishes second takes over the record of the first.
 */
import { errorText, type Logger } from '#services/logger.ts'
import { Problem } from '#services/problem.ts'
import { countDataset, makeDataset, type DatasetSnapshot, type MakeOptions } from './make.ts'
import type { Counts, Manifest } from './manifest.ts'
import { pendingBuilds, type PendingBuilds } from './pending.ts'
import { queue, type Queue } from './queue.ts'
import { buildRecords, remember, type BuildRecords } from './records.ts'
import { buildKey, type PinnedRequest } from './request.ts'
import { compiledProblem } from './sql-problem.ts'

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

export interface BuildsOptions extends Omit<MakeOptions, 'record'> {
  /** How many run at once. Default 2, so that a huge one does not hold up all others. */
  readonly runningMax?: number
  /** How many may wait. */
  readonly waitingMax?: number
}

/** What is told of a build that is not done. */
export type BuildStatus = Pick<Build, 'state' | 'progress' | 'problem'>

export interface Builds {
  readonly records: BuildRecords
  /** Starts a build, or joins the one under way. Throws `too_many` when too many wait. */
  start(pinned: PinnedRequest, snapshot: DatasetSnapshot): Build
  /** Only the counts, without writing anything. Throws `too_many`. */
  count(pinned: PinnedRequest, signal: AbortSignal): Promise<Counts>
  /** A build under way, one that waits for a server to go on with it, or one that failed or was cancelled lately. */
  status(id: string): Promise<BuildStatus | undefined>
  /** Cancels a build under way; false where there is none. */
  cancel(id: string): Promise<boolean>
  /** Goes on with builds that a server left behind. `snapshotOf` gives undefined where a snapshot is gone. */
  resume(snapshotOf: (id: number) => Promise<DatasetSnapshot | undefined>): Promise<void>
  /** Stops all and waits for them; they go on after the next start. */
  close(): Promise<void>
}

/** A build that is over sooner is not noted for a restart: whoever asked is still there to ask again. */
const NOTE_AFTER_MS = 1000

/** How often a build is begun before it is given up: one that brings its server down would do so for ever. */
const BEGUN_MAX = 3

interface Running {
  readonly build: { -readonly [Member in keyof Build]: Build[Member] }
  readonly abort: AbortController
  readonly pinned: PinnedRequest
  /** How often it was begun, this time included; 0 while it waits. */
  begun: number
  /** Writes of its note for a restart, one after the other; undefined while it has none. */
  noted: Promise<void> | undefined
}

/** Notes for a restart how builds stand, each in order. */
function notes(pending: PendingBuilds, logger: Logger) {
  function note(entry: Running, begun: number): Promise<void> {
    const { build, pinned } = entry
    entry.noted = (entry.noted ?? Promise.resolve()).then(() => pending.note(build.id, pinned, begun))
    return entry.noted
  }
  const failed = ({ build }: Running, error: unknown): void =>
    logger('warn', 'build not noted for a restart', { build: build.id, error: errorText(error) })

  return {
    /** Notes a build after a while; what comes back stops that. */
    later: (entry: Running): (() => void) => {
      const timer = setTimeout(() => {
        note(entry, entry.begun).catch((error: unknown) => failed(entry, error))
      }, NOTE_AFTER_MS)
      return () => clearTimeout(timer)
    },
    /** Notes that a build begins. Throws `internal` where it was begun too often. */
    begin: async (entry: Running): Promise<void> => {
      entry.begun = (await pending.begun(entry.build.id)) + 1
      if (entry.begun > BEGUN_MAX)
        throw new Problem('internal', `the build was begun ${BEGUN_MAX} times and no server lived to end it`, {
          hint: 'ask for less at a time, such as shard=0/8, or give the server more memory',
        })
      if (entry.noted !== undefined) await note(entry, entry.begun)
    },
    /** Whoever starts again goes on with what was only stopped (that it was begun does not count then), and with nothing else. */
    end: async (entry: Running, isStopped: boolean): Promise<void> => {
      try {
        if (isStopped) await note(entry, 0)
        else if (entry.noted !== undefined || entry.begun > 1) {
          await entry.noted?.catch(() => {})
          await pending.end(entry.build.id)
        }
      } catch (error) {
        failed(entry, error)
      }
    },
  }
}

/** Builds under way and those that ended lately. */
interface Known {
  readonly running: Map<string, Running>
  readonly ended: Map<string, Build>
}

function answersOf({ running, ended }: Known, pending: PendingBuilds): Pick<Builds, 'status' | 'cancel'> {
  return {
    status: async (id) => {
      const known = running.get(id)?.build ?? ended.get(id)
      if (known !== undefined) return known
      return (await pending.has(id)) ? { state: 'queued', progress: 0, problem: undefined } : undefined
    },
    cancel: async (id) => {
      const entry = running.get(id)
      entry?.abort.abort()
      if (entry !== undefined) return true
      const isLeft = await pending.has(id)
      if (isLeft) await pending.end(id)
      return isLeft
    },
  }
}

interface Working {
  readonly options: BuildsOptions
  readonly records: BuildRecords
  readonly noting: ReturnType<typeof notes>
}

/** Finds what another server built meanwhile, or makes it. */
async function work(
  { options, records, noting }: Working,
  entry: Running,
  snapshot: DatasetSnapshot,
  signal: AbortSignal,
): Promise<Manifest> {
  const { build, pinned } = entry
  build.state = 'running'
  const there = await records.find(build.id)
  if (there !== undefined) return there
  await noting.begin(entry)
  const onProgress = (share: number) => {
    build.progress = share
  }
  const record = (manifest: Manifest, file: string) => records.record(manifest, file)
  return makeDataset({ ...options, record, pinned, snapshot, signal, onProgress })
}

export function builds(options: BuildsOptions): Builds {
  const { blobs, clock, logger } = options
  const waiting: Queue = queue({ runningMax: options.runningMax ?? 2, waitingMax: options.waitingMax ?? 32 })
  // Counts are short, and must not wait behind builds.
  const counting: Queue = queue({ runningMax: 2, waitingMax: 64 })
  const records = buildRecords(blobs, clock)
  const pending = pendingBuilds(blobs)
  const noting = notes(pending, logger)
  const known: Known = { running: new Map(), ended: new Map() }
  const { running, ended } = known
  const closing = new AbortController()

  async function ending(entry: Running, done: Promise<Manifest>, signal: AbortSignal): Promise<Manifest> {
    const { build, abort } = entry
    const unnote = noting.later(entry)
    try {
      return await settled(done, build, signal, logger)
    } finally {
      unnote()
      running.delete(build.id)
      if (build.state !== 'done') remember(ended, build.id, build)
      await noting.end(entry, closing.signal.aborted && !abort.signal.aborted && build.state === 'cancelled')
    }
  }

  function start(pinned: PinnedRequest, snapshot: DatasetSnapshot, isNoted = false): Build {
    const id = buildKey(pinned)
    const current = running.get(id)
    if (current !== undefined) return current.build
    const abort = new AbortController()
    const signal = AbortSignal.any([abort.signal, closing.signal])
    const done = waiting.add(() => work({ options, records, noting }, entry, snapshot, signal), signal)
    const build: Running['build'] = { id, state: 'queued', progress: 0, problem: undefined, done }
    const entry: Running = { abort, build, pinned, begun: 0, noted: isNoted ? Promise.resolve() : undefined }
    running.set(id, entry)
    ended.delete(id)
    build.done = ending(entry, done, signal)
    // Nobody may be waiting for it any more; who asks for its state is told.
    build.done.catch(() => {})
    return build
  }

  async function resume(snapshotOf: (id: number) => Promise<DatasetSnapshot | undefined>): Promise<void> {
    for await (const { id, pending: left } of pending.all()) {
      if (closing.signal.aborted) return
      if (running.has(id)) continue
      const snapshot = await snapshotOf(left.snapshotId)
      // What a later version asks for otherwise has another name, and whoever wants it asks anew.
      if (snapshot === undefined || buildKey(left) !== id) await pending.end(id)
      else start(left, snapshot, true)
    }
  }

  return {
    records,
    start: (pinned, snapshot) => start(pinned, snapshot),
    resume,
    count: (pinned, given) => {
      const signal = AbortSignal.any([given, closing.signal])
      return counting.add(() => countDataset(options, pinned, signal), signal)
    },
    close: async () => {
      closing.abort()
      await Promise.allSettled([...running.values()].map(({ build }) => build.done))
      await Promise.all([waiting.idle(), counting.idle()])
    },
    ...answersOf(known, pending),
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
      : compiledProblem(error)
    build.state = signal.aborted ? 'cancelled' : 'failed'
    build.problem = problem
    if (problem.code === 'internal')
      logger('error', 'dataset build failed', { build: build.id, error: errorText(error) })
    throw problem
  }
}
