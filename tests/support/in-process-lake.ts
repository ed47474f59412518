/** A lake that works in the test's own process, over any log: for tests of what uses a lake, not of its process. */
import { mkdir, rm } from 'node:fs/promises'
import type { Blobs } from '#services/blobs/blobs.ts'
import { writeCut } from '#services/lake/cut.ts'
import { imageKey } from '#services/lake/embed.ts'
import { openEngine } from '#services/lake/engine.ts'
import type {
  CopyRequest,
  CutRequest,
  JobKind,
  Jobs,
  MergeRequest,
  RowsRequest,
  StageRequest,
} from '#services/lake/jobs.ts'
import type { JobOptions, Lake } from '#services/lake/lake.ts'
import { mergeFiles } from '#services/lake/merge.ts'
import { runCopy, runRows } from '#services/lake/questions.ts'
import { Stager } from '#services/lake/stager.ts'
import type { Log } from '#services/log/log.ts'

/** `blobs` holds the images of datasets that have their bytes in them. */
export async function inProcessLake(scratchDir: string, log: () => Log, blobs?: () => Blobs): Promise<Lake> {
  await mkdir(scratchDir, { recursive: true })
  const engine = await openEngine({ scratchDir, threads: 1, memoryLimitMb: 512 })
  const stager = new Stager(scratchDir)
  const run = async <Kind extends JobKind>(
    kind: Kind,
    request: Jobs[Kind]['request'],
    options: JobOptions = {},
  ): Promise<Jobs[Kind]['result']> => {
    const context = {
      signal: options.signal ?? new AbortController().signal,
      progress: options.onProgress ?? (() => undefined),
      ...(blobs === undefined ? {} : { image: (hash: string) => blobs().get(imageKey(hash)) }),
    }
    return engine.with<Jobs[JobKind]['result']>(context.signal, (connection) => {
      if (kind === 'cut') return writeCut(connection, log(), stager, request as CutRequest, context)
      if (kind === 'stage') return stager.stage(log(), request as StageRequest, context)
      if (kind === 'merge') return mergeFiles(connection, request as MergeRequest)
      return kind === 'copy'
        ? runCopy(connection, request as CopyRequest, context, engine.name)
        : runRows(connection, request as RowsRequest)
    })
  }
  return {
    scratchDir,
    run,
    start: () => undefined,
    copy: (request, options) => run('copy', request, options),
    close: async () => {
      engine.close()
      await rm(scratchDir, { recursive: true, force: true })
    },
  }
}
