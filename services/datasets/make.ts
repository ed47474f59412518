/** Makes a dataset: finds the files that it needs, has DuckDB write it, hashes it and puts it into blobs. */
import { createHash, randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { LakeTableName } from '#schemas/lake.ts'
import type { Blobs } from '#services/blobs/blobs.ts'
import type { CopyResult } from '#services/lake/jobs.ts'
import type { Logger } from '#services/logger.ts'
import { compile, compileCounts, STEPS_PER_PART, TABLES_READ } from './compile.ts'
import type { LakeFile, LakeFiles, LocalFile } from './files.ts'
import { countsFrom, type Counts, type Manifest } from './manifest.ts'
import { neededFiles, staysInRuns, type TableFiles } from './pruning.ts'
import { buildKey, canonicalQuery, type DatasetRequest, type PinnedRequest } from './request.ts'
import type { RunCopy } from './run-copy.ts'
import { lineageStatement } from './scopes.ts'
import { Problem } from '#services/problem.ts'
import { compiledProblem } from './sql-problem.ts'

/** The state of the lake that a dataset is taken of. */
export interface DatasetSnapshot {
  readonly snapshot_id: number
  readonly created_at: string
  readonly log_id: string
  /** The next offset of each partition, as 0:123,3:45. */
  readonly cut: string
}

export interface MakeOptions {
  readonly blobs: Blobs
  readonly runCopy: RunCopy
  /** The files of a table at a snapshot. */
  readonly filesAt: (table: (typeof TABLES_READ)[number], snapshotId: number) => Promise<readonly LakeFile[]>
  /** Where files are written before they are put into blobs; made where it is missing. */
  readonly scratchDir: string
  readonly logger: Logger
  /** What comes before the path in URLs that are written into datasets. */
  readonly publicUrl: string
  /** The time, in milliseconds since 1970. */
  readonly clock: () => number
  /** Makes a file the bytes of a build; gives the manifest that counts. */
  readonly record: (manifest: Manifest, file: string) => Promise<Manifest>
}

interface Planned {
  readonly files: LakeFiles
  readonly lakeFiles: readonly string[]
}

/** Counts what a dataset takes and leaves out, without writing anything. */
export async function countDataset(
  options: Omit<MakeOptions, 'record'>,
  pinned: PinnedRequest,
  signal: AbortSignal,
): Promise<Counts> {
  try {
    const { files } = await plan(options, pinned, signal)
    const { prepare, counts } = compileCounts(pinned.request, files)
    return countsFrom((await options.runCopy({ prepare, counts }, { signal })).counts)
  } catch (error) {
    throw compiledProblem(error)
  }
}

/** The runs that a request asks for, and with lineage those that they resumed; undefined for all. */
async function runsOf(
  { blobs, runCopy }: Pick<MakeOptions, 'blobs' | 'runCopy'>,
  request: DatasetRequest,
  files: readonly LakeFile[],
  signal: AbortSignal,
): Promise<readonly string[] | undefined> {
  const runs = request.conditions.run?.any.map(String)
  if (runs === undefined || request.shaping?.lineage !== true) return runs
  const prepare = [lineageStatement(request, { runs: await local(blobs, files) })]
  const { counts } = await runCopy({ prepare, counts: 'SELECT run_id, 0 FROM lineage' }, { signal })
  return counts.flatMap(([run]) => (run === null ? [] : [run]))
}

const local = (blobs: Blobs, files: readonly LakeFile[]): Promise<LocalFile[]> =>
  Promise.all(files.map(async (file) => ({ ...file, localPath: await blobs.localPath(file.path) })))

/** Finds the files that a request must read. */
async function plan(
  options: Pick<MakeOptions, 'blobs' | 'filesAt' | 'runCopy'>,
  { request, snapshotId }: PinnedRequest,
  signal: AbortSignal,
): Promise<Planned> {
  const listed = await Promise.all(
    TABLES_READ.map(async (table) => [table, await options.filesAt(table, snapshotId)] as const),
  )
  const all = Object.fromEntries(listed) as TableFiles
  const runs = await runsOf(options, request, all.runs, signal)
  const within = runs !== undefined && staysInRuns(request, runs) ? runs : undefined
  const needed = neededFiles(request, all, within)
  const files: { -readonly [Table in LakeTableName]?: LocalFile[] } = {}
  for (const table of TABLES_READ) files[table] = await local(options.blobs, needed[table])
  const finished = all.trajectories.reduce((sum, { rows }) => sum + rows, 0)
  return {
    files: { ...files, ...(within === undefined ? {} : { scope: { runs: within, finished } }) },
    lakeFiles: TABLES_READ.flatMap((table) => needed[table].map(({ path }) => path)),
  }
}

export interface Making extends MakeOptions {
  readonly pinned: PinnedRequest
  readonly snapshot: DatasetSnapshot
  readonly signal: AbortSignal
  readonly onProgress: (share: number) => void
}

/** Whether the engine could not hold at once what it was given. */
const isTooMuch = (error: unknown): boolean => error instanceof Problem && error.details['resource'] === 'memory'

/**
 * Writes the file. What the steps of a part weigh is known only once they are read, so where they do not fit into the
 * engine's memory, they are gathered again in smaller parts.
 */
async function write(making: Making, files: LakeFiles, output: string): Promise<CopyResult> {
  const { pinned, signal, onProgress, publicUrl, runCopy, logger } = making
  for (const [nth, stepsPerPart] of STEPS_PER_PART.entries()) {
    signal.throwIfAborted()
    const { prepare, counts, write: written } = compile(pinned.request, files, stepsPerPart)
    try {
      return await runCopy(
        { prepare, counts, write: written(output, `${publicUrl}/v1/images/`) },
        { signal, onProgress },
      )
    } catch (error) {
      const smaller = STEPS_PER_PART[nth + 1]
      if (smaller === undefined || !isTooMuch(error)) throw error
      logger('info', 'dataset gathered again in smaller parts', { build: buildKey(pinned), steps_per_part: smaller })
    }
  }
  throw new Problem('internal', 'no size of parts is known')
}

/** Writes the file, puts it into blobs under its hash, and says what it is. */
export async function makeDataset(making: Making): Promise<Manifest> {
  const { pinned, snapshot, clock, logger } = making
  const started = clock()
  const { request } = pinned
  const planned = await plan(making, pinned, making.signal)
  await mkdir(making.scratchDir, { recursive: true })
  const output = join(making.scratchDir, `${randomUUID()}.${request.format}`)
  try {
    const copied = await write(making, planned.files, output)
    const [sha256, { size: bytes }] = await Promise.all([fileHash(output), stat(output)])
    const object = `datasets/objects/${sha256.slice(0, 2)}/${sha256}.${request.format}`
    logger('info', 'dataset built', {
      build: buildKey(pinned),
      rows: copied.rows,
      bytes,
      duration_ms: clock() - started,
    })
    const manifest: Manifest = {
      manifest_version: 1,
      build: buildKey(pinned),
      recipe: request.recipe,
      format: request.format,
      shape: request.shape,
      filter: canonicalQuery(request),
      snapshot: snapshot.snapshot_id,
      snapshot_created_at: snapshot.created_at,
      log_id: snapshot.log_id,
      offsets: snapshot.cut,
      counts: countsFrom(copied.counts, copied.notTaken),
      rows: copied.rows,
      bytes,
      sha256,
      object,
      engine: copied.engine,
      lineage: { lake_files: planned.lakeFiles },
      created_at: new Date(clock()).toISOString(),
    }
    return await making.record(manifest, output)
  } finally {
    await rm(output, { force: true })
  }
}

async function fileHash(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer)
  return hash.digest('hex')
}
