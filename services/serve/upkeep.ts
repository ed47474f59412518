/** What the archive program does beside its cuts: merges and sweeps the lake, and publishes it as Delta tables. */
import { join } from 'node:path'
import type { Blobs } from '#services/blobs/blobs.ts'
import { startCompactor } from '#services/compact/compactor.ts'
import { type Sizes, SIZES } from '#services/compact/plan.ts'
import { type Rules, RULES } from '#services/compact/policy.ts'
import type { Config } from '#services/config.ts'
import { startDelta } from '#services/delta/publisher.ts'
import { openLake, type Lake } from '#services/lake/lake.ts'
import type { Logger } from '#services/logger.ts'
import type { Store } from '#services/store/store.ts'

export interface UpkeepOptions {
  readonly config: Config
  readonly store: Store
  readonly blobs: Blobs
  readonly logger: Logger
  /** The time, in milliseconds since 1970. */
  readonly now: () => number
  /** A folder for files that are being made; safe to delete while nothing runs. */
  readonly scratchDir: string
  /** Whether this process archives now: others leave the lake to it. */
  readonly isActive: () => boolean
}

/** One thread, at the back of the queue: a merge takes its time, and holds up nobody. */
const ENGINE = { threads: 1, memoryLimitMb: 512, niceness: 10 }
const DAY_MS = 24 * 3_600_000

/** The sizes of merged files as they are set. */
export function sizesOf({ lakeFileBytesMax }: Config): Sizes {
  return { ...SIZES, bytesMax: lakeFileBytesMax, bytesMin: lakeFileBytesMax / 4 }
}

/** How long things are kept, as it is set. */
export function rulesOf({ snapshotDays }: Config): Rules {
  return { ...RULES, snapshotMs: snapshotDays * DAY_MS }
}

/** The lake process that merges and writes checkpoints; it starts with its first job. */
export function openUpkeepLake(scratchDir: string, logger: Logger): Promise<Lake> {
  return openLake({ scratchDir: join(scratchDir, 'upkeep'), logger, ...ENGINE })
}

/** Starts to look after the lake. What must be closed is put on `opened`, to be closed in reverse. */
export async function startUpkeep(options: UpkeepOptions, opened: (() => Promise<void>)[]): Promise<void> {
  const { config, store, blobs, logger, now: clock, scratchDir, isActive } = options
  const lake = await openUpkeepLake(scratchDir, logger)
  opened.push(() => lake.close())
  const shared = { store, blobs, lake, logger, isActive }
  const delta = startDelta(shared)
  opened.push(() => delta.stop())
  const compactor = startCompactor({ ...shared, clock, sizes: sizesOf(config), rules: rulesOf(config) })
  opened.push(() => compactor.stop())
}
