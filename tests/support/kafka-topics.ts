/** Topics of their own for tests, on brokers that run already. */
import { randomBytes } from 'node:crypto'
import kafkajs from 'kafkajs'
import { topicSettings } from '#infra/local/topic.ts'
import { kafkaLog, type KafkaLogOptions } from '#services/log/kafka.ts'
import type { Log } from '#services/log/log.ts'
import { silent } from '#services/logger.ts'

export interface KafkaTopics {
  readonly brokers: readonly string[]
  readonly admin: kafkajs.Admin
  /** A plain kafkajs client, with the patience that kafkajs has by itself. */
  client(brokers?: readonly string[]): kafkajs.Kafka
  /** Makes a topic as deployments do and gives its name. */
  make(options?: {
    readonly name?: string
    readonly partitions?: number
    readonly settings?: Readonly<Record<string, string>>
  }): Promise<string>
  /** Opens a topic as a log. */
  open(topic: string, options?: Partial<KafkaLogOptions>): Promise<Log>
  close(): Promise<void>
}

export async function kafkaTopics(brokers: readonly string[], replicas = 1): Promise<KafkaTopics> {
  // Its defaults, written out: with NODE_ENV=test kafkajs takes others.
  const retry = { maxRetryTime: 30_000, initialRetryTime: 300, factor: 0.2, multiplier: 2, retries: 5 }
  const client = (from: readonly string[] = brokers): kafkajs.Kafka =>
    new kafkajs.Kafka({ clientId: 'test', brokers: [...from], logLevel: kafkajs.logLevel.NOTHING, retry })
  const admin = client().admin()
  await admin.connect()
  return {
    brokers,
    admin,
    client,
    make: async ({ name = `test-${randomBytes(6).toString('hex')}`, partitions = 4, settings = {} } = {}) => {
      const configEntries = Object.entries({ ...topicSettings(replicas >= 3 ? 2 : 1), ...settings }).map(
        ([key, value]) => ({ name: key, value }),
      )
      // Not by waitForLeaders, which fails where it asks a broker that has not heard of the topic yet.
      await admin.createTopics({
        topics: [{ topic: name, numPartitions: partitions, replicationFactor: replicas, configEntries }],
        waitForLeaders: false,
      })
      for (let known = 0; known < 10;)
        known = await admin.fetchTopicMetadata({ topics: [name] }).then(
          () => known + 1,
          () => 0,
        )
      return name
    },
    open: (topic, options = {}) =>
      kafkaLog({ brokers, topic, clientId: 'stepstore-test', pendingBytesMax: 1e8, logger: silent, ...options }),
    close: () => admin.disconnect(),
  }
}
