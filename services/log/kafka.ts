/** The log on Apache Kafka: one topic, whose partitions are those of the log. Any number of processes may have it open. */
import kafkajs from 'kafkajs'
import { errorText } from '#services/logger.ts'
import { Problem } from '#services/problem.ts'
import { KafkaAppender } from './kafka-appender.ts'
import { brokerProblem, type ClientOptions, kafkaClient, letGo, within } from './kafka-client.ts'
import { KafkaReader } from './kafka-reader.ts'
import { KafkaTopic } from './kafka-topic.ts'
import type { Log } from './log.ts'
import { partitionOf } from './murmur2.ts'

export interface KafkaLogOptions extends ClientOptions {
  /** How many bytes may wait to be stored before appends are refused. */
  readonly pendingBytesMax: number
  /** How many bytes a batch of another producer may have when it is decompressed; a larger one counts as unreadable. */
  readonly batchBytesMax?: number
}

/** The most that one record may have, whatever the topic takes. */
const RECORD_BYTES_MAX = 8 * 1024 * 1024
/** Appends that come together share batches up to this. A batch is read whole to get at one record of it, so it stays small. */
const SHARED_BYTES_MAX = 256 * 1024
/** What a topic takes where nobody said otherwise, and we may not ask. */
const KAFKA_BYTES_MAX = 1_048_588
/** Room for the header of a batch, and for headers that grow a little when they are encoded. */
const SLACK_BYTES = 4 * 1024
const BATCH_BYTES_MAX = 128 * 1024 * 1024
const ASK_MS_MAX = 15_000

interface TopicSettings {
  readonly messageBytesMax: number
  readonly stampedByLog: boolean | undefined
}

/** What the topic is set to, as far as we may know. */
async function settingsOf(kafka: kafkajs.Kafka, options: ClientOptions): Promise<TopicSettings> {
  const admin = kafka.admin()
  try {
    await admin.connect()
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: options.topic }],
    })
    const values = new Map(resources[0]?.configEntries.map(({ configName, configValue }) => [configName, configValue]))
    return {
      messageBytesMax: Number(values.get('max.message.bytes') ?? KAFKA_BYTES_MAX),
      stampedByLog: values.get('message.timestamp.type') === 'LogAppendTime',
    }
  } catch (error) {
    options.logger('warn', 'settings of the topic not read', { topic: options.topic, error: errorText(error) })
    return { messageBytesMax: KAFKA_BYTES_MAX, stampedByLog: undefined }
  } finally {
    letGo(admin)
  }
}

/**
 * Opens a topic as a log, for appending and reading. Its id is the one that Kafka gave the topic, so a topic that is
 * deleted and made anew is another log. Throws `unavailable` where the brokers or the topic are not there.
 */
export async function kafkaLog(options: KafkaLogOptions): Promise<Log> {
  const topic = new KafkaTopic(options)
  try {
    await topic.open()
    const kafka = kafkaClient(options)
    const { messageBytesMax, stampedByLog } = await within(settingsOf(kafka, options), ASK_MS_MAX)
    if (stampedByLog === false)
      options.logger('warn', 'the topic is not stamped by the log: set message.timestamp.type to LogAppendTime', {
        topic: options.topic,
      })
    const { id, partitions } = topic
    const reader = new KafkaReader({ topic, batchBytesMax: options.batchBytesMax ?? BATCH_BYTES_MAX })
    const partitionOfKey = (key: string): number => partitionOf(key, partitions)
    const appender = new KafkaAppender({
      kafka,
      topic: options.topic,
      partitions,
      partitionOf: partitionOfKey,
      pendingBytesMax: options.pendingBytesMax,
      recordBytesMax: Math.min(messageBytesMax, RECORD_BYTES_MAX) - SLACK_BYTES,
      batchBytesMax: Math.min(messageBytesMax - SLACK_BYTES, SHARED_BYTES_MAX),
      logger: options.logger,
      broken: () => topic.broken,
      onAppend: (partition) => reader.wake(partition),
      watch: () => topic.watch(),
      distrust: (partition, offset) => topic.distrust(partition, offset),
    })
    const known = (partition: number): void => {
      if (partition < 0 || partition >= partitions)
        throw new Problem('invalid', `there is no partition ${partition}; the log has ${partitions} from 0 on`)
    }
    return {
      id,
      partitions,
      partitionOf: partitionOfKey,
      append: (records) => appender.append(records),
      read: async (partition, fromOffset, limit) => {
        known(partition)
        return reader.read(partition, fromOffset, limit)
      },
      readOne: async (partition, offset) => {
        known(partition)
        return reader.readOne(partition, offset)
      },
      bounds: () => reader.bounds(),
      close: async () => {
        await appender.close()
        await topic.close()
      },
    }
  } catch (error) {
    await topic.close()
    throw brokerProblem('the log cannot be opened', error)
  }
}
