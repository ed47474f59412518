/** The tables of consumers of completed groups: where each stands, and what it was given. */
import { type Table, bigint, json, smallint, text } from './columns.ts'

export const CONSUMER_TABLES = {
  consumers: {
    meaning: 'Consumers of completed groups, with their newest lease.',
    key: ['consumer'],
    columns: {
      consumer: text('The name.'),
      partition: smallint('The partition of the log that its events lie in.'),
      first_offset: bigint('The offset of its first event.'),
      last_offset: bigint('The offset of the last event that changed the row.'),
      filter: text('What it takes, as a canonical query string.'),
      lease_number: bigint('Its newest lease.'),
      leased_hash: text('128 bits of hash over the content of that, in hex.'),
      leased_at: text('When that was given.'),
      groups: json('The groups of that, as [run_id, group_id].'),
      acked_number: bigint('The newest lease that it acknowledged; 0 for none.'),
      position: text('Where the next search begins, as 0:123,3:45.'),
      n_groups: bigint('How many groups it was given in all.'),
    },
  },
  consumer_groups: {
    meaning: 'Groups that a consumer was given.',
    key: ['consumer', 'run_id', 'group_id'],
    columns: {
      consumer: text('The consumer.'),
      run_id: text('The run; empty for none.'),
      group_id: text('The group.'),
      offset: bigint('The offset of the event that gave it.'),
      lease_number: bigint('The lease.'),
    },
  },
} as const satisfies Record<string, Table>
