-- The tables of the store. Definitions: schemas/tables.ts; a test compares the two.

-- What run.started and run.finished said, one row a run.
create table runs (
  "run_id" text not null,
  "partition" smallint not null,
  "first_offset" bigint not null,
  "last_offset" bigint not null,
  "started_offset" bigint,
  "started_hash" text,
  "started_at" text,
  "finished_offset" bigint,
  "finished_hash" text,
  "finished_at" text,
  "kind" text,
  "algorithm" text,
  "base_model" text,
  "parent_run_id" text,
  "resumed_at_train_step" bigint,
  "reward_version" text,
  "correct_threshold" double precision,
  "group_size" bigint,
  "status" text,
  "n_duplicates" bigint not null,
  "n_conflicts" bigint not null,
  primary key ("run_id")
);

-- Counts over the trajectories of a run, kept per partition and added when read.
create table run_totals (
  "run_id" text not null,
  "partition" smallint not null,
  "n_trajectories" bigint not null,
  "n_finished" bigint not null,
  "n_steps" bigint not null,
  "n_tool_calls" bigint not null,
  "n_scores" bigint not null,
  "n_nonfinite" bigint not null,
  "n_duplicates" bigint not null,
  "n_conflicts" bigint not null,
  "n_late" bigint not null,
  "first_event_at" text,
  "last_event_at" text,
  primary key ("run_id", "partition")
);

-- How many records of a partition were judged how.
create table partition_totals (
  "partition" smallint not null,
  "n_accepted" bigint not null,
  "n_duplicates" bigint not null,
  "n_conflicts" bigint not null,
  "n_unreadable" bigint not null,
  "n_misrouted" bigint not null,
  primary key ("partition")
);

-- Checkpoints that were published.
create table policies (
  "run_id" text not null,
  "policy_version" bigint not null,
  "partition" smallint not null,
  "first_offset" bigint not null,
  "last_offset" bigint not null,
  "train_step" bigint not null,
  "published_at" text not null,
  "data" json not null,
  primary key ("run_id", "policy_version")
);

-- Questions of data sets.
create table items (
  "item_id" text not null,
  "partition" smallint not null,
  "offset" bigint not null,
  "content_hash" text not null,
  "dataset" text not null,
  "family" text not null,
  "split" text not null,
  "distribution" text,
  "question" text not null,
  "answer_type" text,
  "answer" json not null,
  "image_ids" json not null,
  primary key ("item_id")
);

-- Images that were described, stored or both.
create table images (
  "image_id" text not null,
  "partition" smallint not null,
  "first_offset" bigint not null,
  "last_offset" bigint not null,
  "registered_hash" text,
  "stored_hash" text,
  "media_type" text not null,
  "bytes" bigint not null,
  "width" bigint,
  "height" bigint,
  "role" text,
  "parent_image_id" text,
  "stored" boolean not null,
  primary key ("image_id")
);

-- Rollouts, one row each, from the first event about one.
create table trajectories (
  "trajectory_id" text not null,
  "partition" smallint not null,
  "first_offset" bigint not null,
  "last_offset" bigint not null,
  "run_id" text,
  "started_offset" bigint,
  "started_hash" text,
  "started_at" text,
  "item_id" text,
  "group_id" text,
  "group_size" bigint,
  "rollout_index" bigint,
  "policy_version" bigint,
  "train_step" bigint,
  "substep" bigint,
  "actor_model" text,
  "finished_offset" bigint,
  "finished_hash" text,
  "finished_at" text,
  "status" text,
  "end_reason" text,
  "n_steps" bigint,
  "n_steps_seen" integer not null,
  "step_index_max" bigint,
  "n_tool_calls" integer not null,
  "n_invalid_tool_calls" integer not null,
  "tools" json not null,
  "error_codes" json not null,
  "prompt_tokens" bigint,
  "response_tokens" bigint,
  "obs_tokens" bigint,
  "step_prompt_tokens_max" bigint,
  "step_completion_tokens" bigint not null,
  "step_obs_tokens" bigint not null,
  "prediction" text,
  "image_ids" json not null,
  "n_scores" integer not null,
  "n_nonfinite" integer not null,
  "n_annotations" integer not null,
  "n_trainings" integer not null,
  "n_duplicates" integer not null,
  "n_conflicts" integer not null,
  "n_late" integer not null,
  "first_event_at" text not null,
  "last_event_at" text not null,
  "lake_offset" bigint,
  primary key ("trajectory_id")
);

-- Where each step lies in the log (in the partition of its trajectory).
create table steps (
  "trajectory_id" text not null,
  "step_index" bigint not null,
  "offset" bigint not null,
  "content_hash" text not null,
  primary key ("trajectory_id", "step_index")
);

-- Rewards, one row for each trajectory and reward version. An empty version means that of the run (sent with trajectory.finished).
create table scores (
  "trajectory_id" text not null,
  "reward_version" text not null,
  "offset" bigint not null,
  "content_hash" text not null,
  "reward" double precision not null,
  "parts" json,
  "answer_match" boolean,
  "format_ok" boolean,
  primary key ("trajectory_id", "reward_version")
);

-- What a trainer did with a trajectory.
create table trainings (
  "trajectory_id" text not null,
  "train_step" bigint not null,
  "substep" bigint not null,
  "offset" bigint not null,
  "content_hash" text not null,
  "run_id" text not null,
  "policy_version" bigint not null,
  "kept" boolean,
  "drop_reason" text,
  "advantage" double precision,
  primary key ("trajectory_id", "train_step", "substep")
);

-- What people, models and rules said of trajectories.
create table annotations (
  "trajectory_id" text not null,
  "annotation_id" text not null,
  "offset" bigint not null,
  "content_hash" text not null,
  "codes" json not null,
  "step_index" bigint,
  "annotator" text,
  "method" text,
  "round" text,
  "outcome" text,
  primary key ("trajectory_id", "annotation_id")
);

-- Numbers that trainers logged.
create table metrics (
  "run_id" text not null,
  "train_step" bigint not null,
  "substep" bigint not null,
  "name" text not null,
  "offset" bigint not null,
  "content_hash" text not null,
  "value" double precision not null,
  primary key ("run_id", "train_step", "substep", "name")
);

-- Records that were not accepted, and why. A record without a row here was accepted.
create table verdicts (
  "partition" smallint not null,
  "offset" bigint not null,
  "verdict" text not null,
  "code" text,
  "message" text,
  "natural_key" text,
  "first_offset" bigint,
  "trajectory_id" text,
  "run_id" text,
  primary key ("partition", "offset")
);

-- Records that could not be read, one row for each content.
create table quarantine (
  "quarantine_id" text not null,
  "partition" smallint not null,
  "offset" bigint not null,
  "last_offset" bigint not null,
  "n_seen" bigint not null,
  "bytes" bigint not null,
  "code" text not null,
  "message" text not null,
  "pointer" text not null,
  "hint" text not null,
  "state" text not null,
  "seen_at" text not null,
  primary key ("quarantine_id")
);

-- How far each projection has folded each partition. Changed only by compare-and-swap, with the rows.
create table cursors (
  "projection" text not null,
  "partition" smallint not null,
  "next_offset" bigint not null,
  "epoch" bigint not null,
  "last_record_hash" text,
  primary key ("projection", "partition")
);

-- What the store knows of itself.
create table meta (
  "name" text not null,
  "value" text not null,
  primary key ("name")
);

-- States of the lake. Every snapshot holds exactly the records below its cut.
create table snapshots (
  "snapshot_id" bigint not null,
  "created_at" text not null,
  "log_id" text not null,
  "cut" text not null,
  "published" boolean not null,
  primary key ("snapshot_id")
);

-- Parquet files of lake tables. A file belongs to the snapshots from begin_snapshot up to, not including, end_snapshot.
create table data_files (
  "path" text not null,
  "table_name" text not null,
  "dt" text not null,
  "begin_snapshot" bigint not null,
  "end_snapshot" bigint,
  "rows" bigint not null,
  "bytes" bigint not null,
  "sha256" text not null,
  "from_offsets" text not null,
  "to_offsets" text not null,
  "stats" json not null,
  primary key ("path")
);


create index trajectories_by_run on trajectories (run_id, trajectory_id);
create index trajectories_by_group on trajectories (run_id, group_id);
create index trajectories_by_item on trajectories (item_id, policy_version);
-- What changed since the last cut of the lake.
create index trajectories_by_lake_offset on trajectories (partition, lake_offset);
create index runs_by_change on runs (partition, last_offset);
create index images_by_change on images (partition, last_offset);
-- Conflicts are listed as gaps and misrouted records counted by run; duplicates, of which there may be many, stay out of it.
create index verdicts_seldom on verdicts (verdict, partition, "offset") where verdict in ('conflict', 'misrouted');
create index quarantine_by_state on quarantine (state, seen_at);
create index data_files_live on data_files (table_name, begin_snapshot);
