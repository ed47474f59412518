/** The two requests that kafkajs has not, or not so that a bad batch could be told apart: Metadata with topic ids, and Fetch. */
import { createRequire } from 'node:module'
import { type Aborted, batchesIn, committedOnly, type RawBatch } from './kafka-batches.ts'

/** A request as kafkajs sends them. */
export interface Exchange<T> {
  readonly request: {
    readonly apiKey: number
    readonly apiVersion: number
    readonly apiName: string
    encode(): Promise<{ readonly buf: Buffer; readonly buffer: Buffer }>
  }
  readonly response: { decode(bytes: Buffer): Promise<T>; parse(decoded: T): Promise<T> }
}

/** The part of kafkajs's cluster that is used. It is internal, so kafkajs is pinned to the version that was read. */
export interface WireBroker {
  readonly connectionPool: {
    /** Connection 1 is for Fetch, 0 for all else. Connects where it is not; two callers at once would connect twice. */
    getConnection(index: 0 | 1): Promise<unknown>
    send<T>(exchange: Exchange<T>): Promise<T>
  }
  listOffsets(request: {
    readonly isolationLevel: number
    readonly topics: readonly {
      readonly topic: string
      readonly partitions: readonly { readonly partition: number; readonly timestamp: number }[]
    }[]
  }): Promise<{
    readonly responses: readonly {
      readonly partitions: readonly { readonly partition: number; readonly offset: string }[]
    }[]
  }>
}

export interface WireCluster {
  readonly brokerPool: { findConnectedBroker(): Promise<WireBroker> }
  connect(): Promise<void>
  disconnect(): Promise<void>
  addTargetTopic(topic: string): Promise<void>
  refreshMetadata(): Promise<void>
  findBroker(node: { readonly nodeId: number }): Promise<WireBroker>
}

interface Internals {
  readonly Cluster: new (options: Record<string, unknown>) => WireCluster
  readonly createSocketFactory: () => unknown
  readonly createLogger: (options: { readonly level: number; readonly logCreator: unknown }) => unknown
}

const require = createRequire(import.meta.url)

/** What kafkajs keeps to itself. */
export const internals: Internals = {
  Cluster: require('kafkajs/src/cluster') as Internals['Cluster'],
  createSocketFactory: require('kafkajs/src/network/socketFactory') as Internals['createSocketFactory'],
  createLogger: (require('kafkajs/src/loggers') as { createLogger: Internals['createLogger'] }).createLogger,
}

/** Offsets and records of transactions that are open or rolled back are not read. */
export const READ_COMMITTED = 1

/** Writes the parts of a request. */
class Writer {
  readonly #parts: Buffer[] = []

  int8(value: number): this {
    this.#parts.push(Buffer.from([value & 0xff]))
    return this
  }

  int32(value: number): this {
    const part = Buffer.allocUnsafe(4)
    part.writeInt32BE(value)
    this.#parts.push(part)
    return this
  }

  int64(value: number): this {
    const part = Buffer.allocUnsafe(8)
    part.writeBigInt64BE(BigInt(value))
    this.#parts.push(part)
    return this
  }

  string(value: string): this {
    const text = Buffer.from(value)
    const length = Buffer.allocUnsafe(2)
    length.writeInt16BE(text.length)
    this.#parts.push(length, text)
    return this
  }

  /** The compact forms hold their length plus one; here always below 128. */
  compact(value: string): this {
    this.#parts.push(Buffer.from([Buffer.byteLength(value) + 1]), Buffer.from(value))
    return this
  }

  bytes(value: Buffer): this {
    this.#parts.push(value)
    return this
  }

  all(): { readonly buf: Buffer; readonly buffer: Buffer } {
    const buffer = Buffer.concat(this.#parts)
    return { buf: buffer, buffer }
  }
}

/** Reads the parts of an answer. Throws RangeError at the end. */
class Reader {
  #place = 0
  readonly #bytes: Buffer

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  skip(count: number): this {
    this.#place += count
    return this
  }

  int16(): number {
    this.#place += 2
    return this.#bytes.readInt16BE(this.#place - 2)
  }

  int32(): number {
    this.#place += 4
    return this.#bytes.readInt32BE(this.#place - 4)
  }

  int64(): bigint {
    this.#place += 8
    return this.#bytes.readBigInt64BE(this.#place - 8)
  }

  bytes(length: number): Buffer {
    if (length < 0) return Buffer.alloc(0)
    this.#place += length
    return this.#bytes.subarray(this.#place - length, this.#place)
  }

  string(): string {
    return this.bytes(this.int16()).toString()
  }

  uvarint(): number {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = this.#bytes.readUInt8(this.#place++)
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) return value >>> 0
    }
  }

  compact(): Buffer {
    return this.bytes(this.uvarint() - 1)
  }

  /** Fields that a newer broker added. */
  tags(): this {
    for (let left = this.uvarint(); left > 0; left--) {
      this.uvarint()
      this.skip(this.uvarint())
    }
    return this
  }

  list<T>(count: number, item: () => T): T[] {
    return Array.from({ length: Math.max(count, 0) }, item)
  }
}

/** What a cluster says of a topic. */
export interface TopicFacts {
  readonly errorCode: number
  /** The UUID that the topic got when it was made; undefined before Kafka 2.8. */
  readonly id: string | undefined
  /** The node that leads each partition, by partition; -1 where none does. */
  readonly leaders: readonly number[]
}

const NO_ID = '00000000-0000-0000-0000-000000000000'

function uuid(bytes: Buffer): string | undefined {
  const text = bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
  return text === NO_ID ? undefined : text
}

function readTopic(reader: Reader): TopicFacts {
  const errorCode = reader.int16()
  reader.compact()
  const id = uuid(reader.bytes(16))
  reader.skip(1)
  const partitions = reader.list(reader.uvarint() - 1, () => {
    reader.skip(2)
    const partition = reader.int32()
    const leader = reader.int32()
    reader.skip(4)
    for (let lists = 0; lists < 3; lists++) reader.skip(4 * (reader.uvarint() - 1))
    reader.tags()
    return { partition, leader }
  })
  reader.skip(4).tags()
  const sorted = partitions.toSorted((left, right) => left.partition - right.partition)
  return { errorCode, id, leaders: sorted.map(({ leader }) => leader) }
}

/** Asks for a topic with its id (Metadata version 10). */
export function topicFacts(topic: string): Exchange<TopicFacts> {
  return {
    request: {
      apiKey: 3,
      apiVersion: 10,
      apiName: 'Metadata',
      encode: async () =>
        // Tags of the header, then one topic by name; no topic is made by asking, and no rights are asked for.
        new Writer()
          .int8(0)
          .int8(2)
          .bytes(Buffer.alloc(16))
          .compact(topic)
          .int8(0)
          .int8(0)
          .int8(0)
          .int8(0)
          .int8(0)
          .all(),
    },
    response: {
      decode: async (bytes) => {
        const reader = new Reader(bytes).tags().skip(4)
        reader.list(reader.uvarint() - 1, () => {
          reader.skip(4)
          reader.compact()
          reader.skip(4)
          reader.compact()
          reader.tags()
        })
        reader.compact()
        reader.skip(4)
        const [facts] = reader.list(reader.uvarint() - 1, () => readTopic(reader))
        return facts ?? { errorCode: 3, id: undefined, leaders: [] }
      },
      parse: async (facts) => facts,
    },
  }
}

/** Where to begin in a partition, and about how many bytes to bring; at least one batch comes, however large. */
export interface Wanted {
  readonly partition: number
  readonly offset: number
  readonly bytesMax: number
}

/** What a fetch brought of a partition. */
export interface Fetched {
  readonly partition: number
  readonly errorCode: number
  /** Everything below it can be read. */
  readonly end: number
  readonly batches: readonly RawBatch[]
  /** The offsets that came, also of what is not to be read, in [first, next); undefined where nothing came. */
  readonly first: number | undefined
  readonly next: number | undefined
}

function readPartition(reader: Reader): Fetched {
  const partition = reader.int32()
  const errorCode = reader.int16()
  reader.skip(8)
  const end = Number(reader.int64())
  reader.skip(8)
  const aborted: Aborted[] = reader.list(reader.int32(), () => ({
    producerId: reader.int64(),
    firstOffset: Number(reader.int64()),
  }))
  reader.skip(4)
  const batches = batchesIn(reader.bytes(reader.int32())).filter(({ next }) => next <= end)
  return {
    partition,
    errorCode,
    end,
    batches: committedOnly(batches, aborted),
    first: batches[0]?.base,
    next: batches.at(-1)?.next,
  }
}

/** Asks a leader for batches of its partitions, without waiting for new ones (Fetch version 11). */
export function fetchRequest(topic: string, wanted: readonly Wanted[]): Exchange<Fetched[]> {
  const bytesMax = wanted.reduce((sum, one) => sum + one.bytesMax, 0)
  return {
    request: {
      apiKey: 1,
      apiVersion: 11,
      apiName: 'Fetch',
      encode: async () => {
        const writer = new Writer().int32(-1).int32(0).int32(0).int32(bytesMax).int8(READ_COMMITTED).int32(0).int32(-1)
        writer.int32(1).string(topic).int32(wanted.length)
        for (const { partition, offset, bytesMax: most } of wanted)
          writer.int32(partition).int32(-1).int64(offset).int64(-1).int32(most)
        return writer.int32(0).string('').all()
      },
    },
    response: {
      decode: async (bytes) => {
        const reader = new Reader(bytes).skip(4)
        const errorCode = reader.int16()
        reader.skip(4)
        const found = reader
          .list(reader.int32(), () => {
            reader.string()
            return reader.list(reader.int32(), () => readPartition(reader))
          })
          .flat()
        return errorCode === 0
          ? found
          : wanted.map(({ partition }) => ({
              partition,
              errorCode,
              end: 0,
              batches: [],
              first: undefined,
              next: undefined,
            }))
      },
      parse: async (found) => found,
    },
  }
}
