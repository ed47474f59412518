/** Programs in processes of their own on the stack, in a topic, a database and a place in the bucket that nothing else uses. */
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { bootstrap } from '#infra/local/kafka.ts'
import { makeDatabase, postgresUrl } from '#infra/local/postgres.ts'
import { settingsOf, type Stack } from '#infra/local/stack.ts'
import { random as randomOf } from '#services/gym/random.ts'
import { type FleetOptions, type Member, startFleet, untilReady } from '#tests/torture/fleet.ts'
import { type KafkaTopics, kafkaTopics } from './kafka-topics.ts'
import { rollout, runStarted } from './rollouts.ts'

export const RUN = 'programs'

export interface Place {
  readonly env: Record<string, string>
  readonly topic: string
  /** The connection string of the database. */
  readonly database: string
}

export interface Answered {
  readonly status: number
  readonly body: Record<string, unknown>
}

export class FleetWorld {
  readonly topics: KafkaTopics
  readonly leaseS: number
  readonly #stack: Stack
  readonly #folders: string[] = []
  #members: Member[] = []

  private constructor(stack: Stack, topics: KafkaTopics, leaseS: number) {
    this.#stack = stack
    this.topics = topics
    this.leaseS = leaseS
  }

  static async open(stack: Stack | undefined, leaseS: number): Promise<FleetWorld> {
    if (stack === undefined) throw new Error('there is no stack')
    return new FleetWorld(stack, await kafkaTopics(bootstrap(stack.kafka).split(',')), leaseS)
  }

  get members(): readonly Member[] {
    return this.#members
  }

  /** Settings of a topic, a database and a place in the bucket that are new. */
  async place(): Promise<Place> {
    const topic = await this.topics.make({ name: `programs-${randomUUID()}` })
    const settings = settingsOf(this.#stack)
    const blobs = new URL(settings.BLOBS_URL)
    blobs.pathname = `/programs/${randomUUID()}`
    const database = await this.database()
    const env = {
      ...settings,
      LOG_URL: `kafka://${this.topics.brokers.join(',')}/${topic}`,
      STORE_URL: database,
      BLOBS_URL: blobs.href,
      STEPSTORE_LEASE_S: String(this.leaseS),
    }
    return { env, topic, database }
  }

  /** The connection string of a new database. */
  async database(): Promise<string> {
    const name = `programs_${randomUUID().replaceAll('-', '')}`
    await makeDatabase(this.#stack.postgres, name)
    return postgresUrl(this.#stack.postgres, 'stepstore_owner', name)
  }

  /** Starts programs beside those that run, and waits until they are ready where that is not left to the caller. */
  async started(env: Record<string, string>, programs: FleetOptions['programs'], isWaited = true): Promise<Member[]> {
    const folder = mkdtempSync(join(tmpdir(), 'stepstore-programs-'))
    this.#folders.push(folder)
    const begun = await startFleet({ folder, env, programs })
    this.#members.push(...begun)
    if (isWaited) await Promise.all(begun.map((member) => untilReady(member)))
    return begun
  }

  of(program: string): Member {
    const found = this.#members.find((member) => member.program === program)
    if (found === undefined) throw new Error(`no ${program}`)
    return found
  }

  /** Rollouts `from` and after it, as lines of one request. */
  body(from: number, count: number): string {
    const random = randomOf(from, 'rollouts')
    const events = Array.from({ length: count }, (_, nth) => rollout(random, { runId: RUN, index: from + nth }).events)
    return [runStarted(RUN), ...events.flat()].map(({ bytes }) => `${bytes.toString()}\n`).join('')
  }

  /** Sends a body once, whatever comes of it. */
  async post(body: string): Promise<Answered & { readonly retryAfter: string | null }> {
    const answer = await fetch(`${this.of('ingest').url}/v1/events`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
      body,
    })
    const said = (await answer.json()) as Record<string, unknown>
    return { status: answer.status, body: said, retryAfter: answer.headers.get('retry-after') }
  }

  /** Sends rollouts and answers the position of the acknowledgement. */
  async send(from: number, count: number): Promise<string> {
    const { status, body } = await this.post(this.body(from, count))
    expect(status, JSON.stringify(body)).toBe(200)
    return String(body['position'])
  }

  async json(path: string, url = this.of('query').url): Promise<Answered> {
    const answer = await fetch(`${url}${path}`)
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
  }

  /** How many trajectories the run has at a position. */
  async trajectories(after: string): Promise<number> {
    const { status, body } = await this.json(`/v1/runs/${RUN}?after=${after}&wait=60`)
    expect(status, JSON.stringify(body)).toBe(200)
    return Number(body['n_trajectories'])
  }

  /** Verify says that log, store, lake and Delta logs agree. */
  async agreed(): Promise<void> {
    const answer = await fetch(`${this.of('query').url}/v1/verify`, { method: 'POST' })
    const body = (await answer.json()) as Record<string, unknown>
    expect(body, JSON.stringify(body).slice(0, 2000)).toMatchObject({ ok: true, differences: [] })
  }

  /** Ends every program at once and forgets what they kept on disk. */
  async clear(): Promise<void> {
    await Promise.all(this.#members.map((member) => member.destroy()))
    this.#members = []
    for (const folder of this.#folders.splice(0)) rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  }

  async close(): Promise<void> {
    await this.clear()
    await this.topics.close()
  }
}
