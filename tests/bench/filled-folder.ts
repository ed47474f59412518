/**
 * The data folder of a run of any size, its rows loaded directly: what the projection would have folded goes into the
 * store by SQL, and what the archive would have written goes into the lake by DuckDB. For what would take hours to send.
 */
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { sql } from 'kysely'
import { LAKE_TABLES, lakeColumns, type LakeTableName } from '#schemas/lake.ts'
import { silent } from '#services/logger.ts'
import { pgliteStore } from '#services/store/pglite.ts'
import type { Store } from '#services/store/store.ts'

export const RUN = 'r'
export const STEPS_EACH = 8
export const CALLS_EACH = 3
/** Trajectories of a train step. */
const STEP_SIZE = 1024
/** Of more trajectories than this the lake has no steps: writing them would take minutes, and no statistic reads them. */
const STEPS_TOTAL_MAX = 300_000
const TIME = '2026-01-01T00:00:00.000000Z'

/** What a trajectory is, out of its number `i`: the same expressions in both dialects. */
const id = (text: string): string =>
  `'r/step-' || lpad(cast(i / 1024 as ${text}), 5, '0') || '/' || lpad(cast(i as ${text}), 9, '0')`
const isRight = '(i * 31) % 7 < 3'
/** Below every offset of the log, so that nothing of it is taken for a change, and different for each. */
const placed = (total: number): string => `(i - ${total})`
const items = (total: number): number => Math.ceil(total / 32)
const item = (total: number): string => `(i / 8) % ${items(total)}`

function storeStatements(total: number, partitions: number): string[] {
  const at = placed(total)
  return [
    `insert into runs (run_id, "partition", first_offset, last_offset, kind, group_size, n_duplicates, n_conflicts)
     values ('r', 0, -1, -1, 'rl', 8, 0, 0) on conflict (run_id) do update set group_size = 8`,
    `insert into run_totals (run_id, "partition", n_trajectories, n_finished, n_steps, n_tool_calls, n_scores, n_nonfinite, n_duplicates, n_conflicts, n_late)
     values ('r', ${partitions}, ${total}, ${total}, ${total * STEPS_EACH}, ${total * CALLS_EACH}, ${total}, 0, 0, 0, 0)`,
    `insert into items (item_id, "partition", "offset", content_hash, dataset, family, split, distribution, question, answer, image_ids)
     select 'item/' || i, 0, i - 1000000000, 'x', 'dataset-' || (i % 15), 'family-' || (i % 7), 'train', case when i % 2 = 0 then 'id' else 'ood' end, 'q', '[]'::json, '[]'::json
     from generate_series(0, ${items(total) - 1}) i`,
    `insert into trajectories (trajectory_id, "partition", first_offset, last_offset, run_id, started_offset, started_at, item_id, group_id, group_size, rollout_index,
       policy_version, train_step, substep, actor_model, finished_offset, finished_at, status, end_reason, n_steps, n_steps_seen, step_index_max, n_tool_calls,
       n_invalid_tool_calls, tools, error_codes, response_tokens, step_completion_tokens, step_obs_tokens, prediction, image_ids, n_scores, n_nonfinite,
       n_annotations, n_trainings, n_duplicates, n_conflicts, n_late, first_event_at, last_event_at, lake_offset)
     select ${id('text')}, i % ${partitions}, ${at}, ${at}, 'r', ${at}, '${TIME}', 'item/' || (${item(total)}), 'g' || (i / 8), 8, i % 8,
       i / ${STEP_SIZE}, i / ${STEP_SIZE}, 0, 'model', ${at}, '${TIME}', 'completed', 'answer', ${STEPS_EACH}, ${STEPS_EACH}, ${STEPS_EACH - 1}, ${CALLS_EACH},
       0, '{"chart_to_table":2,"ocr":1}'::json, '{}'::json, 500 + (i::bigint * 7919) % 3000, 600, 300, 'answer ' || (i % 97), '[]'::json, 1, 0,
       0, 1, 0, 0, 0, '${TIME}', '${TIME}', ${at} from generate_series(0, ${total - 1}) i`,
    `insert into scores (trajectory_id, reward_version, "offset", content_hash, reward, parts, answer_match, format_ok)
     select ${id('text')}, '', ${at}, 'x', case when ${isRight} then 2 else 1 end,
       case when ${isRight} then '{"rep":0,"format":1,"correct":1}'::json else '{"rep":0,"format":1,"correct":0}'::json end, ${isRight}, true
     from generate_series(0, ${total - 1}) i`,
    `insert into trainings (trajectory_id, train_step, substep, "offset", content_hash, run_id, policy_version, kept, advantage)
     select ${id('text')}, i / ${STEP_SIZE}, 0, i, 'x', 'r', i / ${STEP_SIZE} + i % 3, i % 10 > 0, 0.5 from generate_series(0, ${total - 1}) i`,
    `insert into metrics (run_id, train_step, substep, name, "offset", content_hash, value)
     select 'r', step, 0, name, -1, 'x', step * 0.001 from generate_series(0, ${Math.floor(total / STEP_SIZE)}) step, (values ('kl'), ('entropy'), ('grad_norm')) of_name(name)`,
    'analyze',
  ]
}

const LAKE_ROWS: Readonly<Partial<Record<LakeTableName, (total: number, partitions: number) => string>>> = {
  runs: () => `select 'r' as run_id, 'rl' as kind, 8 as group_size from range(1) t(i)`,
  items: (total) =>
    `select 'item/' || i as item_id, 'dataset-' || (i % 15) as dataset, 'family-' || (i % 7) as family, 'train' as split from range(${items(total)}) t(i)`,
  trajectories: (
    total,
    partitions,
  ) => `select 'r' as run_id, ${id('varchar')} as trajectory_id, 'item/' || (${item(total)}) as item_id, 'g' || (i / 8) as group_id,
    8 as group_size, i % 8 as rollout_index, i / ${STEP_SIZE} as policy_version, i / ${STEP_SIZE} as train_step, 0 as substep, 'model' as actor_model,
    'completed' as status, 'answer' as end_reason, i % ${partitions} as "partition", ${placed(total)} as first_offset, ${placed(total)} as finished_offset,
    ${placed(total)} as last_offset, ${STEPS_EACH} as n_steps, ${STEPS_EACH} as n_steps_seen, ${STEPS_EACH - 1} as step_index_max, ${CALLS_EACH} as n_tool_calls,
    0 as n_invalid_tool_calls, 500 + (i * 7919) % 3000 as response_tokens, 600 as step_completion_tokens, 300 as step_obs_tokens, 0 as n_conflicts, 'answer ' || (i % 97) as prediction
    from range(${total}) t(i)`,
  scores: (
    total,
    partitions,
  ) => `select 'r' as run_id, ${id('varchar')} as trajectory_id, '' as reward_version, i % ${partitions} as "partition", ${placed(total)} as "offset",
    case when ${isRight} then 2 else 1 end as reward, ${isRight} as answer_match, true as format_ok from range(${total}) t(i)`,
  steps: (
    total,
    partitions,
  ) => `select 'r' as run_id, ${id('varchar')} as trajectory_id, step as step_index, i % ${partitions} as "partition", (i - ${total}) as "offset",
    case when step < ${CALLS_EACH} then 'tool_call' when step = ${STEPS_EACH - 1} then 'answer' else 'think' end as action_kind,
    200 + (i * 13 + step * 7) % 1500 as prompt_tokens, 20 + (i * 31 + step) % 400 as completion_tokens, (i + step) % 90 as obs_tokens
    from range(${total}) t(i), range(${total > STEPS_TOTAL_MAX ? 0 : STEPS_EACH}) s(step)`,
  tool_calls: (
    total,
    partitions,
  ) => `select 'r' as run_id, ${id('varchar')} as trajectory_id, call as step_index, 0 as call_index, i % ${partitions} as "partition",
    case when call = 0 then 'ocr' else 'chart_to_table' end as name, case when call = 0 then 'ocr' else 'chart_to_table' end as tool, true as parse_ok, true as schema_ok, true as valid,
    case when (i * 7 + call) % 50 = 0 then 'tool_error' else 'ok' end as status, case when i % 40 = 0 and call = 1 then ['E2'] else [] end as error_codes,
    true as output_schema_ok, 0 as attempt, 10 + (i * 31 + call) % 400 as latency_ms from range(${total}) t(i), range(${CALLS_EACH}) c(call)`,
}

/** A file of a lake table, as the catalog has it. */
interface Written {
  readonly table: LakeTableName
  readonly key: string
  readonly file: string
  readonly rows: number
  readonly bytes: number
}

/** The snapshot that has what was loaded, and the files of each table in it. */
export interface Filled {
  readonly snapshot: number
  readonly files: ReadonlyMap<string, readonly string[]>
}

async function writeLake(blobs: string, total: number, partitions: number): Promise<Written[]> {
  const duckdb = await DuckDBInstance.create(':memory:', { threads: '2', memory_limit: '2GB' })
  const connection = await duckdb.connect()
  const written: Written[] = []
  try {
    await connection.run('set integer_division = true')
    for (const [table, rows] of Object.entries(LAKE_ROWS) as [LakeTableName, (n: number, of: number) => string][]) {
      const key = `lake/${table}/dt=2026-01-01/loaded.parquet`
      const file = join(blobs, key)
      mkdirSync(join(file, '..'), { recursive: true })
      await connection.run(`create or replace temp view made as ${rows(total, partitions)}`)
      const made = new Set((await connection.runAndReadAll('describe made')).getRows().map(([name]) => String(name)))
      const columns = Object.entries(lakeColumns(table)).map(([name, type]) =>
        name === 'dt' ? `date '2026-01-01' as dt` : `${made.has(name) ? `"${name}"` : 'null'}::${type} as "${name}"`,
      )
      const order = LAKE_TABLES[table].sort.map((name) => `"${name}"`).join(', ')
      await connection.run(
        `copy (select ${columns.join(', ')} from made order by ${order}) to '${file}' (format parquet, compression zstd, row_group_size 16384)`,
      )
      const counted = await connection.runAndReadAll(`select count(*) from read_parquet('${file}')`)
      written.push({ table, key, file, rows: Number(counted.getRows()[0]?.[0]), bytes: statSync(file).size })
    }
  } finally {
    connection.closeSync()
    duckdb.closeSync()
  }
  return written
}

/** Enters files into the newest snapshot, and gives all files that it has then. */
async function enter(store: Store, blobs: string, files: readonly Written[]): Promise<Filled> {
  const { rows } = await sql<{ id: string }>`select max(snapshot_id) as id from snapshots where published`.execute(
    store.db,
  )
  const snapshot = Number(rows[0]?.id)
  for (const { table, key, file, rows: count, bytes } of files) {
    const sha256 = createHash('sha256').update(readFileSync(file)).digest('hex')
    await sql`insert into data_files ("path", table_name, dt, begin_snapshot, "rows", bytes, sha256, from_offsets, to_offsets, stats)
      values (${key}, ${table}, '2026-01-01', ${snapshot}, ${count}, ${bytes}, ${sha256}, '', '', '{}'::json)`.execute(
      store.db,
    )
  }
  const all = await store.db
    .selectFrom('data_files')
    .select(['path', 'table_name'])
    .where('end_snapshot', 'is', null)
    .execute()
  const found = Map.groupBy(all, ({ table_name: table }) => table)
  return {
    snapshot,
    files: new Map([...found].map(([table, here]) => [table, here.map(({ path }) => join(blobs, path))])),
  }
}

/**
 * Loads a run of `total` trajectories into a data folder that a server made and left, with at least one snapshot in its
 * lake. Items, metrics and what a trainer said are with them; of the lake: runs, items, trajectories, scores, steps and tool calls.
 */
export async function fillFolder(folder: string, total: number): Promise<Filled> {
  const store = await pgliteStore({ folder: join(folder, 'store'), logger: silent, clock: () => new Date() })
  try {
    const { rows } = await sql<{ n: string }>`select count(*) as n from cursors where projection = 'project'`.execute(
      store.db,
    )
    const partitions = Math.max(1, Number(rows[0]?.n))
    for (const statement of storeStatements(total, partitions)) await sql.raw(statement).execute(store.db)
    const blobs = join(folder, 'blobs')
    return await enter(store, blobs, await writeLake(blobs, total, partitions))
  } finally {
    await store.close()
  }
}
