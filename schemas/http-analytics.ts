/** What /v1/analytics answers: one schema for each kind of row, from which CSV and Parquet have their columns, too. */
import Type, { type TSchema } from 'typebox'
import { anyReal, flag, integer, list, object, oneOf, real, text } from './fields.ts'
import { listOf } from './http.ts'

/** A field that is always there and may be null. */
const orNull = <Schema extends TSchema>(schema: Schema) => Type.Union([schema, Type.Null()])
const count = (description: string) => integer(description)
const number = (description: string) => orNull(real(description))
const maybeInteger = (description: string) => orNull(Type.Integer({ description }))
const maybeText = (description: string) => orNull(text(description))
const link = (what: string) => maybeText(`Where ${what} are listed; null where no URL can name them.`)
const record = <Schema extends TSchema>(schema: Schema, description: string) =>
  Type.Record(Type.String(), schema, { description })

/** What rows were put apart by: only the fields that `by` names are there. */
const by = {
  train_step: Type.Optional(maybeInteger('The train step.')),
  substep: Type.Optional(maybeInteger('The step inside the train step.')),
  policy_version: Type.Optional(maybeInteger('The policy version.')),
  run: Type.Optional(maybeText('The run.')),
  dataset: Type.Optional(maybeText('The data set of the item; null where it is not registered.')),
  family: Type.Optional(maybeText('The task family of the item.')),
  split: Type.Optional(maybeText('The split of the item.')),
  actor_model: Type.Optional(maybeText('The model that acts.')),
  status: Type.Optional(maybeText('How the rollouts ended.')),
}

const summary = (what: string) =>
  object(
    {
      mean: number(`The mean of ${what}.`),
      std: number('The standard deviation, ddof 1; null for fewer than two.'),
      min: number('The least.'),
      max: number('The greatest.'),
      p10: number('The 10th percentile, between neighbours by straight line.'),
      p50: number('The median.'),
      p90: number('The 90th percentile.'),
    },
    `The distribution of ${what}.`,
  )

export const RewardRow = object(
  {
    ...by,
    reward_version: text('The reward version that was read.'),
    n: count('Finished trajectories with a score.'),
    n_unscored: count('Finished trajectories without one; they are in no other number.'),
    n_nonfinite: count(
      'Of n, those whose reward is NaN or infinite: left out of mean, deviation, extremes and quantiles.',
    ),
    reward_mean: number('The mean reward.'),
    reward_std: number('Its standard deviation, ddof 1; null for fewer than two.'),
    reward_min: number('The least.'),
    reward_max: number('The greatest.'),
    reward_p10: number('The 10th percentile, between neighbours by straight line.'),
    reward_p50: number('The median.'),
    reward_p90: number('The 90th percentile.'),
    n_correct: count('Of n, those that are right.'),
    correct_share: number('The outcome, apart from the shaped reward: the share of n that is right.'),
    format_ok_share: number('The share that kept to the form, of those whose score says so or not.'),
    parts: record(
      object(
        {
          mean: number('The mean over finite values.'),
          std: number('The standard deviation, ddof 1.'),
          n: count('Scores that have the part.'),
          n_nonfinite: count('Of those, NaN or infinite.'),
        },
        'A part of the reward.',
      ),
      'The parts by name, each over the scores that have it.',
    ),
    trajectories_url: link('the trajectories'),
  },
  'The rewards of some trajectories.',
)

export const GroupSeriesRow = object(
  {
    train_step: orNull(integer('The train step.')),
    groups: count('Groups.'),
    complete: count('Groups that have their expected size.'),
    incomplete: count(
      'Groups known to have fewer members than expected. They are in no number below, unless include=incomplete.',
    ),
    all_pass: count('Groups of equal rewards whose members are all right.'),
    all_fail: count('Groups of equal rewards whose members are all wrong.'),
    zero_variance: count('Groups of equal rewards.'),
    outcome_all_pass: count('Groups whose members are all right, whatever their rewards.'),
    outcome_all_fail: count('Groups whose members are all wrong, whatever their rewards.'),
    outcome_mixed: count('Groups with right and wrong members.'),
    all_fail_kept_by_std: count(
      'Groups whose members are all wrong and whose (shaped) rewards differ: a filter on the deviation keeps them.',
    ),
    all_pass_kept_by_std: count('Groups whose members are all right and whose rewards differ.'),
    mean_std: number('The mean over groups of the standard deviation, ddof 1.'),
    mean_std_population: number('The mean over groups of the standard deviation, ddof 0.'),
    effective_share: real('The share of groups with two or more members that count and unequal rewards.'),
    dapo_kept_by_outcome: count(
      "Groups that DAPO's filter on the outcome keeps: right and wrong members, or one member.",
    ),
    dapo_kept_by_reward: count('Groups that its filter on the reward keeps: unequal rewards, or one member.'),
    dapo_kept_share: number('The share that the filter on the outcome keeps.'),
    groups_url: link('the groups'),
    incomplete_url: link('the incomplete groups'),
  },
  'The groups of a train step.',
)

export const AdvantageRow = object(
  {
    trajectory_id: text('The trajectory.'),
    run_id: text('Its run.'),
    group_id: text('Its group.'),
    train_step: maybeInteger('The train step of the rollout.'),
    rollout_index: maybeInteger('The place in the group.'),
    reward: anyReal('The reward.'),
    correct: orNull(flag('Whether it is right.')),
    group_mean: number('The mean of the group.'),
    group_std: number('Its deviation, ddof 1.'),
    group_size: count('Members that count.'),
    advantage: number('The advantage as the formula gives it; null with none.'),
    trainer_advantage: orNull(anyReal('What the trainer said; the first time, where it trained several times.')),
    trainer_train_step: maybeInteger('The train step at which it said so.'),
    trainer_substep: maybeInteger('The step inside it.'),
    kept: orNull(flag('Whether the trainer used it.')),
    drop_reason: maybeText('Why not.'),
    difference: number("The trainer's less ours."),
    differs: orNull(flag('Whether that is more than the tolerance; null where one of the two is missing.')),
    group_url: text('The group.'),
  },
  'The advantage of a trajectory.',
)

export const Advantages = object(
  {
    ...listOf(AdvantageRow).properties,
    histogram: list(
      object(
        {
          from: real('The lower end, in it.'),
          to: real('The upper end; in the last bar only.'),
          n: count('How many.'),
        },
        'A bar.',
      ),
      'All advantages, whatever the page.',
    ),
    n: count('Trajectories with an advantage, on all pages.'),
    mean: number('Their mean.'),
    std: number('Their standard deviation, ddof 1.'),
    left_out: record(Type.Integer(), 'Trajectories without one, by reason: incomplete_group, not_counted, no_group.'),
    n_compared: count("Those of which the trainer's is known, too."),
    n_different: count('Of those, how many differ by more than the tolerance.'),
    max_abs_difference: number('The greatest difference.'),
    agreement: record(Type.Integer(), 'How many of the compared each formula gives: tells which one the trainer uses.'),
  },
  'Advantages, and how they are distributed.',
)

const estimate = (what: string) =>
  object(
    {
      value: number(`${what} Null for no items.`),
      low: number('The lower end of its interval.'),
      high: number('The upper end.'),
      n_items: count('Units with at least k rollouts that can be used.'),
      n_items_left_out: count('Those with fewer.'),
    },
    what,
  )

export const PassEstimateRow = object(
  {
    k: integer('How many rollouts are drawn.', 1),
    pass_at_k: number('The chance that at least one is right, without bias; null for no items.'),
    pass_hat_k: number('The chance that all are right.'),
    n_items: count('Pairs of item and policy version with at least k rollouts.'),
    n_items_left_out: count('Those with fewer.'),
    pass_at_k_low: Type.Optional(number('The lower end of its interval.')),
    pass_at_k_high: Type.Optional(number('The upper end.')),
    pass_hat_k_low: Type.Optional(number('The lower end of its interval.')),
    pass_hat_k_high: Type.Optional(number('The upper end.')),
    best: Type.Optional(estimate('The expected greatest reward of k.')),
    worst: Type.Optional(estimate('The expected least reward of k.')),
    maj: Type.Optional(estimate('The chance that the most frequent answer of k is right, ties by lot.')),
  },
  'The estimates for one k.',
)

export const PassEstimates = object(
  {
    estimates: list(PassEstimateRow, 'One for each k, as asked.'),
    resampling: Type.Optional(
      object(
        {
          items: count('Items that were drawn from.'),
          resamples: count('How often; fewer than asked for where items are many.'),
          confidence: real('The share of the interval.'),
          seed: integer('The seed.'),
        },
        'How intervals were made.',
      ),
    ),
    trajectories_url: Type.Optional(link('the trajectories')),
  },
  'pass@k and the like over finished, scored trajectories; the unit is (item, policy_version).',
)

const lengths = (which: string) =>
  object(
    {
      n: count(`Finished rollouts that were ${which}.`),
      n_tokens: count('Of those, how many have known tokens.'),
      tokens: summary('tokens written'),
      steps: summary('steps'),
      tool_calls_mean: number('The mean number of tool calls.'),
    },
    `The lengths of rollouts that were ${which}.`,
  )

export const LengthRow = object(
  {
    ...by,
    n: count('Finished trajectories.'),
    n_unscored: count('Those without a score, which are neither right nor wrong.'),
    n_truncated: count('Those with status truncated.'),
    truncated_share: number('Their share.'),
    n_overlong: count('Those that ended by max_tokens, or wrote at least tokens_max.'),
    overlong_share: number('Their share.'),
    right: lengths('right'),
    wrong: lengths('wrong'),
    trajectories_url: link('the trajectories'),
  },
  'Lengths, right against wrong.',
)

const trainedStep = {
  train_step: integer('The train step at which a trainer spoke of trajectories.'),
  substep: integer('The step inside it.'),
}

export const StalenessRow = object(
  {
    ...trainedStep,
    n: count('Times that a trainer spoke of a trajectory with a known policy version.'),
    n_unknown: count('Those of trajectories without one.'),
    staleness: summary('train minus rollout policy version'),
    counts: list(
      object(
        { staleness: Type.Integer({ description: 'Versions between.' }), n: count('How often.') },
        'One staleness.',
      ),
      'How often each staleness came.',
    ),
    trajectories_url: link('the trajectories that were rolled out for this step'),
  },
  'How many versions of the policy lie between rollouts and their training.',
)

export const TrainingRow = object(
  {
    ...trainedStep,
    n: count('Times that the trainer spoke of a trajectory.'),
    n_kept: count('Of those, kept.'),
    n_dropped: count('Dropped.'),
    n_unsaid: count('It did not say which.'),
    kept_share: number('Kept, of kept and dropped.'),
    drop_reasons: record(Type.Integer(), 'Dropped, by reason; without one: unsaid.'),
    staleness_mean: number('The mean of train minus rollout policy version.'),
    staleness_max: maybeInteger('The greatest.'),
    n_compared: count('Advantages of the trainer beside ours.'),
    n_different: count('Of those, how many differ by more than the tolerance.'),
    max_abs_difference: number('The greatest difference.'),
    reward_mean: number('The mean stored reward of the trajectories.'),
    correct_share: number('The share that is right.'),
    metrics: record(anyReal('A value.'), 'What the trainer logged at this step, by name.'),
    trajectories_url: link('the trajectories that were rolled out for this step'),
  },
  'What the trainer said of a step, beside what is computed here.',
)

export const MetricRow = object(
  {
    run_id: text('The run.'),
    train_step: integer('The train step.'),
    substep: integer('The step inside it.'),
    name: text('The name.'),
    value: anyReal('The value.'),
  },
  'A number that a trainer logged.',
)

export const CounterfactualRow = object(
  {
    ...by,
    formula: text('The formula, by name or as it was sent.'),
    n: count('Finished, scored trajectories that have all that the formula needs.'),
    n_left_out: count('Those that have not; they are in no other number.'),
    n_nonfinite: count('Of n, those that come to NaN or an infinity.'),
    mean: number('The mean.'),
    std: number('The standard deviation, ddof 1.'),
    min: number('The least.'),
    max: number('The greatest.'),
    stored_mean: number('The mean stored reward of the same trajectories.'),
    groups: count('Groups.'),
    incomplete: count('Groups with fewer members than expected: not in what follows, unless include=incomplete.'),
    zero_variance: count('Groups of equal rewards by this formula.'),
    mean_std: number('The mean over groups of the standard deviation, ddof 1.'),
    effective_share: real('The share of groups that would give a gradient.'),
    dapo_kept_by_reward: count("Groups that DAPO's filter on this reward keeps."),
    dapo_kept_mean: number('The mean over trajectories of those groups.'),
    trajectories_url: link('the trajectories'),
    groups_url: link('the groups'),
  },
  'Rewards as another formula would have given them.',
)

export const BenchmarkRow = object(
  {
    run_id: text('The run.'),
    policy_version: maybeInteger('The policy version.'),
    kind: oneOf(['dataset', 'mean'], 'mean: ID, OOD and All, the plain means over data sets.'),
    dataset: maybeText('The data set, or ID, OOD, All.'),
    distribution: maybeText('id or ood, as items say.'),
    n_datasets: count('Data sets in it.'),
    n_items: count('Items with a scored rollout.'),
    n_trajectories: count('Their rollouts.'),
    n_correct: count('Of those, right.'),
    n_unscored: count('Finished rollouts without a score; in no accuracy.'),
    accuracy: number(
      'From 0 to 1: the mean over items of the share of their rollouts that are right; of means, over data sets.',
    ),
    trajectories_url: link('the trajectories'),
  },
  'The accuracy on a data set.',
)
