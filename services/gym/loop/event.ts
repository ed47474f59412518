import { createHash } from 'node:crypto'
import { DATASCHEMA_PREFIX } from '#schemas/envelope.ts'
import { EVENTS, type EventData } from '#schemas/events.ts'

/** The event types that the gym makes. */
export type GymEventType =
  | 'run.started'
  | 'run.finished'
  | 'policy.published'
  | 'item.registered'
  | 'image.registered'
  | 'trajectory.started'
  | 'step.recorded'
  | 'trajectory.finished'
  | 'trajectory.scored'
  | 'trajectory.annotated'
  | 'metric.logged'

type EventOf<Type extends GymEventType> = {
  readonly specversion: '1.0'
  readonly id: string
  readonly source: '/stepstore/gym'
  readonly type: Type
  /** RFC 3339, UTC. */
  readonly time: string
  readonly subject: string
  readonly partitionkey: string
  readonly dataschema: string
  readonly datacontenttype: 'application/json'
  readonly data: EventData<Type>
}

/** A CloudEvents 1.0 object as the gym makes it, ready to be sent as JSON. */
export type GymEvent = { [Type in GymEventType]: EventOf<Type> }[GymEventType]

/**
 * An event at an instant (ms since 1970). Its id is a UUIDv7 of that instant and of a hash of
 * type and data, so that playing the same again gives the same event down to the last byte.
 */
export function gymEvent<Type extends GymEventType>(type: Type, timeMs: number, given: EventData<Type>): EventOf<Type> {
  const definition = EVENTS[type]
  const written = JSON.stringify([type, given])
  // Half of a surrogate pair, which any policy can write as an escape, makes an event that no log takes.
  const data = /\\ud[89a-f]/.test(written) ? (wellFormed(given) as EventData<Type>) : given
  const key = String((data as Record<string, unknown>)[definition.partitionBy])
  return {
    specversion: '1.0',
    id: uuid7(timeMs, data === given ? written : JSON.stringify([type, data])),
    source: '/stepstore/gym',
    type,
    time: instant(timeMs),
    subject: key,
    partitionkey: key,
    dataschema: `${DATASCHEMA_PREFIX}/${type}/${definition.version}`,
    datacontenttype: 'application/json',
    data,
  }
}

function wellFormed(value: unknown): unknown {
  if (typeof value === 'string') return value.toWellFormed()
  if (Array.isArray(value)) return value.map(wellFormed)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name.toWellFormed(), wellFormed(field)]))
}

/** An instant (ms since 1970) in RFC 3339, UTC. */
export function instant(ms: number): string {
  return new Date(ms).toISOString()
}

function uuid7(timeMs: number, content: string): string {
  const bytes = createHash('sha256').update(content).digest().subarray(0, 16)
  bytes.writeUIntBE(timeMs, 0, 6)
  bytes.writeUInt8(0x70 | (bytes.readUInt8(6) & 0x0f), 6)
  bytes.writeUInt8(0x80 | (bytes.readUInt8(8) & 0x3f), 8)
  const hex = bytes.toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}
