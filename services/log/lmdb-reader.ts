/** The reading half of the LMDB log. Works in the writer, in other threads, and in other processes of the machine. */
import { open, type Database, type RootDatabase } from 'lmdb'
import { join } from 'node:path'
import { Problem } from '#services/problem.ts'
import type { ByteRoom } from '#services/byte-room.ts'
import { baseOf, openChunk, recordAt, type Chunk } from './chunk.ts'
import type { Bounds, Log, LogRecord, ReadLimit } from './log.ts'
import { partitionOf } from './murmur2.ts'
import { whileNothingIsWritten } from './open-gate.ts'

/** What is written about a log when it is made, and when it is continued after offsets that it never held. */
export interface LogInfo {
  readonly format: number
  readonly id: string
  readonly partitions: number
  /** Ranges [from, to) of offsets that were given out by a log that was lost, by partition. */
  readonly holes: Readonly<Record<string, readonly (readonly [number, number])[]>>
}

export const LOG_FORMAT = 1
export const INFO_KEY = 'info'

/** An open environment: chunks by [partition, end offset], and what is known about the log. */
export interface LogFiles {
  readonly root: RootDatabase<string, string>
  readonly chunks: Database<Buffer, Buffer>
  /** Chunks that were looked at one record at a time, by key, oldest first. A chunk never changes. */
  readonly recent: Map<string, Chunk>
}

/** The records of a trajectory lie close together, and copying and checking a chunk takes 60 µs. */
const RECENT_CHUNKS_MAX = 8

/** Opens the files of a log. LMDB maps them; the size of the map is room in the address space, not on the disk. */
export function openFiles(folder: string, readOnly: boolean): LogFiles {
  const root = open<string, string>({
    path: join(folder, 'records'),
    noSubdir: false,
    readOnly,
    mapSize: 2 ** 40,
    maxDbs: 4,
    encoding: 'string',
    // With overlapping sync a commit resolves, and is seen by readers, before it is on the disk.
    overlappingSync: false,
    // Its own batch has a promise that nobody can catch, so that a full disk would end the process.
    eventTurnBatching: false,
  })
  const chunks = root.openDB<Buffer, Buffer>({ name: 'chunks', encoding: 'binary', keyEncoding: 'binary' })
  return { root, chunks, recent: new Map() }
}

/** The key of the chunk of a partition that ends before `end`. Keys sort by partition, then by offset. */
export function chunkKey(partition: number, end: number): Buffer {
  const key = Buffer.allocUnsafe(10)
  key.writeUInt16BE(partition, 0)
  key.writeUInt32BE(Math.floor(end / 2 ** 32), 2)
  key.writeUInt32BE(end % 2 ** 32, 6)
  return key
}

const END_MAX = Number.MAX_SAFE_INTEGER
const endOf = (key: Buffer): number => key.readUInt32BE(2) * 2 ** 32 + key.readUInt32BE(6)

/** Reads what is known about the log, or undefined where it is not made yet. Throws `newer_data`. */
export function readInfo(files: LogFiles, folder: string): LogInfo | undefined {
  files.root.resetReadTxn()
  const text = files.root.get(INFO_KEY)
  if (text === undefined) return undefined
  const info = JSON.parse(text) as LogInfo
  if (info.format > LOG_FORMAT) {
    throw new Problem(
      'newer_data',
      `the log in ${folder} has format ${info.format}; this version reads formats up to ${LOG_FORMAT}`,
      {
        hint: 'start the version that wrote it, or a newer one',
      },
    )
  }
  return info
}

function firstOf<Key>(keys: Iterable<Key>): Key | undefined {
  for (const key of keys) return key
  return undefined
}

/** What partition `partition` holds. */
export function boundsOf(files: LogFiles, info: LogInfo, partition: number): Bounds {
  const holes = info.holes[partition] ?? []
  const range = { start: chunkKey(partition, END_MAX), end: chunkKey(partition, 0), reverse: true, limit: 1 }
  const lastKey = firstOf(files.chunks.getKeys(range))
  const holeEnd = holes.at(-1)?.[1] ?? 0
  if (lastKey === undefined) return { start: holeEnd, end: holeEnd }
  const firstKey = firstOf(
    files.chunks.getKeys({ start: chunkKey(partition, 0), end: chunkKey(partition + 1, 0), limit: 1 }),
  )
  // Only its base is wanted, so the chunk is neither copied nor checked: bounds are asked for often.
  const first = firstKey === undefined ? undefined : files.chunks.getBinaryFast(firstKey)
  return { start: first === undefined ? 0 : baseOf(first), end: Math.max(endOf(lastKey), holeEnd) }
}

function corrupt(partition: number, offset: number, what: string): Problem {
  return new Problem('corrupt', `partition ${partition} of the log is damaged at offset ${offset}: ${what}`, {
    hint: 'run `npx stepstore verify`; `npx stepstore rebuild` restores what the lake holds',
  })
}

function opened(value: Uint8Array, partition: number, offset: number): Chunk {
  // LMDB may hand out a buffer whose own `length` is redefined, which makes every access slow: look at it afresh.
  const chunk = openChunk(Buffer.from(value.buffer, value.byteOffset, value.length))
  if (chunk === undefined) throw corrupt(partition, offset, 'the checksum of its chunk does not match')
  return chunk
}

/** The chunk that holds an offset, or the first after it. */
function firstChunk(files: LogFiles, partition: number, offset: number): Chunk | undefined {
  const range = { start: chunkKey(partition, offset + 1), end: chunkKey(partition + 1, 0), limit: 1 }
  const key = firstOf(files.chunks.getKeys(range))
  if (key === undefined) return undefined
  const name = key.toString('latin1')
  const known = files.recent.get(name)
  if (known !== undefined) return known
  const value = files.chunks.get(key)
  if (value === undefined) return undefined
  const chunk = opened(value, partition, offset)
  const oldest = files.recent.size < RECENT_CHUNKS_MAX ? undefined : firstOf(files.recent.keys())
  if (oldest !== undefined) files.recent.delete(oldest)
  files.recent.set(name, chunk)
  return chunk
}

/** Where reading goes on after `offset`, which no chunk holds: the end of the hole that begins there. */
function holeFrom(info: LogInfo, partition: number, offset: number): number | undefined {
  return info.holes[partition]?.find(([from, to]) => from <= offset && offset < to)?.[1]
}

/** The chunks of a range of keys, each a copy of its own, or in a room where there is one. */
function* chunksOf(
  files: LogFiles,
  range: { start: Buffer; end: Buffer },
  room: ByteRoom | undefined,
): Generator<Uint8Array> {
  if (room === undefined) {
    for (const { value } of files.chunks.getRange(range)) yield value
    return
  }
  room.clear()
  for (const key of files.chunks.getKeys(range)) {
    // What LMDB hands out here is good until it is asked for something else.
    const value = files.chunks.getBinaryFast(key)
    if (value !== undefined) yield room.copy(new Uint8Array(value.buffer, value.byteOffset, value.length))
  }
}

/** Reads records of a partition from an offset on; see the port. */
export function readRecords(
  files: LogFiles,
  info: LogInfo,
  partition: number,
  fromOffset: number,
  limit: ReadLimit,
): LogRecord[] {
  const records: LogRecord[] = []
  let bytes = 0
  let next = fromOffset
  // A partition begins at 0 unless it was continued after a log that was lost.
  if (info.holes[partition] !== undefined && fromOffset < boundsOf(files, info, partition).start)
    throw corrupt(partition, fromOffset, 'it begins later')
  const range = { start: chunkKey(partition, fromOffset + 1), end: chunkKey(partition + 1, 0) }
  for (const value of chunksOf(files, range, limit.room)) {
    const chunk = opened(value, partition, next)
    if (chunk.base > next) {
      const hole = holeFrom(info, partition, next)
      if (hole !== chunk.base) throw corrupt(partition, next, 'a chunk is missing')
      next = hole
    }
    for (; next < chunk.base + chunk.count; next++) {
      const record = recordAt(chunk, next - chunk.base, partition)
      const size = (record.value?.length ?? 0) + record.key.length
      if (records.length > 0 && (records.length >= limit.recordsMax || bytes + size > limit.bytesMax)) return records
      records.push(record)
      bytes += size
    }
  }
  return records
}

/** Reads one record, or undefined. */
export function readRecord(files: LogFiles, partition: number, offset: number): LogRecord | undefined {
  const chunk = firstChunk(files, partition, offset)
  return chunk === undefined || chunk.base > offset ? undefined : recordAt(chunk, offset - chunk.base, partition)
}

export interface LmdbLogReaderOptions {
  /** The folder of a log that was made already. */
  readonly folder: string
}

/**
 * Opens a log for reading beside its writer: in another thread or process of the same machine. New commits are seen at
 * once. `append` throws `conflict`. Throws `unavailable` where there is no log yet.
 */
export function lmdbLogReader(options: LmdbLogReaderOptions): Promise<Log> {
  let files: LogFiles
  try {
    files = whileNothingIsWritten(options.folder, () => openFiles(options.folder, true))
  } catch (error) {
    if (error instanceof Problem) return Promise.reject(error)
    return Promise.reject(
      new Problem('unavailable', `there is no log in ${options.folder} yet`, {
        hint: 'start the server once',
        cause: error,
      }),
    )
  }
  const info = readInfo(files, options.folder)
  if (info === undefined) {
    return files.root.close().then(() => {
      throw new Problem('unavailable', `the log in ${options.folder} is not made yet`, {
        hint: 'start the server once',
      })
    })
  }
  return Promise.resolve(readingLog(files, info, options.folder))
}

function readingLog(files: LogFiles, made: LogInfo, folder: string): Log {
  const current = (): LogInfo => readInfo(files, folder) ?? made
  return {
    id: made.id,
    partitions: made.partitions,
    partitionOf: (key) => partitionOf(key, made.partitions),
    append: () =>
      Promise.reject(
        new Problem('conflict', 'this log is open for reading only', {
          hint: 'append through the process that holds it',
        }),
      ),
    read: async (partition, fromOffset, limit) => readRecords(files, current(), partition, fromOffset, limit),
    readOne: async (partition, offset) => {
      files.root.resetReadTxn()
      return readRecord(files, partition, offset)
    },
    bounds: async () => {
      const info = current()
      return Array.from({ length: info.partitions }, (_, partition) => boundsOf(files, info, partition))
    },
    close: () => files.root.close(),
  } satisfies Log
}
