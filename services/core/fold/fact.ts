/** A record of the log as projections see it: an event with its identity and place, or an unreadable one. */
import type { EventType } from '#schemas/events.ts'
import type { Data } from '#schemas/events/define.ts'
import type { Fault } from '#services/core/event-checks.ts'

interface Placed {
  readonly partition: number
  readonly offset: number
  /** When it happened: the producer's time, or the log's where the producer said nothing. RFC 3339, microseconds, UTC. */
  readonly time: string
}

/** An event that could be read. */
export interface Fact extends Placed {
  readonly readable: true
  readonly type: EventType
  readonly naturalKey: string
  readonly contentHash: string
  readonly data: Data
}

/** A record that could not. */
export interface Unread extends Placed {
  readonly readable: false
  /** The SHA-256 of the bytes, in hex. */
  readonly id: string
  readonly bytes: number
  readonly fault: Fault
}

/** A readable record that was found in a partition that is not its own. */
export interface Stray extends Placed {
  readonly readable: 'elsewhere'
  readonly naturalKey: string
  /** The key that says where it belongs. */
  readonly partitionKey: string
  readonly data: Data
}

export type Judged = Fact | Unread | Stray
