/** The tables by which processes share the work: who lives, who owns what, and what readers of the lake wait for. */
import { type Table, bigint, nullable, smallint, text } from './columns.ts'

export const CLAIM_TABLES = {
  workers: {
    meaning: 'Programs that fold or archive, as long as they renew their leases.',
    key: ['worker_id'],
    columns: {
      worker_id: text('Another one for each life of a program, and after each lease that it lost.'),
      program: text('project or archive.'),
      joined_at_ms: bigint("When it came, in milliseconds since 1970 by the store's clock."),
      lease_until_ms: bigint("Until when it lives without renewing, by the store's clock."),
      failing: nullable(text('Why it cannot go on, where something keeps failing.')),
    },
  },
  claims: {
    meaning:
      'Who works on which part of a projection. A new owner raises the epoch, and what the one before still writes is refused.',
    key: ['projection', 'part'],
    columns: {
      projection: text('The projection.'),
      part: smallint('The partition; 0 where there is one part.'),
      owner: nullable(text('The worker. It owns the part as long as it lives.')),
      epoch: bigint('Raised by each new owner, never lowered.'),
    },
  },
  cut_wants: {
    meaning: 'How far readers want the lake to go. The next cut is made for them.',
    key: ['partition'],
    columns: {
      partition: smallint('The partition.'),
      next_offset: bigint('The furthest that was asked for.'),
    },
  },
} as const satisfies Record<string, Table>
