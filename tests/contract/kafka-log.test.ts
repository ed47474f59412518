/** The log port on a real Kafka broker. */
import { afterAll, beforeAll, describe } from 'vitest'
import { bootstrap } from '#infra/local/kafka.ts'
import { type KafkaTopics, kafkaTopics } from '#tests/support/kafka-topics.ts'
import { needsStack, stack } from '#tests/support/stack.ts'
import { logContract } from './log.ts'

describe.skipIf(stack === undefined)(`Kafka${needsStack}`, () => {
  let topics: KafkaTopics
  beforeAll(async () => {
    if (stack !== undefined) topics = await kafkaTopics(bootstrap(stack.kafka).split(','))
  })
  afterAll(() => topics.close())

  logContract('kafka', async () => topics.open(await topics.make()))
})
