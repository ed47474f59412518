/** verl's SFT rows: every turn of the assistant is trained on, and `<image>` marks are filled from `images` in order. */
import { OPENAI_MESSAGE } from '#services/datasets/recipes/columns.ts'
import { imageMarks, NO_ACTION, UNTRAINED_ACTION } from './conversation.ts'
import type { TalkShape } from './shape.ts'

export const verl: TalkShape = {
  description:
    'verl SFT: `messages`, `tools` (JSON text; verl itself takes lists, so decode it or name another data.tools_key), `images` in the order of the `<image>` marks. A set without images needs data.image_key set to a column that is not there.',
  parts: true,
  layers: [],
  columns: {
    messages: [
      `${OPENAI_MESSAGE}[]`,
      // verl looks into the content of every message, so it is never null.
      `list_transform(w.messages, lambda m: {role: m.role, content: coalesce(m.content, ''), tool_calls: m.tool_calls, tool_call_id: m.tool_call_id, "name": m."name"})`,
    ],
    tools: ['VARCHAR', 'w.tools'],
    images: ['VARCHAR[]', 'w.images'],
  },
  faults: [NO_ACTION, UNTRAINED_ACTION, imageMarks('w.messages', 'w.message_images')],
}
