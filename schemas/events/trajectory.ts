/** Events about a trajectory as a whole. */
import Type from 'typebox'
import {
  anyReal,
  flag,
  id,
  instant,
  integer,
  json,
  list,
  maybe,
  object,
  oneOf,
  real,
  sha256,
  text,
} from '#schemas/fields.ts'
import { Message, Tool, trajectoryId } from '#schemas/messages.ts'
import { defineEvent } from './define.ts'

export const STATUSES = ['completed', 'truncated', 'aborted', 'infra_error'] as const

export const TrajectoryStarted = defineEvent({
  type: 'trajectory.started',
  meaning: 'A rollout of an item by a policy version began.',
  key: ['trajectory_id'],
  partitionBy: 'trajectory_id',
  defaults: { substep: 0 },
  data: object(
    {
      trajectory_id: trajectoryId(),
      run_id: id('The run.'),
      item_id: id('The item that is rolled out.'),
      policy_version: integer('The version of the policy that acts.'),
      group_id: maybe(id('The group: the rollouts of one item at one train step.')),
      group_size: maybe(integer('How many rollouts the group is meant to have.', 1)),
      rollout_index: maybe(integer('The place of this rollout in its group. A retry repeats it.')),
      train_step: maybe(integer('The train step that the rollout is for.')),
      substep: maybe(integer('The step inside the train step. Default 0.')),
      actor_model: maybe(text('The model that acts.')),
      sampling: maybe(json('Sampling settings.')),
      prompt: maybe(list(Message, 'The messages before the first step.')),
      tools: maybe(list(Tool, 'The schemas of the tools that were offered.')),
      max_turns: maybe(integer('The most turns allowed.')),
      derived_from_trajectory_id: maybe(id('The trajectory that this one was made from.')),
      derivation: maybe(text('densified, re_scored, replayed or another word.')),
      teacher_models: maybe(list(text('A model.'), 'The models that wrote it.')),
      started_at: maybe(instant('When it began.')),
    },
    '',
  ),
  examples: [
    {
      trajectory_id: 'r1/t30/chartqa-17/0',
      run_id: 'r1',
      item_id: 'chartqa/train/17',
      policy_version: 3,
      group_id: 'r1/t30/chartqa-17',
      group_size: 8,
      rollout_index: 0,
      train_step: 30,
      prompt: [{ role: 'user', content: 'Which bar is tallest?' }],
    },
  ],
})

/** What a reward is made of, wherever it is sent. */
const rewardFields = {
  parts: maybe(
    Type.Record(Type.String(), anyReal('A part of the reward.'), {
      description: 'The parts of the reward by name: rep, format, correct and any others.',
    }),
  ),
  answer_match: maybe(flag('Whether the answer matches, apart from its form.')),
  format_ok: maybe(flag('Whether every turn kept to the grammar.')),
  format_violations: maybe(list(text('A code.'), 'What was wrong with the form.')),
  match_method: maybe(text('How the answer was compared.')),
}

export const TrajectoryFinished = defineEvent({
  type: 'trajectory.finished',
  meaning: 'A rollout ended. With a reward it counts as scored too, under the reward version of its run.',
  key: ['trajectory_id'],
  partitionBy: 'trajectory_id',
  data: object(
    {
      trajectory_id: trajectoryId(),
      status: oneOf(STATUSES, 'How it ended.'),
      end_reason: id(
        'answer, max_turns, max_tokens, time_limit, tool_failure, error, user_stop, env_done or another word.',
      ),
      n_steps: integer('How many steps it had.'),
      run_id: maybe(id('The run.')),
      reward: maybe(anyReal('The reward.')),
      ...rewardFields,
      prediction_raw: maybe(text('The answer as given.')),
      prediction_norm: maybe(text('The answer after normalisation.')),
      advantage: maybe(anyReal('The advantage that the trainer computed.')),
      prompt_tokens: maybe(integer('Tokens of the prompt.')),
      response_tokens: maybe(integer('Tokens that the policy wrote.')),
      think_tokens: maybe(integer('Tokens of thought among them.')),
      obs_tokens: maybe(integer('Tokens of observations.')),
      loss_masked_tokens: maybe(integer('Tokens left out of the loss.')),
      overlong: maybe(flag('Whether the response was cut for length.')),
      kl_mean: maybe(real('Mean KL divergence.')),
      logprob_mean: maybe(real('Mean log probability.')),
      entropy_mean: maybe(real('Mean entropy.')),
      wall_ms: maybe(integer('How long it took.')),
      ended_at: maybe(instant('When it ended.')),
    },
    '',
  ),
  examples: [
    {
      trajectory_id: 'r1/t30/chartqa-17/0',
      status: 'completed',
      end_reason: 'answer',
      n_steps: 2,
      reward: 2,
      parts: { rep: 0, format: 1, correct: 1 },
      answer_match: true,
      format_ok: true,
    },
  ],
})

export const TrajectoryScored = defineEvent({
  type: 'trajectory.scored',
  meaning: 'A trajectory was scored under a reward version.',
  key: ['trajectory_id', 'reward_version'],
  partitionBy: 'trajectory_id',
  data: object(
    {
      trajectory_id: trajectoryId(),
      reward_version: id('The reward version.'),
      reward: anyReal('The reward.'),
      ...rewardFields,
      run_id: maybe(id('The run.')),
      scored_at: maybe(instant('When it was scored.')),
    },
    '',
  ),
  examples: [
    { trajectory_id: 'r1/t30/chartqa-17/0', reward_version: 'dense', reward: 1, parts: { format: 1, correct: 1 } },
  ],
})

export const TrajectoryTrained = defineEvent({
  type: 'trajectory.trained',
  meaning: 'The trainer used a trajectory, or left it out.',
  key: ['trajectory_id', 'train_step', 'substep'],
  partitionBy: 'trajectory_id',
  defaults: { substep: 0 },
  data: object(
    {
      trajectory_id: trajectoryId(),
      train_step: integer('The train step that used it.'),
      substep: maybe(integer('The step inside the train step. Default 0.')),
      run_id: id('The run.'),
      policy_version: integer('The version of the policy that was trained.'),
      kept: maybe(flag('Whether it was used.')),
      drop_reason: maybe(text('Why it was not.')),
      advantage: maybe(anyReal('The advantage that the trainer used.')),
    },
    '',
  ),
  examples: [
    {
      trajectory_id: 'r1/t30/chartqa-17/0',
      train_step: 31,
      run_id: 'r1',
      policy_version: 4,
      kept: true,
      advantage: 1.2,
    },
  ],
})

export const TrajectoryAnnotated = defineEvent({
  type: 'trajectory.annotated',
  meaning: 'A person, a model or a rule said something about a trajectory.',
  key: ['trajectory_id', 'annotation_id'],
  partitionBy: 'trajectory_id',
  data: object(
    {
      annotation_id: id('The annotation; unique within its trajectory.'),
      trajectory_id: trajectoryId(),
      codes: list(id('E1 to E6 or a code of your own.'), 'What was found.'),
      run_id: maybe(id('The run.')),
      step_index: maybe(integer('The step that it is about.')),
      call_index: maybe(integer('The tool call that it is about.')),
      annotator: maybe(text('Who said it.')),
      method: maybe(text('human, llm or rule.')),
      round: maybe(text('Which round of annotation.')),
      outcome: maybe(text('solved or unsolved.')),
      rating: maybe(real('A rating.')),
      rubric: maybe(text('What was rated.')),
      note: maybe(text('Free words.')),
      evidence_image_ids: maybe(list(sha256('An image.'), 'Images that show it.')),
    },
    '',
  ),
  examples: [
    {
      annotation_id: 'a1',
      trajectory_id: 'r1/t30/chartqa-17/0',
      codes: ['E4'],
      annotator: 'mia',
      method: 'human',
      step_index: 0,
    },
  ],
})
