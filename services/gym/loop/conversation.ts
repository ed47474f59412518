/** What a policy is told, in words: the prompt, what a tool said, and what was wrong with a turn. */
import type { Message } from '#services/gym/policies/policy.ts'
import type { GymItem } from '#services/gym/items/generated.ts'
import type { ToolDefinition } from '#services/gym/tools/tool.ts'
import type { FormatViolation } from './turn-grammar.ts'

/** What the prompt depends on, beside the item. */
export type PromptRules = {
  readonly max_turns: number
  readonly turn_limit: 'turns' | 'tool_turns'
  readonly needs_tool_call: boolean
}

/** The messages before the first turn; the picture is named by its hash, never sent along. */
export function promptMessages(item: GymItem, toolLines: string, rules: PromptRules): Message[] {
  return [
    { role: 'system', content: systemText(toolLines, rules) },
    {
      role: 'user',
      content: [
        { type: 'image', image_id: item.picture.sha256 },
        { type: 'text', text: questionText(item) },
      ],
      images: [item.picture.sha256],
    },
  ]
}

/** The question, its choices by letter, and how the answer is to be written. */
export function questionText({ question, key }: GymItem): string {
  const choices = (key.choices ?? []).map(
    (choice, place) => `${String.fromCharCode('A'.charCodeAt(0) + place)}. ${choice}`,
  )
  return [question, ...choices, answerForms[key.answer_type]].join('\n')
}

const answerForms: Record<GymItem['key']['answer_type'], string> = {
  numeric: 'Answer with a number.',
  text: 'Answer with a word or a short phrase.',
  choice: 'Answer with one of the choices, or its letter.',
  yes_no: 'Answer yes or no.',
  list: 'Answer with a list, its items parted by commas.',
}

/** One line for each task of each tool: short enough for every prompt. The schemas go beside the messages. */
export function toolLines(definitions: readonly ToolDefinition[]): string {
  return definitions
    .map(({ name, description, tasks }) => {
      const list = Object.entries(tasks).map(([task, { description: what, arguments: schema }]) => {
        const names = Object.keys((schema as { properties?: object }).properties ?? {})
        return `    ${task}(${names.join(', ')}): ${what}`
      })
      return [`- ${name}: ${description}`, ...list].join('\n')
    })
    .join('\n')
}

function systemText(tools: string, { max_turns, turn_limit, needs_tool_call }: PromptRules): string {
  const first = needs_tool_call ? 'Call a tool before you answer.' : 'You may call tools before you answer.'
  const limit =
    turn_limit === 'turns'
      ? `You have at most ${max_turns} turns, the answer included.`
      : `You have at most ${max_turns} turns, and then one more that must answer.`
  return `You answer questions about an image. ${first}

Tools, each with its tasks:
${tools}

In every turn first think inside <think>…</think>, then do exactly one of:
- call one tool: <tool_call>{"tool": "…", "task": "…", "arguments": {…}}</tool_call>
- answer: <answer>…</answer>
${limit}`
}

/** A text of at most `max` letters; what is cut off is said in its place. */
export function cutText(text: string, max: number, side: 'start' | 'end'): { text: string; cut: boolean } {
  if (text.length <= max) return { text, cut: false }
  const mark = '[cut]'
  const kept = max - mark.length - 1
  const whole = side === 'end' ? `${text.slice(0, kept)} ${mark}` : `${mark} ${text.slice(-kept)}`
  // Half of a letter of two units is no text that can be kept.
  return { text: whole.toWellFormed(), cut: true }
}

/** What a tool said, fenced as in the paper's samples. */
export function toolMessage(name: string, callId: string, text: string, images: readonly string[]): Message {
  return {
    role: 'function',
    name,
    tool_call_id: callId,
    content: `\`\`\`output\n${text}\n\`\`\``,
    ...(images.length === 0 ? {} : { images: [...images] }),
  }
}

/** The fixed notice after a turn in which no action could be read. */
export function retryNotice(violations: readonly FormatViolation[]): string {
  return `Error: no action could be read from this turn (${violations.join(', ')}). Write <think>…</think> and then one <tool_call>…</tool_call> or one <answer>…</answer>.`
}
