/** The stack of one machine: Kafka, Postgres and S3 in a folder of their own, found again by its name. */
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { bootstrap, endKafka, type Kafka, newClusterId, replication, startKafka } from './kafka.ts'
import { endPostgres, newPassword, PACKAGED, type Postgres, postgresUrl, startPostgres } from './postgres.ts'
import { freePorts } from './processes.ts'
import { BUCKET, endpointOf, endS3, newCredentials, REGION, type S3, startS3 } from './s3.ts'
import { makeTopic, TOPIC } from './topic.ts'

export const PARTS = ['kafka', 'postgres', 's3'] as const
export type Part = (typeof PARTS)[number]

export interface StackOptions {
  /** Several stacks can stand beside each other under different names. Default `local`. */
  readonly name?: string | undefined
  /** Where downloads and what is compiled from them stay. Default `.cache/stepstore` of the home folder. */
  readonly cache?: string | undefined
  /** 1, or 3 with replication 3 and min.insync.replicas 2. Only counts when the stack is new. */
  readonly brokers?: number | undefined
  /** The major version of Postgres. Only counts when the stack is new. */
  readonly postgres?: string | undefined
}

/** A stack as it was laid out when it was new: every port and password stays until `down`. */
export interface Stack {
  readonly folder: string
  readonly kafka: Kafka
  readonly postgres: Postgres
  readonly s3: S3
}

/** How to reach a stack: the settings of Stepstore and of the AWS tools, by name. */
export interface StackSettings {
  readonly LOG_URL: string
  readonly STORE_URL: string
  readonly BLOBS_URL: string
  readonly AWS_ACCESS_KEY_ID: string
  readonly AWS_SECRET_ACCESS_KEY: string
  readonly AWS_REGION: string
}

const PARTITIONS = 4
const NAME = /^[a-z0-9-]{1,40}$/

const folderOf = (name: string): string => join(tmpdir(), `stepstore-stack-${userInfo().username}-${name}`)
const layoutFile = (folder: string): string => join(folder, 'stack.json')

/** The stack of a name, or undefined where there is none. */
export function findStack(name = 'local'): Stack | undefined {
  const file = layoutFile(folderOf(name))
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Stack) : undefined
}

/** The stack of a name, laid out anew where there is none. Throws where it stands with another number of brokers or another Postgres. */
export async function layOut({
  name = 'local',
  cache = join(homedir(), '.cache', 'stepstore'),
  brokers,
  postgres,
}: StackOptions): Promise<Stack> {
  if (!NAME.test(name)) throw new Error(`--name ${name}: use a-z, 0-9 and -`)
  const found = findStack(name)
  if (found !== undefined) {
    if (brokers !== undefined && brokers !== found.kafka.brokers.length)
      throw new Error(
        `the stack ${name} has ${found.kafka.brokers.length} broker(s); take it down first, or use another --name`,
      )
    if (postgres !== undefined && postgres !== found.postgres.version)
      throw new Error(
        `the stack ${name} has Postgres ${found.postgres.version}; take it down first, or use another --name`,
      )
    return found
  }
  const folder = folderOf(name)
  mkdirSync(folder, { recursive: true })
  // Postgres may run as another user, who must be able to pass through; what it may read in here is its own folder only.
  chmodSync(folder, 0o711)
  const count = brokers ?? 1
  const [postgresPort = 0, s3Port = 0, ...ports] = await freePorts(2 + count * 2)
  const stack: Stack = {
    folder,
    kafka: {
      folder: join(folder, 'kafka'),
      cache,
      clusterId: newClusterId(),
      brokers: Array.from({ length: count }, (_, index) => ({
        node: index + 1,
        port: ports[index * 2] ?? 0,
        controllerPort: ports[index * 2 + 1] ?? 0,
      })),
    },
    postgres: {
      folder: join(folder, 'postgres'),
      version: postgres ?? PACKAGED,
      port: postgresPort,
      password: newPassword(),
    },
    s3: { folder: join(folder, 's3'), cache, port: s3Port, ...newCredentials() },
  }
  writeFileSync(`${layoutFile(folder)}.new`, JSON.stringify(stack, null, 2), { mode: 0o600 })
  renameSync(`${layoutFile(folder)}.new`, layoutFile(folder))
  return stack
}

/** Starts a part, or one broker of it. What runs already is left alone. */
export async function start({ kafka, postgres, s3 }: Stack, part: Part, node?: number): Promise<void> {
  if (part === 'postgres') await startPostgres(postgres)
  else if (part === 's3') await startS3(s3)
  else {
    await startKafka(kafka, node)
    if (node === undefined)
      await makeTopic({ bootstrap: bootstrap(kafka), partitions: PARTITIONS, ...replication(kafka.brokers.length) })
  }
}

/** Ends a part, or one broker of it, with a signal: SIGTERM asks it to end well, SIGKILL is a crash. What it holds stays. */
export async function stop(
  { kafka, postgres, s3 }: Stack,
  part: Part,
  name: NodeJS.Signals,
  node?: number,
): Promise<void> {
  if (part === 'postgres') await endPostgres(postgres, name)
  else if (part === 's3') await endS3(s3, name)
  else await endKafka(kafka, name, node)
}

/** Ends everything and removes the folder. Nothing of it is worth an orderly end. */
export async function removeStack(stack: Stack): Promise<void> {
  await Promise.all(PARTS.map((part) => stop(stack, part, part === 'postgres' ? 'SIGTERM' : 'SIGKILL')))
  rmSync(stack.folder, { recursive: true, force: true })
}

/** The settings with which Stepstore uses a stack. */
export function settingsOf({ kafka, postgres, s3 }: Stack): StackSettings {
  return {
    LOG_URL: `kafka://${bootstrap(kafka)}/${TOPIC}`,
    STORE_URL: postgresUrl(postgres),
    BLOBS_URL: `s3://${BUCKET}?endpoint=${endpointOf(s3)}&region=${REGION}`,
    AWS_ACCESS_KEY_ID: s3.accessKeyId,
    AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
    AWS_REGION: REGION,
  }
}
