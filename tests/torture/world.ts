/** A stack of its own for one run: three brokers, a Postgres and an S3 server, each behind a proxy that can fail. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { layOut, PARTS, removeStack, settingsOf, type Stack, start, stop } from '#infra/local/stack.ts'
import { type KafkaProxy, kafkaProxy } from '#tests/support/kafka-proxy.ts'
import { type PostgresFaults, postgresFaults } from '#tests/support/postgres-faults.ts'
import { type S3Faults, s3Faults } from '#tests/support/s3-faults.ts'

export interface StormWorld {
  /** For logs and data folders. */
  readonly folder: string
  /** As the programs reach it: through the proxies. */
  readonly env: Readonly<Record<string, string>>
  /** As it is reached past the proxies of Postgres and S3. */
  readonly direct: Readonly<Record<string, string>>
  readonly kafkaProxies: readonly KafkaProxy[]
  readonly postgresProxy: PostgresFaults
  readonly s3Proxy: S3Faults
  readonly brokers: readonly number[]
  kill(part: 'kafka' | 'postgres' | 's3', node?: number): Promise<void>
  start(part: 'kafka' | 'postgres' | 's3', node?: number): Promise<void>
  /** Removes everything; the folder stays where `keep` is set. */
  close(keep: boolean): Promise<void>
}

const portOf = (url: string): number => Number(new URL(url).port)

/** Starts the stack. */
export async function stormWorld(): Promise<StormWorld> {
  const laidOut = await layOut({ name: `torture-${process.pid}`, brokers: 3 })
  const kafkaProxies = await Promise.all(laidOut.kafka.brokers.map(({ port }) => kafkaProxy(port)))
  const brokers = laidOut.kafka.brokers.map((broker, index) => ({
    ...broker,
    advertisedPort: kafkaProxies[index]?.port ?? broker.port,
  }))
  const stack: Stack = { ...laidOut, kafka: { ...laidOut.kafka, brokers } }
  await Promise.all(PARTS.map((part) => start(stack, part)))
  const direct = { ...settingsOf(stack), STEPSTORE_LOG_LEVEL: 'info' }
  const postgresProxy = await postgresFaults(stack.postgres.port)
  const s3Endpoint = new URL(direct.BLOBS_URL).searchParams.get('endpoint') ?? ''
  const s3Proxy = await s3Faults(s3Endpoint)
  const env = {
    ...direct,
    STORE_URL: direct.STORE_URL.replace(`:${stack.postgres.port}/`, `:${postgresProxy.port}/`),
    BLOBS_URL: direct.BLOBS_URL.replace(`:${portOf(s3Endpoint)}`, `:${portOf(s3Proxy.endpoint)}`),
    STEPSTORE_LEASE_S: '3',
  }
  const folder = mkdtempSync(join(tmpdir(), 'stepstore-torture-'))
  return {
    folder,
    env,
    direct,
    kafkaProxies,
    postgresProxy,
    s3Proxy,
    brokers: brokers.map(({ node }) => node),
    kill: (part, node) => stop(stack, part, 'SIGKILL', node),
    start: (part, node) => start(stack, part, node),
    close: async (keep) => {
      await removeStack(stack)
      await Promise.all(kafkaProxies.map((proxy) => proxy.close()))
      await postgresProxy.close()
      await s3Proxy.close()
      if (!keep) rmSync(folder, { recursive: true, force: true })
    },
  }
}
