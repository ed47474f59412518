/** A trajectory as one conversation: the prompt, then for each step what the policy wrote and what came back. */
import type { Data } from '#schemas/events/define.ts'
import type { Message, ToolCall } from '#schemas/messages.ts'

/** A call as chat templates take it; the arguments are JSON text. */
function chatCall(call: ToolCall, callIndex: number, stepIndex: number): Record<string, unknown> {
  const given = call.arguments ?? {}
  return {
    id: call.id ?? `call_${stepIndex}_${callIndex}`,
    type: 'function',
    function: { name: call.name, arguments: typeof given === 'string' ? given : JSON.stringify(given) },
  }
}

/** What is left of the policy's words when the calls that stand in them are taken out. */
export function wordsBesideCalls(rawOutput: string | null | undefined, calls: readonly ToolCall[]): string | null {
  if (rawOutput === null || rawOutput === undefined) return null
  let words = rawOutput
  for (const { raw_call: rawCall } of calls) if (rawCall !== null && rawCall !== undefined && rawCall !== '') words = words.replace(rawCall, () => '')
  return words
}

/** The observation of a step as messages. Where it is absent, tool calls that bring their own answers speak for it. */
function observed(data: Data, calls: readonly ToolCall[]): Message[] {
  const observation = data['observation'] as string | readonly Message[] | null | undefined
  if (typeof observation === 'string') return [{ role: 'tool', content: observation }]
  if (observation !== null && observation !== undefined) return [...observation]
  return calls.flatMap((call): Message[] =>
    call.output_text === null || call.output_text === undefined ? [] : [{ role: 'tool', content: call.output_text, name: call.name, ...(call.id === undefined || call.id === null ? {} : { tool_call_id: call.id }) }],
  )
}

/** The messages of a prompt. */
export function promptMessages(started: Data | null): Message[] {
  return [...((started?.['prompt'] ?? []) as readonly Message[])]
}

/** The messages that a step adds: one of the assistant, then what came back. */
export function stepMessages(data: Data): Message[] {
  const calls = (data['tool_calls'] ?? []) as readonly ToolCall[]
  const stepIndex = Number(data['step_index'])
  const content = wordsBesideCalls(data['raw_output'] as string | undefined, calls) ?? (data['answer_text'] as string | undefined) ?? null
  const spoken: Message = {
    role: 'assistant',
    content,
    ...(calls.length === 0 ? {} : { tool_calls: calls.map((call, index) => chatCall(call, index, stepIndex)) }),
  }
  return [spoken, ...observed(data, calls)]
}
