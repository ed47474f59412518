/** What an event is about and what it says: its natural key and the hash of its content. */
import { EVENTS, type EventType } from '#schemas/events.ts'
import type { Data } from '#schemas/events/define.ts'
import { contentHash } from './canonical.ts'

/** The natural key of an event as one text: a JSON list of the type and the key fields, so that no two keys collide. */
export function naturalKey(type: EventType, data: Data): string {
  const { key, defaults } = EVENTS[type]
  return JSON.stringify([type, ...key.map((field) => data[field] ?? defaults[field])])
}

/** The data that must agree when a key comes twice: defaults filled in, fields that are not compared left out. */
export function comparedData(type: EventType, data: Data): Data {
  const { defaults, uncompared } = EVENTS[type]
  const compared: Data = { ...defaults, ...data }
  for (const field of uncompared) delete compared[field]
  // A bare string is short for one tool message.
  if (type === 'step.recorded' && typeof compared['observation'] === 'string') {
    compared['observation'] = [{ role: 'tool', content: compared['observation'] }]
  }
  return compared
}

/** 128 bits of hash, in hex, over the data that must agree. */
export function eventHash(type: EventType, data: Data): string {
  return contentHash(comparedData(type, data))
}
