/** One topic of a cluster, for reading: who leads its partitions, what they hold, and whether it is still the same topic. */
import { setTimeout as sleep } from 'node:timers/promises'
import { errorText } from '#services/logger.ts'
import { Problem } from '#services/problem.ts'
import { brokerProblem, type ClientOptions, kafkaCluster, letGo, within } from './kafka-client.ts'
import {
  type Fetched,
  fetchRequest,
  READ_COMMITTED,
  topicFacts,
  type TopicFacts,
  type Wanted,
  type WireBroker,
  type WireCluster,
} from './kafka-wire.ts'
import type { Bounds } from './log.ts'

/** How long an operation is tried again while brokers come and go. */
const TRY_MS_MAX = 3_000
/** How long one try may take. A client that hangs longer is replaced. */
const ANSWER_MS_MAX = 10_000
const PAUSE_MS = 50
const PAUSE_MS_MAX = 1_000
/** So often the topic is looked at, to notice that it was deleted or got partitions. */
const LOOK_MS = 10_000

const UNKNOWN_TOPIC = 3
const FORBIDDEN_TOPIC = 29
const FORBIDDEN_CLUSTER = 31
/** Answers of a broker that leads the partition no longer, or not yet. */
const PASSING = new Set([UNKNOWN_TOPIC, 5, 6, 7, 8, 9, 56, 74, 75, 76, 78])

/** Kafka's error code where an offset lies outside of what the partition holds. */
export const OUT_OF_RANGE = 1

/** An answer that a look at the topic may mend; where it does not, `problem` is what is wrong. */
class Stale extends Error {
  readonly problem: Problem | undefined

  constructor(text: string, problem?: Problem) {
    super(text)
    this.problem = problem
  }
}

/** kafkajs keeps two connections to a broker. */
const ASKING = 0
const FETCHING = 1

const EARLIEST = -2
const LATEST = -1

export class KafkaTopic {
  readonly #options: ClientOptions
  #cluster: WireCluster | undefined
  #facts: TopicFacts = { errorCode: 0, id: undefined, leaders: [] }
  #lookedMs = -LOOK_MS
  #looking: Promise<void> | undefined
  /** Why this topic must not be used any more, if so. */
  #broken: Problem | undefined
  readonly #running = new Set<Promise<unknown>>()
  readonly #connecting = [new Map<WireBroker, Promise<unknown>>(), new Map<WireBroker, Promise<unknown>>()] as const
  #closed = false

  constructor(options: ClientOptions) {
    this.#options = options
  }

  get id(): string {
    return this.#facts.id ?? ''
  }

  get partitions(): number {
    return this.#facts.leaders.length
  }

  get broken(): Problem | undefined {
    return this.#broken
  }

  leaderOf(partition: number): number {
    return this.#facts.leaders[partition] ?? -1
  }

  /** Connects and looks at the topic. Throws `unavailable`. */
  async open(): Promise<void> {
    await this.#trying('the log cannot be reached', async () => {})
  }

  /** What the partitions, all led by the node, hold from an offset on. Error codes that pass are tried again. */
  async fetch(wanted: (leaderOf: (partition: number) => number) => readonly Wanted[]): Promise<readonly Fetched[]> {
    return this.#trying('the log cannot be read', async (cluster) => {
      const list = wanted((partition) => this.leaderOf(partition))
      const leader = this.leaderOf(list[0]?.partition ?? 0)
      if (leader < 0) throw new Stale('the partition has no leader')
      const broker = await this.#broker(cluster, leader, FETCHING)
      const found = await broker.connectionPool.send(fetchRequest(this.#options.topic, list))
      const first = found.find(({ partition }) => partition === list[0]?.partition)
      if (first === undefined) throw new Error('the broker left the partition out of its answer')
      if (PASSING.has(first.errorCode)) throw new Stale(`the broker answered with error ${first.errorCode}`)
      if (first.errorCode !== 0 && first.errorCode !== OUT_OF_RANGE) throw this.#refused(first.errorCode)
      return found
    })
  }

  /** The first offset that each partition still has, and the one behind the last that can be read. */
  bounds(): Promise<readonly Bounds[]> {
    return this.#trying('the log cannot be read', async (cluster) => {
      const byLeader = Map.groupBy(this.#facts.leaders.keys(), (partition) => this.leaderOf(partition))
      if (byLeader.has(-1)) throw new Stale('a partition has no leader')
      const bounds: Bounds[] = Array.from({ length: this.partitions }, () => ({ start: 0, end: 0 }))
      await Promise.all(
        [...byLeader].map(async ([nodeId, partitions]) => {
          const [starts, ends] = await Promise.all([
            this.#offsets(cluster, nodeId, partitions, EARLIEST),
            this.#offsets(cluster, nodeId, partitions, LATEST),
          ])
          for (const partition of partitions)
            bounds[partition] = { start: starts.get(partition) ?? 0, end: ends.get(partition) ?? 0 }
        }),
      )
      return bounds
    })
  }

  /** Sees to it that the topic is looked at from time to time, for those who only append. Costs nothing most of the time. */
  watch(): void {
    if (performance.now() - this.#lookedMs > LOOK_MS) this.#lookOnce().catch(() => {})
  }

  /** A partition gave out offsets that it gave out before: the topic is another one, or it lost records. Says which. */
  async distrust(partition: number, offset: number): Promise<Problem> {
    await this.#lookOnce().catch(() => {})
    if (this.#broken === undefined) {
      const detail = `partition ${partition} of the topic ${this.#options.topic} gave out offset ${offset} again: it lost records that were acknowledged`
      this.#broken = new Problem('corrupt', detail, {
        hint: 'set unclean.leader.election.enable=false and min.insync.replicas=2; restart every process, and `npx stepstore verify` says what is missing',
      })
      this.#options.logger('error', 'log given up', { error: errorText(this.#broken) })
    }
    return this.#broken
  }

  async close(): Promise<void> {
    this.#closed = true
    // What is under way would open its connections again.
    await within(Promise.allSettled([...this.#running, this.#looking]), ANSWER_MS_MAX).catch(() => {})
    const cluster = this.#cluster
    this.#cluster = undefined
    if (cluster !== undefined) await within(cluster.disconnect(), PAUSE_MS_MAX).catch(() => {})
  }

  async #offsets(
    cluster: WireCluster,
    nodeId: number,
    partitions: readonly number[],
    timestamp: number,
  ): Promise<Map<number, number>> {
    const broker = await this.#broker(cluster, nodeId, ASKING)
    const topics = [
      { topic: this.#options.topic, partitions: partitions.map((partition) => ({ partition, timestamp })) },
    ]
    const { responses } = await broker.listOffsets({ isolationLevel: READ_COMMITTED, topics })
    return new Map(
      responses.flatMap((response) =>
        response.partitions.map(({ partition, offset }) => [partition, Number(offset)] as const),
      ),
    )
  }

  async #broker(cluster: WireCluster, nodeId: number, index: 0 | 1): Promise<WireBroker> {
    return this.#connected(await cluster.findBroker({ nodeId }), index)
  }

  /** A broker with its connection open. All who want it at once share the attempt: kafkajs would open one for each. */
  async #connected(broker: WireBroker, index: 0 | 1): Promise<WireBroker> {
    const known = this.#connecting[index].get(broker)
    const attempt = known ?? broker.connectionPool.getConnection(index)
    if (known === undefined) this.#connecting[index].set(broker, attempt)
    try {
      await attempt
    } finally {
      if (this.#connecting[index].get(broker) === attempt) this.#connecting[index].delete(broker)
    }
    return broker
  }

  /** Does something, and again with fresh connections and a fresh look at the topic while that may help. */
  async #trying<T>(what: string, work: (cluster: WireCluster) => Promise<T>): Promise<T> {
    const until = performance.now() + TRY_MS_MAX
    for (let pauseMs = PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, PAUSE_MS_MAX)) {
      const before = this.#cluster
      try {
        return await within(this.#counted(this.#once(work)), ANSWER_MS_MAX)
      } catch (error) {
        if (error instanceof Problem) throw error
        if (this.#closed || performance.now() + pauseMs > until)
          throw (error instanceof Stale ? error.problem : undefined) ?? brokerProblem(what, error)
        this.#options.logger('debug', 'kafka read tried again', { error: errorText(error) })
        this.#lookedMs = -LOOK_MS
        if (!(error instanceof Stale)) this.#drop(before)
        await sleep(pauseMs)
      }
    }
  }

  /** Remembers work until it is done, for whoever closes. */
  async #counted<T>(work: Promise<T>): Promise<T> {
    this.#running.add(work)
    try {
      return await work
    } finally {
      this.#running.delete(work)
    }
  }

  async #once<T>(work: (cluster: WireCluster) => Promise<T>): Promise<T> {
    if (this.#closed) throw new Problem('unavailable', 'the log is closing', { retryAfterSeconds: 1 })
    if (performance.now() - this.#lookedMs > LOOK_MS || this.#cluster === undefined) await this.#lookOnce()
    if (this.#broken !== undefined) throw this.#broken
    return work(this.#cluster ?? this.#connect())
  }

  /** Looks at the topic, once for all who want it now. */
  #lookOnce(): Promise<void> {
    this.#looking ??= this.#look().finally(() => (this.#looking = undefined))
    return this.#looking
  }

  #connect(): WireCluster {
    this.#cluster ??= kafkaCluster(this.#options)
    return this.#cluster
  }

  /** Gives a client up, unless another caller did so already. */
  #drop(cluster: WireCluster | undefined): void {
    if (cluster === undefined || this.#cluster !== cluster) return
    this.#cluster = undefined
    letGo(cluster)
  }

  async #look(): Promise<void> {
    if (this.#closed) throw new Error('the log is closed')
    const cluster = this.#connect()
    try {
      await within(this.#read(cluster), ANSWER_MS_MAX)
    } catch (error) {
      this.#drop(cluster)
      throw error
    }
  }

  async #read(cluster: WireCluster): Promise<void> {
    await cluster.connect()
    await this.#findBrokers(cluster)
    const broker = await this.#connected(await cluster.brokerPool.findConnectedBroker(), ASKING)
    const facts = await broker.connectionPool.send(topicFacts(this.#options.topic))
    if (facts.errorCode === FORBIDDEN_TOPIC || facts.errorCode === FORBIDDEN_CLUSTER)
      throw this.#refused(facts.errorCode)
    if (facts.errorCode === UNKNOWN_TOPIC) throw this.#missing()
    if (facts.errorCode !== 0)
      throw new Stale(`the cluster answered with error ${facts.errorCode} when asked for the topic`)
    this.#broken ??= this.#change(facts)
    this.#facts = { ...facts, id: this.#facts.id ?? facts.id }
    this.#lookedMs = performance.now()
  }

  /** Has the client learn who leads what. It asks for our topic only, and fails where there is none. */
  async #findBrokers(cluster: WireCluster): Promise<void> {
    try {
      await cluster.addTargetTopic(this.#options.topic)
      await cluster.refreshMetadata()
    } catch (error) {
      const type = typeof error === 'object' && error !== null && 'type' in error ? error.type : undefined
      if (type === 'UNKNOWN_TOPIC_OR_PARTITION') throw this.#missing()
      if (type === 'TOPIC_AUTHORIZATION_FAILED') throw this.#refused(FORBIDDEN_TOPIC)
      throw error
    }
  }

  /** What makes this another log than the one that was opened, if anything does. */
  #change(facts: TopicFacts): Problem | undefined {
    const { topic, logger } = this.#options
    const known = this.#facts
    let problem: Problem | undefined
    if (facts.id === undefined) {
      problem = new Problem('unavailable', 'this cluster gives its topics no ids', {
        hint: 'use Kafka 2.8 or newer; 4.x is what is tested',
      })
    } else if (known.id !== undefined && known.id !== facts.id) {
      problem = new Problem('corrupt', `the topic ${topic} was deleted and made anew; it is another log now`, {
        hint: 'restart every process; `npx stepstore import` brings back what the lake holds',
      })
    } else if (known.id !== undefined && known.leaders.length !== facts.leaders.length) {
      problem = partitionsChanged(topic, known.leaders.length, facts.leaders.length)
    }
    if (problem !== undefined) logger('error', 'log given up', { error: errorText(problem) })
    return problem
  }

  /** A broker that does not know the topic may only not have heard of it yet. */
  #missing(): Stale {
    const { topic } = this.#options
    const text = `there is no topic ${topic}`
    const problem = new Problem('unavailable', text, {
      hint: `make it: kafka-topics.sh --create --topic ${topic} --partitions 16 --replication-factor 3 --config min.insync.replicas=2 --config max.message.bytes=8388608 --config message.timestamp.type=LogAppendTime`,
      retryAfterSeconds: 10,
    })
    return new Stale(text, problem)
  }

  #refused(code: number): Problem {
    const { topic } = this.#options
    if (code === FORBIDDEN_TOPIC || code === FORBIDDEN_CLUSTER) {
      return new Problem('unavailable', `the brokers let this user not at the topic ${topic}`, {
        hint: `give it the rights to describe, read and write the topic ${topic}`,
        retryAfterSeconds: 60,
      })
    }
    if (code === 2)
      return new Problem('corrupt', `the brokers say that the topic ${topic} is damaged`, {
        hint: 'restore the partition from another replica',
      })
    return new Problem('unavailable', `the brokers refuse to read the topic ${topic} (error ${code})`, {
      retryAfterSeconds: 10,
    })
  }
}

/** The number of partitions decides where a key belongs, so another one makes another log. */
export function partitionsChanged(topic: string, before: number, now: number): Problem {
  return new Problem('partitions_changed', `the topic ${topic} had ${before} partitions and has ${now} now`, {
    hint: `make a new topic with ${now} partitions, name it in LOG_URL, and import the old one into it`,
  })
}
