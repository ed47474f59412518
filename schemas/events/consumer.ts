/** What consumers of completed groups were given, and what they acknowledged. Written by Stepstore alone. */
import { id, integer, list, maybe, object, text } from '#schemas/fields.ts'
import { defineEvent } from './define.ts'

const consumer = () => id('The name of the consumer.')
const leaseNumber = () => integer('The lease, counted from 1 for each consumer.', 1)

export const ConsumerLeased = defineEvent({
  type: 'consumer.leased',
  meaning: 'A consumer was given groups that it has not had before. Written by Stepstore.',
  key: ['consumer', 'lease_number'],
  partitionBy: 'consumer',
  internal: true,
  data: object(
    {
      consumer: consumer(),
      lease_number: leaseNumber(),
      filter: text('What the consumer takes, as a canonical query string.'),
      groups: list(
        object({ run_id: maybe(id('The run.')), group_id: id('The group.') }, 'A group.'),
        'The groups, in the order of the answer.',
      ),
      position: text('Everything that was completed below these offsets was given, or never will be.'),
    },
    '',
  ),
  examples: [
    {
      consumer: 'trainer',
      lease_number: 1,
      filter: 'run=grpo-8b-2026-11',
      groups: [{ run_id: 'grpo-8b-2026-11', group_id: 'g1' }],
      position: '0:120,2:88',
    },
  ],
})

export const ConsumerAcked = defineEvent({
  type: 'consumer.acked',
  meaning: 'A consumer acknowledged a lease: it has what it was given. Written by Stepstore.',
  key: ['consumer', 'lease_number'],
  partitionBy: 'consumer',
  internal: true,
  data: object({ consumer: consumer(), lease_number: leaseNumber() }, ''),
  examples: [{ consumer: 'trainer', lease_number: 1 }],
})
