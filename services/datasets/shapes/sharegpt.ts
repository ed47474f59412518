/**
 * ShareGPT as LLaMA-Factory reads it: human and observation at odd places, gpt and function_call at even ones, as many
 * `<image>` marks as images, a call as JSON, at most a thought before it.
 */
import {
  BAD_ARGUMENTS,
  BODY,
  callJson,
  hasCalls,
  imageMarks,
  isThought,
  marks,
  noText,
  NO_ACTION,
  OTHER_ROLE,
  UNTRAINED_ACTION,
  UP_TO_LAST_ACTION,
} from './conversation.ts'
import type { TalkShape } from './shape.ts'

const TURN = 'STRUCT("from" VARCHAR, "value" VARCHAR)'

const CALL = `CASE WHEN len(m.tool_calls) = 1 THEN CAST(${callJson('m.tool_calls[1]')} AS VARCHAR) ELSE CAST(to_json(list_transform(m.tool_calls, lambda c: ${callJson('c')})) AS VARCHAR) END`

const CONVERSATIONS = `list_transform(w.body, lambda m: CASE
  WHEN m.role = 'user' THEN {"from": 'human', "value": coalesce(m.content, '')}
  WHEN m.role <> 'assistant' THEN {"from": 'observation', "value": coalesce(m.content, '')}
  WHEN ${hasCalls('m')} THEN {"from": 'function_call', "value": coalesce(m.content, '') || ${CALL}}
  ELSE {"from": 'gpt', "value": m.content} END)`

export const sharegpt: TalkShape = {
  description:
    'ShareGPT, as LLaMA-Factory reads it: `conversations` of human, observation (odd places) and gpt, function_call (even places), up to the last action; `system` and `tools` beside it.',
  parts: true,
  layers: [UP_TO_LAST_ACTION, BODY, { conversations: CONVERSATIONS }],
  columns: {
    conversations: [`${TURN}[]`, 'w.conversations'],
    system: ['VARCHAR', 'w.system'],
    tools: ['VARCHAR', 'w.tools'],
    images: ['VARCHAR[]', 'w.used_images'],
  },
  faults: [
    NO_ACTION,
    UNTRAINED_ACTION,
    OTHER_ROLE,
    BAD_ARGUMENTS,
    [
      'text_beside_call',
      `len(list_filter(w.body, lambda m: ${hasCalls('m')} AND trim(coalesce(m.content, ''), ' ' || chr(9) || chr(10) || chr(13)) <> '' AND NOT ${isThought('m.content')})) > 0`,
    ],
    noText('w.body'),
    [
      'turn_order',
      `len(w.body) % 2 = 1 OR len(list_filter(w.body, lambda m, i: (m.role = 'assistant') <> (i % 2 = 0))) > 0`,
    ],
    imageMarks('w.messages[1:w.n_used]', 'w.message_images'),
    [
      'image_marks',
      `coalesce(list_sum(list_transform(w.conversations, lambda c: ${marks('c."value"')})), 0) <> len(w.used_images)`,
    ],
  ],
}
