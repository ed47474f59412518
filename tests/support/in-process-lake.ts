/** A lake that works in the test's own process, over any log: for tests of what uses a lake, not of its process. */
import { mkdir, rm } from 'node:fs/promises'
import { writeCut } from '#services/lake/cut.ts'
import { openEngine } from '#services/lake/engine.ts'
import type { CopyRequest, CutRequest, JobKind, Jobs, RowsRequest } from '#services/lake/jobs.ts'
import type { JobOptions, Lake } from '#services/lake/lake.ts'
import { runCopy, runRows } from '#services/lake/questions.ts'
import type { Log } from '#services/log/log.ts'

export async function inProcessLake(scratchDir: string, log: () => Log): Promise<Lake> {
  await mkdir(scratchDir, { recursive: true })
  const engine = await openEngine({ scratchDir, threads: 1, memoryLimitMb: 512 })
  const run = async <Kind extends JobKind>(
    kind: Kind,
    request: Jobs[Kind]['request'],
    options: JobOptions = {},
  ): Promise<Jobs[Kind]['result']> => {
    const context = {
      signal: options.signal ?? new AbortController().signal,
      progress: options.onProgress ?? (() => undefined),
    }
    return engine.with<Jobs[JobKind]['result']>(context.signal, (connection) => {
      if (kind === 'cut') return writeCut(connection, log(), request as CutRequest, context)
      return kind === 'copy'
        ? runCopy(connection, request as CopyRequest, context, engine.name)
        : runRows(connection, request as RowsRequest)
    })
  }
  return {
    scratchDir,
    run,
    copy: (request, options) => run('copy', request, options),
    close: async () => {
      engine.close()
      await rm(scratchDir, { recursive: true, force: true })
    },
  }
}
