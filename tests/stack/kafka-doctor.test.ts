/** What doctor says of a topic that real brokers hold: nothing of a good one, and of a bad one each danger with its command. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { bootstrap } from '#infra/local/kafka.ts'
import { type KafkaTopics, kafkaTopics } from '#tests/support/kafka-topics.ts'
import { cleanUp, newWorld, runCommand } from '#tests/support/server-process.ts'
import { needsStack, stack } from '#tests/support/stack.ts'

/** A value that endangers a promise, for each setting that is looked at. */
const BAD = {
  'message.timestamp.type': 'CreateTime',
  'max.message.bytes': '1048588',
  'min.insync.replicas': '1',
  'unclean.leader.election.enable': 'true',
  'cleanup.policy': 'compact',
  'retention.ms': '3600000',
  'retention.bytes': '1000000',
} as const

interface Doctored {
  readonly findings: readonly { readonly what: string; readonly mend: string }[]
}

describe.skipIf(stack === undefined)(`doctor on real brokers${needsStack}`, { timeout: 120_000 }, () => {
  let topics: KafkaTopics
  beforeAll(async () => {
    if (stack !== undefined) topics = await kafkaTopics(bootstrap(stack.kafka).split(','), 3)
  })
  afterAll(() => topics.close())
  afterEach(() => cleanUp())

  async function findings(topic: string): Promise<Doctored['findings']> {
    const world = await newWorld({ LOG_URL: `kafka://${topics.brokers.join(',')}/${topic}` })
    const { stdout, stderr } = await runCommand(world, ['doctor', '--json'])
    expect(stderr).toBe('')
    return (JSON.parse(stdout) as Doctored).findings.filter(({ what }) => what.includes(`the topic ${topic}`))
  }

  it('finds nothing wrong with a topic as deployments make it', async () => {
    expect(await findings(await topics.make())).toEqual([])
  })

  it('names each dangerous setting with the command that mends it', async () => {
    const topic = await topics.make({ settings: BAD })
    const found = await findings(topic)
    expect(new Set(found.map(({ what }) => what.split(' ')[0]))).toEqual(
      new Set(Object.entries(BAD).map(([name, value]) => `${name}=${value}`)),
    )
    expect(found).toHaveLength(Object.keys(BAD).length)
    for (const { what, mend } of found)
      expect(mend).toContain(`--entity-name ${topic} --add-config ${what.split('=')[0]}=`)
  })

  it('a topic with one replica on three brokers is named', async () => {
    const single = await kafkaTopics(topics.brokers)
    try {
      const topic = await single.make()
      expect(await findings(topic)).toEqual([
        expect.objectContaining({ what: `the topic ${topic} has 1 replicas on 3 brokers` }),
      ])
    } finally {
      await single.close()
    }
  })
})
