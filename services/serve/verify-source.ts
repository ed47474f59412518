/** What verify looks at: the log, the store, the lake, and the Delta logs as other engines read them. */
import { setTimeout as sleep } from 'node:timers/promises'
import { LAKE_TABLE_NAMES } from '#schemas/lake.ts'
import type { Blobs } from '#services/blobs/blobs.ts'
import { deltaStateAt } from '#services/delta/fold.ts'
import { deltaThrough } from '#services/lake/delta-progress.ts'
import { sqlText } from '#services/lake/engine.ts'
import type { Lake } from '#services/lake/lake.ts'
import type { Log } from '#services/log/log.ts'
import { Problem } from '#services/problem.ts'
import type { Store } from '#services/store/store.ts'
import type { DeltaLogs } from '#services/verify/lake-objects.ts'
import type { VerifySource } from '#services/verify/verify.ts'
import type { Workers } from './workers.ts'

export interface VerifyParts {
  readonly log: Log
  readonly store: Store
  readonly blobs: Blobs
  readonly lake: Lake
  readonly archive: Workers['archive']
}

/** Verify asks for hashes and differences, never for whole tables; more than this is a fault of ours. */
const ROWS_MAX = 1_000_000
const WAIT_MS = 120_000
/** A publisher that is past what it noted last says so within a turn. */
const DELTA_LOOKS = 10
const DELTA_PAUSE_MS = 1_000

/** Wires it. */
export function verifySource({ log, store, blobs, lake, archive }: VerifyParts): VerifySource {
  return {
    log,
    store,
    blobs,
    reach: (offsets) => archive.reach(offsets, WAIT_MS),
    filesAt: (snapshotId) =>
      store.db
        .selectFrom('data_files')
        .selectAll()
        .where('begin_snapshot', '<=', snapshotId)
        .where((where) => where.or([where('end_snapshot', 'is', null), where('end_snapshot', '>', snapshotId)]))
        .orderBy('path')
        .execute(),
    known: async () =>
      new Set((await store.db.selectFrom('data_files').select('path').execute()).map(({ path }) => path)),
    deltaLogs: () => deltaLogs({ store, blobs, lake }),
    query: async (paths, statement) => {
      const sql = statement(
        `read_parquet([${paths.map(sqlText).join(', ')}], union_by_name = true, hive_partitioning = false)`,
      )
      const { rows, cut } = await lake.run('rows', { sql, rowsMax: ROWS_MAX })
      if (cut) throw new Problem('internal', `verify asked the lake for more than ${ROWS_MAX} rows`)
      return rows.map((row) => ({ ...row }))
    },
  }
}

type DeltaParts = Pick<VerifyParts, 'store' | 'blobs' | 'lake'>

async function deltaLogs(parts: DeltaParts): Promise<DeltaLogs | string> {
  for (let look = 0; look < DELTA_LOOKS; look++) {
    const snapshotId = await deltaThrough(parts.store.db)
    if (snapshotId === 0) return 'the Delta logs were not compared: none is noted as published yet'
    const found = await deltaLogsAt(parts, snapshotId)
    if (found !== undefined) return found
    await sleep(DELTA_PAUSE_MS)
  }
  return 'the Delta logs were not compared: they are being published; verify again'
}

/** All of them at a snapshot; undefined where one is ahead of it. */
async function deltaLogsAt({ blobs, lake }: DeltaParts, snapshotId: number): Promise<DeltaLogs | undefined> {
  const tables: DeltaLogs['tables'][number][] = []
  const unread: DeltaLogs['unread'][number][] = []
  for (const table of LAKE_TABLE_NAMES) {
    try {
      const state = await deltaStateAt({ blobs, lake }, table, snapshotId)
      if (state === 'newer') return undefined
      if (state === undefined)
        unread.push({ table, what: 'there is no version of it, although it is noted as published' })
      else tables.push({ table, ...state })
    } catch (error) {
      if (!(error instanceof Problem) || error.code !== 'corrupt') throw error
      unread.push({ table, what: error.message })
    }
  }
  return { snapshotId, tables, unread }
}
