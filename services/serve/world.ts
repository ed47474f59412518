/** Everything but the front: store, project, archive, datasets and query over a log and blobs, wired in one place. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { lakeEngine } from '#services/analytics/lake-rows.ts'
import type { LakeTableName } from '#schemas/lake.ts'
import type { Blobs } from '#services/blobs/blobs.ts'
import type { Config } from '#services/config.ts'
import { datasets, type DatasetCatalog, type Datasets } from '#services/datasets/datasets.ts'
import { duckLakes } from '#services/ducklake/ducklake.ts'
import { type DataFile, filePathsAt, filesAt, newestSnapshot, snapshotById } from '#services/lake/catalog.ts'
import { lakeRecords, lakeRecordsFrom } from '#services/lake/history.ts'
import { openLake, type Lake } from '#services/lake/lake.ts'
import { snapshotLeases } from '#services/lake/readers.ts'
import type { Log } from '#services/log/log.ts'
import { withHistory } from '#services/log/with-history.ts'
import type { Logger } from '#services/logger.ts'
import { policiesTrainedOn } from '#services/query/rows/policy-rows.ts'
import { queryApp, statusApp } from '#services/query/app.ts'
import type { QueryDeps } from '#services/query/deps.ts'
import { openSql } from '#services/sql/sql.ts'
import { leftAs } from '#services/store/boot.ts'
import { openStore } from '#services/store/open.ts'
import type { Store } from '#services/store/store.ts'
import { verify } from '#services/verify/verify.ts'
import type { RebuildReport } from './core-messages.ts'
import { verifySource } from './verify-source.ts'
import { startWorkers, type Workers } from './workers.ts'

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
  /** How far project is, wherever it runs. */
  readonly project: Workers['project']
  /** Stops archive and project at a batch boundary, then closes the store. */
  close(): Promise<void>
}

/** One process of DuckDB writes cuts and another makes datasets, so that a heavy dataset holds up no cut. */
const CUTS = { threads: 2, memoryLimitMb: 512 }
const DATASETS = { threads: 2, memoryLimitMb: 1024 }

/** A batch of the lake's own record of events, where the log no longer holds them. */
const HISTORY = { recordsMax: 2_000 }

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
  const cuts = await openLake({ scratchDir: join(scratchDir, 'cuts'), logger, ...CUTS })
  opened.push(() => cuts.close())
  // The first cut comes within seconds, and the process is there by the time that the store is open.
  if (config.programs.includes('archive')) cuts.start()
  let doubt = await lostStore(config, log)
  const store = await openStore(config.store, {
    logger,
    clock,
    onDoubt: (reason) => {
      doubt = reason
    },
  })
  opened.push(() => store.close())
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
  const { project, archive } = await startWorkers(
    { config, log, whole, store, blobs, cuts, scratchDir, logger, now, onRebuild, doubt },
    opened,
  )
  const deps: QueryDeps = { store, log, blobs, project, archive, logger, publicUrl, clock: now, key: config.key }
  if (!config.programs.includes('query')) {
    const app = statusApp(deps, config.programs)
    return { fetch: (request) => app.fetch(request), store, project, close }
  }
  const app = await reading(options, { deps, whole, lake }, opened)
  return { fetch: (request) => app.fetch(request), store, project, close }
}

interface ReadingParts {
  readonly deps: QueryDeps
  /** The log with what it has lost and the lake still has. */
  readonly whole: Log
  readonly lake: Lake
}

/** Everything that answers reads. */
async function reading(
  { config, logger, publicUrl, scratchDir }: WorldOptions,
  { deps, whole, lake }: ReadingParts,
  opened: (() => Promise<void>)[],
): Promise<ReturnType<typeof queryApp>> {
  const { store, blobs, archive, clock } = deps
  // Whoever asks for the files of a snapshot reads them: nothing of it is swept meanwhile.
  const leases = snapshotLeases({ store, logger, clock })
  const heldFilesAt: FilesAt = async (table, id) => {
    await leases.hold(id)
    return filesAt(store.db, table, id)
  }
  const builtDir = join(scratchDir, 'built')
  await mkdir(builtDir, { recursive: true })
  const made: Datasets = datasets({
    blobs,
    isTrainedOn: async (manifest) => (await policiesTrainedOn(store.db, made.recipes, manifest)).length > 0,
    catalog: catalogOf(store, heldFilesAt),
    reach: (offsets, timeoutMs, signal) => archive.reach(offsets, timeoutMs, signal),
    runCopy: ({ write, ...request }, copyOptions) =>
      lake.copy(write === undefined ? request : { ...request, write: { ...write, blobs: config.blobs } }, copyOptions),
    logger,
    publicUrl,
    clock,
    scratchDir: builtDir,
  })
  opened.push(() => made.close())
  const source = verifySource({ log: whole, store, blobs, lake, archive })
  const sql = await openSql({
    blobs,
    filesAt: async (tables, id) => {
      await leases.hold(id)
      return filePathsAt(store.db, tables, id)
    },
    folder: join(scratchDir, 'sql'),
    logger,
  })
  opened.push(() => sql.close())
  return queryApp({
    ...deps,
    datasets: made,
    lakeRecords: (places) => lakeRecords({ db: store.db, blobs, lake }, places),
    duckLakes: duckLakes({
      store,
      blobs,
      runCopy: (request) => lake.copy(request),
      scratchDir: join(scratchDir, 'catalogs'),
    }),
    verify: () => verify(source),
    engine: lakeEngine(lake),
    sql,
  })
}

/** A store that is not there although the log holds records was lost; what is folded then is a rebuild like any other. */
async function lostStore({ store }: Config, log: Log): Promise<string | undefined> {
  // Of a Postgres, project itself sees that it is empty.
  const isNew = store.kind === 'pglite' && leftAs(store.folder) === 'new'
  return isNew && (await log.bounds()).some(({ end }) => end > 0) ? 'it was not there' : undefined
}

/** The files of a table at a snapshot. */
type FilesAt = (table: LakeTableName, snapshotId: number) => Promise<DataFile[]>

/** What datasets need to know of the catalog. */
function catalogOf({ db }: Store, filesOf: FilesAt): DatasetCatalog {
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
    filesAt: filesOf,
  }
}
