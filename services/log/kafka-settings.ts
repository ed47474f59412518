/** Settings of a topic that endanger what is promised. Asked by `doctor`. */
import kafkajs from 'kafkajs'
import { silent } from '#services/logger.ts'
import { Problem } from '#services/problem.ts'
import { kafkaClient, within } from './kafka-client.ts'
import { kafkaPlace } from './kafka-url.ts'

const ANSWER_MS_MAX = 10_000
/** An event of the largest size, with its headers. */
const MESSAGE_BYTES_MIN = 8 * 1024 * 1024
/** The lake holds what retention has eaten, but only what was cut by then. */
const RETENTION_MS_MIN = 24 * 3_600_000

/** A topic as it is set. */
export interface TopicSettings {
  readonly topic: string
  readonly replicas: number
  readonly brokers: number
  /** By name; what the brokers do not tell is missing. */
  readonly values: Readonly<Record<string, string>>
}

interface Danger {
  readonly name: string
  readonly is: (value: string, settings: TopicSettings) => boolean
  readonly why: string
  readonly set: string
}

const DANGERS: readonly Danger[] = [
  {
    name: 'message.timestamp.type',
    is: (value) => value !== 'LogAppendTime',
    why: 'the time of append is what a producer says it is, and days of the lake and retention go by it',
    set: 'LogAppendTime',
  },
  {
    name: 'max.message.bytes',
    is: (value) => Number(value) < MESSAGE_BYTES_MIN,
    why: 'an event of the largest size does not fit, and is refused',
    set: String(MESSAGE_BYTES_MIN),
  },
  {
    name: 'min.insync.replicas',
    is: (value, { replicas }) => replicas >= 3 && Number(value) < 2,
    why: 'what is acknowledged may be on one broker only',
    set: '2',
  },
  {
    name: 'unclean.leader.election.enable',
    is: (value) => value === 'true',
    why: 'a broker that lacks acknowledged records may become the leader',
    set: 'false',
  },
  {
    name: 'cleanup.policy',
    is: (value) => value.includes('compact'),
    why: 'of the events with one key only the last would stay',
    set: 'delete',
  },
  {
    name: 'retention.ms',
    is: (value) => Number(value) >= 0 && Number(value) < RETENTION_MS_MIN,
    why: 'events may be gone before the lake has them, when archive stands still for a day',
    set: String(7 * RETENTION_MS_MIN),
  },
  {
    name: 'retention.bytes',
    is: (value) => Number(value) >= 0,
    why: 'events may be gone before the lake has them, when archive stands still',
    set: '-1',
  },
]

/** What is wrong with the settings, each with the command that mends it. Pure. */
export function topicProblems(settings: TopicSettings): Problem[] {
  const { topic, replicas, brokers, values } = settings
  const problems = DANGERS.flatMap(({ name, is, why, set }) => {
    const value = values[name]
    if (value === undefined || !is(value, settings)) return []
    return [
      new Problem('conflict', `${name}=${value} on the topic ${topic}: ${why}`, {
        hint: `kafka-configs.sh --alter --entity-type topics --entity-name ${topic} --add-config ${name}=${set}`,
      }),
    ]
  })
  if (brokers >= 3 && replicas < 3)
    problems.push(
      new Problem('conflict', `the topic ${topic} has ${replicas} replicas on ${brokers} brokers`, {
        hint: 'kafka-reassign-partitions.sh: give every partition 3 replicas, then set min.insync.replicas=2',
      }),
    )
  return problems
}

/** Asks the brokers how the topic of a URL is set. Throws `unavailable` where they do not answer. */
export async function topicSettings(url: string): Promise<TopicSettings> {
  const place = kafkaPlace(url)
  const admin = kafkaClient({ ...place, clientId: 'stepstore-doctor', logger: silent }).admin({ retry: { retries: 1 } })
  try {
    await within(admin.connect(), ANSWER_MS_MAX)
    const [described, { topics }, { brokers }] = await within(
      Promise.all([
        admin.describeConfigs({
          includeSynonyms: false,
          resources: [
            {
              type: kafkajs.ConfigResourceTypes.TOPIC,
              name: place.topic,
              configNames: DANGERS.map(({ name }) => name),
            },
          ],
        }),
        admin.fetchTopicMetadata({ topics: [place.topic] }),
        admin.describeCluster(),
      ]),
      ANSWER_MS_MAX,
    )
    const entries = described.resources[0]?.configEntries ?? []
    const replicas = (topics[0]?.partitions ?? []).map((partition) => partition.replicas.length)
    return {
      topic: place.topic,
      replicas: Math.min(...replicas),
      brokers: brokers.length,
      values: Object.fromEntries(entries.map(({ configName, configValue }) => [configName, configValue])),
    }
  } catch (error) {
    throw new Problem('unavailable', `the settings of the topic ${place.topic} cannot be read`, {
      hint: 'give this user the right to describe the configuration of the topic',
      cause: error,
    })
  } finally {
    await admin.disconnect().catch(() => undefined)
  }
}
