/** A trajectory as one conversation: the prompt, then for each step what the policy wrote and what came back. */
import type { Data } from '#schemas/events/define.ts'
import type { Message, ToolCall } from '#schemas/messages.ts'
import { contentWithoutCalls } from './lake-step.ts'

/** A call as chat templates take it; the arguments are JSON text. */
function chatCall({ id, name, arguments: given }: ToolCall): Record<string, unknown> {
  return {
    id: id ?? null,
    type: 'function',
    function: { name, arguments: typeof given === 'string' ? given : JSON.stringify(given ?? {}) },
  }
}

/** What the policy wrote, without the calls that stand in it. Producers that send only the parts get them put together. */
function written(data: Data, calls: readonly ToolCall[]): string | null {
  const {
    raw_output: rawOutput,
    think_text: thought,
    answer_text: answer,
  } = data as { raw_output?: string; think_text?: string; answer_text?: string }
  if (rawOutput !== undefined) return contentWithoutCalls(rawOutput, calls) ?? rawOutput
  const parts = [
    ...(thought === undefined ? [] : [`<think>${thought}</think>`]),
    ...(answer === undefined ? [] : [`<answer>${answer}</answer>`]),
  ]
  return parts.length === 0 ? null : parts.join('\n')
}

/** The observation of a step as messages. Where it is absent, tool calls that bring their own answers speak for it. */
function observed(data: Data, calls: readonly ToolCall[]): Message[] {
  const observation = data['observation'] as string | readonly Message[] | null | undefined
  if (typeof observation === 'string') return [{ role: 'tool', content: observation }]
  if (observation !== null && observation !== undefined) return [...observation]
  return calls.flatMap((call): Message[] =>
    call.output_text === null || call.output_text === undefined
      ? []
      : [
          {
            role: 'tool',
            content: call.output_text,
            name: call.name,
            ...(call.id === undefined || call.id === null ? {} : { tool_call_id: call.id }),
          },
        ],
  )
}

/** The messages of a prompt. */
export function promptMessages(started: Data | null): Message[] {
  return [...((started?.['prompt'] ?? []) as readonly Message[])]
}

/** The messages that a step adds: one of the assistant, then what came back. */
export function stepMessages(data: Data): Message[] {
  const calls = (data['tool_calls'] ?? []) as readonly ToolCall[]
  const spoken: Message = {
    role: 'assistant',
    content: written(data, calls),
    ...(calls.length === 0 ? {} : { tool_calls: calls.map(chatCall) }),
  }
  return [spoken, ...observed(data, calls)]
}
