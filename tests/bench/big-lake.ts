/** A lake of any size, written by DuckDB itself, with a catalog in memory: for what would take too long to send. */
import { copyFileSync, statSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { LAKE_TABLES, lakeColumns, type LakeTableName } from '#schemas/lake.ts'
import { directoryBlobs } from '#services/blobs/directory.ts'
import { datasets, type Datasets } from '#services/datasets/datasets.ts'
import type { LakeFile } from '#services/datasets/files.ts'
import { silent } from '#services/logger.ts'
import { openLake } from '#services/lake/lake.ts'

export interface BigLakeSize {
  readonly runs: number
  readonly trajectoriesEach: number
  readonly stepsEach: number
}

export interface BigLake {
  readonly datasets: Datasets
  /** The local Parquet file of a table. */
  file(table: 'trajectories' | 'scores' | 'steps'): string
  /** Where a blob lies. */
  localPath(key: string): Promise<string>
  /** The bytes of all files. */
  readonly bytes: number
  readonly folder: string
  close(): Promise<void>
}

/** The engine as the server gives it to datasets. */
export const ENGINE = { threads: 2, memoryLimitMb: 1024 }

/** Text of `chars` random letters that is hardly compressible, out of an expression that differs from row to row. */
const text = (seed: string, chars: number): string =>
  `left(${Array.from({ length: Math.ceil(chars / 32) }, (_, n) => `md5(${seed} || '${n}')`).join(' || ')}, ${chars})`

/** No step of any run says what another one does. */
const SEED = `run::VARCHAR || '/' || n::VARCHAR || '/' || s::VARCHAR`

const TRAJECTORY = `'r' || lpad(run::VARCHAR, 4, '0') as run_id, 'r' || lpad(run::VARCHAR, 4, '0') || '/t' || lpad(n::VARCHAR, 7, '0') as trajectory_id,
  (n % 101) / 100.0 as reward, n % 2 = 1 as answer_match`

const ROWS: Readonly<Record<'trajectories' | 'scores' | 'steps', (size: BigLakeSize) => string>> = {
  trajectories: ({
    runs,
    trajectoriesEach,
    stepsEach,
  }) => `select ${TRAJECTORY}, 'item-' || (n // 8)::VARCHAR as item_id,
    run || '-g' || (n // 8)::VARCHAR as group_id, 8::BIGINT as group_size, (n % 8)::BIGINT as rollout_index, 0::BIGINT as policy_version,
    (n // 512)::BIGINT as train_step, 'completed' as status, 'answer' as end_reason, ${stepsEach}::BIGINT as n_steps, ${stepsEach} as n_steps_seen,
    ${stepsEach - 1}::BIGINT as step_index_max, 0 as n_conflicts, []::VARCHAR[] as image_ids, (run * 1000000 + n)::BIGINT as finished_offset, 0 as partition
    from range(${runs}) r(run), range(${trajectoriesEach}) t(n)`,
  scores: ({
    runs,
    trajectoriesEach,
  }) => `select ${TRAJECTORY}, '' as reward_version, (run * 1000000 + n)::BIGINT as "offset", 0 as partition, true as format_ok
    from range(${runs}) r(run), range(${trajectoriesEach}) t(n)`,
  steps: ({
    runs,
    trajectoriesEach,
    stepsEach,
  }) => `select ${TRAJECTORY}, s::BIGINT as step_index, 'message' as action_kind,
    ${text(SEED, 480)} as raw_output, ${text(`'t' || ${SEED}`, 320)} as think_text,
    [{role: 'tool', content: ${text(`'o' || ${SEED}`, 420)}, content_parts: null, tool_calls: null, tool_call_id: 'c', name: 'chart_to_table', images: null}] as observation
    from range(${runs}) r(run), range(${trajectoriesEach}) t(n), range(${stepsEach}) s(s)`,
}

/** Writes a lake: one sorted file for each table, as compaction leaves it. With no steps each, that table stays away. */
export async function bigLake(size: BigLakeSize): Promise<BigLake> {
  const folder = await mkdtemp(join(tmpdir(), 'stepstore-bench-lake-'))
  const blobs = await directoryBlobs({ folder: join(folder, 'blobs') })
  const duckdb = await DuckDBInstance.create(':memory:', {
    threads: '2',
    memory_limit: '4GB',
    temp_directory: join(folder, 'spill'),
  })
  const connection = await duckdb.connect()
  const files = new Map<LakeTableName, LakeFile>()
  let bytes = 0
  for (const table of ['trajectories', 'scores', ...(size.stepsEach > 0 ? (['steps'] as const) : [])] as const) {
    const path = join(folder, `${table}.parquet`)
    await connection.run(`create or replace temp view made as ${ROWS[table](size)}`)
    const made = new Set((await connection.runAndReadAll('describe made')).getRows().map(([name]) => String(name)))
    const columns = Object.entries(lakeColumns(table)).map(([name, type]) =>
      name === 'dt'
        ? `date '2026-01-01' as dt`
        : made.has(name)
          ? `"${name}"::${type} as "${name}"`
          : `null::${type} as "${name}"`,
    )
    const order = LAKE_TABLES[table].sort.map((name) => `"${name}"`).join(', ')
    await connection.run(
      `copy (select ${columns.join(', ')} from made order by ${order}) to '${path}' (format parquet, compression zstd, row_group_size 8192)`,
    )
    // As the archive notes them.
    const bounds = ['run_id', 'trajectory_id'].filter((name) => made.has(name))
    const silent = made.has('raw_output') ? 'count(*) - count(raw_output)' : 'count(*)'
    const [[rows, nulls, ...found] = []] = (
      await connection.runAndReadAll(
        `select count(*), ${silent}, ${bounds.map((name) => `min(${name}), max(${name})`).join(', ')} from made`,
      )
    ).getRows()
    const stats = {
      ...Object.fromEntries(
        bounds.map((name, n) => [name, { min: String(found[2 * n]), max: String(found[2 * n + 1]), null_count: 0 }]),
      ),
      ...(table === 'steps' ? { raw_output: { null_count: Number(nulls) } } : {}),
    }
    const key = `lake/${table}/1.parquet`
    bytes += statSync(path).size
    copyFileSync(path, `${path}.copy`)
    await blobs.put(key, { file: `${path}.copy` })
    files.set(table, { path: key, rows: Number(rows), stats })
  }
  connection.closeSync()
  duckdb.closeSync()
  const engine = await openLake({ scratchDir: join(folder, 'engine'), logger: silent, ...ENGINE })
  const snapshot = { snapshot_id: 1, created_at: '2026-01-01T00:00:00.000000Z', log_id: 'bench', cut: '' }
  const served = datasets({
    blobs,
    catalog: {
      newest: async () => snapshot,
      byId: async (id) => (id === 1 ? snapshot : undefined),
      oldestId: async () => 1,
      filesAt: async (table) => [files.get(table)].filter((file) => file !== undefined),
    },
    runCopy: (request, options) => engine.copy(request, options),
    logger: silent,
    publicUrl: 'http://127.0.0.1',
    clock: () => 0,
    scratchDir: join(folder, 'scratch'),
    reach: async () => snapshot,
  })
  return {
    datasets: served,
    file: (table) => join(folder, `${table}.parquet`),
    localPath: (key) => blobs.localPath(key),
    bytes,
    folder,
    close: async () => {
      await served.close()
      await engine.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
