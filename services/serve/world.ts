/** Everything but the front: store, project, archive, datasets and query over a log and blobs, wired in one place. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { startArchive, type Archive } from '#services/archive/archive.ts'
import type { Blobs } from '#services/blobs/blobs.ts'
import type { Config } from '#services/config.ts'
import { datasets, type DatasetCatalog } from '#services/datasets/datasets.ts'
import { filesAt, newestSnapshot, snapshotById } from '#services/lake/catalog.ts'
import { sqlText } from '#services/lake/engine.ts'
import { lakeRecords, lakeRecordsFrom } from '#services/lake/history.ts'
import { openLake, type Lake } from '#services/lake/lake.ts'
import type { Log } from '#services/log/log.ts'
import { withHistory } from '#services/log/with-history.ts'
import type { Logger } from '#services/logger.ts'
import { Problem } from '#services/problem.ts'
import { startProject, type Project } from '#services/project/project.ts'
import { queryApp } from '#services/query/app.ts'
import { leftAs } from '#services/store/boot.ts'
import { openStore } from '#services/store/open.ts'
import type { Store } from '#services/store/store.ts'
import { verify, type VerifySource } from '#services/verify/verify.ts'
import type { RebuildReport } from './core-messages.ts'

export interface WorldOptions {
  readonly config: Config
  readonly log: Log
  readonly blobs: Blobs
  readonly logger: Logger
  readonly clock: () => Date
  /** The base of the URLs that are handed out. */
  readonly publicUrl: string
  /** A folder for files that are being made; safe to delete while nothing runs. */
  readonly scratchDir: string
  readonly onRebuild: (progress: RebuildReport) => void
}

export interface World {
  readonly fetch: (request: Request) => Response | Promise<Response>
  readonly store: Store
  readonly project: Project
  readonly archive: Archive
  /** Stops archive and project at a batch boundary, then closes the store. */
  close(): Promise<void>
}

/** One process of DuckDB writes cuts and another makes datasets, so that a heavy dataset holds up no cut. */
const CUTS = { threads: 2, memoryLimitMb: 512 }
const DATASETS = { threads: 2, memoryLimitMb: 1024 }

/** A batch of the lake's own record of events, where the log no longer holds them. */
const HISTORY = { recordsMax: 2_000 }
/** Verify asks for hashes and differences, never for whole tables; more than this is a fault of ours. */
const VERIFY_ROWS_MAX = 1_000_000
const VERIFY_WAIT_MS = 120_000

/** Opens everything. Throws what the parts throw, with what was opened closed again. */
export async function openWorld(options: WorldOptions): Promise<World> {
  const opened: (() => Promise<void>)[] = []
  const close = async (): Promise<void> => {
    for (let step = opened.pop(); step !== undefined; step = opened.pop()) await step()
  }
  try {
    return await wired(options, opened, close)
  } catch (error) {
    await close()
    throw error
  }
}

async function wired(
  options: WorldOptions,
  opened: (() => Promise<void>)[],
  close: () => Promise<void>,
): Promise<World> {
  const { config, log, blobs, logger, clock, publicUrl, scratchDir, onRebuild } = options
  const now = (): number => clock().getTime()
  let doubt = await lostStore(config, log)
  const store = await openStore(config.store, {
    logger,
    clock,
    onDoubt: (reason) => {
      doubt = reason
    },
  })
  opened.push(() => store.close())
  const cuts = await openLake({ scratchDir: join(scratchDir, 'cuts'), logger, ...CUTS })
  opened.push(() => cuts.close())
  const lake = await openLake({ scratchDir: join(scratchDir, 'datasets'), logger, ...DATASETS })
  opened.push(() => lake.close())
  // Asked for anew each time: inside a transaction the store gives that.
  const reader = {
    get db() {
      return store.db
    },
    blobs,
    lake,
  }
  // What the log has lost the lake may still have.
  const whole = withHistory(log, (partition, fromOffset) => lakeRecordsFrom(reader, partition, fromOffset, HISTORY))
  const project = await startProject({ log: whole, store, logger, onRebuild, doubt })
  opened.push(() => project.stop())
  const archive = await startArchive({
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
  const builtDir = join(scratchDir, 'built')
  await mkdir(builtDir, { recursive: true })
  const made = datasets({
    blobs,
    catalog: catalogOf(store),
    reach: (offsets, timeoutMs, signal) => archive.reach(offsets, timeoutMs, signal),
    runCopy: (request, copyOptions) => lake.copy(request, copyOptions),
    logger,
    clock: now,
    scratchDir: builtDir,
  })
  opened.push(() => made.close())
  const source = verifySource({ log: whole, store, blobs, lake, archive })
  const app = queryApp({
    store,
    log,
    blobs,
    project,
    archive,
    logger,
    publicUrl,
    clock: now,
    datasets: made,
    lakeRecords: (places) => lakeRecords(reader, places),
    verify: () => verify(source),
    key: config.key,
  })
  return { fetch: (request) => app.fetch(request), store, project, archive, close }
}

/** A store that is not there although the log holds records was lost; what is folded then is a rebuild like any other. */
async function lostStore({ store }: Config, log: Log): Promise<string | undefined> {
  // Of a Postgres, project itself sees that it is empty.
  const isNew = store.kind === 'pglite' && leftAs(store.folder) === 'new'
  return isNew && (await log.bounds()).some(({ end }) => end > 0) ? 'it was not there' : undefined
}

/** What datasets need to know of the catalog. */
function catalogOf({ db }: Store): DatasetCatalog {
  return {
    newest: () => newestSnapshot(db),
    byId: (id) => snapshotById(db, id),
    oldestId: async () =>
      (
        await db
          .selectFrom('snapshots')
          .select('snapshot_id')
          .where('published', '=', true)
          .orderBy('snapshot_id')
          .limit(1)
          .executeTakeFirst()
      )?.snapshot_id,
    filesAt: (table, id) => filesAt(db, table, id),
  }
}

interface VerifyParts {
  readonly log: Log
  readonly store: Store
  readonly blobs: Blobs
  readonly lake: Lake
  readonly archive: Archive
}

function verifySource({ log, store, blobs, lake, archive }: VerifyParts): VerifySource {
  return {
    log,
    store,
    blobs,
    reach: (offsets) => archive.reach(offsets, VERIFY_WAIT_MS),
    filesAt: (snapshotId) =>
      store.db
        .selectFrom('data_files')
        .selectAll()
        .where('begin_snapshot', '<=', snapshotId)
        .where((where) => where.or([where('end_snapshot', 'is', null), where('end_snapshot', '>', snapshotId)]))
        .orderBy('path')
        .execute(),
    query: async (paths, statement) => {
      const sql = statement(
        `read_parquet([${paths.map(sqlText).join(', ')}], union_by_name = true, hive_partitioning = false)`,
      )
      const { rows, cut } = await lake.run('rows', { sql, rowsMax: VERIFY_ROWS_MAX })
      if (cut) throw new Problem('internal', `verify asked the lake for more than ${VERIFY_ROWS_MAX} rows`)
      return rows.map((row) => ({ ...row }))
    },
  }
}
