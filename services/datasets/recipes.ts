/** What datasets there are: recipes (what a row is), formats (how rows are written) and shapes (how messages look). */

export interface Format {
  readonly mediaType: string
  readonly description: string
}

export const FORMATS = {
  parquet: { mediaType: 'application/vnd.apache.parquet', description: 'Apache Parquet, zstd.' },
  jsonl: {
    mediaType: 'application/x-ndjson',
    description: 'One JSON object a line. Absent fields of a message are left out; NaN and infinities are null.',
  },
} as const satisfies Record<string, Format>

export type FormatName = keyof typeof FORMATS

export const FORMAT_NAMES = Object.keys(FORMATS) as FormatName[]

/** How messages are written. */
export const SHAPES = ['openai'] as const

export type Shape = (typeof SHAPES)[number]

export interface Recipe {
  readonly description: string
  /** Its columns after KEY_COLUMNS: name and DuckDB type. */
  readonly columns: Readonly<Record<string, string>>
}

/** The columns that rows of every recipe begin with. */
export const KEY_COLUMNS = {
  run_id: 'VARCHAR',
  trajectory_id: 'VARCHAR',
  item_id: 'VARCHAR',
  group_id: 'VARCHAR',
  policy_version: 'BIGINT',
  train_step: 'BIGINT',
  reward: 'DOUBLE',
  correct: 'BOOLEAN',
  status: 'VARCHAR',
} as const

/** A message of the shape `openai`. Arguments are JSON text, as in OpenAI's API. */
export const OPENAI_MESSAGE =
  'STRUCT(role VARCHAR, content VARCHAR, tool_calls STRUCT(id VARCHAR, "type" VARCHAR, "function" STRUCT("name" VARCHAR, arguments VARCHAR))[], tool_call_id VARCHAR, "name" VARCHAR)'

export const RECIPES = {
  sft: {
    description: 'One row a trajectory with its messages, for supervised fine-tuning.',
    columns: { messages: `${OPENAI_MESSAGE}[]`, tools: 'VARCHAR', images: 'VARCHAR[]', loss_mask: 'INTEGER[]' },
  },
  trajectories: {
    description: 'One row a trajectory, without its messages.',
    columns: {
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
    },
  },
} as const satisfies Record<string, Recipe>

export type RecipeName = keyof typeof RECIPES

export const RECIPE_NAMES = Object.keys(RECIPES) as RecipeName[]
