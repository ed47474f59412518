/** ms-swift: calls as messages of their own, `loss` by message. */
import {
  BAD_ARGUMENTS,
  callJson,
  hasCalls,
  imageMarks,
  noText,
  NO_ACTION,
  OTHER_ROLE,
  UP_TO_LAST_ACTION,
} from './conversation.ts'
import type { TalkShape } from './shape.ts'

export const SWIFT_MESSAGE = 'STRUCT(role VARCHAR, content VARCHAR, loss BOOLEAN)'

/** Messages `m` with the mask at `i`, as swift's. A call stands after what was said before it; swift joins the two. */
export const swiftMessages = (
  messages: string,
  trained: string,
) => `flatten(list_transform(${messages}, lambda m, i: CASE
  WHEN m.role = 'assistant' AND ${hasCalls('m')} THEN list_concat(
    CASE WHEN coalesce(m.content, '') <> '' THEN [{role: 'assistant', content: m.content, loss: ${trained}}] ELSE [] END,
    list_transform(m.tool_calls, lambda c: {role: 'tool_call', content: CAST(${callJson('c')} AS VARCHAR), loss: ${trained}}))
  WHEN m.role = 'assistant' THEN [{role: 'assistant', content: m.content, loss: ${trained}}]
  WHEN m.role IN ('tool', 'function') THEN [{role: 'tool_response', content: coalesce(m.content, ''), loss: NULL::BOOLEAN}]
  ELSE [{role: m.role, content: coalesce(m.content, ''), loss: NULL::BOOLEAN}] END))`

export const swift: TalkShape = {
  description:
    'ms-swift: `tool_call` and `tool_response` messages, `loss` true where a message is trained on, up to the last action; `tools` as JSON text.',
  parts: true,
  layers: [UP_TO_LAST_ACTION, { used: 'w.messages[1:w.n_used]', used_images: 'flatten(w.message_images[1:w.n_used])' }],
  columns: {
    messages: [`${SWIFT_MESSAGE}[]`, swiftMessages('w.used', 'w.loss_mask[i] = 1')],
    tools: ['VARCHAR', 'w.tools'],
    images: ['VARCHAR[]', 'w.used_images'],
  },
  faults: [NO_ACTION, OTHER_ROLE, BAD_ARGUMENTS, noText('w.used'), imageMarks('w.used', 'w.message_images')],
}
