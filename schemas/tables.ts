/**
 * The tables of the store that projections keep. Narrow rows only: keys, numbers, short previews and each fact's place
 * in the log. Bodies stay in the log and the lake.
 */
import { type RowOf, type Table, bigint, double, flag, integer, json, nullable, smallint, text } from './columns.ts'
import { CATALOG_TABLES } from './catalog.ts'
import { CLAIM_TABLES } from './claims.ts'
import { CONSUMER_TABLES } from './consumers.ts'

const partition = smallint('The partition of the log that its events lie in.')
const place = bigint('The offset of the event that made it.')
const contentHash = text('128 bits of hash over the content, in hex.')
const firstOffset = bigint('The offset of the first event about it.')
const lastOffset = bigint('The offset of the last event that changed it.')
const trajectoryId = text('The trajectory.')
const runId = text('The run.')

const PROJECTION_TABLES = {
  runs: {
    meaning: 'What run.started and run.finished said, one row a run.',
    key: ['run_id'],
    columns: {
      run_id: runId,
      partition,
      first_offset: firstOffset,
      last_offset: lastOffset,
      started_offset: nullable(bigint('The offset of run.started.')),
      started_hash: nullable(contentHash),
      started_at: nullable(text('When run.started happened.')),
      finished_offset: nullable(bigint('The offset of run.finished.')),
      finished_hash: nullable(contentHash),
      finished_at: nullable(text('When run.finished happened.')),
      kind: nullable(text('expert_synthesis, sft, rl or eval.')),
      algorithm: nullable(text('The algorithm.')),
      base_model: nullable(text('The base model.')),
      parent_run_id: nullable(text('The run that it resumes.')),
      resumed_at_train_step: nullable(bigint('The train step of the parent at which it began.')),
      reward_version: nullable(text('The reward version that reads use.')),
      correct_threshold: nullable(double('The reward from which a trajectory is correct.')),
      group_size: nullable(bigint('How many rollouts a group is meant to have.')),
      status: nullable(text('How it ended.')),
      n_duplicates: bigint('Events of the run itself that came again.'),
      n_conflicts: bigint('Events of the run itself that came again with other content.'),
    },
  },
  run_totals: {
    meaning: 'Counts over the trajectories of a run, kept per partition and added when read.',
    key: ['run_id', 'partition'],
    columns: {
      run_id: runId,
      partition,
      n_trajectories: bigint('Trajectories known.'),
      n_finished: bigint('Trajectories finished.'),
      n_steps: bigint('Distinct steps.'),
      n_tool_calls: bigint('Tool calls.'),
      n_scores: bigint('Scores.'),
      n_nonfinite: bigint('Scores whose reward is NaN or infinite.'),
      n_duplicates: bigint('Events that came again.'),
      n_conflicts: bigint('Events that came again with other content.'),
      n_late: bigint('Steps that came after the finish.'),
      first_event_at: nullable(text('The earliest time of an event.')),
      last_event_at: nullable(text('The latest time of an event.')),
    },
  },
  partition_totals: {
    meaning: 'How many records of a partition were judged how.',
    key: ['partition'],
    columns: {
      partition,
      n_accepted: bigint('Facts.'),
      n_duplicates: bigint('Sent again.'),
      n_conflicts: bigint('Sent again with other content.'),
      n_unreadable: bigint('No event.'),
      n_misrouted: bigint('Found in the wrong partition.'),
    },
  },
  policies: {
    meaning: 'Checkpoints that were published.',
    key: ['run_id', 'policy_version'],
    columns: {
      run_id: runId,
      policy_version: bigint('The version.'),
      partition,
      first_offset: firstOffset,
      last_offset: lastOffset,
      train_step: bigint('The train step that produced it.'),
      published_at: text('When it was published.'),
      data: json('Everything that was said, merged.'),
    },
  },
  items: {
    meaning: 'Questions of data sets.',
    key: ['item_id'],
    columns: {
      item_id: text('The item.'),
      partition,
      offset: place,
      content_hash: contentHash,
      dataset: text('The data set.'),
      family: text('The task family.'),
      split: text('The split.'),
      distribution: nullable(text('id or ood.')),
      question: text('The question, its first 280 characters.'),
      answer_type: nullable(text('The type of the answer.')),
      answer: json('The accepted answers.'),
      image_ids: json('Its images.'),
    },
  },
  images: {
    meaning: 'Images that were described, stored or both.',
    key: ['image_id'],
    columns: {
      image_id: text('The SHA-256 of the bytes.'),
      partition,
      first_offset: firstOffset,
      last_offset: lastOffset,
      registered_hash: nullable(contentHash),
      stored_hash: nullable(contentHash),
      media_type: text('The media type.'),
      bytes: bigint('Size in bytes.'),
      width: nullable(bigint('Width in pixels.')),
      height: nullable(bigint('Height in pixels.')),
      role: nullable(text('What it is.')),
      parent_image_id: nullable(text('The image it was made from.')),
      stored: flag('Whether the bytes are held.'),
    },
  },
  trajectories: {
    meaning: 'Rollouts, one row each, from the first event about one.',
    key: ['trajectory_id'],
    columns: {
      trajectory_id: trajectoryId,
      partition,
      first_offset: firstOffset,
      last_offset: lastOffset,
      run_id: nullable(runId),
      started_offset: nullable(bigint('The offset of trajectory.started.')),
      started_hash: nullable(contentHash),
      started_at: nullable(text('When it started.')),
      item_id: nullable(text('The item.')),
      group_id: nullable(text('The group.')),
      group_size: nullable(bigint('The size the group is meant to have.')),
      rollout_index: nullable(bigint('The place in the group.')),
      policy_version: nullable(bigint('The policy version.')),
      train_step: nullable(bigint('The train step.')),
      substep: nullable(bigint('The step inside the train step.')),
      actor_model: nullable(text('The model that acts.')),
      finished_offset: nullable(bigint('The offset of trajectory.finished.')),
      finished_hash: nullable(contentHash),
      finished_at: nullable(text('When it finished.')),
      status: nullable(text('completed, truncated, aborted or infra_error.')),
      end_reason: nullable(text('Why it ended.')),
      n_steps: nullable(bigint('How many steps trajectory.finished says there are.')),
      n_steps_seen: integer('How many distinct steps are here.'),
      step_index_max: nullable(bigint('The highest step index here.')),
      n_tool_calls: integer('Tool calls.'),
      n_invalid_tool_calls: integer('Tool calls that were not valid.'),
      tools: json('How often each tool was called, by name.'),
      error_codes: json('How often each error code was set, by code.'),
      prompt_tokens: nullable(bigint('Tokens of the prompt, as the finish says.')),
      response_tokens: nullable(bigint('Tokens written, as the finish says.')),
      obs_tokens: nullable(bigint('Tokens observed, as the finish says.')),
      step_prompt_tokens_max: nullable(bigint('The longest prompt of a step, in tokens.')),
      step_completion_tokens: bigint('Tokens written, added over steps.'),
      step_obs_tokens: bigint('Tokens observed, added over steps.'),
      prediction: nullable(text('The answer, its first 280 characters.')),
      image_ids: json('The images referred to, sorted.'),
      n_scores: integer('Scores.'),
      n_nonfinite: integer('Scores that are NaN or infinite.'),
      n_annotations: integer('Annotations.'),
      n_trainings: integer('Times a trainer spoke of it.'),
      n_duplicates: integer('Events that came again.'),
      n_conflicts: integer('Events that came again with other content.'),
      n_late: integer('Steps that came after the finish.'),
      first_event_at: text('The earliest time of an event.'),
      last_event_at: text('The latest time of an event.'),
      lake_offset: nullable(
        bigint(
          'The last change of a finished row, duplicates apart; null before the finish. What the next cut of the lake looks for.',
        ),
      ),
    },
  },
  steps: {
    meaning: 'Where each step lies in the log (in the partition of its trajectory).',
    key: ['trajectory_id', 'step_index'],
    columns: {
      trajectory_id: trajectoryId,
      step_index: bigint('The place of the step.'),
      offset: place,
      content_hash: contentHash,
    },
  },
  scores: {
    meaning:
      'Rewards, one row for each trajectory and reward version. An empty version means that of the run (sent with trajectory.finished).',
    key: ['trajectory_id', 'reward_version'],
    columns: {
      trajectory_id: trajectoryId,
      reward_version: text('The reward version; empty for that of the run.'),
      offset: place,
      content_hash: contentHash,
      reward: double('The reward; may be NaN or infinite.'),
      parts: nullable(json('The parts by name.')),
      answer_match: nullable(flag('Whether the answer matches.')),
      format_ok: nullable(flag('Whether the form was kept.')),
    },
  },
  trainings: {
    meaning: 'What a trainer did with a trajectory.',
    key: ['trajectory_id', 'train_step', 'substep'],
    columns: {
      trajectory_id: trajectoryId,
      train_step: bigint('The train step.'),
      substep: bigint('The step inside it.'),
      offset: place,
      content_hash: contentHash,
      run_id: runId,
      policy_version: bigint('The version that was trained.'),
      kept: nullable(flag('Whether it was used.')),
      drop_reason: nullable(text('Why not.')),
      advantage: nullable(double('The advantage of the trainer.')),
    },
  },
  annotations: {
    meaning: 'What people, models and rules said of trajectories.',
    key: ['trajectory_id', 'annotation_id'],
    columns: {
      trajectory_id: trajectoryId,
      annotation_id: text('The annotation.'),
      offset: place,
      content_hash: contentHash,
      codes: json('What was found.'),
      step_index: nullable(bigint('The step.')),
      annotator: nullable(text('Who.')),
      method: nullable(text('How.')),
      round: nullable(text('Which round.')),
      outcome: nullable(text('solved or unsolved.')),
    },
  },
  metrics: {
    meaning: 'Numbers that trainers logged.',
    key: ['run_id', 'train_step', 'substep', 'name'],
    columns: {
      run_id: runId,
      train_step: bigint('The train step.'),
      substep: bigint('The step inside it.'),
      name: text('The name.'),
      offset: place,
      content_hash: contentHash,
      value: double('The value.'),
    },
  },
  verdicts: {
    meaning: 'Records that were not accepted, and why. A record without a row here was accepted.',
    key: ['partition', 'offset'],
    columns: {
      partition,
      offset: bigint('The offset.'),
      verdict: text('duplicate, conflict, unreadable or misrouted.'),
      code: nullable(text('A code for the reason.')),
      message: nullable(text('The reason.')),
      natural_key: nullable(text('The natural key.')),
      first_offset: nullable(bigint('The record that came first.')),
      trajectory_id: nullable(trajectoryId),
      run_id: nullable(runId),
    },
  },
  quarantine: {
    meaning: 'Records that could not be read, one row for each content.',
    key: ['quarantine_id'],
    columns: {
      quarantine_id: text('The SHA-256 of the bytes.'),
      partition,
      offset: place,
      last_offset: lastOffset,
      n_seen: bigint('How often it came.'),
      bytes: bigint('Its size.'),
      code: text('A code for the reason.'),
      message: text('What was wrong.'),
      pointer: text('Where, as a JSON pointer.'),
      hint: text('What to do.'),
      state: text('open, dropped or retried.'),
      seen_at: text('When it came first.'),
    },
  },
  ...CONSUMER_TABLES,
} as const satisfies Record<string, Table>

const STATE_TABLES = {
  cursors: {
    meaning: 'How far each projection has folded each partition. Changed only by compare-and-swap, with the rows.',
    key: ['projection', 'partition'],
    columns: {
      projection: text('The projection.'),
      partition,
      next_offset: bigint('Everything below is folded.'),
      epoch: bigint('Which owner may move it.'),
      last_record_hash: nullable(
        text('The hash of the record before next_offset, to notice another log under the same name.'),
      ),
    },
  },
  meta: {
    meaning: 'What the store knows of itself.',
    key: ['name'],
    columns: { name: text('log_id, boot_id, closed_well, projection_version.'), value: text('The value.') },
  },
  ...CLAIM_TABLES,
} as const satisfies Record<string, Table>

/** The counts of run_totals: what each trajectory adds to its run. */
export const RUN_COUNTS = [
  'n_trajectories',
  'n_finished',
  'n_steps',
  'n_tool_calls',
  'n_scores',
  'n_nonfinite',
  'n_duplicates',
  'n_conflicts',
  'n_late',
] as const

/** The projections that have a cursor on every partition. */
export const CURSOR_OF = { project: 'project', archive: 'archive' } as const

/** Every table, by name. */
export const TABLES = { ...PROJECTION_TABLES, ...STATE_TABLES, ...CATALOG_TABLES } as const

/** The tables that are folded from the log and can be folded again. */
export const PROJECTED = Object.keys(PROJECTION_TABLES) as (keyof typeof PROJECTION_TABLES)[]

export type TableName = keyof typeof TABLES
export type ProjectedName = keyof typeof PROJECTION_TABLES

/** A row of a table. */
export type Row<Name extends TableName> = RowOf<(typeof TABLES)[Name]>

/** The database as Kysely sees it. */
export type Database = { [Name in TableName]: Row<Name> }

/** The columns of a table as a SQL record definition: `("run_id" text, …)`, for json_to_recordset. */
export function recordDefinition(name: TableName): string {
  return Object.entries<{ sql: string }>(TABLES[name].columns)
    .map(([column, { sql }]) => `"${column}" ${sql}`)
    .join(', ')
}
