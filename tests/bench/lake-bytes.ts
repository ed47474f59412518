/** What DuckDB makes of the same events by itself: typed JSON into one sorted Parquet file. */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'

const DATA = `STRUCT(trajectory_id VARCHAR, run_id VARCHAR, step_index BIGINT, action_kind VARCHAR, raw_output VARCHAR, think_text VARCHAR,
  tool_calls STRUCT(id VARCHAR, name VARCHAR, arguments JSON, raw_call VARCHAR, parse_ok BOOLEAN, schema_ok BOOLEAN, valid BOOLEAN, status VARCHAR, latency_ms BIGINT)[],
  observation STRUCT("role" VARCHAR, name VARCHAR, tool_call_id VARCHAR, content VARCHAR)[],
  turn_format_ok BOOLEAN, prompt_tokens BIGINT, completion_tokens BIGINT, obs_tokens BIGINT, finish_reason VARCHAR, gen_ms BIGINT)`

/** The bytes of the steps of a file as sorted zstd Parquet. */
export async function duckdbBytes(file: string, folder: string): Promise<number> {
  const instance = await DuckDBInstance.create(':memory:', {
    threads: '2',
    memory_limit: '4GB',
    temp_directory: join(folder, 'spill'),
  })
  const connection = await instance.connect()
  const parquet = join(folder, 'duckdb.parquet')
  try {
    await connection.run(`copy (
        select id, source, time, data.* from read_json('${file}', format = 'newline_delimited', columns = {id: 'VARCHAR', source: 'VARCHAR', type: 'VARCHAR', time: 'TIMESTAMPTZ', data: '${DATA.replaceAll("'", "''")}'})
        where type = 'step.recorded' order by data.run_id, data.trajectory_id, data.step_index
      ) to '${parquet}' (format parquet, compression zstd)`)
    return statSync(parquet).size
  } finally {
    connection.closeSync()
    instance.closeSync()
  }
}
