/** What the tests of the tau-bench reader share: a file read into events, and the conversation that these tell. */
import { readEvent, type ReadEvent } from '#services/core/event-reader.ts'
import { runFromFile, tauBenchUnits } from '#services/import/tau-bench.ts'
import type { Fault, Input, Unit } from '#services/import/unit.ts'

export type Sent = {
  role: string
  content?: unknown
  tool_calls?: { id: string; function: { name: string; arguments: string } }[]
  tool_call_id?: string
  name?: string
}

export const call = (id: string, name: string, text: string) => ({
  id,
  type: 'function',
  function: { name, arguments: text },
})

export async function imported(
  inputs: readonly Input[],
  domain?: string,
): Promise<{ units: Unit[]; events: ReadEvent[]; faults: Fault[] }> {
  const faults: Fault[] = []
  const options = {
    inputs,
    domain,
    runOf: (one: Input) => runFromFile(one.name),
    policyVersion: 0,
    source: 'test',
    onFault: (fault: Fault) => void faults.push(fault),
  }
  const units: Unit[] = []
  for await (const unit of tauBenchUnits(options)) units.push(unit)
  const events = units.flatMap((unit) => unit.events.map((bytes) => readEvent(bytes)))
  return { units, faults, events: events.filter((event) => event.readable) }
}

export const ofType = (events: readonly ReadEvent[], type: string) =>
  events.filter((event) => event.type === type).map((event) => event.data)

/** The conversation as the events tell it. */
export function messagesOf(events: readonly ReadEvent[], trajectoryId: string): Sent[] {
  const started = ofType(events, 'trajectory.started').find((data) => data['trajectory_id'] === trajectoryId)
  const messages = [...((started?.['prompt'] ?? []) as Sent[])]
  const steps = ofType(events, 'step.recorded').filter((data) => data['trajectory_id'] === trajectoryId)
  for (const step of steps.toSorted((left, right) => Number(left['step_index']) - Number(right['step_index']))) {
    const calls = step['tool_calls'] as
      | { id: string; name: string; arguments: unknown; arguments_text?: string }[]
      | undefined
    messages.push({
      role: 'assistant',
      content: step['raw_output'] ?? null,
      ...(calls === undefined
        ? {}
        : {
            tool_calls: calls.map((sent) =>
              call(
                sent.id,
                sent.name,
                sent.arguments_text ??
                  (typeof sent.arguments === 'string' ? sent.arguments : JSON.stringify(sent.arguments)),
              ),
            ),
          }),
    })
    messages.push(...((step['observation'] as Sent[] | undefined) ?? []))
  }
  return messages
}
