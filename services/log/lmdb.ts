/** The log on one machine: LMDB, one value per partition and durable write, concurrent appends sharing one fsync. */
import { randomUUID } from 'node:crypto'
import { mkdir, open } from 'node:fs/promises'
import { join } from 'node:path'
import { lockFolder } from '#services/folder-lock.ts'
import { errorText, type Logger } from '#services/logger.ts'
import type { Offsets } from '#services/position.ts'
import { Problem } from '#services/problem.ts'
import { ByteRoom } from '#services/byte-room.ts'
import { CHUNK_RECORDS_MAX, encodeChunk, KEY_BYTES_MAX } from './chunk.ts'
import {
  boundsOf,
  chunkKey,
  INFO_KEY,
  LOG_FORMAT,
  openFiles,
  readInfo,
  readRecord,
  readRecords,
  type LogFiles,
  type LogInfo,
} from './lmdb-reader.ts'
import { openGate, whileNothingIsWritten, type OpenGate } from './open-gate.ts'
import { roomIn, type Room } from './lmdb-room.ts'
import type { Bounds, Log, NewRecord } from './log.ts'
import { partitionOf } from './murmur2.ts'

export interface LmdbLogOptions {
  /** The folder that holds the log; made where it is missing. */
  readonly folder: string
  /** How many partitions a new log gets. One that exists must have as many. */
  readonly partitions: number
  readonly clock: () => Date
  /** How many bytes may wait for their durable write before appends are refused. */
  readonly pendingBytesMax: number
  readonly logger: Logger
}

export interface LmdbLog extends Log {
  /**
   * Lets partitions that are shorter go on after the given offsets, which are then never given out again. For a log
   * that was lost, or set back, beside a lake that holds more.
   */
  continueAfter(offsets: Offsets): Promise<void>
}

/** A chunk is read whole to get at one record of it, so it stays small. */
const CHUNK_BYTES_MAX = 256 * 1024

/** Appends beyond these bytes wait for the next durable write, so that none takes long. */
const COMMIT_BYTES_MAX = 32 * 1024 * 1024

/** About what a record costs beside its value. */
const RECORD_BYTES = 64

const PAGE_BYTES = 4096

/** What a write takes beside its values: copies of tree pages and of the list of free ones. */
const TREE_BYTES = 128 * PAGE_BYTES

interface Pending {
  readonly records: readonly NewRecord[]
  readonly bytes: number
  readonly resolve: (offsets: Offsets) => void
  readonly reject: (problem: Problem) => void
}

/** What one durable write does: chunks to put, and the next offsets afterwards. */
interface Plan {
  readonly puts: readonly { readonly key: Buffer; readonly value: Buffer }[]
  readonly ends: number[]
  readonly answers: readonly Offsets[]
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function made(files: LogFiles, options: LmdbLogOptions): Promise<LogInfo> {
  const found = readInfo(files, options.folder)
  if (found === undefined) {
    const info: LogInfo = { format: LOG_FORMAT, id: randomUUID(), partitions: options.partitions, holes: {} }
    await files.root.put(INFO_KEY, JSON.stringify(info))
    for (const folder of [join(options.folder, 'records'), options.folder, join(options.folder, '..')])
      await syncFolder(folder)
    return info
  }
  if (found.partitions !== options.partitions) {
    throw new Problem(
      'partitions_changed',
      `the log in ${options.folder} has ${found.partitions} partitions, not ${options.partitions}`,
      {
        hint: `start it with ${found.partitions} partitions, or begin with another folder and import the old one`,
      },
    )
  }
  return found
}

/** Cuts records of one partition into runs that make chunks of a bounded size. */
function* runs(records: readonly NewRecord[]): Generator<NewRecord[]> {
  let run: NewRecord[] = []
  let bytes = 0
  for (const record of records) {
    if (run.length > 0 && (bytes + record.value.length > CHUNK_BYTES_MAX || run.length === CHUNK_RECORDS_MAX)) {
      yield run
      run = []
      bytes = 0
    }
    run.push(record)
    bytes += record.value.length + RECORD_BYTES
  }
  if (run.length > 0) yield run
}

/** Gives offsets to appends in the order in which they came. Chunks lie in the room. */
function planOf(batch: readonly Pending[], ends: readonly number[], nowMs: number, room: ByteRoom): Plan {
  const byPartition: NewRecord[][] = ends.map(() => [])
  const answers = batch.map(({ records }) => {
    const answer = new Map<number, number>()
    for (const record of records) {
      const partition = partitionOf(record.key, ends.length)
      const list = byPartition[partition]
      if (list === undefined) continue
      list.push(record)
      answer.set(partition, (ends[partition] ?? 0) + list.length)
    }
    return answer
  })
  const next = [...ends]
  const puts: { key: Buffer; value: Buffer }[] = []
  for (const [partition, records] of byPartition.entries()) {
    for (const run of runs(records)) {
      const base = next[partition] ?? 0
      next[partition] = base + run.length
      puts.push({ key: chunkKey(partition, base + run.length), value: encodeChunk(base, nowMs, run, room) })
    }
  }
  return { puts, ends: next, answers }
}

/** The reason that LMDB gives apart from the failed write itself, if it comes soon. */
async function reasonOf(error: unknown): Promise<unknown> {
  const later = (error as { commitError?: Promise<unknown> }).commitError
  if (!(later instanceof Promise)) return error
  const soon = new Promise((resolve) => setTimeout(resolve, 100, error))
  return await Promise.race([later.catch((reason: unknown) => reason), soon])
}

class Appender {
  readonly #files: LogFiles
  readonly #room: Room
  readonly #gate: OpenGate
  readonly #options: LmdbLogOptions
  #info: LogInfo
  /** The next offset of each partition, as committed; undefined after a failure, until it is read again. */
  #ends: number[] | undefined
  /** The chunks of the write under way. */
  #chunks = new ByteRoom()
  #waiting: Pending[] = []
  #pendingBytes = 0
  #running: Promise<void> | undefined
  #closed = false
  /** Why LMDB must not be called any more in this process, if so. */
  #broken: Problem | undefined

  constructor(files: LogFiles, room: Room, gate: OpenGate, info: LogInfo, options: LmdbLogOptions) {
    this.#files = files
    this.#room = room
    this.#gate = gate
    this.#info = info
    this.#options = options
    this.#ends = this.#readEnds()
  }

  get info(): LogInfo {
    return this.#info
  }

  append(records: readonly NewRecord[]): Promise<Offsets> {
    if (this.#closed) return Promise.reject(new Problem('unavailable', 'the log is closing', { retryAfterSeconds: 1 }))
    if (this.#broken !== undefined) return Promise.reject(this.#broken)
    if (records.length === 0) return Promise.resolve(new Map())
    let bytes = 0
    for (const record of records) {
      if (record.key.length > KEY_BYTES_MAX / 3)
        return Promise.reject(new Problem('invalid', 'a record key is too long'))
      bytes += record.value.length + RECORD_BYTES
    }
    if (this.#pendingBytes > 0 && this.#pendingBytes + bytes > this.#options.pendingBytesMax) {
      const detail = `${this.#pendingBytes} bytes wait to be written, the most is ${this.#options.pendingBytesMax}`
      return Promise.reject(new Problem('too_many', detail, { hint: 'send the same again', retryAfterSeconds: 1 }))
    }
    this.#pendingBytes += bytes
    return new Promise((resolve, reject) => {
      this.#waiting.push({ records, bytes, resolve, reject })
      this.#running ??= this.#run()
    })
  }

  bounds(): Bounds[] {
    this.#files.root.resetReadTxn()
    return Array.from({ length: this.#info.partitions }, (_, partition) => boundsOf(this.#files, this.#info, partition))
  }

  async continueAfter(offsets: Offsets): Promise<void> {
    while (this.#running !== undefined) await this.#running
    const holes: Record<string, readonly (readonly [number, number])[]> = { ...this.#info.holes }
    for (const [partition, { end }] of this.bounds().entries()) {
      const want = offsets.get(partition) ?? 0
      if (want > end) holes[partition] = [...(holes[partition] ?? []), [end, want]]
    }
    const info = { ...this.#info, holes }
    try {
      await this.#room.reserve(this.#endOfPages() + TREE_BYTES)
      await this.#gate.write(() => this.#files.root.put(INFO_KEY, JSON.stringify(info)))
    } catch (error) {
      throw await this.#failure(error)
    }
    this.#info = info
    this.#ends = this.#readEnds()
  }

  async close(): Promise<void> {
    this.#closed = true
    while (this.#running !== undefined) await this.#running
    await this.#files.root.close()
    await this.#room.close()
    this.#gate.close()
  }

  #readEnds(): number[] {
    return this.bounds().map(({ end }) => end)
  }

  async #run(): Promise<void> {
    // Whatever else this turn of the event loop brings in shares the first write.
    await new Promise((resolve) => setImmediate(resolve))
    while (this.#waiting.length > 0) await this.#commit(this.#take())
    this.#running = undefined
  }

  #take(): Pending[] {
    let bytes = 0
    let count = 0
    for (; count < this.#waiting.length; count++) {
      const more = this.#waiting[count]?.bytes ?? 0
      if (count > 0 && bytes + more > COMMIT_BYTES_MAX) break
      bytes += more
    }
    return this.#waiting.splice(0, count)
  }

  /** One durable write. Never throws: each append of the batch is answered. */
  async #commit(batch: readonly Pending[]): Promise<void> {
    try {
      if (this.#broken !== undefined) throw this.#broken
      this.#ends ??= this.#readEnds()
      const plan = planOf(batch, this.#ends, this.#options.clock().getTime(), this.#chunks)
      await this.#room.reserve(
        this.#endOfPages() + TREE_BYTES + plan.puts.reduce((sum, { value }) => sum + value.length + 3 * PAGE_BYTES, 0),
      )
      await this.#gate.write(() => this.#write(plan.puts))
      this.#ends = plan.ends
      this.#chunks.clear()
      for (const [index, pending] of batch.entries()) pending.resolve(plan.answers[index] ?? new Map())
    } catch (error) {
      // What is committed is read again before the next write, so that offsets stay dense.
      this.#ends = undefined
      // LMDB may not be done with what it could not write.
      this.#chunks = new ByteRoom()
      const problem = await this.#failure(error)
      for (const pending of batch) pending.reject(problem)
    } finally {
      for (const pending of batch) this.#pendingBytes -= pending.bytes
    }
  }

  /** The byte after the last page that LMDB uses. */
  #endOfPages(): number {
    const { env } = this.#files.root as unknown as { env: { info(): { lastPageNumber: number } } }
    return (env.info().lastPageNumber + 1) * PAGE_BYTES
  }

  /** Puts chunks in one transaction and waits until it is on the disk. */
  async #write(puts: Plan['puts']): Promise<void> {
    // Each put has a promise of its own that fails with the transaction; none may stay unhandled.
    const done: Promise<boolean>[] = []
    done.push(
      this.#files.chunks.batch(() => {
        for (const { key, value } of puts) done.push(this.#files.chunks.put(key, value))
      }),
    )
    const results = await Promise.allSettled(done)
    const failed = results.find((result) => result.status === 'rejected')
    if (failed === undefined) return
    this.#probe()
    throw failed.reason
  }

  /** After a failed write: LMDB gives up for good where the page that names the newest state could not be written. */
  #probe(): void {
    try {
      this.#files.root.transactionSync(() => undefined)
    } catch (error) {
      this.#options.logger('error', 'log given up', { error: errorText(error) })
      this.#broken = new Problem(
        'unavailable',
        'the disk of the log failed, and the log can be written again only after a restart',
        {
          hint: 'mend the disk of the data folder, then restart the server',
          retryAfterSeconds: 60,
          cause: error,
        },
      )
    }
  }

  async #failure(error: unknown): Promise<Problem> {
    if (error instanceof Problem) return error
    const reason = await reasonOf(error)
    this.#options.logger('error', 'log not written', { error: errorText(reason) })
    const text = reason instanceof Error ? reason.message : 'the write failed'
    return new Problem('unavailable', `the log cannot be written: ${text}`, {
      hint: 'free space or mend the disk of the data folder, then send the same again; if it goes on, restart the server',
      retryAfterSeconds: 5,
      cause: reason,
    })
  }
}

/**
 * Opens the log of a folder for appending and reading, and makes it where there is none. Throws `store_in_use` while
 * another process has it open, `partitions_changed`, and `newer_data`.
 */
export async function lmdbLog(options: LmdbLogOptions): Promise<LmdbLog> {
  await mkdir(options.folder, { recursive: true })
  const unlock = lockFolder(options.folder, options.clock())
  let files: LogFiles | undefined
  let room: Room | undefined
  let gate: OpenGate | undefined
  try {
    const opened = whileNothingIsWritten(options.folder, () => openFiles(options.folder, false))
    files = opened
    gate = openGate(options.folder)
    const info = await gate.write(() => made(opened, options))
    room = await roomIn(join(options.folder, 'records', 'data.mdb'))
    const appender = new Appender(opened, room, gate, info, options)
    return {
      id: info.id,
      partitions: info.partitions,
      partitionOf: (key) => partitionOf(key, info.partitions),
      append: (records) => appender.append(records),
      read: async (partition, fromOffset, limit) => {
        opened.root.resetReadTxn()
        return readRecords(opened, appender.info, partition, fromOffset, limit)
      },
      readOne: async (partition, offset) => {
        opened.root.resetReadTxn()
        return readRecord(opened, partition, offset)
      },
      bounds: async () => appender.bounds(),
      continueAfter: (offsets) => appender.continueAfter(offsets),
      close: async () => {
        await appender.close()
        unlock()
      },
    }
  } catch (error) {
    await files?.root.close()
    await room?.close()
    gate?.close()
    unlock()
    throw error
  }
}
