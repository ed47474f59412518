/** The event that there are most of: one turn of a rollout. */
import Type from 'typebox'
import { flag, id, instant, integer, json, list, maybe, object, oneOf, real, text } from '#schemas/fields.ts'
import { ImageRefs, Message, ToolCall, trajectoryId } from '#schemas/messages.ts'
import { defineEvent } from './define.ts'

export const ACTION_KINDS = ['tool_call', 'answer', 'message', 'invalid'] as const

export const StepRecorded = defineEvent({
  type: 'step.recorded',
  meaning: 'A policy acted once and the environment answered.',
  key: ['trajectory_id', 'step_index'],
  partitionBy: 'trajectory_id',
  data: object(
    {
      trajectory_id: trajectoryId(),
      step_index: integer('The place of the step, dense from 0.'),
      run_id: id('The run.'),
      action_kind: oneOf(
        ACTION_KINDS,
        'What the policy did: called a tool, answered, spoke to a user, or nothing valid.',
      ),
      raw_output: maybe(text('What the policy wrote, whole.')),
      think_text: maybe(text('The thought in it.')),
      answer_text: maybe(text('The answer in it.')),
      tool_calls: maybe(list(ToolCall, 'The tool calls in it, in order.')),
      observation: maybe(
        Type.Union([Type.String(), Type.Array(Message)], {
          description: 'What the environment answered: messages, or a bare string, which becomes one tool message.',
        }),
      ),
      images: maybe(ImageRefs),
      turn_format_ok: maybe(flag('Whether the turn kept to the grammar.')),
      violation_codes: maybe(list(text('A code.'), 'What was wrong with its form.')),
      obs_truncated: maybe(flag('Whether the observation was cut.')),
      obs_is_error: maybe(flag('Whether the observation is an error.')),
      env_step_reward: maybe(real('What the environment paid for this step; not the reward of the trajectory.')),
      done: maybe(flag('Whether the environment ended here.')),
      truncated: maybe(flag('Whether it was cut here.')),
      policy_version: maybe(integer('The policy version, where it changed inside the trajectory.')),
      prompt_tokens: maybe(integer('Tokens of the prompt of this turn.')),
      completion_tokens: maybe(integer('Tokens that the policy wrote.')),
      obs_tokens: maybe(integer('Tokens of the observation.')),
      prompt_token_ids: maybe(list(integer('A token.'), 'Token ids of the prompt of this turn.')),
      completion_token_ids: maybe(list(integer('A token.'), 'Token ids that the policy wrote.')),
      logprobs: maybe(list(real('A log probability.'), 'One for each completion token.')),
      loss_mask: maybe(list(integer('0 or 1.'), 'One for each completion token.')),
      finish_reason: maybe(text('stop_token, eos, length or another word.')),
      gen_ms: maybe(integer('How long generation took.')),
      started_at: maybe(instant('When the turn began.')),
      ended_at: maybe(instant('When it ended.')),
      info: maybe(json('Anything else that the environment said.')),
    },
    '',
  ),
  examples: [
    {
      trajectory_id: 'r1/t30/chartqa-17/0',
      step_index: 0,
      run_id: 'r1',
      action_kind: 'tool_call',
      raw_output: '<think>Read the chart.</think><tool_call>{"name":"chart_to_table","arguments":{}}</tool_call>',
      think_text: 'Read the chart.',
      tool_calls: [{ id: 'call_0', name: 'chart_to_table', arguments: {}, status: 'ok', latency_ms: 12 }],
      observation: [{ role: 'tool', content: 'Kenya | 12', tool_call_id: 'call_0', name: 'chart_to_table' }],
      completion_tokens: 31,
    },
  ],
})
