/** Judges records of the log: what HTTP brought and what producers wrote themselves go through here alike. */
import { hash } from 'node:crypto'
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
  return {
    readable: true,
    partition,
    offset,
    time,
    type: event.type,
    naturalKey: key,
    contentHash: eventHash(event.type, event.data),
    data: event.data,
  }
}
