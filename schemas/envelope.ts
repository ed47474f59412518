/** The envelope of every event: the attributes of CloudEvents 1.0 that Stepstore reads. */
import { id, instant, maybe, object, text } from './fields.ts'

export const Envelope = object(
  {
    specversion: text('Always "1.0".'),
    id: id('An id of this sending. Identity is the natural key of the type, not this.'),
    source: text('The producer.'),
    type: text('The event type, such as step.recorded.'),
    time: maybe(instant('When it happened. Without it, the time at which it was appended to the log.')),
    subject: maybe(text('What it is about; not read.')),
    datacontenttype: maybe(text('application/json.')),
    dataschema: maybe(text('Ends in /<type>/<version>. Without it, version 1.')),
    partitionkey: maybe(id('The partition key: where it is sent, it must be the field that the event type names.')),
    traceparent: maybe(text('The W3C trace that it belongs to.')),
  },
  'A CloudEvents 1.0 envelope.',
)

/** The prefix of the `dataschema` of our own events. */
export const DATASCHEMA_PREFIX = 'urn:stepstore:event'

/**
 * A header of the log on a record without a value that stands for a batch which could not be decoded; it says which
 * offsets, and why.
 */
export const FAULT_HEADER = 'stepstore-fault'
