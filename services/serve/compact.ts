/** Merges and sweeps the lake once, by a process of its own: beside a running server where the store lets several in. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { publish } from '#services/archive/commit.ts'
import { restoreCatalog } from '#services/archive/restore.ts'
import { openBlobs } from '#services/blobs/open.ts'
import { candidates, mergeAll, type Merged } from '#services/compact/merge.ts'
import { planMerges } from '#services/compact/plan.ts'
import { sweep, type Swept } from '#services/compact/sweep.ts'
import type { Config } from '#services/config.ts'
import { publishDelta } from '#services/delta/publisher.ts'
import type { Logger } from '#services/logger.ts'
import { openStore } from '#services/store/open.ts'
import { openUpkeepLake, rulesOf, sizesOf } from './upkeep.ts'

export interface CompactOptions {
  readonly config: Config
  readonly logger: Logger
  readonly clock: () => Date
  readonly signal: AbortSignal
  /** Merge neighbours however few and new they are. */
  readonly everything: boolean
  /** Only say what would be merged. */
  readonly isDry: boolean
  readonly onMerged: (merged: Merged) => void
}

export interface Compacted {
  readonly merged: readonly Merged[]
  /** Null where nothing was to be changed. */
  readonly swept: Swept | null
  readonly files: number
  readonly bytes: number
}

/** Throws `store_in_use` where the store is a folder that a server has open, and what the parts throw. */
export async function compactOnce(options: CompactOptions): Promise<Compacted> {
  const { config, logger, clock, signal, everything, isDry, onMerged } = options
  const opened: (() => Promise<void>)[] = []
  try {
    const store = await openStore(config.store, { logger, clock, onDoubt: () => {} })
    opened.push(() => store.close())
    const blobs = await openBlobs(config.blobs)
    opened.push(() => blobs.close())
    // A folder of its own: a server may be at work in the other one.
    await mkdir(config.dataDir, { recursive: true })
    const scratchDir = await mkdtemp(join(config.dataDir, 'compact-'))
    opened.push(() => rm(scratchDir, { recursive: true, force: true }))
    const lake = await openUpkeepLake(scratchDir, logger)
    opened.push(() => lake.close())
    const world = { store, blobs, lake, logger, clock: () => clock().getTime() }
    const sizes = sizesOf(config)
    if (isDry) {
      const merges = planMerges(await candidates(world), sizes, world.clock(), { everything })
      const merged = merges.map(({ table, dt, files, bytes }) => ({
        table,
        dt,
        files: files.length,
        bytes_before: bytes,
        bytes_after: bytes,
        snapshot_id: null,
      }))
      return { merged, swept: null, ...totalOf(await candidates(world)) }
    }
    await restoreCatalog(store, blobs)
    await publish(store, blobs)
    const merged = await mergeAll(world, sizes, signal, { everything, onMerged })
    await publishDelta(world, signal)
    const swept = await sweep(world, rulesOf(config))
    return { merged, swept, ...totalOf(await candidates(world)) }
  } finally {
    for (let step = opened.pop(); step !== undefined; step = opened.pop()) await step()
  }
}

function totalOf(files: readonly { readonly bytes: number }[]): { files: number; bytes: number } {
  return { files: files.length, bytes: files.reduce((sum, { bytes }) => sum + bytes, 0) }
}
