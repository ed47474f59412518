/** The events as JSON Schema: for producers that check before they send, and for the OpenAPI document. */
import type { TSchema } from 'typebox'
import { DATASCHEMA_PREFIX, Envelope } from './envelope.ts'
import { EVENTS, EVENT_TYPES } from './events.ts'

/** A plain JSON value of a schema, without what TypeBox keeps beside it. */
export function plainSchema(schema: TSchema): Record<string, unknown> {
  return JSON.parse(JSON.stringify(schema)) as Record<string, unknown>
}

/** The schema of the data of each event, by type. */
export function eventDataSchemas(): Record<string, Record<string, unknown>> {
  return Object.fromEntries(
    EVENT_TYPES.map((type) => [
      type,
      { title: type, ...plainSchema(EVENTS[type].data), examples: EVENTS[type].examples },
    ]),
  )
}

/** One JSON Schema document: any event that a producer may send. Refuses neither unknown fields nor unknown words of open dictionaries. */
export function eventsDocument(): Record<string, unknown> {
  const sent = EVENT_TYPES.filter((type) => !EVENTS[type].internal)
  const envelope = plainSchema(Envelope)
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: `${DATASCHEMA_PREFIX}s`,
    title: 'Events of Stepstore',
    description: 'A CloudEvents 1.0 event with the data of one of the types.',
    oneOf: sent.map((type) => ({
      allOf: [
        { $ref: '#/$defs/envelope' },
        {
          type: 'object',
          required: ['type', 'data'],
          properties: { type: { const: type }, data: { $ref: `#/$defs/${type}` } },
        },
      ],
    })),
    $defs: { envelope, ...eventDataSchemas() },
  }
}
