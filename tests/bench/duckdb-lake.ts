/** What DuckDB makes of the same lines by itself: each raw event, and steps, tool calls, trajectories and scores typed and sorted, as zstd Parquet. */
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'

const MESSAGES = 'STRUCT("role" VARCHAR, content VARCHAR, name VARCHAR, tool_call_id VARCHAR)[]'
const DATA = `STRUCT(trajectory_id VARCHAR, run_id VARCHAR, step_index BIGINT, action_kind VARCHAR, raw_output VARCHAR, think_text VARCHAR,
  tool_calls STRUCT(id VARCHAR, name VARCHAR, arguments JSON, raw_call VARCHAR, parse_ok BOOLEAN, schema_ok BOOLEAN, valid BOOLEAN, status VARCHAR, latency_ms BIGINT)[],
  observation ${MESSAGES}, turn_format_ok BOOLEAN, prompt_tokens BIGINT, completion_tokens BIGINT, obs_tokens BIGINT, finish_reason VARCHAR, gen_ms BIGINT,
  item_id VARCHAR, group_id VARCHAR, group_size BIGINT, rollout_index BIGINT, policy_version BIGINT, prompt ${MESSAGES},
  status VARCHAR, end_reason VARCHAR, n_steps BIGINT, reward DOUBLE, parts JSON, answer_match BOOLEAN, prediction_raw VARCHAR)`

const TABLES = {
  events: `select line as raw, sha256(line) as content_hash, e.id, e.source, e."type", e.time, e.data.run_id, e.data.trajectory_id from lines order by n`,
  steps: `select e.time, unnest(e.data) from lines where e."type" = 'step.recorded' order by e.data.run_id, e.data.trajectory_id, e.data.step_index`,
  tool_calls: `select e.data.run_id, e.data.trajectory_id, e.data.step_index, unnest(e.data.tool_calls, recursive := true) from lines
    where e."type" = 'step.recorded' order by 1, 2, 3`,
  trajectories: `select s.e.data.run_id, s.e.data.trajectory_id, s.e.data.item_id, s.e.data.group_id, s.e.data.group_size, s.e.data.rollout_index,
      s.e.data.policy_version, s.e.data.prompt, s.e.time as started_at, f.e.time as finished_at, f.e.data.status, f.e.data.end_reason, f.e.data.n_steps, f.e.data.prediction_raw
    from lines s join lines f on s.e.data.trajectory_id = f.e.data.trajectory_id and f.e."type" = 'trajectory.finished'
    where s.e."type" = 'trajectory.started' order by 1, 2`,
  scores: `select e.data.trajectory_id, e.data.reward, e.data.parts, e.data.answer_match from lines where e."type" = 'trajectory.finished' order by 1`,
}

/** Turns the lines of a file into Parquet in `folder`. Gives the seconds that took. */
export async function duckdbLake(file: string, folder: string): Promise<number> {
  const instance = await DuckDBInstance.create(':memory:', {
    threads: '2',
    memory_limit: '4GB',
    temp_directory: join(folder, 'spill'),
  })
  const connection = await instance.connect()
  try {
    const startedMs = performance.now()
    const event = `STRUCT(id VARCHAR, source VARCHAR, "type" VARCHAR, time TIMESTAMPTZ, data ${DATA})`
    await connection.run(`create temp table lines as select row_number() over () as n, line, from_json(line, '${structure(event)}') as e
      from read_csv('${file}', columns = {line: 'VARCHAR'}, delim = '\\x01', quote = '', escape = '', header = false, max_line_size = 16777216)`)
    for (const [table, rows] of Object.entries(TABLES))
      await connection.run(`copy (${rows}) to '${join(folder, `${table}.parquet`)}' (format parquet, compression zstd)`)
    return (performance.now() - startedMs) / 1000
  } finally {
    connection.closeSync()
    instance.closeSync()
  }
}

/** A type as from_json wants it: `STRUCT(a B, c D[])` is `{"a":"B","c":["D"]}`. */
function structure(type: string): string {
  const text = type.trim()
  if (text.endsWith('[]')) return `[${structure(text.slice(0, -2))}]`
  if (!text.startsWith('STRUCT(')) return JSON.stringify(text)
  const fields: string[] = []
  let [depth, from] = [0, 'STRUCT('.length]
  const inner = text.slice(0, -1)
  for (let at = from; at <= inner.length; at++) {
    if (inner[at] === '(') depth++
    else if (inner[at] === ')') depth--
    else if (at === inner.length || (inner[at] === ',' && depth === 0)) {
      const field = inner.slice(from, at).trim()
      const space = field.indexOf(' ')
      fields.push(`"${field.slice(0, space).replaceAll('"', '')}":${structure(field.slice(space + 1))}`)
      from = at + 1
    }
  }
  return `{${fields.join(',')}}`
}
