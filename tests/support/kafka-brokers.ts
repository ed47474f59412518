/** Brokers of their own, for tests that kill them: in a temporary folder, gone afterwards. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Broker, endKafka, type Kafka, newClusterId, startKafka } from '#infra/local/kafka.ts'
import { freePorts, signal } from '#infra/local/processes.ts'
import { type KafkaProxy, kafkaProxy } from './kafka-proxy.ts'
import { stack } from './stack.ts'

export interface KafkaBrokers {
  readonly addresses: readonly string[]
  /** One before each broker; clients and brokers reach each other through them only. */
  readonly proxies: readonly KafkaProxy[]
  kill(node: number): Promise<void>
  /** SIGSTOP and SIGCONT. */
  signal(node: number, name: NodeJS.Signals): void
  start(node: number): Promise<void>
  stop(): Promise<void>
}

/** Starts brokers, each behind a proxy. */
export async function kafkaBrokers(count: number): Promise<KafkaBrokers> {
  if (stack === undefined) throw new Error('a stack tells where the programs of Kafka are')
  const ports = await freePorts(count * 2)
  const own = Array.from({ length: count }, (_, index) => ({
    node: index + 1,
    port: ports[index * 2] ?? 0,
    controllerPort: ports[index * 2 + 1] ?? 0,
  }))
  const proxies = await Promise.all(own.map(({ port }) => kafkaProxy(port)))
  const brokers: Broker[] = own.map((broker, index) => ({ ...broker, advertisedPort: proxies[index]?.port ?? 0 }))
  const folder = mkdtempSync(join(tmpdir(), 'stepstore-kafka-'))
  const kafka: Kafka = { folder, cache: stack.kafka.cache, clusterId: newClusterId(), brokers }
  await startKafka(kafka)
  return {
    addresses: proxies.map(({ port }) => `127.0.0.1:${port}`),
    proxies,
    kill: (node) => endKafka(kafka, 'SIGKILL', node),
    signal: (node, name) => signal(join(folder, String(node)), name),
    start: (node) => startKafka(kafka, node),
    stop: async () => {
      await endKafka(kafka, 'SIGKILL')
      await Promise.all(proxies.map((proxy) => proxy.close()))
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
