import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { startArchive } from '#services/archive/archive.ts'
import { directoryBlobs } from '#services/blobs/directory.ts'
import { filesAt } from '#services/lake/catalog.ts'
import { openLake } from '#services/lake/lake.ts'
import { openLog } from '#services/log/open.ts'
import { silent } from '#services/logger.ts'
import { startProject } from '#services/project/project.ts'
import { recordOf } from '#tests/support/histories.ts'
import { lentStore } from '#tests/support/lent-store.ts'

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stepstore-lmdb-archive-'))
})
afterEach(async () => {
  await rm(folder, { recursive: true, force: true })
})

test('the lake process reads the LMDB log beside its writer', async () => {
  const logPlace = { kind: 'lmdb', folder: join(folder, 'log') } as const
  const log = await openLog(logPlace, { logger: silent, clock: () => new Date() })
  const store = await lentStore()
  const blobs = await directoryBlobs({ folder: join(folder, 'blobs') })
  const lake = await openLake({ scratchDir: join(folder, 'scratch'), threads: 1, memoryLimitMb: 256, logger: silent })
  const project = await startProject({ log, store, logger: silent })
  const archive = await startArchive({
    log,
    logPlace,
    store,
    blobs,
    lake,
    project,
    logger: silent,
    clock: () => Date.now(),
    reachEveryMs: 0,
  })
  try {
    for (let round = 0; round < 2; round++) {
      const steps = Array.from({ length: 300 }, (_, index) =>
        recordOf({
          type: 'step.recorded',
          data: {
            trajectory_id: `t${index % 9}/${round}`,
            step_index: Math.floor(index / 9),
            run_id: 'r',
            action_kind: 'answer',
            raw_output: 'x'.repeat(index),
          },
          time: '2026-01-01T00:00:00Z',
        }),
      )
      const want = await log.append(steps)
      const snapshot = await archive.reach(want, 30_000)
      const files = await filesAt(store.db, 'steps', snapshot?.snapshot_id ?? 0)
      expect(files.reduce((sum, file) => sum + file.rows, 0)).toBe(300 * (round + 1))
    }
  } finally {
    await archive.stop()
    await project.stop()
    await lake.close()
    await store.close()
    await log.close()
  }
})
