/** Columns that several recipes share. */

/** The columns that rows about a trajectory begin with. */
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

/** A call as OpenAI's API has it; the arguments are JSON text. */
export const OPENAI_CALL = 'STRUCT(id VARCHAR, "type" VARCHAR, "function" STRUCT("name" VARCHAR, arguments VARCHAR))'

/** A message of the shape `openai`. Arguments are JSON text, as in OpenAI's API. */
export const OPENAI_MESSAGE = `STRUCT(role VARCHAR, content VARCHAR, tool_calls ${OPENAI_CALL}[], tool_call_id VARCHAR, "name" VARCHAR)`
