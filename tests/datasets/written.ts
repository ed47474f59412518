/** A dataset of a small lake written to a file, with nothing between the compiler and DuckDB. */
import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { LakeTableName } from '#schemas/lake.ts'
import { compile, TABLES_READ } from '#services/datasets/compile.ts'
import { checkRequest, type DatasetRequest } from '#services/datasets/request.ts'
import type { LocalFile } from '#services/datasets/files.ts'
import type { CopyResult } from '#services/lake/jobs.ts'
import { everything, type SmallLake } from './small-lake.ts'

export interface Written {
  readonly path: string
  readonly rows: number
  /** (left_out, n) of all trajectories. */
  readonly counts: CopyResult['counts']
  /** Trajectories that were selected and gave no row, by reason. */
  readonly notTaken: Readonly<Record<string, number>>
  bytes(): Promise<Buffer>
  /** Lines of jsonl. */
  lines(): Promise<Record<string, unknown>[]>
}

/** Writes what is asked for of the newest snapshot. */
export async function written(
  lake: SmallLake,
  asked: Partial<DatasetRequest>,
  stepsPerPart = 50_000,
): Promise<Written> {
  const request = checkRequest({ ...everything, format: 'jsonl', ...asked })
  const files: { -readonly [Table in LakeTableName]?: LocalFile[] } = {}
  const newest = await lake.catalog.newest()
  for (const table of TABLES_READ) {
    const found = await lake.catalog.filesAt(table, newest?.snapshot_id ?? 0)
    files[table] = await Promise.all(
      found.map(async (file) => ({ ...file, localPath: await lake.blobs.localPath(file.path) })),
    )
  }
  const { prepare, counts, write } = compile(request, files, stepsPerPart)
  const path = join(lake.folder, `${randomUUID()}.${request.format}`)
  const result = await lake.runCopy(
    { prepare, counts, write: write(path, 'http://stepstore.test/v1/images/') },
    { signal: new AbortController().signal },
  )
  return {
    path,
    rows: result.rows,
    counts: result.counts,
    notTaken: Object.fromEntries(result.notTaken),
    bytes: () => readFile(path),
    lines: async () =>
      (await readFile(path, 'utf8'))
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line) as Record<string, unknown>),
  }
}
