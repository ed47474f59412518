/** `trajectories`: one row a trajectory, without its messages. */
import { sqlName } from '#services/datasets/sql.ts'
import { KEY_COLUMNS } from './columns.ts'
import type { Recipe } from './recipe.ts'

const COLUMNS = {
  ...KEY_COLUMNS,
  reward_version: 'VARCHAR',
  parts: 'VARCHAR',
  answer_match: 'BOOLEAN',
  format_ok: 'BOOLEAN',
  end_reason: 'VARCHAR',
  dataset: 'VARCHAR',
  family: 'VARCHAR',
  split: 'VARCHAR',
  group_size: 'BIGINT',
  rollout_index: 'BIGINT',
  substep: 'BIGINT',
  actor_model: 'VARCHAR',
  n_steps: 'BIGINT',
  n_tool_calls: 'BIGINT',
  n_invalid_tool_calls: 'BIGINT',
  prompt_tokens: 'BIGINT',
  response_tokens: 'BIGINT',
  obs_tokens: 'BIGINT',
  prediction_raw: 'VARCHAR',
  prediction_norm: 'VARCHAR',
  advantage: 'DOUBLE',
  started_at: 'TIMESTAMPTZ',
  finished_at: 'TIMESTAMPTZ',
} as const

export const NONE_TAKEN_OUT = `CREATE TEMP VIEW not_taken AS SELECT NULL::VARCHAR AS why, 0 AS n WHERE false`

export const trajectories: Recipe = {
  description: 'One row a trajectory, without its messages.',
  shapes: ['openai', 'raw'],
  columns: () => COLUMNS,
  imageColumns: [],
  reasons: {},
  statements: () => [
    `CREATE TEMP TABLE rows AS SELECT ${Object.keys(COLUMNS)
      .map((name) => `k.${sqlName(name)}`)
      .join(', ')} FROM kept k ORDER BY run_id NULLS LAST, trajectory_id`,
    NONE_TAKEN_OUT,
  ],
}
