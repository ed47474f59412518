/** Looks at a data folder without changing it: for `doctor`, whether or not a server runs. */
import { stat, statfs } from 'node:fs/promises'
import { openBlobs } from '#services/blobs/open.ts'
import type { Config } from '#services/config.ts'
import { lockFolder } from '#services/folder-lock.ts'
import { silent } from '#services/logger.ts'
import { openLogReader } from '#services/log/open.ts'
import type { Bounds } from '#services/log/log.ts'
import { Problem } from '#services/problem.ts'
import { leftAs } from '#services/store/boot.ts'
import { dataFormat } from './data-folder.ts'

export interface Inspection {
  /** The format of the data folder; undefined where it is new. */
  readonly format: number | undefined
  /** Free bytes on the disk of the data folder. */
  readonly freeBytes: number | undefined
  readonly log: { readonly id: string; readonly bounds: readonly Bounds[] } | undefined
  /** How a folder was left, or the version of a Postgres. */
  readonly store: ReturnType<typeof leftAs> | `Postgres ${string}` | 'not reached'
  /** Who holds the store, where somebody does. */
  readonly storeHeldBy: string | undefined
  readonly blobs: 'new' | 'there' | 'not reached'
  /** What is wrong. */
  readonly problems: readonly Problem[]
}

/** Looks. Never throws: what goes wrong is among the problems. */
export async function inspectDataFolder(config: Config, now: Date): Promise<Inspection> {
  const problems: Problem[] = []
  const tried = async <Result>(work: () => Promise<Result>): Promise<Result | undefined> => {
    try {
      return await work()
    } catch (error) {
      problems.push(error instanceof Problem ? error : new Problem('internal', String(error), { cause: error }))
      return undefined
    }
  }
  const isThere = async (path: string): Promise<boolean> =>
    stat(path).then(
      () => true,
      () => false,
    )
  const format = await tried(() => dataFormat(config.dataDir))
  const log =
    config.log.kind === 'kafka' || (await isThere(config.log.folder)) ? await tried(() => boundsOf(config)) : undefined
  await tried(() => topicState(config, problems))
  return {
    format,
    freeBytes: await freeBytes(config.dataDir),
    log,
    store: (await tried(() => storeState(config))) ?? 'not reached',
    storeHeldBy:
      config.store.kind === 'pglite' && (await isThere(config.store.folder))
        ? holder(config.store.folder, now)
        : undefined,
    blobs: (await tried(() => blobsState(config, problems))) ?? 'not reached',
    problems,
  }
}

/** How the topic is set, as far as that endangers what is promised. */
async function topicState({ log }: Config, problems: Problem[]): Promise<void> {
  if (log.kind !== 'kafka') return
  const { topicProblems, topicSettings } = await import('#services/log/kafka-settings.ts')
  problems.push(...topicProblems(await topicSettings(log.url)))
}

async function storeState({ store }: Config): Promise<Inspection['store']> {
  if (store.kind === 'pglite') return leftAs(store.folder)
  const { postgresVersion } = await import('#services/store/postgres.ts')
  return `Postgres ${await postgresVersion({ url: store.url, logger: silent })}`
}

async function blobsState({ blobs: place }: Config, problems: Problem[]): Promise<'new' | 'there'> {
  if (place.kind === 'directory') {
    return stat(place.folder).then(
      () => 'there',
      () => 'new',
    )
  }
  const blobs = await openBlobs(place)
  await blobs.close()
  if (blobs.conditionalPuts === false) {
    problems.push(
      new Problem('conflict', 'the object store does not keep If-None-Match on puts', {
        hint: 'nothing is lost by that, but two servers on one bucket have one guard less: use a store that keeps it, such as S3 or MinIO',
      }),
    )
  }
  return 'there'
}

async function boundsOf(config: Config): Promise<{ id: string; bounds: readonly Bounds[] }> {
  const log = await openLogReader(config.log)
  try {
    return { id: log.id, bounds: await log.bounds() }
  } finally {
    await log.close()
  }
}

function holder(folder: string, now: Date): string | undefined {
  try {
    lockFolder(folder, now)()
    return undefined
  } catch (error) {
    return error instanceof Problem ? error.message : String(error)
  }
}

/** Of the folder, or of the nearest one above it that is there. */
async function freeBytes(folder: string): Promise<number | undefined> {
  for (let path = folder; ; path = path.slice(0, Math.max(1, path.lastIndexOf('/')))) {
    const found = await statfs(path).catch(() => undefined)
    if (found !== undefined) return found.bavail * found.bsize
    if (path === '/' || !path.includes('/')) return undefined
  }
}
