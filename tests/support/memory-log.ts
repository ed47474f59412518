/** A log in memory for tests of what reads it. It passes the contract suite of the port, durability apart. */
import { createHash } from 'node:crypto'
import type { Bounds, Log, LogRecord, NewRecord, ReadLimit } from '#services/log/log.ts'
import type { Offsets } from '#services/position.ts'

export interface MemoryLog extends Log {
  /** Appends a record to a partition that may not be its own, as producers that write to a topic themselves can. */
  appendTo(partition: number, record: NewRecord): void
}

/** The clock of the log: fixed, so that folds of the same appends are equal. */
const APPENDED_AT_MS = Date.UTC(2026, 0, 1)

export function memoryLog(
  options: {
    readonly id?: string
    readonly partitions?: number
    /** When a record of an offset is appended, in milliseconds since 1970. */
    readonly appendedAtMs?: (offset: number) => number
  } = {},
): MemoryLog {
  const partitions = options.partitions ?? 4
  const records: LogRecord[][] = Array.from({ length: partitions }, () => [])
  const partitionOf = (key: string) => createHash('md5').update(key).digest().readUInt32BE(0) % partitions
  const appendTo = (partition: number, record: NewRecord) => {
    const list = records[partition] ?? []
    list.push({
      partition,
      offset: list.length,
      appendedAtMs: options.appendedAtMs?.(list.length) ?? APPENDED_AT_MS,
      key: record.key,
      headers: record.headers ?? {},
      value: record.value,
    })
  }
  return {
    id: options.id ?? 'memory-log',
    partitions,
    partitionOf,
    appendTo,
    append: (batch): Promise<Offsets> => {
      const touched = new Map<number, number>()
      for (const record of batch) {
        const partition = partitionOf(record.key)
        appendTo(partition, record)
        touched.set(partition, records[partition]?.length ?? 0)
      }
      return Promise.resolve(touched)
    },
    read: (partition: number, fromOffset: number, limit: ReadLimit) => {
      const found: LogRecord[] = []
      let bytes = 0
      for (const record of records[partition]?.slice(fromOffset, fromOffset + limit.recordsMax) ?? []) {
        bytes += record.value?.length ?? 0
        if (found.length > 0 && bytes > limit.bytesMax) break
        found.push(record)
      }
      return Promise.resolve(found)
    },
    readOne: (partition, offset) => Promise.resolve(records[partition]?.[offset]),
    bounds: (): Promise<readonly Bounds[]> => Promise.resolve(records.map((list) => ({ start: 0, end: list.length }))),
    close: () => Promise.resolve(),
  }
}
