/** The topic of the events, as every deployment should make it. */
import { setTimeout as sleep } from 'node:timers/promises'
import kafkajs from 'kafkajs'

export const TOPIC = 'stepstore.events'

/** Room for an event of 4 MiB with its headers, and for batches of them. */
const MESSAGE_BYTES_MAX = 8 * 1024 * 1024
/** Long enough to mend what reads it; the lake keeps everything for ever. */
const RETENTION_MS = 7 * 24 * 3_600_000

/** The settings of the topic, by name. */
export function topicSettings(inSyncMin: number): Record<string, string> {
  return {
    'cleanup.policy': 'delete',
    'max.message.bytes': String(MESSAGE_BYTES_MAX),
    'message.timestamp.type': 'LogAppendTime',
    'min.insync.replicas': String(inSyncMin),
    'retention.bytes': '-1',
    'retention.ms': String(RETENTION_MS),
    'unclean.leader.election.enable': 'false',
  }
}

/** Makes the topic where it is missing, and gives it its settings where it has others. */
export async function makeTopic(options: {
  readonly bootstrap: string
  readonly partitions: number
  readonly factor: number
  readonly inSyncMin: number
}): Promise<void> {
  const admin = new kafkajs.Kafka({
    clientId: 'stepstore-setup',
    brokers: options.bootstrap.split(','),
    logLevel: kafkajs.logLevel.NOTHING,
  }).admin()
  await admin.connect()
  try {
    const configEntries = Object.entries(topicSettings(options.inSyncMin)).map(([name, value]) => ({ name, value }))
    // Not by waitForLeaders, which fails where it asks a broker that has not heard of the topic yet.
    const isNew = await admin.createTopics({
      topics: [{ topic: TOPIC, numPartitions: options.partitions, replicationFactor: options.factor, configEntries }],
      waitForLeaders: false,
    })
    await untilLed(admin, options.partitions)
    if (!isNew)
      await admin.alterConfigs({
        validateOnly: false,
        resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: TOPIC, configEntries }],
      })
  } finally {
    await admin.disconnect()
  }
}

/** Each look asks one broker, any of them; after so many in a row all have heard of the topic. */
const LOOKS = 10
const LED_MS_MAX = 60_000

/** Waits until every partition has a leader, whichever broker is asked. */
async function untilLed(admin: kafkajs.Admin, partitions: number): Promise<void> {
  const deadline = Date.now() + LED_MS_MAX
  for (let good = 0; good < LOOKS;) {
    const isLed = await admin.fetchTopicMetadata({ topics: [TOPIC] }).then(
      ({ topics }) => topics[0]?.partitions.filter(({ leader }) => leader >= 0).length === partitions,
      () => false,
    )
    good = isLed ? good + 1 : 0
    if (Date.now() > deadline) throw new Error(`the topic ${TOPIC} has no leaders after ${LED_MS_MAX / 1000} s`)
    if (!isLed) await sleep(100)
  }
}
