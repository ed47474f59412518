/** What a Kafka topic can do to the log that no other adapter meets: retention, transactions, other producers, brokers that go. */
import { setTimeout as sleep } from 'node:timers/promises'
import kafkajs from 'kafkajs'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { bootstrap } from '#infra/local/kafka.ts'
import { FAULT_HEADER } from '#schemas/envelope.ts'
import type { KafkaLogOptions } from '#services/log/kafka.ts'
import type { Log, LogRecord } from '#services/log/log.ts'
import { type KafkaBrokers, kafkaBrokers } from '#tests/support/kafka-brokers.ts'
import { type KafkaTopics, kafkaTopics } from '#tests/support/kafka-topics.ts'
import { needsStack, stack } from '#tests/support/stack.ts'

const ALL = { recordsMax: 100_000, bytesMax: 1e9 }
const record = (text: string) => ({ key: 'k', value: Buffer.from(text) })
const texts = (records: readonly LogRecord[]): (string | null)[] =>
  records.map(({ value }) => (value === null ? null : String(value)))

async function whole(log: Log, partition: number): Promise<LogRecord[]> {
  const found: LogRecord[] = []
  for (let next = 0; ;) {
    const piece = await log.read(partition, next, ALL)
    const last = piece.at(-1)
    if (last === undefined) return found
    found.push(...piece)
    next = last.offset + 1
  }
}

const opened: Log[] = []
const open = async (topics: KafkaTopics, topic: string, options: Partial<KafkaLogOptions> = {}): Promise<Log> => {
  const log = await topics.open(topic, options)
  opened.push(log)
  return log
}
afterEach(async () => {
  for (const log of opened.splice(0)) await log.close()
})

describe.skipIf(stack === undefined)(`a Kafka topic${needsStack}`, () => {
  let topics: KafkaTopics
  beforeAll(async () => {
    if (stack !== undefined) topics = await kafkaTopics(bootstrap(stack.kafka).split(','))
  })
  afterAll(() => topics.close())

  const produce = async (
    topic: string,
    messages: kafkajs.Message[],
    compression = kafkajs.CompressionTypes.None,
  ): Promise<void> => {
    const producer = topics.client().producer()
    await producer.connect()
    await producer.send({ topic, acks: -1, messages, compression })
    await producer.disconnect()
  }

  test('is one log for every process, and what one appends another sees at its end', async () => {
    const topic = await topics.make({ partitions: 1 })
    const [one, other] = [await open(topics, topic), await open(topics, topic)]
    expect(other.id).toBe(one.id)
    expect(await other.read(0, 0, ALL)).toEqual([])
    await one.append([record('a')])
    await expect.poll(async () => texts(await other.read(0, 0, ALL))).toEqual(['a'])
    expect(await other.append([record('b')])).toEqual(new Map([[0, 2]]))
    await expect.poll(async () => texts(await one.read(0, 1, ALL))).toEqual(['b'])
  })

  test('whose retention ate what is read next stops the reader', async () => {
    const topic = await topics.make({ partitions: 1 })
    const log = await open(topics, topic)
    for (const text of ['a', 'b', 'c']) await log.append([record(text)])
    await topics.admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '2' }] })
    await expect(log.read(0, 0, ALL)).rejects.toMatchObject({
      code: 'corrupt',
      message: expect.stringContaining('begins at offset 2'),
    })
    expect(texts(await log.read(0, 2, ALL))).toEqual(['c'])
    expect(await log.readOne(0, 1)).toBeUndefined()
    expect(await log.bounds()).toEqual([{ start: 2, end: 3 }])
  })

  test('that is deleted and made anew is another log, also for whoever has it open', async () => {
    const topic = await topics.make({ partitions: 1 })
    const log = await open(topics, topic)
    for (const text of ['a', 'b', 'c']) await log.append([record(text)])
    await topics.admin.deleteTopics({ topics: [topic] })
    await expect
      .poll(() => topics.make({ name: topic, partitions: 1 }).catch(() => 'not yet'), { timeout: 10_000 })
      .toBe(topic)
    expect((await open(topics, topic)).id).not.toBe(log.id)
    await expect(log.append([record('d')])).rejects.toMatchObject({
      code: 'corrupt',
      message: expect.stringContaining('made anew'),
    })
    await expect(log.read(0, 0, ALL)).rejects.toMatchObject({ code: 'corrupt' })
  })

  test('that gets more partitions is refused by whoever has it open', async () => {
    const topic = await topics.make({ partitions: 2 })
    const log = await open(topics, topic)
    await log.append([record('a')])
    await topics.admin.createPartitions({ topicPartitions: [{ topic, count: 3 }] })
    await expect
      .poll(() => log.append([record('b')]).catch((error: { code: string }) => error.code), {
        timeout: 20_000,
        interval: 500,
      })
      .toBe('partitions_changed')
    await expect(log.bounds()).rejects.toMatchObject({
      code: 'partitions_changed',
      message: expect.stringContaining('had 2 partitions and has 3'),
    })
  })

  test('that is not there is named', async () => {
    await expect(topics.open('no-such-topic')).rejects.toMatchObject({
      code: 'unavailable',
      message: 'there is no topic no-such-topic',
      hint: expect.stringContaining('kafka-topics.sh --create'),
    })
  })

  test('with transactions of others gives what was committed, and its end is that of the last record', async () => {
    const topic = await topics.make({ partitions: 1 })
    const producer = topics
      .client()
      .producer({ transactionalId: `tx-${topic}`, maxInFlightRequests: 1, idempotent: true })
    await producer.connect()
    const write = async (text: string, end: 'commit' | 'abort'): Promise<void> => {
      const transaction = await producer.transaction()
      await transaction.send({ topic, messages: [{ value: text, partition: 0 }] })
      await transaction[end]()
    }
    await write('one', 'commit')
    await write('two', 'abort')
    await write('three', 'commit')
    await write('four', 'abort')
    const log = await open(topics, topic)
    await expect.poll(async () => texts(await whole(log, 0))).toEqual(['one', 'three'])
    const offset = (await whole(log, 0)).at(-1)?.offset ?? -1
    // Twice: only a partition that stands still is looked at so closely.
    await log.bounds()
    expect(await log.bounds()).toEqual([{ start: 0, end: offset + 1 }])
    expect(await log.read(0, offset + 1, ALL)).toEqual([])
    await write('five', 'commit')
    await expect.poll(async () => texts(await log.read(0, offset + 1, ALL))).toEqual(['five'])
    await producer.disconnect()
  })

  test('with a batch that nobody can hold says so in its place, and goes on', async () => {
    const topic = await topics.make({ partitions: 1 })
    await produce(topic, [{ value: 'before' }])
    await produce(
      topic,
      [{ value: Buffer.alloc(100_000) }, { value: Buffer.alloc(100_000) }],
      kafkajs.CompressionTypes.GZIP,
    )
    await produce(topic, [{ value: null }, { value: 'after' }])
    const log = await open(topics, topic, { batchBytesMax: 150_000 })
    const found = await whole(log, 0)
    expect(texts(found)).toEqual(['before', null, null, 'after'])
    expect(found.map(({ offset }) => offset)).toEqual([0, 2, 3, 4])
    expect(found[1]?.headers[FAULT_HEADER]).toContain('offsets 1 to 2 cannot be read: gzip')
    expect(found[2]?.headers).toEqual({})
    expect(texts(await whole(await open(topics, topic), 0)).map((text) => text?.length)).toEqual([
      6,
      100_000,
      100_000,
      undefined,
      5,
    ])
  })

  test('that takes less than one record refuses that record alone', async () => {
    const topic = await topics.make({ partitions: 1 })
    const log = await open(topics, topic)
    const large = { key: 'k', value: Buffer.alloc(200_000) }
    await topics.admin.alterConfigs({
      validateOnly: false,
      resources: [
        {
          type: kafkajs.ConfigResourceTypes.TOPIC,
          name: topic,
          configEntries: [{ name: 'max.message.bytes', value: '100000' }],
        },
      ],
    })
    await sleep(500)
    const results = await Promise.allSettled([
      log.append([record('a')]),
      log.append([large]),
      log.append([record('b')]),
    ])
    expect(
      results.map((result) => (result.status === 'fulfilled' ? 'stored' : (result.reason as { code: string }).code)),
    ).toEqual(['stored', 'too_large', 'stored'])
    expect(texts(await whole(log, 0))).toEqual(['a', 'b'])
    const again = await open(topics, topic)
    await expect(again.append([large])).rejects.toMatchObject({
      code: 'too_large',
      hint: expect.stringContaining('max.message.bytes'),
    })
  })

  test('takes no more than the budget at once', async () => {
    const log = await open(topics, await topics.make(), { pendingBytesMax: 1_000 })
    const results = await Promise.allSettled(
      Array.from({ length: 4 }, () => log.append([{ key: 'k', value: Buffer.alloc(900) }])),
    )
    expect(
      results.map((result) => (result.status === 'fulfilled' ? 'stored' : (result.reason as { code: string }).code)),
    ).toEqual(['stored', 'too_many', 'too_many', 'too_many'])
    await expect(log.append([record('later')])).resolves.toBeInstanceOf(Map)
  })
})

describe.skipIf(stack === undefined)(`a Kafka broker that goes${needsStack}`, () => {
  let brokers: KafkaBrokers
  let topics: KafkaTopics
  beforeAll(async () => {
    brokers = await kafkaBrokers(1)
    topics = await kafkaTopics(brokers.addresses)
  }, 120_000)
  afterAll(async () => {
    await topics.close()
    await brokers.stop()
  })

  test('away and comes back is waited for by appends, and reads say so soon', async () => {
    const log = await open(topics, await topics.make({ partitions: 1 }))
    await log.append([record('before')])
    await brokers.kill(1)
    const appended = log.append([record('during')])
    appended.catch(() => {})
    await expect(log.read(0, 1, ALL)).rejects.toMatchObject({ code: 'unavailable' })
    await brokers.start(1)
    await appended
    await expect.poll(async () => texts(await whole(log, 0)), { timeout: 15_000 }).toEqual(['before', 'during'])
  }, 90_000)

  test('silent is taken for dead, and used again when it speaks', async () => {
    const log = await open(topics, await topics.make({ partitions: 1 }))
    await log.append([record('before')])
    brokers.signal(1, 'SIGSTOP')
    // Its threads stop one after the other.
    await sleep(300)
    try {
      await expect(log.read(0, 0, ALL)).rejects.toMatchObject({ code: 'unavailable' })
    } finally {
      brokers.signal(1, 'SIGCONT')
    }
    await expect
      .poll(
        () =>
          log.append([record('after')]).then(
            () => 'stored',
            (error: { code: string }) => error.code,
          ),
        { timeout: 60_000 },
      )
      .toBe('stored')
    expect(texts(await whole(log, 0))).toEqual(['before', 'after'])
  }, 90_000)
})
