/** A log that goes on below its start: what it no longer holds is read from somewhere else, record by record the same. */
import { Problem } from '#services/problem.ts'
import type { Log, LogRecord, ReadLimit } from './log.ts'

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
      const { records, next, lost } = await readOwn(log, partition, fromOffset, limit)
      if (next <= fromOffset) return records
      const older = (await history(partition, fromOffset)).filter((record) => record.offset < next)
      if (older.length > 0) return older.slice(0, limit.recordsMax)
      // Neither has it: going on behind it would hide the loss.
      if (lost !== undefined) throw lost
      return records
    },
  }
}

/** What the log has itself, and the first offset at or behind `fromOffset` that it still knows of; `lost` where it begins there. */
async function readOwn(
  log: Log,
  partition: number,
  fromOffset: number,
  limit: ReadLimit,
): Promise<{ readonly records: LogRecord[]; readonly next: number; readonly lost?: Problem }> {
  try {
    const records = await log.read(partition, fromOffset, limit)
    return { records, next: records[0]?.offset ?? fromOffset }
  } catch (error) {
    // Bounds are asked for only here: a reader that waits at the end reads many times a second.
    if (!(error instanceof Problem) || error.code !== 'corrupt') throw error
    const next = (await log.bounds())[partition]?.start ?? 0
    if (next <= fromOffset) throw error
    return { records: [], next, lost: error }
  }
}
