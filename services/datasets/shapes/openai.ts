/** OpenAI's chat messages, which TRL reads too. */
import { OPENAI_MESSAGE } from '#services/datasets/recipes/columns.ts'
import type { TalkShape } from './shape.ts'

export const openai: TalkShape = {
  description:
    'OpenAI chat messages, as TRL reads them: tool calls with their arguments as JSON text, `loss_mask` with 1 for each message that is trained on.',
  parts: false,
  layers: [],
  columns: {
    messages: [`${OPENAI_MESSAGE}[]`, 'w.messages'],
    tools: ['VARCHAR', 'w.tools'],
    images: ['VARCHAR[]', 'w.images'],
    loss_mask: ['INTEGER[]', 'w.loss_mask'],
  },
  faults: [],
}
