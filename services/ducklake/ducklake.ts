/**
 * Frozen DuckLake catalogs of the lake, one file for a snapshot and a version of the format: what DuckDB attaches in one
 * line, with every snapshot up to it. Made when first asked for, then kept: the same URL gives the same bytes for ever.
 */
import { createHash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { Blobs } from '#services/blobs/blobs.ts'
import type { CopyRequest, CopyResult } from '#services/lake/jobs.ts'
import { Problem } from '#services/problem.ts'
import type { Store } from '#services/store/store.ts'
import { catalogJob, type CatalogRequest, writeLines } from './catalog-file.ts'

export { CATALOG_VERSIONS, type CatalogVersion } from './metadata-tables.ts'

/** A catalog that is kept. */
export interface DuckLakeFile {
  /** The blob key. */
  readonly object: string
  readonly bytes: number
  readonly sha256: string
}

export interface DuckLakes {
  /** The catalog of a published snapshot. Throws `too_many` where others wait already, and what the lake process throws. */
  file(request: CatalogRequest): Promise<DuckLakeFile>
}

export interface DuckLakesOptions {
  readonly store: Store
  readonly blobs: Blobs
  /** Runs SQL in the lake process. */
  readonly runCopy: (request: CopyRequest) => Promise<CopyResult>
  /** A folder of its own for files that are being written. */
  readonly scratchDir: string
}

/** How many may wait for theirs to be made, one at a time. */
const WAITING_MAX = 32
/** How many are remembered without asking blobs. */
const KNOWN_MAX = 256

export function duckLakes(options: DuckLakesOptions): DuckLakes {
  const known = new Map<string, DuckLakeFile>()
  const making = new Map<string, Promise<DuckLakeFile>>()
  let last: Promise<unknown> = Promise.resolve()

  async function found(key: string): Promise<DuckLakeFile | undefined> {
    const bytes = await options.blobs.get(key)
    return bytes === undefined ? undefined : (JSON.parse(new TextDecoder().decode(bytes)) as DuckLakeFile)
  }

  async function fileOf(request: CatalogRequest, key: string): Promise<DuckLakeFile> {
    const kept = await found(key)
    if (kept !== undefined) return kept
    const turn = last.then(() => make(options, request, key))
    last = turn.catch(() => undefined)
    return turn
  }

  return {
    file: async (request) => {
      const key = recordKey(request)
      const remembered = known.get(key)
      if (remembered !== undefined) return remembered
      const under = making.get(key)
      if (under !== undefined) return under
      if (making.size >= WAITING_MAX)
        throw new Problem('too_many', `${WAITING_MAX} catalogs wait to be made already`, {
          hint: 'ask again when some of them are done',
          retryAfterSeconds: 2,
        })
      const made = fileOf(request, key).finally(() => making.delete(key))
      making.set(key, made)
      const file = await made
      known.set(key, file)
      const [oldest] = known.keys()
      if (known.size > KNOWN_MAX && oldest !== undefined) known.delete(oldest)
      return file
    },
  }
}

const FOLDER = 'ducklake/'

/** Where it is kept which bytes a request stands for. The catalog names our URLs, so another base is another catalog. */
function recordKey({ snapshotId, version, filesUrl }: CatalogRequest): string {
  const hash = createHash('sha256').update(JSON.stringify([snapshotId, version, filesUrl]))
  return `${FOLDER}${hash.digest('hex')}.json`
}

async function make(
  { store, blobs, runCopy, scratchDir }: DuckLakesOptions,
  request: CatalogRequest,
  key: string,
): Promise<DuckLakeFile> {
  await mkdir(scratchDir, { recursive: true })
  const folder = await mkdtemp(join(scratchDir, 'catalog-'))
  try {
    const path = join(folder, 'made.ducklake')
    const lines = await writeLines(store.db, request, folder)
    // An attempt that was broken off may have left its database open, so each has a name of its own.
    await runCopy(catalogJob(request.version, lines, { alias: `made_${randomBytes(6).toString('hex')}`, path }))
    const { size } = await stat(path)
    const hash = createHash('sha256')
    await pipeline(createReadStream(path), hash)
    const sha256 = hash.digest('hex')
    const file: DuckLakeFile = { object: `${FOLDER}${sha256}.ducklake`, bytes: size, sha256 }
    await blobs.put(file.object, { file: path }, { ifAbsent: true })
    const { created } = await blobs.put(key, new TextEncoder().encode(JSON.stringify(file)), { ifAbsent: true })
    if (created) return file
    // Another server was faster, and its bytes are the ones that stay.
    return JSON.parse(new TextDecoder().decode(await blobs.get(key))) as DuckLakeFile
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
