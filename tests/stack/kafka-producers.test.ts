/** Producers that write to the topic themselves, in Python: read, judged and counted like everybody else's events. */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bootstrap } from '#infra/local/kafka.ts'
import { random } from '#services/gym/random.ts'
import { KafkaTopic } from '#services/log/kafka-topic.ts'
import type { Log, LogRecord } from '#services/log/log.ts'
import { silent } from '#services/logger.ts'
import { startProject } from '#services/project/project.ts'
import { pgliteStore } from '#services/store/pglite.ts'
import { type KafkaTopics, kafkaTopics } from '#tests/support/kafka-topics.ts'
import { pythonWith, runPython } from '#tests/support/python.ts'
import { rollout } from '#tests/support/rollouts.ts'
import { needsStack, stack } from '#tests/support/stack.ts'

const FOLDER = join(import.meta.dirname, 'producers')
const LIBRARIES = ['confluent', 'kafka-python'] as const
const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const
const ROLLOUTS = 40

interface Sent {
  readonly key: string
  readonly value: string | null
  readonly headers: Readonly<Record<string, string>>
}

async function whole(log: Log): Promise<LogRecord[]> {
  const found: LogRecord[] = []
  for (let partition = 0; partition < log.partitions; partition++) {
    for (let next = 0; ;) {
      const piece = await log.read(partition, next, { recordsMax: 10_000, bytesMax: 1e9 })
      const last = piece.at(-1)
      if (last === undefined) break
      found.push(...piece)
      next = last.offset + 1
    }
  }
  return found
}

/** The codecs of the batches that lie in a topic, by name. */
async function codecsIn(topic: string, brokers: readonly string[]): Promise<string[]> {
  const raw = new KafkaTopic({ brokers, topic, clientId: 'test', logger: silent })
  await raw.open()
  const seen = new Set<string>()
  for (let partition = 0; partition < raw.partitions; partition++) {
    const [fetched] = await raw.fetch(() => [{ partition, offset: 0, bytesMax: 1e7 }])
    // The low bits of the attributes name the codec.
    for (const { bytes } of fetched?.batches ?? []) seen.add(CODECS[bytes.readInt16BE(21) & 7] ?? '?')
  }
  await raw.close()
  return [...seen]
}

describe.skipIf(stack === undefined)(`Python producers${needsStack}`, () => {
  let topics: KafkaTopics
  let python: string
  beforeAll(async () => {
    if (stack === undefined) return
    topics = await kafkaTopics(bootstrap(stack.kafka).split(','))
    python = await pythonWith(join(FOLDER, 'requirements.txt'))
  }, 300_000)
  afterAll(() => topics.close())

  const produce = (library: string, topic: string, codec: string, sent: readonly Sent[]): Promise<string> =>
    runPython(
      python,
      [join(FOLDER, 'produce.py'), library, topics.brokers.join(','), topic, codec],
      sent.map((one) => `${JSON.stringify(one)}\n`).join(''),
    )

  const events = (runId: string): Sent[] => {
    const chance = random(7)
    return Array.from({ length: ROLLOUTS }, (_, index) => rollout(chance, { runId, index, textChars: 600 })).flatMap(
      (one) =>
        one.events.map(({ trajectoryId, bytes }) => ({
          key: trajectoryId,
          value: bytes.toString(),
          headers: { 'content-type': 'application/cloudevents+json' },
        })),
    )
  }

  test.each(LIBRARIES.flatMap((library) => CODECS.map((codec) => [library, codec] as const)))(
    '%s with %s: every record is read as it was sent',
    async (library, codec) => {
      const topic = await topics.make()
      const sent = events(`${library}-${codec}`)
      await produce(library, topic, codec, sent)
      expect(await codecsIn(topic, topics.brokers)).toEqual([codec])
      const read = await topics.open(topic)
      const found = await whole(read)
      expect(found.map(({ key, value, headers }) => JSON.stringify([key, String(value), headers])).toSorted()).toEqual(
        sent.map(({ key, value, headers }) => JSON.stringify([key, value, headers])).toSorted(),
      )
      const one = found[Math.floor(found.length / 2)]
      expect(await read.readOne(one?.partition ?? 0, one?.offset ?? 0)).toEqual(one)
      await read.close()
    },
    60_000,
  )

  test('what librdkafka put into other partitions is brought to its own once and counted, and every event counts once', async () => {
    const topic = await topics.make()
    const sent = events('strays')
    const nothing: Sent = { key: 'nothing', value: null, headers: {} }
    await produce('confluent', topic, 'zstd', [...sent, nothing])
    await produce('kafka-python', topic, 'lz4', sent)
    const log = await topics.open(topic)
    const before = await whole(log)
    const strays = before.filter(
      ({ key, partition, value }) => value !== null && log.partitionOf(key) !== partition,
    ).length
    expect(strays).toBeGreaterThan(sent.length / 3)

    const store = await pgliteStore({ clock: () => new Date(), logger: silent })
    const project = await startProject({ log, store, logger: silent })
    const total = before.length + strays
    await expect
      .poll(() => [...project.offsets.values()].reduce((sum, offset) => sum + offset, 0), { timeout: 60_000 })
      .toBe(total)
    expect((await log.bounds()).reduce((sum, { end }) => sum + end, 0)).toBe(total)
    const count = (
      name: 'n_accepted' | 'n_duplicates' | 'n_conflicts' | 'n_unreadable' | 'n_misrouted',
    ): Promise<number> =>
      store.db
        .selectFrom('partition_totals')
        .select((row) => row.fn.sum<string>(name).as('total'))
        .executeTakeFirstOrThrow()
        .then(({ total: sum }) => Number(sum))
    expect({
      accepted: await count('n_accepted'),
      duplicates: await count('n_duplicates'),
      conflicts: await count('n_conflicts'),
      unreadable: await count('n_unreadable'),
      misrouted: await count('n_misrouted'),
    }).toEqual({
      accepted: sent.length,
      duplicates: sent.length,
      conflicts: 0,
      unreadable: 1,
      misrouted: strays,
    })
    const trajectories = await store.db
      .selectFrom('trajectories')
      .select(['n_steps', 'n_steps_seen', 'finished_offset'])
      .execute()
    expect(trajectories).toHaveLength(ROLLOUTS)
    expect(
      trajectories.every(
        ({ n_steps, n_steps_seen, finished_offset }) => finished_offset !== null && n_steps === n_steps_seen,
      ),
    ).toBe(true)
    await project.stop()
    await store.close()
    await log.close()
  }, 120_000)
})
