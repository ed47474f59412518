/** What the query API answers: one schema for each kind of answer, from which the OpenAPI document and the tests derive. */
import Type, { type TSchema } from 'typebox'
import { anyReal, flag, instant, integer, json, list, object, oneOf, real, text } from './fields.ts'
import { StepRecorded } from './events/step.ts'
import { Message } from './messages.ts'

/** A field that is always there and may be null. */
const orNull = <Schema extends TSchema>(schema: Schema) => Type.Union([schema, Type.Null()])

/** A page of a list. */
export const listOf = (row: TSchema) =>
  object(
    { rows: Type.Array(row), next: orNull(text('The cursor of the next page; null on the last one.')) },
    'A page of a list.',
  )

const place = { partition: integer('The partition of the log.'), offset: integer('The offset in it.') }
const partsField = orNull(
  Type.Record(Type.String(), Type.Unknown(), { description: 'The parts of the reward by name.' }),
)
const counts = (description: string) => Type.Record(Type.String(), Type.Integer(), { description })

export const RunRow = object(
  {
    run_id: text('The run.'),
    state: oneOf(['implied', 'running', 'finished'], 'implied: events name it, but none started it.'),
    kind: orNull(text('expert_synthesis, sft, rl or eval.')),
    algorithm: orNull(text('The algorithm.')),
    base_model: orNull(text('The model that training began from.')),
    parent_run_id: orNull(text('The run that it resumes.')),
    resumed_at_train_step: orNull(integer('The train step of the parent at which it began.')),
    reward_version: text('The reward version that reads use unless they name another.'),
    correct_threshold: real('The reward from which a trajectory counts as correct.'),
    group_size: orNull(integer('How many rollouts a group is meant to have.')),
    status: orNull(text('How it ended.')),
    started_at: orNull(instant('When it started.')),
    finished_at: orNull(instant('When it finished.')),
    first_event_at: orNull(instant('The earliest time of an event.')),
    last_event_at: orNull(instant('The latest time of an event.')),
    n_trajectories: integer('Trajectories known.'),
    n_finished: integer('Trajectories finished.'),
    n_steps: integer('Distinct steps.'),
    n_tool_calls: integer('Tool calls.'),
    n_scores: integer('Scores.'),
    n_nonfinite: integer('Scores whose reward is NaN or infinite.'),
    n_duplicates: integer('Events of the run and of its trajectories that came again.'),
    n_conflicts: integer('Those that came again with other content.'),
    conflicts_url: orNull(text('Where those are listed, one by one; null where there is none.')),
    n_late: integer('Steps that came after the finish.'),
    n_misrouted: integer('Records found in the wrong partition.'),
  },
  'A run with its counts.',
)

export const RunWhole = object(
  {
    ...RunRow.properties,
    n_groups: integer('Groups.'),
    n_items: integer('Items rolled out.'),
    policies: list(
      object(
        {
          policy_version: integer('The version.'),
          train_step: integer('The train step that produced it.'),
          published_at: instant('When.'),
          data: json('Everything that was said of it.'),
        },
        'A checkpoint.',
      ),
      'Checkpoints that were published; the first 1,000.',
    ),
    settings: json('What run.started said, whole; null where nobody did.'),
  },
  'A run.',
)

const score = {
  reward: orNull(anyReal('The reward under reward_version; null where it has no such score.')),
  reward_version: orNull(text('The reward version of the score.')),
  parts: partsField,
  correct: orNull(flag('answer_match, else parts.correct >= 1, else reward >= the threshold of the run.')),
  answer_match: orNull(flag('Whether the answer matches.')),
  format_ok: orNull(flag('Whether every turn kept to the grammar.')),
}

export const TrajectoryRow = object(
  {
    trajectory_id: text('The trajectory.'),
    run_id: orNull(text('The run.')),
    item_id: orNull(text('The item.')),
    group_id: orNull(text('The group.')),
    group_size: orNull(integer('How many rollouts the group is meant to have.')),
    rollout_index: orNull(integer('The place in the group.')),
    policy_version: orNull(integer('The policy version.')),
    train_step: orNull(integer('The train step.')),
    substep: orNull(integer('The step inside the train step.')),
    actor_model: orNull(text('The model that acts.')),
    finished: flag('Whether it is finished.'),
    status: orNull(text('completed, truncated, aborted or infra_error.')),
    end_reason: orNull(text('Why it ended.')),
    ...score,
    n_steps: orNull(integer('Steps, as the finish says.')),
    n_steps_seen: integer('Distinct steps that are here.'),
    dense: flag('Whether it is finished and every step from 0 on is here.'),
    n_tool_calls: integer('Tool calls.'),
    n_invalid_tool_calls: integer('Tool calls that were not valid.'),
    tools_called: counts('How often each tool was called.'),
    error_codes: counts('How often each error code was set.'),
    prediction: orNull(text('The answer, its first 280 characters.')),
    prompt_tokens: orNull(integer('Tokens of the prompt.')),
    response_tokens: orNull(integer('Tokens written.')),
    obs_tokens: orNull(integer('Tokens observed.')),
    n_annotations: integer('Annotations.'),
    n_duplicates: integer('Events that came again.'),
    n_conflicts: integer('Events that came again with other content.'),
    n_late: integer('Steps that came after the finish.'),
    started_at: orNull(instant('When it started.')),
    finished_at: orNull(instant('When it finished.')),
    first_event_at: instant('The earliest time of an event.'),
    last_event_at: instant('The latest time of an event.'),
  },
  'A trajectory, with its score under one reward version.',
)

export const Step = object(
  {
    ...Type.Partial(StepRecorded.data).properties,
    step_index: integer('The place of the step.'),
    position: object(place, 'Where its event lies in the log.'),
    time: orNull(instant('When it happened, where the producer said so.')),
    appended_at: orNull(instant('When the log appended it; null where the body is missing.')),
    missing_body: Type.Optional(flag('True where neither the log nor the lake gave the body.')),
    extra: Type.Record(Type.String(), Type.Unknown(), { description: 'Fields that the definition does not know.' }),
  },
  'A step: the fields of step.recorded as they were sent, and its place in the log.',
)

export const ImageRow = object(
  {
    image_id: text('The SHA-256 of the bytes.'),
    stored: flag('Whether the bytes are held.'),
    url: orNull(text('Where the bytes are, where they are held.')),
    media_type: orNull(text('The media type.')),
    bytes: orNull(integer('Size in bytes.')),
    width: orNull(integer('Width in pixels.')),
    height: orNull(integer('Height in pixels.')),
    role: orNull(text('question, tool_output, annotated, crop or mask.')),
    parent_image_id: orNull(text('The image that it was made from.')),
  },
  'An image.',
)

export const Score = object(
  {
    ...score,
    offset: integer('The offset of the event.'),
    used: flag('Whether it is the score that the trajectory is read with.'),
  },
  'A score.',
)

export const TrajectoryWhole = object(
  {
    ...TrajectoryRow.properties,
    started: json('What trajectory.started said, whole; null where it has not come.'),
    finish: json('What trajectory.finished said, whole; null where it has not come.'),
    prompt: list(Message, 'The messages before the first step.'),
    tools: list(json('A tool schema.'), 'The tools that were offered.'),
    scores: list(Score, 'All scores.'),
    annotations: list(json('What trajectory.annotated said, with its offset.'), 'All annotations; the first 1,000.'),
    trainings: list(
      json('What trajectory.trained said, with its offset.'),
      'What trainers did with it; the first 1,000.',
    ),
    images: list(ImageRow, 'The images that it refers to.'),
    positions: object(
      {
        partition: integer('The partition of its events.'),
        first_offset: integer('The first event about it.'),
        last_offset: integer('The last event that changed it.'),
        started_offset: orNull(integer('trajectory.started.')),
        finished_offset: orNull(integer('trajectory.finished.')),
      },
      'Where it lies in the log.',
    ),
    missing_steps: list(integer('A step index.'), 'Steps that are not here; the first 100.'),
    steps: list(Step, 'Its steps, in order.'),
    messages: list(
      Message,
      'The whole conversation: the prompt, then for each step what the policy wrote and what came back.',
    ),
  },
  'A trajectory, whole.',
)

export const GroupMember = object(
  {
    trajectory_id: text('The trajectory.'),
    rollout_index: orNull(integer('The place in the group.')),
    reward: orNull(anyReal('The reward.')),
    parts: partsField,
    correct: orNull(flag('Whether it is right.')),
    format_ok: orNull(flag('Whether every turn kept to the grammar.')),
    advantage: orNull(real('The advantage; null for members that do not count.')),
    n_steps: integer('Steps, as the finish says, else as seen.'),
    status: orNull(text('How it ended; null where it has not.')),
    extra: flag('Whether another member stands for its rollout_index.'),
    n_conflicts: integer('Events that came again with other content.'),
  },
  'A member of a group.',
)

export const Group = object(
  {
    group_id: text('The group.'),
    run_id: orNull(text('The run.')),
    item_id: orNull(text('The item.')),
    train_step: orNull(integer('The train step.')),
    policy_version: orNull(integer('The policy version.')),
    expected_size: orNull(integer('How many rollouts it is meant to have; null where nobody said.')),
    size: integer(
      'Members that count: finished as completed or truncated, with a finite reward, one for each rollout_index.',
    ),
    complete: orNull(flag('Whether size reaches expected_size.')),
    reward_mean: orNull(real('The mean reward.')),
    reward_std: orNull(real('The standard deviation, ddof 1; null for fewer than two.')),
    reward_std_population: orNull(real('The standard deviation, ddof 0.')),
    zero_variance: flag('Whether two or more members count and all have the same reward.'),
    zero_variance_kind: orNull(oneOf(['all_pass', 'all_fail', 'uniform_other'], 'Which kind, by correct.')),
    members: list(GroupMember, 'Its members, by rollout_index.'),
  },
  'A group of rollouts of one item at one train step.',
)

export const ItemRow = object(
  {
    item_id: text('The item.'),
    dataset: text('The data set.'),
    family: text('The task family.'),
    split: text('The split.'),
    distribution: orNull(text('id or ood.')),
    question: text('The question; in lists its first 280 characters.'),
    answer: list(text('An accepted answer.'), 'The accepted answers.'),
    answer_type: orNull(text('The type of the answer.')),
    image_ids: list(text('An image.'), 'Its images.'),
  },
  'A question.',
)

export const ItemWhole = object(
  {
    ...ItemRow.properties,
    registered: json('What item.registered said, whole.'),
    images: list(ImageRow, 'Its images.'),
    pass_rates: list(
      object(
        {
          run_id: orNull(text('The run.')),
          policy_version: orNull(integer('The policy version.')),
          n_rollouts: integer('Finished rollouts with a score.'),
          n_pass: integer('Those that are right.'),
          pass_rate: real('Their share.'),
        },
        'How one policy version did.',
      ),
      'By run and policy version; the first 1,000.',
    ),
  },
  'A question, its images and how policies did on it.',
)
