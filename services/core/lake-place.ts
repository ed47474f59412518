/** What the rows of all lake tables share: where the event lies in the log, when it happened, what else it said. */
import { EVENTS, EVENT_TYPES, type EventType } from '#schemas/events.ts'
import type { Data } from '#schemas/events/define.ts'
import type { ReadEvent } from './event-reader.ts'
import { eventHash } from './identity.ts'
import { instantFromMs, normaliseInstant } from './instant.ts'

/** A row of a lake table, ready for a line of JSON: its fields are the columns of schemas/lake.ts. */
export type LakeRow = Readonly<Record<string, unknown>>

/** Where a record lies in the log, and when the log appended it. */
export interface Place {
  readonly partition: number
  readonly offset: number
  readonly appendedAtMs: number
  /** The same as an instant, where it is known already: records of one append share it. */
  readonly appendedAt?: string
  /** The hash of the content of the event, where it is known already. */
  readonly contentHash?: string
}

/** The place as columns, with the day of append by which files are divided. */
export interface PlaceColumns {
  readonly partition: number
  readonly offset: number
  readonly appended_at: string
  readonly dt: string
}

export function placeColumns({
  partition,
  offset,
  appendedAtMs,
  appendedAt = instantFromMs(appendedAtMs),
}: Place): PlaceColumns {
  return { partition, offset, appended_at: appendedAt, dt: appendedAt.slice(0, 10) }
}

/** The place, the time of the event (that of append where it names none) and the hash of its content. */
export function toldColumns(
  event: ReadEvent,
  place: Place,
): PlaceColumns & { readonly time: string; readonly content_hash: string } {
  const columns = placeColumns(place)
  return {
    ...columns,
    time: event.time ?? columns.appended_at,
    content_hash: place.contentHash ?? eventHash(event.type, event.data),
  }
}

/** An instant as a producer sent it, normalised; null where there is none. */
export function instantColumn(value: string | null | undefined): string | null {
  return value === undefined || value === null ? null : (normaliseInstant(value) ?? null)
}

const KNOWN = Object.fromEntries(
  EVENT_TYPES.map((type) => [type, new Set(Object.keys(EVENTS[type].data.properties as object))]),
) as Record<EventType, Set<string>>

/** The fields of an object that are not in `known`, as JSON text; null where there are none. */
export function fieldsBeyond(fields: Data, known: ReadonlySet<string>): string | null {
  let beyond: Data | undefined
  for (const name in fields) {
    if (!known.has(name)) {
      // No prototype, so that a field named __proto__ is a field like any other.
      beyond ??= Object.create(null) as Data
      beyond[name] = fields[name]
    }
  }
  return beyond === undefined ? null : JSON.stringify(beyond)
}

/** The fields that the definition of the event's type does not know, as JSON text; null where there are none. */
export function extraColumn({ type, data }: ReadEvent): string | null {
  return fieldsBeyond(data, KNOWN[type])
}
