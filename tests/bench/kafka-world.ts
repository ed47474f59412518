/** A stack of its own with one broker, and programs on it, each a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { bootstrap } from '#infra/local/kafka.ts'
import { makeDatabase, postgresUrl } from '#infra/local/postgres.ts'
import { layOut, PARTS, removeStack, settingsOf, type Stack, start } from '#infra/local/stack.ts'
import type { Program as ProgramName } from '#services/config.ts'
import { type KafkaTopics, kafkaTopics } from '#tests/support/kafka-topics.ts'
import { withFolder } from './processes.ts'

export interface World {
  readonly stack: Stack
  readonly topics: KafkaTopics
  readonly folder: string
}

export interface Place {
  readonly env: Readonly<Record<string, string>>
  readonly topic: string
  readonly database: string
}

export interface Program {
  readonly port: number
  readonly pid: number
  stop(): Promise<void>
}

/** Runs `work` with a stack that is new, and removes it. */
export function withStack<Result>(work: (world: World) => Promise<Result>): Promise<Result> {
  return withFolder(async (folder) => {
    const stack = await layOut({ name: `bench-${process.pid}`, brokers: 1 })
    try {
      await Promise.all(PARTS.map((part) => start(stack, part)))
      const topics = await kafkaTopics(bootstrap(stack.kafka).split(','))
      try {
        return await work({ stack, topics, folder })
      } finally {
        await topics.close()
      }
    } finally {
      await removeStack(stack)
    }
  })
}

export async function newDatabase({ stack }: World): Promise<string> {
  const name = `bench_${randomUUID().replaceAll('-', '')}`
  await makeDatabase(stack.postgres, name)
  return postgresUrl(stack.postgres, 'stepstore_owner', name)
}

/** A topic, a database and a place in the bucket that are new. */
export async function place(world: World): Promise<Place> {
  const { stack, topics } = world
  const topic = await topics.make({ name: `bench-${randomUUID()}` })
  const settings = settingsOf(stack)
  const blobs = new URL(settings.BLOBS_URL)
  blobs.pathname = `/${randomUUID()}`
  const database = await newDatabase(world)
  const env = {
    ...settings,
    LOG_URL: `kafka://${topics.brokers.join(',')}/${topic}`,
    STORE_URL: database,
    BLOBS_URL: blobs.href,
  }
  return { env, topic, database }
}

/** Starts a program (or several in one process, with commas between) and resolves when it listens. */
export async function program(
  { folder }: World,
  { env }: Place,
  programs: ProgramName | 'project,query',
): Promise<Program> {
  const dataDir = join(folder, `${programs}-${randomUUID()}`)
  mkdirSync(dataDir)
  const child: ChildProcess = spawn(
    process.execPath,
    [fileURLToPath(import.meta.resolve('#services/cli/main.ts')), 'serve', '--json'],
    {
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { ...process.env, ...env, PROGRAMS: programs, DATA_DIR: dataDir, PORT: '0' },
    },
  )
  const kill = (): void => void child.kill('SIGKILL')
  process.once('exit', kill)
  if (child.stdout === null) throw new Error('no output')
  const failed = once(child, 'exit').then(([code]) =>
    Promise.reject(new Error(`${programs} ended with ${String(code)}`)),
  )
  failed.catch(() => {})
  const [line] = (await Promise.race([once(createInterface({ input: child.stdout }), 'line'), failed])) as [string]
  return {
    port: (JSON.parse(line) as { port: number }).port,
    pid: child.pid ?? 0,
    stop: async () => {
      process.off('exit', kill)
      const ended = once(child, 'exit')
      child.kill('SIGTERM')
      await ended
    },
  }
}
