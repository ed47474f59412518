/** Reads records of a topic by partition and offset, in order or one by one, with no group and nothing committed. */
import { Problem } from '#services/problem.ts'
import { type RawBatch, recordsOf } from './kafka-batches.ts'
import { type KafkaTopic, OUT_OF_RANGE } from './kafka-topic.ts'
import type { Fetched, Wanted } from './kafka-wire.ts'
import type { Bounds, LogRecord, ReadLimit } from './log.ts'

/** What one fetch brings of the partition that is read, and of those that are looked at along with it. */
const FETCH_BYTES = 4 * 1024 * 1024
const ALONG_BYTES = 512 * 1024
/** What a fetch brings when one record is wanted: its batch, and some of what probably comes next. */
const ONE_BYTES = 128 * 1024
/** Records that were read one by one, kept for the next. */
const CACHE_BYTES_MAX = 32 * 1024 * 1024
/** A reader at the end asks again after so long; all partitions of a leader are asked for together. */
const TAIL_MS = 20
/** How many readers of a partition, each at its own offset, keep what they fetched. */
const PLACES_MAX = 3
/** How many markers of transactions at the end are stepped over to find the last record. */
const STEPS_BACK_MAX = 16
const RECORD_BYTES = 64

/** What a reader that goes on at offset `next` has fetched already. */
interface Place {
  next: number
  records: LogRecord[]
  taken: number
  batches: RawBatch[]
  /** The offset behind all that was fetched, and the end of the partition as it was then. */
  readonly behind: number
  readonly end: number
}

/** What a call has so far. */
interface Taking {
  readonly records: LogRecord[]
  bytes: number
  readonly limit: ReadLimit
}

/** An offset where nothing was found when it was looked at last. */
interface Tail {
  readonly next: number
  readonly lookedMs: number
}

export interface ReaderOptions {
  readonly topic: KafkaTopic
  /** How many bytes a batch may have when it is decompressed. */
  readonly batchBytesMax: number
}

const sizeOf = (record: LogRecord): number => (record.value?.length ?? 0) + record.key.length

export class KafkaReader {
  readonly #topic: KafkaTopic
  readonly #batchBytesMax: number
  readonly #places = new Map<number, Place[]>()
  readonly #tails = new Map<number, Tail>()
  /** Where reading goes on behind an offset that no record has, by partition: the last such place. */
  readonly #gaps = new Map<number, { readonly from: number; readonly to: number }>()
  readonly #cache = new Map<string, LogRecord>()
  #cacheBytes = 0
  readonly #single = new Map<number, Promise<unknown>>()
  readonly #ends = new Map<number, { readonly end: number; readonly trimmed: number | undefined }>()

  constructor({ topic, batchBytesMax }: ReaderOptions) {
    this.#topic = topic
    this.#batchBytesMax = batchBytesMax
  }

  /** Something was appended to the partition just now: whoever reads there need not wait. */
  wake(partition: number): void {
    this.#tails.delete(partition)
  }

  async read(partition: number, fromOffset: number, limit: ReadLimit): Promise<LogRecord[]> {
    if (this.#topic.broken !== undefined) throw this.#topic.broken
    const gap = this.#gaps.get(partition)
    const from = gap?.from === fromOffset ? gap.to : fromOffset
    const taking: Taking = { records: [], bytes: 0, limit }
    let place = this.#takePlace(partition, from) ?? (await this.#fetchPlace(partition, from))
    let behind = from
    while (place !== undefined) {
      behind = place.behind
      const isFull = await this.#take(place, partition, taking)
      const next = (taking.records.at(-1)?.offset ?? from - 1) + 1
      if (isFull) {
        place.next = next
        this.#keepPlace(partition, place)
      }
      if (isFull || behind >= place.end) break
      place = await this.#fetchMore(partition, behind, taking)
    }
    if (taking.records.length === 0 && behind > fromOffset) this.#gaps.set(partition, { from: fromOffset, to: behind })
    return taking.records
  }

  /** What comes next where there is more. What was read already is given even if this fails. */
  async #fetchMore(partition: number, from: number, { records }: Taking): Promise<Place | undefined> {
    try {
      return await this.#fetchPlace(partition, from)
    } catch (error) {
      if (records.length === 0) throw error
      return undefined
    }
  }

  /** Takes what a place has, up to the limit. True where it may not or cannot give more to this call. */
  async #take(place: Place, partition: number, taking: Taking): Promise<boolean> {
    const { records, limit } = taking
    for (;;) {
      const record = place.records[place.taken]
      if (record === undefined) {
        if (records.length > 0 && records.length >= limit.recordsMax) return true
        try {
          if (!(await this.#decodeNext(place, partition))) return false
        } catch (error) {
          // What was good before it is given first; the next call meets the damage.
          if (records.length === 0) throw error
          return true
        }
        continue
      }
      const size = sizeOf(record)
      if (records.length > 0 && (records.length >= limit.recordsMax || taking.bytes + size > limit.bytesMax))
        return true
      records.push(record)
      taking.bytes += size
      place.taken++
    }
  }

  /** One record. Calls for the same partition go one after the other, so that neighbours find what the first one brought. */
  async readOne(partition: number, offset: number): Promise<LogRecord | undefined> {
    const known = this.#cached(partition, offset)
    if (known !== undefined) return known
    const before = this.#single.get(partition) ?? Promise.resolve()
    const work = before.catch(() => {}).then(() => this.#readOne(partition, offset))
    this.#single.set(partition, work)
    try {
      return await work
    } finally {
      if (this.#single.get(partition) === work) this.#single.delete(partition)
    }
  }

  /**
   * What each partition holds. Where a partition stands still behind markers of transactions, its end is that of its last
   * record, since no reader ever gets further.
   */
  async bounds(): Promise<readonly Bounds[]> {
    const bounds = await this.#topic.bounds()
    return Promise.all(
      bounds.map(async ({ start, end }, partition) => {
        const known = this.#ends.get(partition)
        if (known?.end !== end || end <= start) {
          this.#ends.set(partition, { end, trimmed: undefined })
          return { start, end }
        }
        const trimmed = known.trimmed ?? (await this.#lastRecord(partition, start, end))
        this.#ends.set(partition, { end, trimmed })
        return { start, end: trimmed }
      }),
    )
  }

  async #lastRecord(partition: number, start: number, end: number): Promise<number> {
    let next = end
    for (let steps = 0; steps < STEPS_BACK_MAX && next > start; steps++) {
      const fetched = await this.#fetch(partition, next - 1, 1)
      const behind = fetched.batches.filter((batch) => batch.next <= next).at(-1)?.next
      if (behind !== undefined) return behind
      if (fetched.first === undefined || fetched.first >= next) return next
      next = fetched.first
    }
    return Math.max(next, start)
  }

  #takePlace(partition: number, next: number): Place | undefined {
    const places = this.#places.get(partition) ?? []
    const index = places.findIndex((place) => place.next === next)
    return index < 0 ? undefined : places.splice(index, 1)[0]
  }

  #keepPlace(partition: number, place: Place): void {
    if (place.taken >= place.records.length && place.batches.length === 0) return
    const places = this.#places.get(partition) ?? []
    places.push(place)
    if (places.length > PLACES_MAX) places.shift()
    this.#places.set(partition, places)
  }

  /** Decodes the next batch of a place. False where there is none. */
  async #decodeNext(place: Place, partition: number): Promise<boolean> {
    const batch = place.batches[0]
    if (batch === undefined) return false
    const records = await recordsOf(batch, partition, this.#batchBytesMax)
    place.batches.shift()
    place.records = records.filter(({ offset }) => offset >= place.next)
    place.taken = 0
    return true
  }

  /** Fetches from an offset on; undefined where nothing is there yet. */
  async #fetchPlace(partition: number, offset: number): Promise<Place | undefined> {
    const tail = this.#tails.get(partition)
    if (tail?.next === offset && performance.now() - tail.lookedMs < TAIL_MS) return undefined
    const along = tail?.next === offset
    const found = await this.#topic.fetch((leaderOf) => [
      { partition, offset, bytesMax: FETCH_BYTES },
      ...(along ? this.#alsoDue(partition, leaderOf(partition), leaderOf) : []),
    ])
    let mine: Place | undefined
    for (const fetched of found) {
      const from = fetched.partition === partition ? offset : this.#tails.get(fetched.partition)?.next
      if (from === undefined) continue
      if (fetched.partition === partition && fetched.errorCode === OUT_OF_RANGE)
        return this.#outOfRange(partition, offset)
      if (fetched.errorCode !== 0) continue
      const place = this.#arrived(fetched, from)
      if (fetched.partition === partition) mine = place
      else if (place !== undefined) this.#keepPlace(fetched.partition, place)
    }
    return mine
  }

  /** What a fetch brought for a reader at `from`, or a note that nothing is there. */
  #arrived(fetched: Fetched, from: number): Place | undefined {
    if (fetched.next === undefined || fetched.next <= from) {
      this.#tails.set(fetched.partition, { next: from, lookedMs: performance.now() })
      return undefined
    }
    this.#tails.delete(fetched.partition)
    return {
      next: from,
      records: [],
      taken: 0,
      batches: fetched.batches.filter(({ next }) => next > from),
      behind: fetched.next,
      end: fetched.end,
    }
  }

  /** Other partitions of the same leader whose readers wait at the end and are due. */
  #alsoDue(partition: number, leader: number, leaderOf: (partition: number) => number): Wanted[] {
    const due: Wanted[] = []
    const now = performance.now()
    for (const [other, { next, lookedMs }] of this.#tails) {
      const isHeld = this.#places.get(other)?.some((place) => place.next === next) === true
      if (other !== partition && leaderOf(other) === leader && now - lookedMs >= TAIL_MS && !isHeld)
        due.push({ partition: other, offset: next, bytesMax: ALONG_BYTES })
    }
    return due
  }

  /** Below the start something is lost; past the end there is nothing. */
  async #outOfRange(partition: number, offset: number): Promise<undefined> {
    const { start } = (await this.#topic.bounds())[partition] ?? { start: 0 }
    if (offset < start) {
      throw new Problem(
        'corrupt',
        `partition ${partition} of the topic begins at offset ${start}, and ${offset} is asked for: what lies between is gone`,
        {
          hint: 'the topic kept its records for too short a time: raise retention.ms; `npx stepstore verify` says what the lake holds',
        },
      )
    }
    this.#tails.set(partition, { next: offset, lookedMs: performance.now() })
    return undefined
  }

  async #fetch(partition: number, offset: number, bytesMax: number): Promise<Fetched> {
    const found = await this.#topic.fetch(() => [{ partition, offset, bytesMax }])
    return (
      found.find((one) => one.partition === partition) ?? {
        partition,
        errorCode: 0,
        end: 0,
        batches: [],
        first: undefined,
        next: undefined,
      }
    )
  }

  #cached(partition: number, offset: number): LogRecord | undefined {
    const name = `${partition} ${offset}`
    const record = this.#cache.get(name)
    if (record === undefined) return undefined
    // Put at the end: what was used last is let go of last.
    this.#cache.delete(name)
    this.#cache.set(name, record)
    return record
  }

  async #readOne(partition: number, offset: number): Promise<LogRecord | undefined> {
    const known = this.#cached(partition, offset)
    if (known !== undefined) return known
    const { batches } = await this.#fetch(partition, offset, ONE_BYTES)
    let wanted: LogRecord | undefined
    for (const batch of batches) {
      for (const record of await recordsOf(batch, partition, this.#batchBytesMax)) {
        this.#keep(record)
        if (record.offset === offset) wanted = record
      }
    }
    return wanted
  }

  #keep(record: LogRecord): void {
    const name = `${record.partition} ${record.offset}`
    if (this.#cache.has(name)) return
    // A copy, so that one record does not hold all that was fetched with it.
    this.#cache.set(name, { ...record, value: record.value === null ? null : Buffer.from(record.value) })
    this.#cacheBytes += sizeOf(record) + RECORD_BYTES
    for (const [oldest, cached] of this.#cache) {
      if (this.#cacheBytes <= CACHE_BYTES_MAX) break
      this.#cache.delete(oldest)
      this.#cacheBytes -= sizeOf(cached) + RECORD_BYTES
    }
  }
}
