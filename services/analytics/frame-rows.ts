/** What a frame is made of: plain rows, as the store or the lake hands them over. */

/** A run of a frame. */
export interface FrameRun {
  readonly run_id: string
  readonly kind: string | null
  /** Null where run.started named none: `default`. */
  readonly reward_version: string | null
  readonly correct_threshold: number | null
  readonly group_size: number | null
  /** In a lineage: only trajectories of a train step below this are of the chain; null is no cut. */
  readonly before_train_step: number | null
}

/** A score of a trajectory. */
export interface ScoreRow {
  /** Empty for that of the run (sent with trajectory.finished). */
  readonly reward_version: string
  /** Its place in the log, which says which of two came first. */
  readonly offset: number
  /** May be NaN or infinite. */
  readonly reward: number
  /** Parts by name; those that are not finite as the strings they were sent as. */
  readonly parts: Readonly<Record<string, unknown>> | null
  readonly answer_match: boolean | null
  readonly format_ok: boolean | null
}

/** What a trainer did with a trajectory. */
export interface TrainingRow {
  readonly offset: number
  readonly train_step: number
  readonly substep: number
  readonly policy_version: number
  readonly kept: boolean | null
  readonly drop_reason: string | null
  readonly advantage: number | null
}

/** A trajectory with everything that was said of it. */
export interface TrajectoryRow {
  readonly trajectory_id: string
  readonly run_id: string
  readonly partition: number
  readonly first_offset: number
  /** The last event that changed it. */
  readonly last_offset: number
  readonly finished: boolean
  readonly item_id: string | null
  readonly group_id: string | null
  readonly group_size: number | null
  readonly rollout_index: number | null
  readonly policy_version: number | null
  readonly train_step: number | null
  readonly substep: number | null
  readonly actor_model: string | null
  readonly status: string | null
  readonly end_reason: string | null
  /** Steps as the finish says; null before it. */
  readonly n_steps: number | null
  /** Distinct steps that are here. */
  readonly n_steps_seen: number
  readonly n_tool_calls: number
  readonly n_invalid_tool_calls: number
  /** How often each tool was called, by name. */
  readonly tools: Readonly<Record<string, number>>
  /** How often each error code was set by rule, by code. */
  readonly error_codes: Readonly<Record<string, number>>
  readonly prompt_tokens: number | null
  readonly response_tokens: number | null
  readonly obs_tokens: number | null
  /** The longest prompt of a step, in tokens. */
  readonly step_prompt_tokens_max: number | null
  /** Tokens written, added over steps. */
  readonly step_completion_tokens: number
  /** Tokens observed, added over steps. */
  readonly step_obs_tokens: number
  /** The answer, its first 280 characters. */
  readonly prediction: string | null
  readonly n_conflicts: number
  readonly scores: readonly ScoreRow[]
  readonly trainings: readonly TrainingRow[]
}

/** A question of a data set. The first registration of an id is the one that counts. */
export interface ItemRow {
  readonly item_id: string
  readonly dataset: string
  readonly family: string
  readonly split: string
  /** id or ood. */
  readonly distribution: string | null
}

/** Everything of a frame. */
export interface FrameRows {
  readonly runs: readonly FrameRun[]
  readonly trajectories: Iterable<TrajectoryRow>
  /** At least the items of the trajectories that are registered. */
  readonly items: Iterable<ItemRow>
}
