/** Events about a run: one training, evaluation or synthesis job. */
import { anyReal, id, integer, instant, json, list, maybe, object, oneOf, real, text } from '#schemas/fields.ts'
import { defineEvent } from './define.ts'

export const RUN_KINDS = ['expert_synthesis', 'sft', 'rl', 'eval'] as const

const runId = () => id('The run.')

export const RunStarted = defineEvent({
  type: 'run.started',
  meaning: 'A run began. Its settings decide how its rewards are read.',
  key: ['run_id'],
  partitionBy: 'run_id',
  uncompared: ['started_at', 'code_ref', 'config'],
  data: object(
    {
      run_id: runId(),
      kind: oneOf(RUN_KINDS, 'What the run is for.'),
      mode: maybe(text('base, tools, reasoning, tools_reasoning or full.')),
      parent_run_id: maybe(id('The run that this one resumes.')),
      resumed_at_train_step: maybe(integer('The train step of the parent at which this run began.')),
      base_model: maybe(text('The model that training began from.')),
      policy_init: maybe(text('The checkpoint that the policy began from.')),
      algorithm: maybe(text('grpo, ppo, dapo, dr_grpo, sft, none or another.')),
      algo_config: maybe(json('Settings of the algorithm.')),
      reward_version: maybe(id('The reward version that reads use unless they name another.')),
      reward_config: maybe(json('Settings of the reward.')),
      correct_threshold: maybe(
        real('A trajectory without answer_match counts as correct from this reward on. Default 1.'),
      ),
      tool_set: maybe(list(text('A tool.'), 'The tools that were offered.')),
      dataset_mix: maybe(json('Weights by data set.')),
      curriculum: maybe(json('Settings of the curriculum.')),
      group_size: maybe(integer('How many rollouts a group is meant to have.', 1)),
      max_turns: maybe(integer('The most turns of a trajectory.', 1)),
      temperature: maybe(real('Sampling temperature.')),
      max_response_tokens: maybe(integer('The longest response, in tokens.')),
      seed: maybe(integer('The seed of the run.', -Number.MAX_SAFE_INTEGER)),
      code_ref: maybe(text('The commit of the training code.')),
      started_at: maybe(instant('When the run began.')),
      config: maybe(json('Anything else worth keeping.')),
    },
    '',
  ),
  examples: [
    {
      run_id: 'grpo-8b-2026-11',
      kind: 'rl',
      algorithm: 'grpo',
      base_model: 'InternVL3-8B',
      reward_version: 'vista-1',
      group_size: 8,
      max_turns: 3,
    },
  ],
})

export const RunFinished = defineEvent({
  type: 'run.finished',
  meaning: 'A run ended.',
  key: ['run_id'],
  partitionBy: 'run_id',
  data: object(
    {
      run_id: runId(),
      status: text('completed, failed, cancelled or another word.'),
      ended_at: maybe(instant('When the run ended.')),
      reason: maybe(text('Why it ended.')),
    },
    '',
  ),
  examples: [{ run_id: 'grpo-8b-2026-11', status: 'completed' }],
})

export const PolicyPublished = defineEvent({
  type: 'policy.published',
  meaning: 'A checkpoint of the policy became available to rollout workers.',
  key: ['run_id', 'policy_version'],
  partitionBy: 'run_id',
  mayAdd: true,
  data: object(
    {
      run_id: runId(),
      policy_version: integer('The version of the policy.'),
      train_step: integer('The train step that produced it.'),
      substep: maybe(integer('The step inside the train step.')),
      checkpoint_uri: maybe(text('Where the weights are.')),
      trained_on: maybe(list(text('A dataset URL or hash.'), 'What it was trained on.')),
    },
    '',
  ),
  examples: [{ run_id: 'grpo-8b-2026-11', policy_version: 3, train_step: 30, checkpoint_uri: 's3://ckpt/30' }],
})

export const MetricLogged = defineEvent({
  type: 'metric.logged',
  meaning: 'The trainer logged a number.',
  key: ['run_id', 'train_step', 'substep', 'name'],
  partitionBy: 'run_id',
  defaults: { substep: 0 },
  data: object(
    {
      run_id: runId(),
      train_step: integer('The train step.'),
      substep: maybe(integer('The step inside the train step. Default 0.')),
      name: id('The name, such as actor/entropy.'),
      value: anyReal('The value.'),
    },
    '',
  ),
  examples: [{ run_id: 'grpo-8b-2026-11', train_step: 30, name: 'actor/entropy', value: 0.41 }],
})
