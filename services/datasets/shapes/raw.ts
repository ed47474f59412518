/** Messages as they were sent: what the policy wrote whole, the calls in it beside it. */
import type { TalkShape } from './shape.ts'

export const RAW_MESSAGE =
  'STRUCT(role VARCHAR, content VARCHAR, "text" VARCHAR, tool_calls STRUCT(id VARCHAR, "name" VARCHAR, arguments VARCHAR)[], tool_call_id VARCHAR, "name" VARCHAR, images VARCHAR[])'

const CALLS = `CASE WHEN m.tool_calls IS NOT NULL THEN list_transform(m.tool_calls, lambda c: {id: c.id, "name": c."function"."name", arguments: c."function".arguments}) END`

/** Messages with their texts and images, each a list of the same length. */
export const rawMessages = (messages: string, texts: string, images: string) =>
  `list_transform(${messages}, lambda m, i: {role: m.role, content: m.content, "text": ${texts}[i], tool_calls: ${CALLS}, tool_call_id: m.tool_call_id, "name": m."name", images: ${images}[i]})`

export const raw: TalkShape = {
  description:
    'As the lake has it: each message with its images, its calls flat, and in `text` all that was written where the calls stand in it.',
  parts: true,
  layers: [],
  columns: {
    messages: [`${RAW_MESSAGE}[]`, rawMessages('w.messages', 'w.texts', 'w.message_images')],
    tools: ['VARCHAR', 'w.tools'],
    images: ['VARCHAR[]', 'w.images'],
    loss_mask: ['INTEGER[]', 'w.loss_mask'],
  },
  faults: [],
}
