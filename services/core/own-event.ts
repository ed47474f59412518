/** Events that Stepstore itself writes: whether an image is held, what became of a quarantined record, what a consumer was given. */
import { DATASCHEMA_PREFIX } from '#schemas/envelope.ts'
import { EVENTS, type EventData, type EventType } from '#schemas/events.ts'

/** The header that tells our own events from ones that a producer made up: HTTP never lets it through. */
const OWN = 'stepstore-internal'

/** Types that only Stepstore writes. */
export type OwnType =
  | 'image.stored'
  | 'quarantine.dropped'
  | 'quarantine.retried'
  | 'consumer.leased'
  | 'consumer.acked'

/** Whether the headers of a record say that Stepstore itself wrote it. */
export function isOwn(headers: Readonly<Record<string, string>>): boolean {
  return headers[OWN] === '1'
}

/** An event of ours as a record of the log. `time` is RFC 3339; without it the time of append counts. */
export function ownEvent<Type extends OwnType & EventType>(
  type: Type,
  data: EventData<Type>,
  envelope: { readonly id: string; readonly source: string; readonly time?: string },
): { readonly key: string; readonly headers: Readonly<Record<string, string>>; readonly value: Buffer } {
  const { partitionBy, version } = EVENTS[type]
  const event = {
    specversion: '1.0',
    ...envelope,
    type,
    dataschema: `${DATASCHEMA_PREFIX}/${type}/${version}`,
    datacontenttype: 'application/json',
    data,
  }
  return {
    key: String((data as Record<string, unknown>)[partitionBy]),
    headers: { 'content-type': 'application/cloudevents+json', [OWN]: '1' },
    value: Buffer.from(JSON.stringify(event)),
  }
}
