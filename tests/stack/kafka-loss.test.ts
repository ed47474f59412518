/**
 * kafkajs acknowledges records that no broker stored, in two ways. Each is shown first with kafkajs alone, then the same
 * storm goes through our log, and nothing is missing.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type kafkajs from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Log, NewRecord } from '#services/log/log.ts'
import { type KafkaBrokers, kafkaBrokers } from '#tests/support/kafka-brokers.ts'
import { type KafkaTopics, kafkaTopics } from '#tests/support/kafka-topics.ts'
import { needsStack, stack } from '#tests/support/stack.ts'

const PARTITIONS = 12
const CALLERS = 6
const RECORDS = 60

/** Everything a topic holds: how often each value. */
async function stored(log: Log): Promise<Map<string, number>> {
  const found = new Map<string, number>()
  for (let partition = 0; partition < log.partitions; partition++) {
    for (let next = 0; ;) {
      const records = await log.read(partition, next, { recordsMax: 10_000, bytesMax: 1e8 })
      const last = records.at(-1)
      if (last === undefined) break
      for (const { value } of records) found.set(String(value), (found.get(String(value)) ?? 0) + 1)
      next = last.offset + 1
    }
  }
  return found
}

interface Storm {
  readonly acknowledged: readonly string[]
  readonly refused: number
}

/** Callers that send batch after batch over all partitions until `during` is over, and note what was acknowledged. */
async function storm(
  send: (values: readonly string[]) => Promise<unknown>,
  during: () => Promise<void>,
): Promise<Storm> {
  const acknowledged: string[] = []
  let refused = 0
  let over = false
  const callers = Array.from({ length: CALLERS }, async (_, caller) => {
    for (let batch = 0; !over; batch++) {
      const values = Array.from({ length: RECORDS }, (__, index) => `${caller}-${batch}-${index}`)
      await send(values).then(
        () => acknowledged.push(...values),
        () => refused++,
      )
    }
  })
  try {
    await during()
  } finally {
    over = true
    await Promise.all(callers)
  }
  return { acknowledged, refused }
}

describe.skipIf(stack === undefined)(`what kafkajs loses${needsStack}`, () => {
  let brokers: KafkaBrokers
  let topics: KafkaTopics
  beforeAll(async () => {
    brokers = await kafkaBrokers(3)
    topics = await kafkaTopics(brokers.addresses, 3)
  }, 180_000)
  afterAll(async () => {
    await topics.close()
    await brokers.stop()
  })

  const missing = async (
    topic: string,
    acknowledged: readonly string[],
  ): Promise<{ readonly lost: number; readonly doubled: number }> => {
    const log = await topics.open(topic)
    const found = await stored(log)
    await log.close()
    return {
      lost: acknowledged.filter((value) => !found.has(value)).length,
      doubled: [...found.values()].filter((count) => count > 1).length,
    }
  }

  /** A broker dies under load, its network a moment before it, and comes back once the rest went on without it. */
  const oneDies = (node: number) => async (): Promise<void> => {
    const proxy = brokers.proxies[node - 1]
    await sleep(1_500)
    proxy?.cutProduce(() => true)
    await sleep(200)
    await brokers.kill(node)
    proxy?.cutProduce(() => false)
    await sleep(6_000)
    await brokers.start(node)
    await sleep(1_500)
  }

  const records = (log: Log): ((values: readonly string[]) => readonly NewRecord[]) => {
    const keys = Array.from({ length: log.partitions }, (_, partition) => {
      for (let index = 0; ; index++) if (log.partitionOf(`key-${index}`) === partition) return `key-${index}`
    })
    return (values) =>
      values.map((value, index) => ({ key: keys[index % keys.length] ?? '', value: Buffer.from(value) }))
  }

  test('A: one send over several partitions resolves though a broker that died stored none of its part', async () => {
    const topic = await topics.make({ partitions: PARTITIONS })
    const producer = topics.client().producer()
    await producer.connect()
    const messages = (values: readonly string[]): kafkajs.Message[] =>
      values.map((value, index) => ({ partition: index % PARTITIONS, value }))
    const { acknowledged, refused } = await storm(
      (values) => producer.send({ topic, acks: -1, messages: messages(values) }),
      oneDies(2),
    )
    await producer.disconnect()
    const { lost, doubled } = await missing(topic, acknowledged)
    console.info(
      `kafkajs alone, A: ${acknowledged.length} acknowledged, ${refused} sends refused, ${doubled} doubled, ${lost} lost`,
    )
    expect(lost).toBeGreaterThan(0)
  }, 120_000)

  test('A: through the log, everything acknowledged is there', async () => {
    const topic = await topics.make({ partitions: PARTITIONS })
    const log = await topics.open(topic)
    const made = records(log)
    const { acknowledged, refused } = await storm((values) => log.append(made(values)), oneDies(3))
    await log.close()
    const { lost, doubled } = await missing(topic, acknowledged)
    console.info(
      `our log, A: ${acknowledged.length} acknowledged, ${refused} appends refused, ${doubled} doubled, ${lost} lost`,
    )
    expect({ lost, enough: acknowledged.length > 1_000 }).toEqual({ lost: 0, enough: true })
  }, 120_000)

  test('B: after a failed send an idempotent producer is told that its next, different batch is stored already', async () => {
    const topic = await topics.make({ partitions: 1 })
    const producer = topics.client().producer({ idempotent: true, maxInFlightRequests: 1, retry: { retries: 1 } })
    await producer.connect()
    const send = (value: string): Promise<unknown> =>
      producer.send({ topic, acks: -1, messages: [{ partition: 0, value }] })
    await send('first')
    for (const proxy of brokers.proxies) proxy.loseProduce(() => true)
    await expect(send('refused')).rejects.toThrow()
    for (const proxy of brokers.proxies) proxy.loseProduce(() => false)
    await send('acknowledged')
    await producer.disconnect()
    expect(await missing(topic, ['first', 'acknowledged'])).toEqual({ lost: 1, doubled: 0 })
  }, 120_000)

  test('B: through the log, lost answers lose nothing', async () => {
    const topic = await topics.make({ partitions: PARTITIONS })
    const log = await topics.open(topic)
    const made = records(log)
    const lostNow = (): number => brokers.proxies.reduce((sum, proxy) => sum + proxy.lost, 0)
    const before = lostNow()
    let answers = 0
    const everySeventh = (): boolean => ++answers % 7 === 0
    const { acknowledged, refused } = await storm(
      (values) => log.append(made(values)),
      async () => {
        for (const proxy of brokers.proxies) proxy.loseProduce(everySeventh)
        await sleep(8_000)
        // How many answers that makes depends on the machine.
        for (let more = 0; more < 40 && lostNow() - before <= 20; more++) await sleep(1_000)
        for (const proxy of brokers.proxies) proxy.loseProduce(() => false)
      },
    )
    await log.close()
    const answersLost = lostNow() - before
    const { lost, doubled } = await missing(topic, acknowledged)
    console.info(
      `our log, B: ${answersLost} answers lost, ${acknowledged.length} acknowledged, ${refused} appends refused, ${doubled} doubled, ${lost} lost`,
    )
    expect({ lost, answersLost: answersLost > 20, enough: acknowledged.length > 1_000 }).toEqual({
      lost: 0,
      answersLost: true,
      enough: true,
    })
  }, 120_000)
})
