/** A request over the files of a snapshot, as the SQL that makes the dataset. */
import type { LakeTableName } from '#schemas/lake.ts'
import { candidateStatements } from './candidates.ts'
import { canHold, relation, type LakeFile, type LakeFiles } from './files.ts'
import {
  PROMPT_IMAGES,
  PROMPT_LOSS_MASK,
  PROMPT_MESSAGES,
  STEP_COLUMNS,
  STEP_IMAGES,
  STEP_LOSS_MASK,
  STEP_MESSAGES,
} from './messages.ts'
import { KEY_COLUMNS, RECIPES, type FormatName } from './recipes.ts'
import type { DatasetRequest } from './request.ts'
import { sqlName, sqlText } from './sql.ts'

/** What is run, in order, on one connection. Names are of temporary tables. */
export interface Compiled {
  readonly prepare: readonly string[]
  /** Gives rows (left_out, n): how many trajectories are in (null), or left out and why. */
  readonly counts: string
  /** Further statements that gather the rows, part by part. */
  readonly gather: readonly string[]
  /** Writes the file. */
  readonly copy: (output: string) => string
}

/** The lake tables that datasets read. */
export const TABLES_READ = [
  'trajectories',
  'scores',
  'runs',
  'steps',
  'items',
  'images',
  'events',
] as const satisfies readonly LakeTableName[]

/** Tables whose files are left out by the run that is asked for. Not trajectories: what is in none of its files counts as unfinished. */
const PRUNED_BY_RUN: ReadonlySet<LakeTableName> = new Set(['steps', 'runs'])

/**
 * Steps that are put together at a time, as their messages are in memory all at once. 300,000 steps of 1.7 KB as jsonl,
 * with a limit of 1 GB for the engine: 1.5 GB resident in parts of 50,000, 2.4 GB in one.
 */
const STEPS_PER_PART = 50_000

/** Whether a request has to read a file. */
export function isNeeded(request: DatasetRequest, table: LakeTableName, file: LakeFile): boolean {
  return !PRUNED_BY_RUN.has(table) || canHold(file, 'run_id', request.conditions.run)
}

/** `run_id` and `trajectory_id` are ordered by their bytes. */
const ORDER = 'run_id NULLS LAST, trajectory_id'

function keptStatement({ limit, seed }: DatasetRequest, stepsPerPart: number): string {
  const order = seed === undefined ? ORDER : `md5(${sqlText(`${seed}:`)} || trajectory_id), trajectory_id`
  const kept = `SELECT * EXCLUDE (left_out) FROM candidates WHERE left_out IS NULL${limit === undefined ? '' : ` ORDER BY ${order} LIMIT ${limit}`}`
  return `CREATE TEMP TABLE kept AS
    SELECT *, CAST((sum(n_steps_seen + 1) OVER (ORDER BY ${ORDER} ROWS UNBOUNDED PRECEDING) - 1) // ${stepsPerPart} AS BIGINT) AS part FROM (${kept})`
}

function list(columns: readonly string[], from: string): string {
  return columns.map((column) => `${from}.${sqlName(column)}`).join(', ')
}

/** The wide columns of `sft`, gathered in parts so that memory does not grow with the dataset. */
function sftGather(files: LakeFiles, parts: number): string[] {
  const columns = Object.entries({ ...KEY_COLUMNS, ...RECIPES.sft.columns }).map(
    ([name, type]) => `${sqlName(name)} ${type}`,
  )
  const prompts = `(SELECT trajectory_id, prompt, tools FROM ${relation('trajectories', files, ['trajectory_id', 'prompt', 'tools'])}
    UNION ALL SELECT trajectory_id, prompt, tools FROM unfinished_starts)`
  // How many parts there are is estimated from the files, so the last one takes what is beyond it.
  const part = (index: number) => [
    `CREATE TEMP TABLE rows_${index} (${columns.join(', ')})`,
    `INSERT INTO rows_${index}
    WITH k AS (SELECT * FROM kept WHERE part ${index === parts - 1 ? '>=' : '='} ${index}),
    said AS (
      SELECT s.trajectory_id, flatten(list(${STEP_MESSAGES} ORDER BY s.step_index)) AS messages,
        flatten(list(${STEP_LOSS_MASK} ORDER BY s.step_index)) AS loss_mask, flatten(list(${STEP_IMAGES} ORDER BY s.step_index)) AS images
      FROM ${relation('steps', files, STEP_COLUMNS)} s JOIN k ON k.trajectory_id = s.trajectory_id GROUP BY s.trajectory_id
    ),
    asked AS (
      SELECT p.trajectory_id, ${PROMPT_MESSAGES} AS messages, ${PROMPT_LOSS_MASK} AS loss_mask, ${PROMPT_IMAGES} AS images, p.tools
      FROM ${prompts} p JOIN k ON k.trajectory_id = p.trajectory_id
    )
    SELECT ${list(Object.keys(KEY_COLUMNS), 'k')}, list_concat(coalesce(asked.messages, []), coalesce(said.messages, [])), asked.tools,
      list_concat(coalesce(asked.images, []), coalesce(said.images, [])), list_concat(coalesce(asked.loss_mask, []), coalesce(said.loss_mask, []))
    FROM k LEFT JOIN asked ON asked.trajectory_id = k.trajectory_id LEFT JOIN said ON said.trajectory_id = k.trajectory_id
    ORDER BY k.run_id NULLS LAST, k.trajectory_id`,
  ]
  const indexes = Array.from({ length: parts }, (_, index) => index)
  // A table for each part: the writer takes a table's row group (122,880 rows) at once, and rows here are whole conversations.
  return [
    ...indexes.flatMap(part),
    `CREATE TEMP VIEW rows AS ${indexes.map((index) => `SELECT * FROM rows_${index}`).join(' UNION ALL ')}`,
  ]
}

function trajectoriesGather(): string[] {
  const columns = Object.keys({ ...KEY_COLUMNS, ...RECIPES.trajectories.columns })
  return [`CREATE TEMP TABLE rows AS SELECT ${list(columns, 'k')} FROM kept k ORDER BY ${ORDER}`]
}

/** An object without its members that are null; objects in lists below it keep theirs. */
const withoutNulls = (value: string) => `json_merge_patch('{}', to_json(${value}))`

const MESSAGES_JSON = `to_json(list_transform(messages, lambda m: json_merge_patch('{}', to_json({role: m.role, content: m.content,
  tool_calls: to_json(list_transform(m.tool_calls, lambda c: ${withoutNulls('c')})), tool_call_id: m.tool_call_id, "name": m."name"}))))`

/** A column as JSON has it: no NaN, instants as RFC 3339 in UTC. */
function jsonColumn(name: string, type: string): string {
  const column = sqlName(name)
  if (type === 'DOUBLE') return `CASE WHEN isfinite(${column}) THEN ${column} END AS ${column}`
  if (type === 'TIMESTAMPTZ')
    return `strftime(make_timestamp(epoch_us(${column})), '%Y-%m-%dT%H:%M:%S.%fZ') AS ${column}`
  if (name === 'messages') return `${MESSAGES_JSON} AS messages`
  return column
}

/** As few rows to a group as DuckDB allows, since each is a whole trajectory. */
const ROW_GROUP_ROWS = 2048

function copyStatement(format: FormatName, columns: Readonly<Record<string, string>>, output: string): string {
  switch (format) {
    case 'parquet':
      return `COPY (SELECT * FROM rows) TO ${sqlText(output)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE ${ROW_GROUP_ROWS})`
    case 'jsonl':
      return `COPY (SELECT ${Object.entries(columns)
        .map(([name, type]) => jsonColumn(name, type))
        .join(', ')} FROM rows) TO ${sqlText(output)} (FORMAT json)`
  }
}

/** Compiles a request. `files` are those that `isNeeded` keeps. */
export function compile(request: DatasetRequest, files: LakeFiles, stepsPerPart = STEPS_PER_PART): Compiled {
  const columns = { ...KEY_COLUMNS, ...RECIPES[request.recipe].columns }
  const rows = (table: LakeTableName) => (files[table] ?? []).reduce((sum, file) => sum + file.rows, 0)
  const parts = 1 + Math.floor((rows('steps') + rows('trajectories')) / stepsPerPart)
  return {
    prepare: candidateStatements(request, files),
    counts: 'SELECT left_out, count(*) AS n FROM candidates GROUP BY left_out',
    gather: [
      keptStatement(request, stepsPerPart),
      ...(request.recipe === 'sft' ? sftGather(files, parts) : trajectoriesGather()),
    ],
    copy: (output) => copyStatement(request.format, columns, output),
  }
}
