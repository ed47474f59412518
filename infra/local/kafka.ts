/** Kafka: brokers in KRaft mode, each also a controller, from the jars that Maven fetches. Needs Java 17 and Maven. */
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { end, launch, logFile, run, running, untilReady } from './processes.ts'

export interface Broker {
  readonly node: number
  readonly port: number
  readonly controllerPort: number
  /** The port that it tells clients and other brokers, where something stands before it. */
  readonly advertisedPort?: number
}

export interface Kafka {
  /** Where the brokers keep their folders. */
  readonly folder: string
  /** Where downloads are kept. */
  readonly cache: string
  readonly clusterId: string
  readonly brokers: readonly Broker[]
}

const POM = join(import.meta.dirname, 'kafka-pom.xml')
const JVM = [
  '-Xms512m',
  '-Xmx512m',
  '-XX:+UseSerialGC',
  '-Xshare:auto',
  '-Djava.awt.headless=true',
  '-Dlog4j2.disableJmx=true',
]
const LOG4J = `Configuration:
  status: error
  Appenders:
    Console: {name: STDOUT, PatternLayout: {pattern: "[%d] %p %m (%c)%n"}}
  Loggers:
    Logger: {name: kafka.server.KafkaRaftServer, level: INFO}
    Root: {level: WARN, AppenderRef: {ref: STDOUT}}
`

/** An id for a new cluster: 16 bytes as Kafka writes them. */
export const newClusterId = (): string => randomBytes(16).toString('base64url')

/** How often a record is kept, and how many of those must have it before it is acknowledged. */
export const replication = (brokers: number): { readonly factor: number; readonly inSyncMin: number } =>
  brokers >= 3 ? { factor: 3, inSyncMin: 2 } : { factor: 1, inSyncMin: 1 }

/** The folder with the jars, fetched the first time. */
export async function fetchKafka(cache: string): Promise<string> {
  const version = /<artifactId>kafka_2\.13<\/artifactId>\s*<version>([^<]+)/.exec(await readFile(POM, 'utf8'))?.[1]
  const jars = join(cache, `kafka-${version}`)
  if (existsSync(jars)) return jars
  await mkdir(cache, { recursive: true })
  const fetched = await mkdtemp(join(cache, 'fetching-'))
  try {
    await run('mvn', [
      '-q',
      '-B',
      '-f',
      POM,
      'org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies',
      '-DincludeScope=runtime',
      `-DoutputDirectory=${fetched}`,
    ])
    await rename(fetched, jars)
  } catch (error) {
    await rm(fetched, { recursive: true, force: true })
    if (!existsSync(jars)) throw error
  }
  return jars
}

const folderOf = (kafka: Kafka, node: number): string => join(kafka.folder, String(node))

/** Short waits, since tests kill brokers and wait for what follows; few partitions of Kafka's own topics, since they take time to make. */
function properties(kafka: Kafka, { node, port, controllerPort, advertisedPort = port }: Broker): string {
  const { factor, inSyncMin } = replication(kafka.brokers.length)
  return Object.entries({
    'process.roles': 'broker,controller',
    'node.id': node,
    'controller.quorum.voters': kafka.brokers
      .map((broker) => `${broker.node}@127.0.0.1:${broker.controllerPort}`)
      .join(','),
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${advertisedPort}`,
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'inter.broker.listener.name': 'PLAINTEXT',
    'controller.listener.names': 'CONTROLLER',
    'log.dirs': join(folderOf(kafka, node), 'data'),
    'auto.create.topics.enable': false,
    'default.replication.factor': factor,
    'min.insync.replicas': inSyncMin,
    'offsets.topic.replication.factor': factor,
    'offsets.topic.num.partitions': 4,
    'transaction.state.log.replication.factor': factor,
    'transaction.state.log.min.isr': inSyncMin,
    'transaction.state.log.num.partitions': 4,
    'share.coordinator.state.topic.replication.factor': factor,
    'share.coordinator.state.topic.min.isr': inSyncMin,
    'group.initial.rebalance.delay.ms': 0,
    'group.min.session.timeout.ms': 1000,
    'num.network.threads': 2,
    'num.io.threads': 4,
    'num.recovery.threads.per.data.dir': 2,
    'log.segment.delete.delay.ms': 1000,
    'log.retention.check.interval.ms': 5000,
    'log.initial.task.delay.ms': 1000,
    'broker.session.timeout.ms': 2000,
    'broker.heartbeat.interval.ms': 500,
    'controlled.shutdown.enable': true,
  })
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
}

async function configure(kafka: Kafka, broker: Broker, jars: string): Promise<void> {
  const folder = folderOf(kafka, broker.node)
  if (existsSync(join(folder, 'data', 'meta.properties'))) return
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'server.properties'), properties(kafka, broker))
  await writeFile(join(folder, 'log4j2.yaml'), LOG4J)
  const format = ['kafka.tools.StorageTool', 'format', '-t', kafka.clusterId, '-c', join(folder, 'server.properties')]
  await run('java', [
    '-Xmx256m',
    '-XX:+UseSerialGC',
    '-XX:TieredStopAtLevel=1',
    `-Dlog4j2.configurationFile=${join(folder, 'log4j2.yaml')}`,
    '-cp',
    join(jars, '*'),
    ...format,
  ])
}

const chosen = (kafka: Kafka, node: number | undefined): readonly Broker[] => {
  const found = kafka.brokers.filter((broker) => node === undefined || broker.node === node)
  if (found.length === 0)
    throw new Error(
      `there is no broker ${node}; the brokers are ${kafka.brokers.map((broker) => broker.node).join(', ')}`,
    )
  return found
}

/** Starts all brokers, or one; those that run stay as they are. Resolves when they answer. */
export async function startKafka(kafka: Kafka, node?: number): Promise<void> {
  const jars = await fetchKafka(kafka.cache)
  const stopped = chosen(kafka, node).filter((broker) => running(folderOf(kafka, broker.node)) === undefined)
  await Promise.all(stopped.map((broker) => configure(kafka, broker, jars)))
  for (const broker of stopped) {
    const folder = folderOf(kafka, broker.node)
    const args = [
      ...JVM,
      `-Dlog4j2.configurationFile=${join(folder, 'log4j2.yaml')}`,
      `-Dkafka.logs.dir=${folder}`,
      '-cp',
      join(jars, '*'),
      'kafka.Kafka',
      join(folder, 'server.properties'),
    ]
    await launch({ folder, program: 'java', args })
  }
  // The broker writes this line once its listeners answer.
  const started = (folder: string) => async (): Promise<boolean> =>
    (await readFile(logFile(folder), 'utf8')).includes('Kafka Server started')
  await Promise.all(
    stopped.map(({ node: started_ }) => untilReady(folderOf(kafka, started_), started(folderOf(kafka, started_)))),
  )
}

/** Ends all brokers, or one, with a signal; what they hold stays. */
export async function endKafka(kafka: Kafka, name: NodeJS.Signals, node?: number): Promise<void> {
  await Promise.all(chosen(kafka, node).map((broker) => end(folderOf(kafka, broker.node), name)))
}

/** The addresses that a client starts from. */
export const bootstrap = (kafka: Kafka): string =>
  kafka.brokers.map(({ port, advertisedPort = port }) => `127.0.0.1:${advertisedPort}`).join(',')
