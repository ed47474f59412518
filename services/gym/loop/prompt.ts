import { chartTool } from '#services/gym/chart-tool.ts'
import type { EventData } from '#schemas/events.ts'
import type { GymItem } from '#services/gym/item.ts'

type Message = NonNullable<EventData<'trajectory.started'>['prompt']>[number]

const systemText = `You answer questions about an image. You may call a tool before you answer.

Tool:
${JSON.stringify(chartTool.function)}

In every turn first think inside <think>…</think>, then do exactly one of:
- call the tool: <tool_call>{"name": "chart_to_table", "arguments": {"task": "to_table"}}</tool_call>
- answer: <answer>…</answer>
You have at most 3 turns. Answer with a number, a label, or yes or no, and nothing else.`

/** The messages before the first turn; the picture is named by its hash, never sent along. */
export function promptMessages(item: GymItem): Message[] {
  return [
    { role: 'system', content: systemText },
    {
      role: 'user',
      content: [
        { type: 'image', image_id: item.image_id },
        { type: 'text', text: item.question.text },
      ],
      images: [item.image_id],
    },
  ]
}

/** The words of the prompt, for counting. */
export function promptText(item: GymItem): string {
  return systemText + item.question.text
}
