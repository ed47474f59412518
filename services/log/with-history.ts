/** A log that goes on below its start: what it no longer holds is read from somewhere else, record by record the same. */
import type { Log, LogRecord } from './log.ts'

/** Reads records of a partition from an offset on, in order; some at least, where there are any. */
export type History = (partition: number, fromOffset: number) => Promise<LogRecord[]>

/**
 * The same log, whose `read` turns to `history` below the start and for records that are missing in the middle (a log
 * that was continued after the lake has a hole where it lost some). Bounds stay those of the log itself.
 */
export function withHistory(log: Log, history: History): Log {
  return {
    id: log.id,
    partitions: log.partitions,
    partitionOf: (key) => log.partitionOf(key),
    append: (records) => log.append(records),
    readOne: (partition, offset) => log.readOne(partition, offset),
    bounds: () => log.bounds(),
    close: () => log.close(),
    read: async (partition, fromOffset, limit) => {
      const start = (await log.bounds())[partition]?.start ?? 0
      const records = fromOffset < start ? [] : await log.read(partition, fromOffset, limit)
      const next = records[0]?.offset ?? start
      if (next <= fromOffset) return records
      const older = (await history(partition, fromOffset)).filter((record) => record.offset < next)
      if (older.length > 0) return older.slice(0, limit.recordsMax)
      return records.length > 0 ? records : log.read(partition, start, limit)
    },
  }
}
