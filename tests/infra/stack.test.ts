/** What `infra/local/up` starts is what a deployment should be. */
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import kafkajs from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bootstrap, endKafka, type Kafka, newClusterId, startKafka } from '#infra/local/kafka.ts'
import { freePorts } from '#infra/local/processes.ts'
import { findStack, settingsOf } from '#infra/local/stack.ts'
import { makeTopic, TOPIC } from '#infra/local/topic.ts'
import { needsStack, stack } from '#tests/support/stack.ts'

const root = join(import.meta.dirname, '..', '..')
const command = (name: string, ...args: string[]) =>
  spawnSync(join(root, 'infra', 'local', name), args, { encoding: 'utf8' })

describe('the commands of the local stack', () => {
  test.each([
    ['up', ['kafak'], 'unknown part kafak'],
    ['up', ['postgres', '2'], 'only kafka'],
    ['up', ['--brokers', '2'], '1 or 3'],
    ['up', ['--borkers', '3'], 'borkers'],
    ['kill', [], 'which part'],
    ['kill', ['kafka', '--name', 'no-such-stack'], 'no such stack'],
  ])('%s %j is misuse, and says why', (name, args, says) => {
    const { status, stderr } = command(name, ...args)
    expect(stderr).toContain(says)
    expect(status).toBe(2)
  })

  test('help says what there is, and starts nothing', () => {
    const { status, stdout } = command('up', '--help', '--name', 'no-such-stack')
    expect(status).toBe(0)
    expect(stdout).toContain('--brokers 1|3')
    expect(findStack('no-such-stack')).toBeUndefined()
  })

  test('down of a stack that is not there is no fault', () => {
    expect(command('down', '--name', 'no-such-stack')).toMatchObject({ status: 0 })
  })
})

describe.skipIf(stack === undefined)(`the local stack${needsStack}`, () => {
  let admin: kafkajs.Admin
  beforeAll(async () => {
    admin = new kafkajs.Kafka({
      brokers: bootstrap(standing().kafka).split(','),
      logLevel: kafkajs.logLevel.NOTHING,
    }).admin()
    await admin.connect()
  })
  afterAll(() => admin.disconnect())

  const standing = () => {
    if (stack === undefined) throw new Error('there is no stack')
    return stack
  }

  test('up again leaves everything as it is and prints the same', () => {
    const name = process.env['TEST_STACK'] ?? ''
    const { status, stdout } = command('up', '--name', name, '--json')
    expect(status).toBe(0)
    expect(JSON.parse(stdout)).toEqual(settingsOf(standing()))
    expect(command('up', '--name', name).stdout).toContain(`export STORE_URL='${settingsOf(standing()).STORE_URL}'\n`)
  })

  test('the topic takes 8 MiB, stamps records itself, and loses nothing with the broker that leads', async () => {
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: TOPIC }],
    })
    const settings = Object.fromEntries(
      (resources[0]?.configEntries ?? []).map(({ configName, configValue }) => [configName, configValue]),
    )
    const count = standing().kafka.brokers.length
    expect(settings).toMatchObject({
      'cleanup.policy': 'delete',
      'max.message.bytes': '8388608',
      'message.timestamp.type': 'LogAppendTime',
      'min.insync.replicas': count === 3 ? '2' : '1',
      'unclean.leader.election.enable': 'false',
    })
    const { topics } = await admin.fetchTopicMetadata({ topics: [TOPIC] })
    expect(topics[0]?.partitions.map(({ replicas }) => replicas.length)).toEqual([count, count, count, count])
  })

  test('a broker that is killed and started again has what it had', { timeout: 180_000 }, async () => {
    // One of its own: the others are in use by other tests.
    const folder = await mkdtemp(join(tmpdir(), 'stepstore-broker-'))
    const [port = 0, controllerPort = 0] = await freePorts(2)
    const own: Kafka = {
      ...standing().kafka,
      folder,
      clusterId: newClusterId(),
      brokers: [{ node: 1, port, controllerPort }],
    }
    const client = new kafkajs.Kafka({ brokers: [bootstrap(own)], logLevel: kafkajs.logLevel.NOTHING })
    try {
      await startKafka(own)
      await makeTopic({ bootstrap: bootstrap(own), partitions: 1, factor: 1, inSyncMin: 1 })
      const producer = client.producer()
      await producer.connect()
      await producer.send({ topic: TOPIC, acks: -1, messages: [{ partition: 0, value: 'kept' }] })
      await producer.disconnect()
      await endKafka(own, 'SIGKILL', 1)
      await startKafka(own, 1)
      const reader = client.admin()
      await reader.connect()
      expect(await reader.fetchTopicOffsets(TOPIC)).toMatchObject([{ partition: 0, low: '0', high: '1' }])
      await reader.disconnect()
    } finally {
      await endKafka(own, 'SIGKILL')
      await rm(folder, { recursive: true, force: true })
    }
  })
})
