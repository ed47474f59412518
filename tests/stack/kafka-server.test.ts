/** The server with its log in Kafka: the same rows after a SIGKILL, and after the topic was folded from its start again. */
import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { bootstrap } from '#infra/local/kafka.ts'
import { bytesOf, dumpRows, fill } from '#tests/support/filled.ts'
import { type KafkaTopics, kafkaTopics } from '#tests/support/kafka-topics.ts'
import { cleanUp, newWorld, runCommand, startServer, type World } from '#tests/support/server-process.ts'
import { needsStack, stack } from '#tests/support/stack.ts'

describe.skipIf(stack === undefined)(`Kafka behind the server${needsStack}`, () => {
  let topics: KafkaTopics
  beforeAll(async () => {
    if (stack !== undefined) topics = await kafkaTopics(bootstrap(stack.kafka).split(','))
  })
  afterAll(() => topics.close())
  afterEach(() => cleanUp())

  const url = (topic: string): string => `kafka://${topics.brokers.join(',')}/${topic}`

  async function verified(world: World): Promise<void> {
    const said = await runCommand(world, ['verify', '--json'])
    expect(said, said.stderr + said.stdout.slice(0, 4000)).toMatchObject({ code: 0 })
    expect(JSON.parse(said.stdout)).toMatchObject({ ok: true, differences: [] })
  }

  async function refusal(world: World): Promise<string> {
    const server = startServer(world)
    const { code } = await server.ended
    expect(code).not.toBe(0)
    return server.said()
  }

  it('says after a SIGKILL, and after a rebuild, what it said before, to the byte', { timeout: 240_000 }, async () => {
    const world = await newWorld({ LOG_URL: url(await topics.make({ name: `server-${randomUUID()}` })) })
    const first = startServer(world)
    await first.ready()
    const { pinned } = await fill(world, { rollouts: 60, cuts: 2, seed: 11 })
    const before = await dumpRows(world)
    await verified(world)
    await first.sigkill()

    const second = startServer(world)
    await second.ready()
    expect(await dumpRows(world)).toEqual(before)
    for (const { path, sha256 } of pinned) expect(await bytesOf(world, path)).toEqual({ status: 200, sha256 })
    expect(await second.sigterm()).toMatchObject({ code: 0 })

    const said = await runCommand(world, ['rebuild', 'project'])
    expect(said, said.stderr).toMatchObject({ code: 0 })
    const third = startServer(world)
    await third.ready()
    expect(await dumpRows(world)).toEqual(before)
    await verified(world)
    expect(await third.sigterm()).toMatchObject({ code: 0 })
  })

  it(
    'refuses a topic that its lake was not made from, and one whose partitions became more',
    { timeout: 120_000 },
    async () => {
      const topic = await topics.make({ name: `server-${randomUUID()}` })
      const world = await newWorld({ LOG_URL: url(topic) })
      const first = startServer(world)
      await first.ready()
      await fill(world, { rollouts: 8, cuts: 1, seed: 3 })
      expect(await first.sigterm()).toMatchObject({ code: 0 })

      const elsewhere = { ...world, env: { ...world.env, LOG_URL: url(await topics.make()) } }
      expect(await refusal(elsewhere)).toContain('was made from the log')
      await topics.admin.createPartitions({ topicPartitions: [{ topic, count: 5 }] })
      expect(await refusal(world)).toContain('had 4 partitions and has 5 now')
    },
  )
})
