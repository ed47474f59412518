/** How kafkajs is set up, in one place: for the producer, which is its own, and for reading, which uses its connections. */
import { setTimeout as sleep } from 'node:timers/promises'
import kafkajs from 'kafkajs'
import { errorText, type Logger } from '#services/logger.ts'
import { Problem } from '#services/problem.ts'
import type { KafkaPlace } from './kafka-url.ts'
import { internals, type WireCluster } from './kafka-wire.ts'

export interface ClientOptions extends KafkaPlace {
  /** What the brokers see in their logs and quotas. */
  readonly clientId: string
  readonly logger: Logger
}

const CONNECT_MS_MAX = 5_000
/** After so long without an answer a connection is taken for dead. Reads are never held back by the brokers, writes are. */
const READ_MS_MAX = 5_000
const WRITE_MS_MAX = 15_000
/** A broker that is gone is asked for again by whoever called, with a new client; so little patience is needed here. */
const RETRY = { initialRetryTime: 100, maxRetryTime: 1_000, retries: 5 }
const METADATA_MS_MAX = 30_000

/** Lines of kafkajs as ours. It reports as an error whatever it tries again, so that is a warning here. */
const logCreator =
  (logger: Logger) =>
  () =>
  (entry: {
    readonly namespace: string
    readonly level: number
    readonly log: { readonly message: string; readonly broker?: string }
  }) => {
    logger(entry.level <= kafkajs.logLevel.WARN ? 'warn' : 'debug', 'kafka client', {
      part: entry.namespace,
      message: entry.log.message,
      broker: entry.log.broker,
    })
  }

const settingsOf = (options: ClientOptions) => ({
  clientId: options.clientId,
  brokers: [...options.brokers],
  connectionTimeout: CONNECT_MS_MAX,
  retry: RETRY,
  ...(options.sasl === undefined ? {} : { sasl: options.sasl as kafkajs.SASLOptions }),
  ...(options.ssl === undefined ? {} : { ssl: options.ssl === true ? true : { ca: [...options.ssl.ca] } }),
})

/** A client for producers and for asking what a topic is set to. */
export function kafkaClient(options: ClientOptions): kafkajs.Kafka {
  return new kafkajs.Kafka({
    ...settingsOf(options),
    requestTimeout: WRITE_MS_MAX,
    logLevel: kafkajs.logLevel.ERROR,
    logCreator: logCreator(options.logger),
  })
}

/** Connections to every broker, found anew by each `refreshMetadata`. */
export function kafkaCluster(options: ClientOptions): WireCluster {
  return new internals.Cluster({
    ...settingsOf(options),
    logger: internals.createLogger({ level: kafkajs.logLevel.ERROR, logCreator: logCreator(options.logger) }),
    socketFactory: internals.createSocketFactory(),
    requestTimeout: READ_MS_MAX,
    enforceRequestTimeout: true,
    metadataMaxAge: METADATA_MS_MAX,
    allowAutoTopicCreation: false,
    authenticationTimeout: READ_MS_MAX,
  })
}

/** Settles as `work` does, or fails after `ms`: kafkajs has waits that nothing ends. What it was then no longer matters. */
export async function within<T>(work: Promise<T>, ms: number): Promise<T> {
  const timer = new AbortController()
  work.catch(() => {})
  try {
    const late = sleep(ms, undefined, { signal: timer.signal }).then(() => {
      throw new Error(`no answer after ${ms / 1000} s`)
    })
    late.catch(() => {})
    return await Promise.race([work, late])
  } finally {
    timer.abort()
  }
}

/** Lets go of a client, however long that takes it; an error of one that is given up tells nothing new. */
export function letGo(client: { disconnect(): Promise<void> } | undefined): void {
  client?.disconnect().catch(() => {})
}

/** What went wrong between us and the brokers, as a problem that passes. */
export function brokerProblem(what: string, error: unknown): Problem {
  if (error instanceof Problem) return error
  return new Problem('unavailable', `${what}: ${error instanceof Error ? error.message : errorText(error)}`, {
    hint: 'see that the brokers of LOG_URL run and can be reached, then try again',
    retryAfterSeconds: 2,
    cause: error,
  })
}
