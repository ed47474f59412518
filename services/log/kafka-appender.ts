/**
 * Appends to a topic by kafkajs, guarded: one partition a send, every result checked, and a producer whose send failed is
 * never used again. WHY.md tells what kafkajs loses otherwise.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type kafkajs from 'kafkajs'
import { errorText, type Logger } from '#services/logger.ts'
import type { Offsets } from '#services/position.ts'
import { Problem } from '#services/problem.ts'
import { brokerProblem, letGo, within } from './kafka-client.ts'
import type { NewRecord } from './log.ts'

/** How long the brokers may take to store a batch everywhere. */
const STORE_MS_MAX = 10_000
/** How long one send may take, with all that kafkajs tries. A producer that hangs longer is given up. */
const SEND_MS_MAX = 30_000
/** How long a batch is tried: a leader that is gone is replaced after about 10 s by default. */
const TRY_MS_MAX = 20_000
const PAUSE_MS = 100
const PAUSE_MS_MAX = 1_000
const CLOSE_MS_MAX = 5_000

/** About what a record costs beside its key, headers and value, in a batch and in memory. */
const RECORD_BYTES = 64

/** What the brokers refuse because of the records themselves; to send them again is no use. */
const REFUSED = new Set([
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
  'INVALID_RECORD',
  'INVALID_TIMESTAMP',
  'UNSUPPORTED_FOR_MESSAGE_FORMAT',
])
const FORBIDDEN = new Set(['TOPIC_AUTHORIZATION_FAILED', 'CLUSTER_AUTHORIZATION_FAILED', 'SASL_AUTHENTICATION_FAILED'])

export interface AppenderOptions {
  readonly kafka: kafkajs.Kafka
  readonly topic: string
  readonly partitions: number
  readonly partitionOf: (key: string) => number
  readonly pendingBytesMax: number
  /** The most that one record may have; larger ones are refused. */
  readonly recordBytesMax: number
  /** The most that records which share a batch may have together. */
  readonly batchBytesMax: number
  readonly logger: Logger
  /** Why nothing may be appended any more, if so. */
  readonly broken: () => Problem | undefined
  /** Told when a partition got records. */
  readonly onAppend: (partition: number) => void
  /** Told before each append. */
  readonly watch: () => void
  /** Asked what is wrong where a partition gave out an offset again. */
  readonly distrust: (partition: number, offset: number) => Promise<Problem>
}

/** Records of one append for one partition, small enough for one batch. */
interface Part {
  readonly messages: readonly kafkajs.Message[]
  readonly bytes: number
  readonly resolve: (end: number) => void
  readonly reject: (problem: Problem) => void
  settled: boolean
}

interface Lane {
  waiting: Part[]
  running: Promise<void> | undefined
  /** The offset behind the last record that was acknowledged here. */
  end: number
}

/** A producer, and how many sends it has under way. One that is retired ends with the last of them. */
interface Held {
  readonly producer: kafkajs.Producer
  readonly ready: Promise<void>
  sends: number
  retired: boolean
}

const typeOf = (error: unknown): string => {
  for (let inner = error; inner instanceof Error; inner = inner.cause)
    if ('type' in inner && typeof inner.type === 'string') return inner.type
  return ''
}

const bytesOf = ({ key, value, headers = {} }: NewRecord): number => {
  let bytes = RECORD_BYTES + Buffer.byteLength(key) + value.length
  for (const [name, text] of Object.entries(headers)) bytes += name.length + Buffer.byteLength(text) + 4
  return bytes
}

export class KafkaAppender {
  readonly #options: AppenderOptions
  readonly #lanes: readonly Lane[]
  #held: Held | undefined
  #pendingBytes = 0
  #closed = false

  constructor(options: AppenderOptions) {
    this.#options = options
    this.#lanes = Array.from({ length: options.partitions }, () => ({ waiting: [], running: undefined, end: 0 }))
  }

  async append(records: readonly NewRecord[]): Promise<Offsets> {
    if (this.#closed) throw new Problem('unavailable', 'the log is closing', { retryAfterSeconds: 1 })
    this.#options.watch()
    const broken = this.#options.broken()
    if (broken !== undefined) throw broken
    let total = 0
    for (const record of records) {
      const bytes = bytesOf(record)
      if (bytes > this.#options.recordBytesMax) throw tooLarge(bytes, this.#options.recordBytesMax)
      total += bytes
    }
    if (this.#pendingBytes > 0 && this.#pendingBytes + total > this.#options.pendingBytesMax) {
      const detail = `${this.#pendingBytes} bytes wait to be written, the most is ${this.#options.pendingBytesMax}`
      throw new Problem('too_many', detail, { hint: 'send the same again', retryAfterSeconds: 1 })
    }
    const ends = await Promise.allSettled(
      this.#parts(records).map(async ([partition, end]) => [partition, await end] as const),
    )
    const offsets = new Map<number, number>()
    for (const result of ends) {
      if (result.status === 'rejected') throw result.reason
      const [partition, end] = result.value
      offsets.set(partition, Math.max(end, offsets.get(partition) ?? 0))
    }
    return offsets
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const lane of this.#lanes) await lane.running
    const held = this.#held
    this.#held = undefined
    if (held !== undefined) await within(held.producer.disconnect(), CLOSE_MS_MAX).catch(() => {})
  }

  /** Puts records into the lanes of their partitions. Gives the offset behind each part, once it is stored. */
  #parts(records: readonly NewRecord[]): (readonly [number, Promise<number>])[] {
    const parts: (readonly [number, Promise<number>])[] = []
    for (const [partition, group] of Map.groupBy(records, ({ key }) => this.#options.partitionOf(key))) {
      let messages: kafkajs.Message[] = []
      let bytes = 0
      for (const record of group) {
        const more = bytesOf(record)
        if (messages.length > 0 && bytes + more > this.#options.batchBytesMax) {
          parts.push([partition, this.#enqueue(partition, messages, bytes)])
          messages = []
          bytes = 0
        }
        const value = Buffer.from(record.value.buffer, record.value.byteOffset, record.value.length)
        messages.push({ partition, key: record.key, value, headers: { ...record.headers } })
        bytes += more
      }
      parts.push([partition, this.#enqueue(partition, messages, bytes)])
    }
    return parts
  }

  #enqueue(partition: number, messages: readonly kafkajs.Message[], bytes: number): Promise<number> {
    const lane = this.#lanes[partition]
    if (lane === undefined) return Promise.reject(new Problem('internal', `there is no partition ${partition}`))
    this.#pendingBytes += bytes
    return new Promise((resolve, reject) => {
      lane.waiting.push({ messages, bytes, resolve, reject, settled: false })
      lane.running ??= this.#run(partition, lane).finally(() => (lane.running = undefined))
    })
  }

  /** Sends what waits for a partition, one batch at a time, so that its order stays. */
  async #run(partition: number, lane: Lane): Promise<void> {
    // Whatever else this turn of the event loop brings in shares the first batch.
    await new Promise((resolve) => setImmediate(resolve))
    for (let batch = this.#take(lane); batch.length > 0; batch = this.#take(lane)) {
      try {
        await this.#store(partition, lane, batch)
      } catch (error) {
        const problem = asProblem(error)
        this.#options.logger('error', 'log not written', { partition, error: errorText(problem) })
        // The rest waited as long, and the brokers are as far for it.
        for (const part of [...batch, ...lane.waiting.splice(0)]) this.#settle(part, problem)
      }
    }
  }

  #take(lane: Lane): Part[] {
    let bytes = 0
    let count = 0
    for (; count < lane.waiting.length; count++) {
      const more = lane.waiting[count]?.bytes ?? 0
      if (count > 0 && bytes + more > this.#options.batchBytesMax) break
      bytes += more
    }
    return lane.waiting.splice(0, count)
  }

  #settle(part: Part, result: number | Problem): void {
    if (part.settled) return
    part.settled = true
    this.#pendingBytes -= part.bytes
    if (typeof result === 'number') part.resolve(result)
    else part.reject(result)
  }

  /** Stores a batch and answers its parts. Throws where the brokers cannot be reached; records that they refuse fail alone. */
  async #store(partition: number, lane: Lane, batch: readonly Part[]): Promise<void> {
    let base: number
    try {
      base = await this.#send(
        partition,
        lane,
        batch.flatMap(({ messages }) => messages),
      )
    } catch (error) {
      if (!REFUSED.has(typeOf(error))) throw error
      const [alone, ...others] = batch
      if (alone === undefined) return
      if (others.length === 0) this.#settle(alone, asProblem(error))
      else for (const part of batch) await this.#store(partition, lane, [part])
      return
    }
    let end = base
    for (const part of batch) {
      end += part.messages.length
      lane.end = end
      this.#settle(part, end)
    }
    this.#options.onAppend(partition)
  }

  /** Sends a batch until it is stored, each time with a producer that never failed. Gives its first offset. */
  async #send(partition: number, lane: Lane, messages: kafkajs.Message[]): Promise<number> {
    const until = performance.now() + TRY_MS_MAX
    for (let pauseMs = PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, PAUSE_MS_MAX)) {
      const held = this.#hold()
      try {
        await within(held.ready, SEND_MS_MAX)
        const results = await within(
          held.producer.send({ topic: this.#options.topic, acks: -1, timeout: STORE_MS_MAX, messages }),
          SEND_MS_MAX,
        )
        return await this.#checked(results, partition, lane)
      } catch (error) {
        this.#retire(held)
        const type = typeOf(error)
        if (error instanceof Problem || REFUSED.has(type) || FORBIDDEN.has(type) || performance.now() + pauseMs > until)
          throw error
        this.#options.logger('warn', 'batch sent again', { partition, error: errorText(error) })
        await sleep(pauseMs)
      } finally {
        held.sends--
        if (held.retired && held.sends === 0) letGo(held.producer)
      }
    }
  }

  /** The first offset of a batch, where the answer says beyond doubt that it is stored. */
  async #checked(results: readonly kafkajs.RecordMetadata[], partition: number, lane: Lane): Promise<number> {
    const [result] = results
    const base = Number(result?.baseOffset)
    if (
      results.length !== 1 ||
      result?.partition !== partition ||
      result.errorCode !== 0 ||
      !Number.isSafeInteger(base) ||
      base < 0
    ) {
      throw new Error(`kafkajs gave no offset for partition ${partition}`)
    }
    const broken =
      this.#options.broken() ?? (base < lane.end ? await this.#options.distrust(partition, base) : undefined)
    if (broken !== undefined) throw broken
    return base
  }

  #hold(): Held {
    if (this.#held === undefined) {
      const producer = this.#options.kafka.producer({
        allowAutoTopicCreation: false,
        createPartitioner:
          () =>
          ({ message }) =>
            message.partition ?? 0,
      })
      const ready = producer.connect()
      ready.catch(() => {})
      this.#held = { producer, ready, sends: 0, retired: false }
    }
    this.#held.sends++
    return this.#held
  }

  #retire(held: Held): void {
    held.retired = true
    if (this.#held === held) this.#held = undefined
  }
}

function tooLarge(bytes: number, bytesMax: number): Problem {
  return new Problem('too_large', `a record has ${bytes} bytes, and the topic takes ${bytesMax}`, {
    hint: 'set max.message.bytes of the topic to 8388608',
  })
}

function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error
  const type = typeOf(error)
  if (REFUSED.has(type))
    return new Problem('too_large', `the brokers refuse a batch (${type})`, {
      hint: 'set max.message.bytes of the topic to 8388608',
      cause: error,
    })
  if (FORBIDDEN.has(type))
    return new Problem('unavailable', `the brokers refuse us (${type})`, {
      hint: 'give the user of LOG_URL the right to write the topic',
      retryAfterSeconds: 60,
      cause: error,
    })
  return brokerProblem('the log cannot be written', error)
}
