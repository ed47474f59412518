/** Makes the store's rows or the lake's catalog again: of a Postgres beside running servers, of a PGlite with none. */
import { mkdtemp, mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { restoreCatalog } from '#services/archive/restore.ts'
import { openBlobs } from '#services/blobs/open.ts'
import { lakeRecordsFrom } from '#services/lake/history.ts'
import { openLogReader } from '#services/log/open.ts'
import { withHistory } from '#services/log/with-history.ts'
import type { Blobs } from '#services/blobs/blobs.ts'
import { jsonLogger, type Logger } from '#services/logger.ts'
import type { Offsets } from '#services/position.ts'
import { Problem } from '#services/problem.ts'
import { emptyProjections } from '#services/project/doubt.ts'
import { openStore } from '#services/store/open.ts'
import { dataFormat } from './data-folder.ts'
import { openGround } from './ground.ts'
import type { ServeOptions } from './main.ts'
import { openScratch } from './scratch.ts'
import { rebuildBeside, type RebuiltBeside, rollBack } from './rebuild-beside.ts'
import { openUpkeepLake } from './upkeep.ts'
import { openWorld } from './world.ts'

export interface Rebuilt {
  /** Records of the log that the store now includes. */
  readonly records: number
  readonly snapshots: number
}

/** A rebuild that makes no progress for this long has failed. */
const STUCK_MS = 120_000

/** Rebuilds. Throws `not_found` where there is no data, `store_in_use` where another process has it. */
export async function rebuildOffline(what: 'projection' | 'catalog', options: ServeOptions): Promise<Rebuilt> {
  const { config, write, clock } = options
  if ((await dataFormat(config.dataDir)) === undefined) {
    throw new Problem('not_found', `there is no data in ${config.dataDir}`, {
      hint: 'set DATA_DIR to the folder whose store is to be rebuilt',
    })
  }
  const logger = jsonLogger({ program: 'rebuild', level: config.logLevel, write, now: clock })
  const ground = await openGround(config, { logger, clock })
  const { log, blobs } = ground
  try {
    await emptied(what, options, logger, blobs)
    const scratch = await openScratch(config, clock())
    const world = await openWorld({
      config,
      log,
      blobs,
      logger,
      clock,
      publicUrl: config.url,
      scratchDir: scratch.folder,
      onRebuild: options.onRebuild,
    })
    try {
      const ends: Offsets = new Map((await log.bounds()).map(({ end }, partition) => [partition, end]))
      await folded(world, ends, options)
      const { n } = await world.store.db
        .selectFrom('snapshots')
        .select((select) => select.fn.countAll<string>().as('n'))
        .executeTakeFirstOrThrow()
      return { records: sum(world.project.offsets), snapshots: Number(n) }
    } finally {
      await world.close()
      await scratch.close()
    }
  } finally {
    await ground.close()
  }
}

/** Records of one read of the lake. */
const HISTORY = { recordsMax: 2_000 }

/** Makes the rows of a Postgres again while servers run. Throws as `rebuildBeside` does. */
export async function rebuildOnline(
  options: ServeOptions & {
    readonly what: 'rebuild' | 'compare' | 'roll back'
    readonly signal: AbortSignal
  },
): Promise<RebuiltBeside | undefined> {
  const { config, write, clock, what, signal, onRebuild } = options
  if (config.store.kind !== 'postgres')
    throw new Problem('internal', 'only rows in a Postgres are made again beside others')
  const logger = jsonLogger({ program: 'rebuild', level: config.logLevel, write, now: clock })
  const opened: (() => Promise<void>)[] = []
  try {
    const live = await openStore(config.store, { logger, clock, onDoubt: () => {} })
    opened.push(() => live.close())
    if (what === 'roll back') {
      await rollBack(live)
      return undefined
    }
    const log = await openLogReader(config.log)
    opened.push(() => log.close())
    const blobs = await openBlobs(config.blobs)
    opened.push(() => blobs.close())
    await restoreCatalog(live, blobs)
    await mkdir(config.dataDir, { recursive: true })
    const scratchDir = await mkdtemp(join(config.dataDir, 'rebuild-'))
    opened.push(() => rm(scratchDir, { recursive: true, force: true }))
    const lake = await openUpkeepLake(scratchDir, logger)
    opened.push(() => lake.close())
    const reader = { db: live.db, blobs, lake }
    const made = await rebuildBeside({
      url: config.store.url,
      live,
      log: withHistory(log, (partition, fromOffset) => lakeRecordsFrom(reader, partition, fromOffset, HISTORY)),
      logger,
      signal,
      isDry: what === 'compare',
      // It is done once the tables are swapped, not when the last record is folded.
      onProgress: (folded, total) => onRebuild({ reason: 'asked for', folded: Math.min(folded, total - 1), total }),
    })
    onRebuild({ reason: 'asked for', folded: made.records, total: made.records })
    return made
  } finally {
    for (let step = opened.pop(); step !== undefined; step = opened.pop()) await step()
  }
}

/** Empties what is to be made again; the catalog is restored at once from its records in blobs. */
async function emptied(
  what: 'projection' | 'catalog',
  { config, clock }: ServeOptions,
  logger: Logger,
  blobs: Blobs,
): Promise<void> {
  const store = await openStore(config.store, { logger, clock, onDoubt: () => {} })
  try {
    if (what === 'projection') return await emptyProjections(store)
    await store.transaction(async ({ db }) => {
      await db.deleteFrom('data_files').execute()
      await db.deleteFrom('snapshots').execute()
      await db.deleteFrom('cursors').where('projection', '=', 'archive').execute()
    })
    await restoreCatalog(store, blobs)
  } finally {
    await store.close()
  }
}

interface Folding {
  readonly project: {
    readonly offsets: Offsets
    readonly failing?: string | undefined
    waitFor(want: Offsets, timeoutMs: number): Promise<boolean>
  }
}

async function folded({ project }: Folding, ends: Offsets, { onRebuild }: ServeOptions): Promise<void> {
  const total = sum(ends)
  let last = -1
  let lastMoved = performance.now()
  while (!(await project.waitFor(ends, 250))) {
    const now = sum(project.offsets)
    if (now !== last) lastMoved = performance.now()
    last = now
    onRebuild({ reason: 'asked for', folded: Math.min(now, total - 1), total })
    if (performance.now() - lastMoved > STUCK_MS)
      throw new Problem('internal', `the rebuild does not move: ${project.failing ?? 'no reason is known'}`)
  }
  onRebuild({ reason: 'asked for', folded: total, total })
}

const sum = (offsets: Offsets): number => [...offsets.values()].reduce((all, offset) => all + offset, 0)
