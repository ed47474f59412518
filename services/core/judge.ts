/** Judges records of the log: what HTTP brought and what producers wrote themselves go through here alike. */
import { hash } from 'node:crypto'
import type { Data } from '#schemas/events/define.ts'
import { readEvent } from './event-reader.ts'
import type { Judged } from './fold/fact.ts'
import { eventHash, naturalKey } from './identity.ts'
import { instantFromMs } from './instant.ts'

/** What judging needs of a record of the log. */
export interface RawRecord {
  readonly partition: number
  readonly offset: number
  readonly appendedAtMs: number
  readonly headers: Readonly<Record<string, string>>
  readonly value: Uint8Array | null
}

/** The SHA-256 of the bytes of a record, in hex; that of nothing for a null value. */
export function recordHash(record: Pick<RawRecord, 'value'>): string {
  return hash('sha256', record.value ?? new Uint8Array(), 'hex')
}

/** Long fields that no fold reads: of an event, of its messages, of its tool calls. */
const BODIES = {
  event: 'raw_output think_text answer_text prompt_token_ids completion_token_ids logprobs loss_mask info'.split(' '),
  call: 'arguments raw_call schema_errors output_text output_json'.split(' '),
}

/** Set to undefined, not deleted, which would cost the object its shape. */
function without(fields: Data, names: readonly string[]): void {
  for (const name of names) if (fields[name] !== undefined) fields[name] = undefined
}

/**
 * Takes out bodies, which no fold reads. Thousands of facts wait to be folded together, and with their texts they would
 * outlive the young part of the heap (a batch: 24 µs of processor an event with them, 19 without).
 */
function letGoOfBodies(data: Data): void {
  without(data, BODIES.event)
  for (const field of ['prompt', 'observation']) {
    const messages = data[field]
    if (typeof messages === 'string') data[field] = undefined
    else if (Array.isArray(messages))
      for (const message of messages as Data[])
        if (typeof message['content'] === 'string') message['content'] = undefined
  }
  const calls = data['tool_calls']
  if (Array.isArray(calls)) for (const call of calls as Data[]) without(call, BODIES.call)
}

/** Reads a record as a fact, a stray or an unreadable one. `partitionOf` says where a key belongs. */
export function judge(record: RawRecord, partitionOf: (key: string) => number): Judged {
  const { partition, offset } = record
  const event = readEvent(record.value, record.headers)
  if (!event.readable) {
    const { code, message, pointer, hint } = event
    return {
      readable: false,
      partition,
      offset,
      time: instantFromMs(record.appendedAtMs),
      id: recordHash(record),
      bytes: record.value?.length ?? 0,
      fault: { code, message, pointer, hint },
    }
  }
  const time = event.time ?? instantFromMs(record.appendedAtMs)
  const key = naturalKey(event.type, event.data)
  if (partitionOf(event.partitionKey) !== partition) {
    return {
      readable: 'elsewhere',
      partition,
      offset,
      time,
      naturalKey: key,
      data: event.data,
      partitionKey: event.partitionKey,
    }
  }
  const contentHash = eventHash(event.type, event.data)
  // Of other events rows may keep every field (a checkpoint does).
  if (event.type === 'step.recorded' || event.type === 'trajectory.started') letGoOfBodies(event.data)
  return { readable: true, partition, offset, time, type: event.type, naturalKey: key, contentHash, data: event.data }
}
