/**
 * The tables of the lake: Parquet columns with DuckDB's type names. Only types that every reader knows: BIGINT, INTEGER,
 * DOUBLE, BOOLEAN, VARCHAR, BLOB, DATE, TIMESTAMPTZ (microseconds, UTC), lists and structs of these. Arguments and other
 * open values are JSON text.
 */

/** A column of a lake table. */
export interface LakeColumn {
  readonly type: string
  readonly description: string
}

export interface LakeTable {
  readonly meaning: string
  /** One row for each value of these at every snapshot. */
  readonly key: readonly string[]
  /** The order of rows inside a file. */
  readonly sort: readonly string[]
  /** Whether a row may change after it was written; then its file is written again. */
  readonly changes: boolean
  readonly columns: Readonly<Record<string, LakeColumn>>
}

const column =
  (type: string) =>
  (description: string): LakeColumn => ({ type, description })
const varchar = column('VARCHAR')
const bigint = column('BIGINT')
const integer = column('INTEGER')
const double = column('DOUBLE')
const flag = column('BOOLEAN')
const time = column('TIMESTAMPTZ')
const json = (description: string): LakeColumn => ({ type: 'VARCHAR', description: `${description} JSON text.` })
const list = (type: string, description: string): LakeColumn => ({ type: `${type}[]`, description })

/** A chat message. `content` is always text (image parts as `<image>`); `content_parts` keeps a list of parts as it was sent. */
export const MESSAGE_TYPE =
  'STRUCT(role VARCHAR, content VARCHAR, content_parts VARCHAR, tool_calls VARCHAR, tool_call_id VARCHAR, name VARCHAR, images VARCHAR[])'
/** What a training row needs of a tool call; the rest is in the table tool_calls. */
export const STEP_CALL_TYPE = 'STRUCT(id VARCHAR, name VARCHAR, arguments VARCHAR)'

const place = {
  partition: integer('The partition of the log.'),
  offset: bigint('The offset of the record.'),
  appended_at: time('When the log appended it.'),
}
const told = {
  ...place,
  time: time('When it happened; the time of append where nothing was said.'),
  content_hash: varchar('128 bits of hash over the content, in hex.'),
}
const dt = column('DATE')('The day of append, by which files are partitioned.')
const extra = json('Fields that the definition does not know.')

export const LAKE_TABLES = {
  events: {
    meaning: 'Every record of the log, raw, with its verdict: the log for ever.',
    key: ['partition', 'offset'],
    sort: ['partition', 'offset'],
    changes: false,
    columns: {
      ...place,
      key: varchar('The key of the record.'),
      headers: json('The headers of the record.'),
      verdict: varchar('accepted, duplicate, conflict, unreadable or misrouted.'),
      code: varchar('A code for the reason, where it was not accepted.'),
      type: varchar('The event type.'),
      natural_key: varchar('The natural key.'),
      content_hash: varchar('128 bits of hash over the content, in hex.'),
      run_id: varchar('The run that the event names.'),
      trajectory_id: varchar('The trajectory that it names.'),
      raw: column('BLOB')('The bytes as they were sent.'),
      dt,
    },
  },
  steps: {
    meaning: 'Steps with their bodies.',
    key: ['trajectory_id', 'step_index'],
    sort: ['run_id', 'trajectory_id', 'step_index'],
    changes: false,
    columns: {
      run_id: varchar('The run.'),
      trajectory_id: varchar('The trajectory.'),
      step_index: bigint('The place of the step.'),
      ...told,
      action_kind: varchar('tool_call, answer, message or invalid.'),
      raw_output: varchar('What the policy wrote, whole.'),
      content: varchar('What of raw_output is left when the calls in it are taken out; null where that is all of it.'),
      think_text: varchar('The thought in it.'),
      answer_text: varchar('The answer in it.'),
      tool_calls: list(STEP_CALL_TYPE, 'The calls in it; arguments are JSON text.'),
      observation: list(MESSAGE_TYPE, 'What the environment answered.'),
      images: list('VARCHAR', 'Images of the step, by hash.'),
      n_tool_calls: integer('How many calls.'),
      turn_format_ok: flag('Whether the turn kept to the grammar.'),
      violation_codes: list('VARCHAR', 'What was wrong with its form.'),
      obs_truncated: flag('Whether the observation was cut.'),
      obs_is_error: flag('Whether the observation is an error.'),
      env_step_reward: double('What the environment paid for the step.'),
      done: flag('Whether the environment ended here.'),
      truncated: flag('Whether it was cut here.'),
      policy_version: bigint('The policy version, where it changed inside the trajectory.'),
      prompt_tokens: bigint('Tokens of the prompt.'),
      completion_tokens: bigint('Tokens written.'),
      obs_tokens: bigint('Tokens observed.'),
      prompt_token_ids: list('BIGINT', 'Token ids of the prompt.'),
      completion_token_ids: list('BIGINT', 'Token ids written.'),
      logprobs: list('DOUBLE', 'Log probabilities of the tokens written.'),
      loss_mask: list('BIGINT', '0 or 1 for each token written.'),
      finish_reason: varchar('Why generation stopped.'),
      gen_ms: bigint('How long generation took.'),
      started_at: time('When the turn began.'),
      ended_at: time('When it ended.'),
      info: json('What else the environment said.'),
      extra,
      dt,
    },
  },
  tool_calls: {
    meaning: 'Tool calls, one row each.',
    key: ['trajectory_id', 'step_index', 'call_index'],
    sort: ['run_id', 'trajectory_id', 'step_index', 'call_index'],
    changes: false,
    columns: {
      run_id: varchar('The run.'),
      trajectory_id: varchar('The trajectory.'),
      step_index: bigint('The step.'),
      call_index: integer('The place in the step.'),
      ...place,
      id: varchar('The id that the call was given; not unique.'),
      name: varchar('The tool as called.'),
      arguments: json('The arguments.'),
      raw_call: varchar('The call as written.'),
      call_shape: bigint('Which of the four shapes.'),
      parse_ok: flag('Whether it could be parsed.'),
      tool: varchar('The tool after aliases.'),
      family: varchar('Its family.'),
      subset: varchar('Its subset.'),
      task: varchar('The task asked of it.'),
      schema_ok: flag('Whether the arguments fit.'),
      schema_errors: json('What did not fit.'),
      valid: flag('Whether the environment accepted it.'),
      invalid_reason: varchar('Why not.'),
      status: varchar('ok, tool_error, timeout, infra, not_found or invalid.'),
      error_type: varchar('The kind of failure.'),
      error_codes: list('VARCHAR', 'Error codes set by rule.'),
      output_text: varchar('The answer as text, where it was sent with the call.'),
      output_json: json('The answer.'),
      output_schema_ok: flag('Whether the answer fits.'),
      output_image_ids: list('VARCHAR', 'Images answered with.'),
      n_detections: bigint('Things found.'),
      attempt: bigint('Which attempt.'),
      cache_hit: flag('Whether it came from a cache.'),
      server: varchar('The server.'),
      queued_ms: bigint('Time waited.'),
      latency_ms: bigint('Time run.'),
      extra,
      dt,
    },
  },
  trajectories: {
    meaning: 'Trajectories, one row each from the time that they are finished.',
    key: ['trajectory_id'],
    sort: ['run_id', 'trajectory_id'],
    changes: true,
    columns: {
      run_id: varchar('The run.'),
      trajectory_id: varchar('The trajectory.'),
      item_id: varchar('The item.'),
      group_id: varchar('The group.'),
      group_size: bigint('The size the group is meant to have.'),
      rollout_index: bigint('The place in the group.'),
      policy_version: bigint('The policy version.'),
      train_step: bigint('The train step.'),
      substep: bigint('The step inside it.'),
      actor_model: varchar('The model that acts.'),
      status: varchar('completed, truncated, aborted or infra_error.'),
      end_reason: varchar('Why it ended.'),
      partition: integer('The partition of the log.'),
      first_offset: bigint('The first event about it.'),
      finished_offset: bigint('The offset of trajectory.finished.'),
      last_offset: bigint('The last event that changed the row.'),
      started_at: time('When it started.'),
      finished_at: time('When it finished.'),
      first_event_at: time('The earliest time of an event.'),
      last_event_at: time('The latest time of an event.'),
      n_steps: bigint('Steps, as the finish says.'),
      n_steps_seen: bigint('Distinct steps that are here.'),
      step_index_max: bigint('The highest step index here.'),
      n_tool_calls: bigint('Tool calls.'),
      n_invalid_tool_calls: bigint('Tool calls that were not valid.'),
      tools_called: json('How often each tool was called.'),
      error_codes: json('How often each error code was set.'),
      prompt_tokens: bigint('Tokens of the prompt.'),
      response_tokens: bigint('Tokens written.'),
      obs_tokens: bigint('Tokens observed.'),
      step_prompt_tokens_max: bigint('The longest prompt of a step.'),
      step_completion_tokens: bigint('Tokens written, added over steps.'),
      step_obs_tokens: bigint('Tokens observed, added over steps.'),
      n_conflicts: bigint('Events that came again with other content.'),
      n_late: bigint('Steps that came after the finish.'),
      n_annotations: bigint('Annotations.'),
      image_ids: list('VARCHAR', 'The images referred to.'),
      prompt: list(MESSAGE_TYPE, 'The messages before the first step.'),
      tools: json('The schemas of the tools that were offered.'),
      sampling: json('Sampling settings.'),
      prediction_raw: varchar('The answer as given.'),
      prediction_norm: varchar('The answer normalised.'),
      advantage: double('The advantage that the trainer sent.'),
      started_extra: json('Further fields of trajectory.started.'),
      finished_extra: json('Further fields of trajectory.finished.'),
      dt,
    },
  },
  scores: {
    meaning: 'Rewards, one row for each trajectory and reward version. A null version means that of the run.',
    key: ['trajectory_id', 'reward_version'],
    sort: ['trajectory_id', 'reward_version'],
    changes: false,
    columns: {
      trajectory_id: varchar('The trajectory.'),
      reward_version: varchar('The reward version; null for that of the run.'),
      ...told,
      reward: double('The reward.'),
      parts: json('The parts by name.'),
      r_rep: double('The part rep.'),
      r_format: double('The part format.'),
      r_correct: double('The part correct.'),
      answer_match: flag('Whether the answer matches.'),
      format_ok: flag('Whether the form was kept.'),
      format_violations: list('VARCHAR', 'What was wrong with the form.'),
      match_method: varchar('How the answer was compared.'),
      extra,
      dt,
    },
  },
  runs: {
    meaning: 'Runs.',
    key: ['run_id'],
    sort: ['run_id'],
    changes: true,
    columns: {
      run_id: varchar('The run.'),
      partition: integer('The partition of the log.'),
      first_offset: bigint('The first event about it.'),
      last_offset: bigint('The last event that changed the row.'),
      kind: varchar('expert_synthesis, sft, rl or eval.'),
      algorithm: varchar('The algorithm.'),
      base_model: varchar('The base model.'),
      parent_run_id: varchar('The run that it resumes.'),
      resumed_at_train_step: bigint('The train step at which it began.'),
      reward_version: varchar('The reward version that reads use.'),
      correct_threshold: double('The reward from which a trajectory is correct.'),
      group_size: bigint('The size of groups.'),
      started_at: time('When it started.'),
      finished_at: time('When it finished.'),
      status: varchar('How it ended.'),
      settings: json('Everything that run.started said.'),
      dt,
    },
  },
  items: {
    meaning: 'Questions of data sets.',
    key: ['item_id'],
    sort: ['item_id'],
    changes: false,
    columns: {
      item_id: varchar('The item.'),
      ...told,
      dataset: varchar('The data set.'),
      family: varchar('The task family.'),
      split: varchar('The split.'),
      distribution: varchar('id or ood.'),
      question: varchar('The question.'),
      question_type: varchar('The kind of question.'),
      choices: list('VARCHAR', 'The choices.'),
      answer: list('VARCHAR', 'The accepted answers.'),
      answer_type: varchar('The type of the answer.'),
      image_ids: list('VARCHAR', 'Its images.'),
      metadata: json('Anything else.'),
      extra,
      dt,
    },
  },
  images: {
    meaning: 'Images that were described, stored or both. The bytes are under /v1/images/{image_id}.',
    key: ['image_id'],
    sort: ['image_id'],
    changes: true,
    columns: {
      image_id: varchar('The SHA-256 of the bytes.'),
      partition: integer('The partition of the log.'),
      first_offset: bigint('The first event about it.'),
      last_offset: bigint('The last event that changed the row.'),
      media_type: varchar('The media type.'),
      bytes: bigint('Size in bytes.'),
      width: bigint('Width in pixels.'),
      height: bigint('Height in pixels.'),
      role: varchar('What it is.'),
      parent_image_id: varchar('The image it was made from.'),
      stored: flag('Whether the bytes are held.'),
      dt,
    },
  },
  annotations: {
    meaning: 'What people, models and rules said of trajectories.',
    key: ['trajectory_id', 'annotation_id'],
    sort: ['trajectory_id', 'annotation_id'],
    changes: false,
    columns: {
      trajectory_id: varchar('The trajectory.'),
      annotation_id: varchar('The annotation.'),
      ...told,
      codes: list('VARCHAR', 'What was found.'),
      step_index: bigint('The step.'),
      call_index: bigint('The tool call.'),
      annotator: varchar('Who.'),
      method: varchar('How.'),
      round: varchar('Which round.'),
      outcome: varchar('solved or unsolved.'),
      rating: double('A rating.'),
      rubric: varchar('What was rated.'),
      note: varchar('Free words.'),
      extra,
      dt,
    },
  },
  metrics: {
    meaning: 'Numbers that trainers logged.',
    key: ['run_id', 'train_step', 'substep', 'name'],
    sort: ['run_id', 'name', 'train_step', 'substep'],
    changes: false,
    columns: {
      run_id: varchar('The run.'),
      train_step: bigint('The train step.'),
      substep: bigint('The step inside it.'),
      name: varchar('The name.'),
      ...told,
      value: double('The value.'),
      extra,
      dt,
    },
  },
} as const satisfies Record<string, LakeTable>

export type LakeTableName = keyof typeof LAKE_TABLES

/** The names of all lake tables. */
export const LAKE_TABLE_NAMES = Object.keys(LAKE_TABLES) as LakeTableName[]

/** The columns of a lake table as DuckDB's read_json takes them: `{"run_id": "VARCHAR", …}`. */
export function lakeColumns(name: LakeTableName): Record<string, string> {
  return Object.fromEntries(
    Object.entries<LakeColumn>(LAKE_TABLES[name].columns).map(([field, { type }]) => [field, type]),
  )
}
