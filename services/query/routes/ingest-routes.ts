/** The routes of the ingest program, as the reference describes them; it serves them on the same port. */
import Type from 'typebox'
import { integer, json, list, object, text } from '#schemas/fields.ts'
import { Envelope } from '#schemas/envelope.ts'
import { flag as flagParameter } from '#services/query/parameters.ts'
import { type Route, route } from '#services/query/route.ts'

const tag = 'Ingest'

const Quarantined = object(
  {
    index: integer('Its place in the request.'),
    code: text('A code for the reason.'),
    message: text('What is wrong; of a body of lines with the line, from 1.'),
    pointer: text('Where, as a JSON pointer.'),
  },
  'An event that could not be read; it is kept raw.',
)
const Accepted = object(
  {
    accepted: integer('How many events are durable in the log.'),
    position: text('The position that includes them.'),
    quarantined: Type.Optional(list(Quarantined, 'Those that could not be read.')),
  },
  'What became of the events.',
)
const Event = object(
  { ...Envelope.properties, data: json('The fields of the type; see the events below.') },
  'A CloudEvents 1.0 event.',
)
const ImagePut = object(
  { image_id: text('The SHA-256 of the bytes.'), bytes: integer('Size in bytes.') },
  'An image that is held.',
)

const events = route({
  method: 'POST',
  path: '/v1/events',
  tag,
  summary: 'Send events',
  detail:
    'CloudEvents 1.0 in structured, batched and binary mode, or NDJSON; gzip and zstd bodies. A 2xx means that the events are durable. Sending again is harmless: an event counts once by its natural key. After 429 and 503 send the same again.',
  parameters: { strict: flagParameter('With true, one unreadable event and nothing is stored.') },
  requestTypes: {
    'application/cloudevents+json': Event,
    'application/cloudevents-batch+json': Type.Array(Event),
    'application/x-ndjson': null,
  },
  answers: [
    { status: 200, description: 'All are durable.', schema: Accepted },
    { status: 207, description: 'All are durable, but some could not be read and are quarantined.', schema: Accepted },
  ],
  problems: ['bad_body', 'too_large', 'unsupported_media_type', 'unreadable', 'too_many', 'unavailable'],
})

const putImage = route({
  method: 'PUT',
  path: '/v1/images/{sha256}',
  tag,
  summary: 'Send an image',
  detail: 'Once by its hash; sending again is harmless.',
  pathParameters: { sha256: 'The SHA-256 of the bytes, in lowercase hex.' },
  parameters: {},
  requestTypes: { 'image/png': null, 'image/jpeg': null, 'image/webp': null },
  answers: [
    { status: 201, description: 'It is held now.', schema: ImagePut },
    { status: 200, description: 'It was held already.', schema: ImagePut },
  ],
  problems: ['too_large', 'unsupported_media_type', 'unreadable', 'unavailable'],
})

const missing = route({
  method: 'POST',
  path: '/v1/images/missing',
  tag,
  summary: 'Ask which images are not held',
  parameters: {},
  requestTypes: { 'application/json': Type.Array(Type.String(), { description: 'Hashes.' }) },
  answers: [
    {
      status: 200,
      description: 'Those that are not.',
      schema: object({ missing: list(text('A hash.'), 'Hashes of images that are not held.') }, 'Images to send.'),
    },
  ],
  problems: ['bad_body', 'too_large'],
})

export const INGEST_ROUTES: readonly Route[] = [events, putImage, missing]
