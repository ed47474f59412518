/** Rows of frames from the lake, as of a snapshot: read by DuckDB into a file of lines, and from there. */
import { createReadStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type LakeTableName, lakeColumns } from '#schemas/lake.ts'
import { preview } from '#services/core/fold/values.ts'
import { sqlText } from '#services/lake/engine.ts'
import type { Lake } from '#services/lake/lake.ts'
import { Frame } from './frame.ts'
import type { StoredRun } from './chain.ts'
import type { FrameRun, ItemRow, ScoreRow, TrainingRow, TrajectoryRow } from './frame-rows.ts'

/** DuckDB, as statistics use it. */
export interface Engine {
  /** Runs statements in order on one connection. */
  run(statements: readonly string[]): Promise<void>
  /** Where files may be put; whoever puts one removes it. */
  readonly scratchDir: string
}

/** A lake process as statistics use it. */
export function lakeEngine(lake: Pick<Lake, 'copy' | 'scratchDir'>): Engine {
  return {
    scratchDir: lake.scratchDir,
    run: async (statements) => {
      await lake.copy({ prepare: statements, counts: 'SELECT NULL::VARCHAR, 0' })
    },
  }
}

/** The local paths of the files of each lake table at a snapshot. */
export type LakePaths = { readonly [Table in LakeTableName]?: readonly string[] }

/** The lake tables that frames and metrics are read from. */
export const FRAME_TABLES = [
  'runs',
  'trajectories',
  'scores',
  'items',
  'events',
  'metrics',
] as const satisfies readonly LakeTableName[]

/** A lake table as a relation; one without files is empty, with the same columns. */
export function relation(table: LakeTableName, paths: LakePaths): string {
  const found = paths[table] ?? []
  if (found.length > 0)
    return `read_parquet([${found.map(sqlText).join(', ')}], union_by_name = true, hive_partitioning = false)`
  const columns = Object.entries(lakeColumns(table)).map(([name, type]) => `NULL::${type} AS "${name}"`)
  return `(SELECT ${columns.join(', ')} WHERE false)`
}

let files = 0

/** Runs a query in DuckDB and gives its rows as objects, in order, without holding all of them. */
export async function* queryRows(
  engine: Engine,
  prepare: readonly string[],
  query: string,
): AsyncIterable<Record<string, unknown>> {
  const path = join(engine.scratchDir, `frame-${process.pid}-${files++}.jsonl`)
  try {
    await engine.run([...prepare, `COPY (${query}) TO ${sqlText(path)} (FORMAT json)`])
    for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY }))
      yield JSON.parse(line) as Record<string, unknown>
  } finally {
    await rm(path, { force: true })
  }
}

/** All rows of a query that gives few. */
async function rowsOf(engine: Engine, query: string): Promise<Record<string, unknown>[]> {
  const found: Record<string, unknown>[] = []
  for await (const row of queryRows(engine, [], query)) found.push(row)
  return found
}

const texts = (values: readonly string[]) => values.map(sqlText).join(', ')

/** A double as text: JSON has no word for NaN and infinities, and the text of a double is exact. */
const real = (name: string) => `CAST(${name} AS VARCHAR)`

/** What the data of a raw event is: the whole body in binary mode, else its member `data`. */
export const EVENT_DATA = `CASE WHEN json_exists(headers, '$.ce_type') THEN decode(raw)::JSON ELSE decode(raw)::JSON -> '$.data' END`

const START = ['group_size', 'rollout_index', 'policy_version', 'train_step', 'substep'] as const

/** Statements that make the tables mine, said and trained, and a query for items. */
export interface FrameSql {
  readonly prepare: readonly string[]
  readonly items: string
}

/** Statements that make tables of everything that is said of the trajectories of these runs. */
function prepareStatements(runIds: readonly string[], paths: LakePaths): string[] {
  const ofRuns = `run_id IN (${texts(runIds)})`
  const events = relation('events', paths)
  return [
    `CREATE TEMP TABLE unfinished AS
    SELECT min(run_id) FILTER (verdict = 'accepted') AS run_id, trajectory_id, min("partition") AS "partition", min("offset") AS first_offset,
      max("offset") AS last_offset, count(*) FILTER (verdict = 'conflict') AS n_conflicts,
      min("offset") FILTER (verdict = 'accepted' AND type = 'trajectory.started') AS started_offset
    FROM ${events} e WHERE trajectory_id IS NOT NULL AND verdict IN ('accepted', 'conflict')
      AND NOT EXISTS (SELECT 1 FROM ${relation('trajectories', paths)} t WHERE t.trajectory_id = e.trajectory_id)
    GROUP BY trajectory_id HAVING min(run_id) FILTER (verdict = 'accepted') IN (${texts(runIds)})`,
    `CREATE TEMP TABLE starts AS
    SELECT trajectory_id, data ->> '$.item_id' AS item_id, data ->> '$.group_id' AS group_id, data ->> '$.actor_model' AS actor_model,
      ${START.map((name) => `TRY_CAST(data ->> '$.${name}' AS BIGINT) AS ${name}`).join(', ')}
    FROM (SELECT u.trajectory_id, ${EVENT_DATA} AS data FROM ${events} e
      JOIN unfinished u ON u."partition" = e."partition" AND u.started_offset = e."offset")`,
    `CREATE TEMP TABLE mine AS
    SELECT trajectory_id, run_id, "partition", first_offset, last_offset, true AS finished, item_id, group_id, group_size, rollout_index, policy_version,
      train_step, substep, actor_model, status, end_reason, n_steps, n_steps_seen, n_tool_calls, n_invalid_tool_calls, tools_called AS tools, error_codes,
      prompt_tokens, response_tokens, obs_tokens, step_prompt_tokens_max, step_completion_tokens, step_obs_tokens, prediction_raw AS prediction, n_conflicts
    FROM ${relation('trajectories', paths)} WHERE ${ofRuns}
    UNION ALL BY NAME
    SELECT u.trajectory_id, u.run_id, u."partition", u.first_offset, u.last_offset, false AS finished, s.item_id, s.group_id, s.group_size, s.rollout_index,
      s.policy_version, s.train_step, CASE WHEN u.started_offset IS NOT NULL THEN coalesce(s.substep, 0) END AS substep, s.actor_model,
      0 AS n_steps_seen, 0 AS n_tool_calls, 0 AS n_invalid_tool_calls, 0 AS step_completion_tokens, 0 AS step_obs_tokens, u.n_conflicts
    FROM unfinished u LEFT JOIN starts s ON s.trajectory_id = u.trajectory_id`,
    `CREATE TEMP TABLE said AS
    SELECT trajectory_id, list({reward_version: coalesce(reward_version, ''), "offset": "offset", reward: ${real('reward')}, parts: parts,
      answer_match: answer_match, format_ok: format_ok} ORDER BY "offset") AS scores
    FROM ${relation('scores', paths)} WHERE trajectory_id IN (SELECT trajectory_id FROM mine) GROUP BY trajectory_id`,
    `CREATE TEMP TABLE trained AS
    SELECT trajectory_id, list({"offset": "offset", train_step: TRY_CAST(data ->> '$.train_step' AS BIGINT), substep: coalesce(TRY_CAST(data ->> '$.substep' AS BIGINT), 0),
      policy_version: TRY_CAST(data ->> '$.policy_version' AS BIGINT), kept: TRY_CAST(data ->> '$.kept' AS BOOLEAN), drop_reason: data ->> '$.drop_reason',
      advantage: data ->> '$.advantage'} ORDER BY "offset") AS trainings
    FROM (SELECT trajectory_id, "offset", ${EVENT_DATA} AS data FROM ${events}
      WHERE type = 'trajectory.trained' AND verdict = 'accepted' AND trajectory_id IN (SELECT trajectory_id FROM mine)) GROUP BY trajectory_id`,
  ]
}

/** A double from its text in DuckDB or JSON. */
export function realOf(text: unknown): number | null {
  if (typeof text !== 'string') return null
  const words: Record<string, number> = {
    nan: Number.NaN,
    inf: Number.POSITIVE_INFINITY,
    '-inf': Number.NEGATIVE_INFINITY,
  }
  return words[text] ?? Number(text)
}

/** Objects by their JSON text: few differ, and equal ones are shared. */
function jsonObjects(): (text: unknown) => Readonly<Record<string, unknown>> {
  const known = new Map<string, Readonly<Record<string, unknown>>>()
  const nothing = {}
  return (text) => {
    if (typeof text !== 'string') return nothing
    let found = known.get(text)
    if (found === undefined) known.set(text, (found = JSON.parse(text) as Readonly<Record<string, unknown>>))
    return found
  }
}

interface LakeLine extends Omit<TrajectoryRow, 'scores' | 'trainings' | 'tools' | 'error_codes'> {
  readonly tools: string | null
  readonly error_codes: string | null
  readonly scores:
    | readonly (Omit<ScoreRow, 'reward' | 'parts'> & { readonly reward: string; readonly parts: string | null })[]
    | null
  readonly trainings: readonly (Omit<TrainingRow, 'advantage'> & { readonly advantage: string | null })[] | null
}

/** A line as a row. Free texts lose what separates fields in reads of the store, too. */
function rowOf(line: LakeLine, parsed: ReturnType<typeof jsonObjects>): TrajectoryRow {
  // oxlint-disable-next-line no-control-regex
  const clean = (text: string | null) => text?.replaceAll(/[\u001d-\u001f]/g, ' ') ?? null
  return {
    ...line,
    actor_model: clean(line.actor_model),
    end_reason: clean(line.end_reason),
    prediction: line.prediction === null ? null : clean(preview(line.prediction)),
    tools: parsed(line.tools) as Record<string, number>,
    error_codes: parsed(line.error_codes) as Record<string, number>,
    scores: (line.scores ?? []).map((score) => ({
      ...score,
      reward: realOf(score.reward) ?? Number.NaN,
      parts: score.parts === null ? null : parsed(score.parts),
    })),
    trainings: (line.trainings ?? []).map((training) => ({
      ...training,
      drop_reason: clean(training.drop_reason),
      advantage: realOf(training.advantage),
    })),
  }
}

/** The runs of a frame as the lake has them, by id. */
export async function lakeRuns(engine: Engine, paths: LakePaths): Promise<ReadonlyMap<string, StoredRun>> {
  const columns = 'run_id, kind, reward_version, correct_threshold, group_size, parent_run_id, resumed_at_train_step'
  const rows = await rowsOf(engine, `SELECT ${columns} FROM ${relation('runs', paths)}`)
  return new Map(rows.map((row) => [String(row['run_id']), row as unknown as StoredRun]))
}

/** Rows put into a frame at a time. */
const BATCH_ROWS = 5_000

/** The frame of these runs as of the snapshot whose files these are. */
export function lakeFrame(engine: Engine, paths: LakePaths, runs: readonly FrameRun[]): Promise<Frame> {
  const runIds = runs.map(({ run_id: runId }) => runId)
  const items = `SELECT item_id, dataset, family, split, distribution FROM ${relation('items', paths)}`
  return frameBySql(engine, { prepare: prepareStatements(runIds, paths), items }, runs)
}

/** A frame of what statements gather. */
export async function frameBySql(engine: Engine, sql: FrameSql, runs: readonly FrameRun[]): Promise<Frame> {
  const frame = new Frame({ runs, trajectories: [], items: [] })
  const query = `SELECT m.*, s.scores, t.trainings FROM mine m LEFT JOIN said s ON s.trajectory_id = m.trajectory_id
    LEFT JOIN trained t ON t.trajectory_id = m.trajectory_id ORDER BY m.run_id, m.trajectory_id`
  const parsed = jsonObjects()
  let batch: TrajectoryRow[] = []
  for await (const line of queryRows(engine, sql.prepare, query)) {
    batch.push(rowOf(line as unknown as LakeLine, parsed))
    if (batch.length < BATCH_ROWS) continue
    frame.update({ trajectories: batch, items: [] })
    batch = []
  }
  frame.update({ trajectories: batch, items: [] })
  const items: ItemRow[] = []
  const wanted = new Set(frame.items.ids.texts)
  for await (const row of queryRows(engine, [], sql.items))
    if (wanted.has(String(row['item_id']))) items.push(row as unknown as ItemRow)
  frame.update({ trajectories: [], items })
  return frame
}
