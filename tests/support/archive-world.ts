/**
 * Everything around an archive, with ways to look at the lake that it writes: in memory and a temporary folder, or, where
 * the tests run on a stack, with its catalog in a real Postgres and its files in a real S3.
 */
import { createHash, randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeDatabase, postgresUrl } from '#infra/local/postgres.ts'
import { LAKE_TABLE_NAMES, LAKE_TABLES, type LakeTableName } from '#schemas/lake.ts'
import { startArchive, type Archive, type ArchiveOptions } from '#services/archive/archive.ts'
import type { Blobs } from '#services/blobs/blobs.ts'
import { directoryBlobs } from '#services/blobs/directory.ts'
import { filesAt } from '#services/lake/catalog.ts'
import { sqlText } from '#services/lake/engine.ts'
import type { Lake } from '#services/lake/lake.ts'
import { silent } from '#services/logger.ts'
import type { Offsets } from '#services/position.ts'
import { emptyStore } from '#services/project/doubt.ts'
import { startProject, type Project } from '#services/project/project.ts'
import { postgresStore } from '#services/store/postgres.ts'
import type { Store } from '#services/store/store.ts'
import { inProcessLake } from './in-process-lake.ts'
import { lentStore } from './lent-store.ts'
import { memoryLog, type MemoryLog } from './memory-log.ts'
import { s3Bucket } from './s3-bucket.ts'
import { stack } from './stack.ts'

export interface Running {
  readonly project: Project
  readonly archive: Archive
  stop(): Promise<void>
}

/** What a table holds at a snapshot. */
export interface Held {
  readonly n: number
  readonly distinctKeys: number
  readonly digest: unknown
}

/** Where catalog and files of a world are. */
interface Place {
  readonly store: Store
  /** Blobs that nothing was put into. */
  blobs(): Promise<Blobs>
  close(): Promise<void>
}

async function placeOf(folder: string): Promise<Place> {
  if (stack === undefined) {
    const store = await lentStore()
    let nth = 0
    return {
      store,
      blobs: () => directoryBlobs({ folder: join(folder, `blobs-${nth++}`) }),
      close: () => store.close(),
    }
  }
  const database = `archive_${randomUUID().replaceAll('-', '')}`
  await makeDatabase(stack.postgres, database)
  const store = await postgresStore({
    url: postgresUrl(stack.postgres, 'stepstore_owner', database),
    logger: silent,
  })
  const bucket = await s3Bucket()
  return {
    store,
    blobs: () => bucket.open(),
    close: async () => {
      await store.close()
      await bucket.close()
    },
  }
}

const COUNTED = ['steps', 'scores', 'annotations', 'metrics', 'items', 'runs', 'images'] as const

export class ArchiveWorld {
  readonly folder: string
  readonly store: Store
  log: MemoryLog = memoryLog()
  blobs: Blobs
  readonly #place: Place
  /** What files of a table hold, by the hash of their bytes: most are looked at once more after every change. */
  readonly #held = new Map<string, Held>()
  #lake: Lake | undefined

  private constructor(folder: string, place: Place, blobs: Blobs) {
    this.folder = folder
    this.store = place.store
    this.blobs = blobs
    this.#place = place
  }

  static async open(): Promise<ArchiveWorld> {
    const folder = await mkdtemp(join(tmpdir(), 'stepstore-archive-'))
    const place = await placeOf(folder)
    const world = new ArchiveWorld(folder, place, await place.blobs())
    world.#lake = await inProcessLake(join(folder, 'scratch'), () => world.log)
    return world
  }

  get lake(): Lake {
    if (this.#lake === undefined) throw new Error('not open')
    return this.#lake
  }

  /** Starts again with nothing. */
  async clear(): Promise<void> {
    await emptyStore(this.store)
    // Snapshots are numbered anew, so a reader of an earlier life would hold others.
    await this.store.db.deleteFrom('lake_readers').execute()
    this.log = memoryLog()
    this.blobs = await this.#place.blobs()
  }

  async close(): Promise<void> {
    await this.lake.close()
    await this.#place.close()
    await rm(this.folder, { recursive: true, force: true })
  }

  /** Starts project and archive, which cuts when it is asked to. */
  async run(more: Partial<ArchiveOptions> = {}): Promise<Running> {
    const { log, store, blobs, lake } = this
    const project = await startProject({ log, store, logger: silent })
    try {
      const archive = await startArchive({
        log,
        store,
        blobs,
        lake,
        project,
        logger: silent,
        clock: () => Date.now(),
        logPlace: { kind: 'lmdb', folder: '' },
        cutEveryMs: 3_600_000,
        reachEveryMs: 0,
        ...more,
      })
      const stop = async (): Promise<void> => {
        await archive.stop()
        await project.stop()
      }
      return { project, archive, stop }
    } catch (error) {
      await project.stop()
      throw error
    }
  }

  /** The end of every partition. */
  async ends(): Promise<Offsets> {
    return new Map((await this.log.bounds()).map(({ end }, partition) => [partition, end]))
  }

  async tableAt(table: LakeTableName, snapshotId: number): Promise<Held> {
    const files = await filesAt(this.store.db, table, snapshotId)
    if (files.length === 0) return { n: 0, distinctKeys: 0, digest: null }
    const paths = await Promise.all(files.map((file) => this.blobs.localPath(file.path)))
    const hash = createHash('sha256').update(table)
    for (const path of paths) hash.update(createHash('sha256').update(readFileSync(path)).digest())
    const bytes = hash.digest('hex')
    const known = this.#held.get(bytes)
    if (known !== undefined) return known
    const key = LAKE_TABLES[table].key.map((name) => `t."${name}"`).join(', ')
    const sql = `select count(*) as n, count(distinct row(${key})) as "distinctKeys", md5(string_agg(t::varchar, chr(10) order by ${key})) as digest
      from read_parquet([${paths.map(sqlText).join(', ')}], hive_partitioning = false) t`
    const held = (await this.lake.run('rows', { sql, rowsMax: 1 })).rows[0] as unknown as Held
    this.#held.set(bytes, held)
    return held
  }

  async lakeAt(snapshotId: number): Promise<Record<LakeTableName, Held>> {
    const tables: Partial<Record<LakeTableName, Held>> = {}
    for (const table of LAKE_TABLE_NAMES) tables[table] = await this.tableAt(table, snapshotId)
    return tables as Record<LakeTableName, Held>
  }

  /** How many rows the lake should have, by what the store says. */
  async storeCounts(): Promise<Record<(typeof COUNTED)[number] | 'trajectories', number>> {
    const { db } = this.store
    const counts: Record<string, number> = {}
    for (const table of COUNTED) counts[table] = (await db.selectFrom(table).selectAll().execute()).length
    const finished = db.selectFrom('trajectories').select('trajectory_id').where('finished_offset', 'is not', null)
    counts['trajectories'] = (await finished.execute()).length
    return counts as Record<(typeof COUNTED)[number] | 'trajectories', number>
  }

  /** The catalog and archive's cursor. */
  async catalog(): Promise<Record<string, readonly unknown[]>> {
    const { db } = this.store
    const cursors = db.selectFrom('cursors').select(['partition', 'next_offset']).where('projection', '=', 'archive')
    return {
      snapshots: await db.selectFrom('snapshots').selectAll().orderBy('snapshot_id').execute(),
      files: await db.selectFrom('data_files').selectAll().orderBy('path').execute(),
      cursor: await cursors.orderBy('partition').execute(),
    }
  }
}
