/** The log port: where facts are kept in order. Partitions, dense offsets, durable appends. */
import type { Offsets } from '#services/position.ts'
import type { ByteRoom } from '#services/byte-room.ts'

/** A record to append. Its partition is murmur2(key) mod partitions, as Kafka's Java client does. */
export interface NewRecord {
  readonly key: string
  /** Kafka-style headers: `content-type`, and `ce_…` where the event came in CloudEvents binary mode. */
  readonly headers?: Readonly<Record<string, string>>
  /** The bytes as they were sent. */
  readonly value: Uint8Array
}

/** A record of the log. */
export interface LogRecord {
  readonly partition: number
  readonly offset: number
  /** When the log appended it, in milliseconds since 1970 (the log's clock, never the producer's). */
  readonly appendedAtMs: number
  readonly key: string
  readonly headers: Readonly<Record<string, string>>
  /** The bytes as they were sent; null where a producer that writes to the topic itself sent none. */
  readonly value: Uint8Array | null
}

/** What a partition holds: offsets in [start, end). */
export interface Bounds {
  readonly start: number
  readonly end: number
}

/** How much a read may return; at least one record comes where there is one. */
export interface ReadLimit {
  readonly recordsMax: number
  readonly bytesMax: number
  /**
   * Where the values may lie, for one who is done with them before he reads into the same room again. A log that does
   * not copy them makes no use of it.
   */
  readonly room?: ByteRoom | undefined
}

export interface Log {
  /** The identity of this log, made when it was created; part of every position. */
  readonly id: string
  /** How many partitions it has, fixed when it was created. */
  readonly partitions: number
  /** The partition that records with this key belong to. */
  partitionOf(key: string): number
  /**
   * Appends records in order and resolves when all are durable: with the next offset of each partition written to.
   * Records of concurrent calls may share one durable write. Throws `too_many` when more than the byte budget waits,
   * `unavailable` when the log cannot be written (disk full, broker gone): then none or some of the records are kept.
   */
  append(records: readonly NewRecord[]): Promise<Offsets>
  /** Reads records of a partition from an offset on, in order; empty at the end. Throws `corrupt` below the start. */
  read(partition: number, fromOffset: number, limit: ReadLimit): Promise<LogRecord[]>
  /** Reads one record, or undefined where the log does not hold it. */
  readOne(partition: number, offset: number): Promise<LogRecord | undefined>
  /** What each partition holds now, by partition; durable records only. */
  bounds(): Promise<readonly Bounds[]>
  /** Waits for appends under way and lets go of everything. */
  close(): Promise<void>
}
