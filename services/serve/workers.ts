/** project and archive as this process runs them, and how far they are wherever they run. */
import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { keepArchive, type Keeper } from '#services/archive/keeper.ts'
import { viewArchive } from '#services/archive/view.ts'
import type { Blobs } from '#services/blobs/blobs.ts'
import type { Config } from '#services/config.ts'
import type { Lake } from '#services/lake/lake.ts'
import type { Log } from '#services/log/log.ts'
import type { Logger } from '#services/logger.ts'
import type { Offsets } from '#services/position.ts'
import { followProject, type FollowedProject } from '#services/project/follow.ts'
import { archiveGate } from '#services/project/gate.ts'
import { startProject, type Project, type Shared } from '#services/project/project.ts'
import type { ArchiveView, Projection } from '#services/query/deps.ts'
import type { Store } from '#services/store/store.ts'
import type { RebuildReport } from './core-messages.ts'
import { startUpkeep } from './upkeep.ts'

export interface WorkersOptions {
  readonly config: Config
  /** The log itself. */
  readonly log: Log
  /** The log with what it has lost and the lake still has. */
  readonly whole: Log
  readonly store: Store
  readonly blobs: Blobs
  /** The lake process that writes cuts. */
  readonly cuts: Lake
  /** A folder for files that are being made. */
  readonly scratchDir: string
  readonly logger: Logger
  /** The time, in milliseconds since 1970. */
  readonly now: () => number
  readonly onRebuild: (progress: RebuildReport) => void
  readonly doubt: string | undefined
}

export interface Workers {
  readonly project: Projection & { waitFor(want: Offsets, timeoutMs: number, signal?: AbortSignal): Promise<boolean> }
  readonly archive: ArchiveView
}

/** What is folded and not cut is at most two cuts, so that one cut is never much larger. */
const UNCUT_BYTES_MAX = 64 * 1024 * 1024

/** Starts what this process is to run. What must be closed is put on `opened`, to be closed in reverse. */
export async function startWorkers(options: WorkersOptions, opened: (() => Promise<void>)[]): Promise<Workers> {
  return options.config.shared ? together(options, opened) : alone(options, opened)
}

/** The only process of its store: everything is here, and nothing need be looked up. */
async function alone(options: WorkersOptions, opened: (() => Promise<void>)[]): Promise<Workers> {
  const { log, whole, store, blobs, cuts, logger, now, onRebuild, doubt, config } = options
  const project = await startProject({ log: whole, store, logger, onRebuild, doubt })
  opened.push(() => project.stop())
  const archive = await keepArchive({
    log,
    logPlace: config.log,
    store,
    blobs,
    lake: cuts,
    project,
    logger,
    clock: now,
  })
  opened.push(() => archive.stop())
  await startUpkeep({ ...options, isActive: () => archive.isActive }, opened)
  return { project, archive }
}

/** One of many processes: what others do is in the store. */
async function together(options: WorkersOptions, opened: (() => Promise<void>)[]): Promise<Workers> {
  const { log, store, blobs, cuts, logger, now, config } = options
  const life = (): string => `${hostname()}/${process.pid}/${randomUUID().slice(0, 8)}`
  const shared: Shared = { newId: life, leaseMs: config.leaseMs }
  const runs = (program: Config['programs'][number]): boolean => config.programs.includes(program)
  const own = runs('project') ? await projectAmongOthers(options, shared, opened) : undefined
  const followed = await followProject({ store, logger })
  opened.push(() => followed.close())
  own?.onCommit((offsets) => followed.note(offsets))
  let keeper: Keeper | undefined
  if (runs('archive')) {
    const begun = await keepArchive({
      log,
      logPlace: config.log,
      store,
      blobs,
      lake: cuts,
      project: followed,
      logger,
      clock: now,
      shared,
    })
    opened.push(() => begun.stop())
    await startUpkeep({ ...options, isActive: () => begun.isActive }, opened)
    keeper = begun
  }
  const view = await viewArchive({ store, log, logger, keeper })
  opened.push(() => view.close())
  return runs('query') ? { project: followed, archive: view } : ownFaultsOnly(followed, own, view, keeper)
}

async function projectAmongOthers(
  { whole, store, logger, onRebuild, doubt }: WorkersOptions,
  shared: Shared,
  opened: (() => Promise<void>)[],
): Promise<Project> {
  const gate = archiveGate({ store, bytesMax: UNCUT_BYTES_MAX })
  const project = await startProject({ log: whole, store, logger, onRebuild, doubt, shared })
  opened.push(() => {
    gate.close()
    return project.stop()
  })
  project.onCommit((offsets, bytes) => gate.note(offsets, bytes))
  project.setGate(() => gate.open())
  return project
}

/** A process that answers no reads is as ready as its own work is: what fails elsewhere is told there. */
function ownFaultsOnly(
  followed: FollowedProject,
  own: Project | undefined,
  view: ArchiveView,
  keeper: Keeper | undefined,
): Workers {
  return {
    project: {
      get offsets() {
        return followed.offsets
      },
      get failing() {
        return own?.failing
      },
      get rebuilding() {
        return followed.rebuilding
      },
      waitFor: (want, timeoutMs, signal) => followed.waitFor(want, timeoutMs, signal),
    },
    archive: {
      get newest() {
        return view.newest
      },
      get failing() {
        return keeper?.failing
      },
      reach: (offsets, timeoutMs, signal) => view.reach(offsets, timeoutMs, signal),
    },
  }
}
