/** What the diagnostic routes of /v1/analytics answer. */
import Type, { type TSchema } from 'typebox'
import { integer, list, object, oneOf, real, text } from './fields.ts'

const orNull = <Schema extends TSchema>(schema: Schema) => Type.Union([schema, Type.Null()])
const counts = (description: string) => Type.Record(Type.String(), Type.Integer(), { description })
const share = (description: string) => orNull(real(description))

/** What rows were put apart by: only the fields that `by` names are there. */
const by = {
  train_step: Type.Optional(orNull(integer('The train step.'))),
  substep: Type.Optional(orNull(integer('The step inside the train step.'))),
  policy_version: Type.Optional(orNull(integer('The policy version.'))),
  run: Type.Optional(orNull(text('The run.'))),
  dataset: Type.Optional(orNull(text('The data set of the item.'))),
  family: Type.Optional(orNull(text('The task family of the item.'))),
  split: Type.Optional(orNull(text('The split of the item.'))),
  actor_model: Type.Optional(orNull(text('The model that acts.'))),
  status: Type.Optional(orNull(text('How the rollouts ended.'))),
}
const link = orNull(text('The trajectories; null where no URL can name them.'))

const page = (row: TSchema, more: Record<string, TSchema>, description: string) =>
  object(
    { rows: Type.Array(row), next: orNull(text('The cursor of the next page; null on the last one.')), ...more },
    description,
  )

const source = {
  snapshot: orNull(
    integer('The snapshot of the lake that was asked for; null where the answer is of everything up to its position.'),
  ),
  n_trajectories: integer('Finished trajectories that were counted.'),
}

export const ToolRow = object(
  {
    ...by,
    tool: text('The tool after aliases, else as it was called.'),
    n_trajectories: integer('Trajectories that called it.'),
    n_calls: integer('Calls of it.'),
    call_share: real('Of all calls, the share that were of it.'),
    n_valid: integer(
      'Calls that could be read, fitted the schema and were taken: as the sender says (parse_ok, schema_ok, valid, status), and where it says nothing those without E1, E2, E3 and WRONG_TOOL.',
    ),
    valid_share: real('Their share.'),
    n_failed: integer('Calls whose status is tool_error, timeout or infra.'),
    failure_share: real('Their share.'),
    n_retries: integer('Calls whose attempt is above 0.'),
    retry_share: real('Their share.'),
    n_latency: integer('Calls that say how long the tool ran.'),
    latency_ms_mean: orNull(real('The mean.')),
    latency_ms_p50: orNull(real('The median, between neighbours by straight line.')),
    latency_ms_p95: orNull(real('The 95th percentile.')),
    latency_ms_max: orNull(real('The longest.')),
    statuses: counts('How often each status came; calls without one are under unsaid.'),
    trajectories_url: link,
  },
  'How a tool did.',
)
export const Tools = page(ToolRow, source, 'How tools did.')

export const ErrorRow = object(
  {
    ...by,
    code: text('E1 to E6, or another code.'),
    n_trajectories: integer('Trajectories that have it, whoever says so.'),
    share: real('Of all finished trajectories. One may have several codes: shares do not add up to 1.'),
    share_of_errors: share('Of those with any code; null where none has one.'),
    share_of_annotated: share('Of those that somebody annotated.'),
    by_method: counts('Trajectories that have it, by who says so: rule, human, llm or another.'),
    n_calls: integer('Calls that have it by rule.'),
    n_finished: integer('Finished trajectories.'),
    n_with_errors: integer('Of those, with any code.'),
    n_annotated: integer('Of those, annotated.'),
    agreement: object(
      {
        n_units: integer('Trajectories, by round, that two annotators or more looked at.'),
        agreement: share('The share of pairs of annotators that agree.'),
        alpha: share("Krippendorff's alpha: 1 always, 0 as often as by chance; null where all say the same of all."),
      },
      'How far annotators agree on the code.',
    ),
    trajectories_url: link,
  },
  'How often an error code came.',
)
export const Errors = page(ErrorRow, source, 'Error codes.')

export const ErrorChangeRow = object(
  {
    code: text('The code.'),
    n_before: integer('Items that had it before.'),
    n_solved: integer('Of those, items of which at least half of the rollouts are right after.'),
    n_unsolved: integer('The rest of them.'),
    solved_share: share('The share that was solved.'),
    n_kept: integer('Items that have it before and after.'),
    n_new: integer('Items that have it after alone.'),
    n_after: integer('Items that have it after.'),
  },
  'What became of a code.',
)
export const ErrorChanges = page(
  ErrorChangeRow,
  {
    ...source,
    from: integer('The policy version before.'),
    to: integer('The policy version after.'),
    n_items: integer('Items with finished rollouts of both.'),
    n_items_left_out: integer('Items with rollouts of one alone.'),
    accuracy_before: share('The mean over items of the share of right rollouts before.'),
    accuracy_after: share('The same after.'),
  },
  'Two policies on the same items.',
)

const reason = oneOf(
  [
    'trained',
    'dropped',
    'unfinished',
    'conflicted',
    'broken',
    'gap',
    'unscored',
    'nonfinite',
    'replaced',
    'incomplete_group',
    'zero_variance',
    'unmentioned',
    'ready',
  ],
  'The first of these that holds.',
)

export const UntrainedRow = object(
  {
    ...by,
    reason,
    detail: orNull(text("The trainer's reason, the status or the kind of zero variance.")),
    meaning: text('The reason in words.'),
    n: integer('Rollouts.'),
    share: real('Of all rollouts in the bucket.'),
    examples: list(text('A trajectory.'), 'The first five.'),
  },
  'Rollouts with one reason.',
)

export const UntrainedTrajectoryRow = object(
  {
    trajectory_id: text('The trajectory.'),
    run_id: text('Its run.'),
    group_id: orNull(text('Its group.')),
    train_step: orNull(integer('Its train step.')),
    reason,
    detail: orNull(text("The trainer's reason, the status or the kind of zero variance.")),
    meaning: text('The reason in words.'),
    trajectory_url: text('The trajectory, whole.'),
  },
  'Why a rollout gave a training row or none.',
)
