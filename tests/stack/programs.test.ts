/** Every program in processes of its own: what each answers, and who works when one is stopped, asked to end or cannot go on. */
import { randomUUID } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { bootstrap } from '#infra/local/kafka.ts'
import { makeDatabase, postgresUrl } from '#infra/local/postgres.ts'
import { settingsOf } from '#infra/local/stack.ts'
import { random as randomOf } from '#services/gym/random.ts'
import { connect } from '#tests/support/real-postgres.ts'
import { type KafkaTopics, kafkaTopics } from '#tests/support/kafka-topics.ts'
import { until } from '#tests/support/processes.ts'
import { rollout, runStarted } from '#tests/support/rollouts.ts'
import { needsStack, stack } from '#tests/support/stack.ts'
import { type FleetOptions, type Member, startFleet, untilReady } from '#tests/torture/fleet.ts'

const LEASE_S = 2
const RUN = 'programs'

describe.skipIf(stack === undefined)(`programs in processes of their own${needsStack}`, { timeout: 240_000 }, () => {
  let topics: KafkaTopics
  let members: Member[] = []
  let folder = ''
  beforeAll(async () => {
    if (stack !== undefined) topics = await kafkaTopics(bootstrap(stack.kafka).split(','))
  })
  afterAll(() => topics.close())
  afterEach(async () => {
    await Promise.all(members.map((member) => member.destroy()))
    members = []
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  })

  /** A topic, a database and a place in the bucket of their own. */
  async function place(): Promise<{ env: Record<string, string>; topic: string; database: string }> {
    if (stack === undefined) throw new Error('there is no stack')
    const topic = await topics.make({ name: `programs-${randomUUID()}` })
    const database = `programs_${randomUUID().replaceAll('-', '')}`
    await makeDatabase(stack.postgres, database)
    const settings = settingsOf(stack)
    const blobs = new URL(settings.BLOBS_URL)
    blobs.pathname = `/programs/${randomUUID()}`
    const env = {
      ...settings,
      LOG_URL: `kafka://${topics.brokers.join(',')}/${topic}`,
      STORE_URL: postgresUrl(stack.postgres, 'stepstore_owner', database),
      BLOBS_URL: blobs.href,
      STEPSTORE_LEASE_S: String(LEASE_S),
    }
    return { env, topic, database: env.STORE_URL }
  }

  async function started(env: Record<string, string>, programs: FleetOptions['programs']): Promise<Member[]> {
    if (folder === '') folder = mkdtempSync(join(tmpdir(), 'stepstore-programs-'))
    const begun = await startFleet({ folder, env, programs })
    members.push(...begun)
    await Promise.all(begun.map((member) => untilReady(member)))
    return begun
  }

  const of = (program: string): Member => {
    const found = members.find((member) => member.program === program)
    if (found === undefined) throw new Error(`no ${program}`)
    return found
  }

  /** Sends rollouts and answers the position of the last acknowledgement. */
  async function send(from: number, count: number): Promise<string> {
    const random = randomOf(from, 'rollouts')
    const events = Array.from({ length: count }, (_, nth) => rollout(random, { runId: RUN, index: from + nth }).events)
    const body = [runStarted(RUN), ...events.flat()].map(({ bytes }) => `${bytes.toString()}\n`).join('')
    const answer = await fetch(`${of('ingest').url}/v1/events`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
      body,
    })
    expect(answer.status, await answer.clone().text()).toBe(200)
    return ((await answer.json()) as { position: string }).position
  }

  async function json(path: string, url = of('query').url): Promise<{ status: number; body: Record<string, unknown> }> {
    const answer = await fetch(`${url}${path}`)
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
  }

  const trajectories = async (after: string): Promise<number> => {
    const { status, body } = await json(`/v1/runs/${RUN}?after=${after}&wait=60`)
    expect(status, JSON.stringify(body)).toBe(200)
    return Number(body['n_trajectories'])
  }

  /** Verify says that log, store and lake agree. */
  async function agreed(): Promise<void> {
    const answer = await fetch(`${of('query').url}/v1/verify`, { method: 'POST' })
    const body = (await answer.json()) as Record<string, unknown>
    expect(body, JSON.stringify(body).slice(0, 2000)).toMatchObject({ ok: true, differences: [] })
  }

  it('each answers what it runs, says how it is, and together they are one server', async () => {
    const { env } = await place()
    await started(env, { ingest: 1, project: 2, archive: 2, query: 1 })
    expect(await trajectories(await send(0, 30))).toBe(30)
    const { body: snapshots } = await json('/v1/snapshots?after=latest&wait=60')
    expect(snapshots['rows']).not.toHaveLength(0)
    const dataset = await fetch(`${of('query').url}/v1/datasets/trajectories.jsonl?run=${RUN}&after=latest&wait=60`)
    expect((await dataset.text()).trim().split('\n')).toHaveLength(30)
    for (const member of members) {
      expect(await json('/healthz', member.url), member.name).toMatchObject({ status: 200, body: { status: 'ok' } })
      expect(await json('/readyz', member.url), member.name).toMatchObject({ status: 200, body: { ready: true } })
      const metrics = await fetch(`${member.url}/metrics`).then((answer) => answer.text())
      expect(metrics, member.name).toContain('stepstore_log_end_offset{partition="0"}')
    }
    expect(await json('/v1/runs', of('ingest').url)).toMatchObject({ status: 404, body: { code: 'not_found' } })
    expect(await json('/v1/runs', of('project').url)).toMatchObject({
      status: 404,
      body: { detail: expect.stringContaining('runs project') },
    })
    const sent = await fetch(`${of('query').url}/v1/events`, { method: 'POST', body: 'x' })
    expect(await sent.json()).toMatchObject({ status: 404, hint: expect.stringContaining('PROGRAMS') })
    await agreed()
  })

  it('what a project that is stopped had is folded by another, and when it goes on it writes nothing', async () => {
    const { env, database } = await place()
    await started(env, { ingest: 1, query: 1, archive: 1, project: 1 })
    const [first] = [of('project')]
    expect(await trajectories(await send(0, 20))).toBe(20)
    const owners = connect(database, 1)
    const parts = async (): Promise<number[]> => {
      const rows = await owners.selectFrom('claims').selectAll().where('projection', '=', 'project').execute()
      return [...Map.groupBy(rows, ({ owner }) => owner).values()].map(({ length }) => length).sort((a, b) => a - b)
    }
    try {
      const before = await owners.selectFrom('cursors').selectAll().where('projection', '=', 'project').execute()
      // Under load, so that it is stopped in the middle of its work.
      const sending = Promise.all(Array.from({ length: 6 }, (_, nth) => send(100 + nth * 50, 50)))
      const frozen = first.freeze(LEASE_S * 4_000)
      await started(env, { project: 1 })
      await sending
      expect(await trajectories('latest')).toBe(320)
      await frozen
      await until('two each', async () => ((await parts()).join() === '2,2' ? true : undefined), 30_000)
      expect(await trajectories(await send(1_000, 20))).toBe(340)
      const after = await owners.selectFrom('cursors').selectAll().where('projection', '=', 'project').execute()
      for (const row of after)
        expect(row.epoch).toBeGreaterThan(before.find(({ partition }) => partition === row.partition)?.epoch ?? 0)
    } finally {
      await owners.destroy()
    }
    await agreed()
  })

  it('one that is asked to end hands its work over at once, and ends in time', async () => {
    const { env } = await place()
    await started({ ...env, STEPSTORE_LEASE_S: '60' }, { ingest: 1, query: 1, archive: 2, project: 2 })
    expect(await trajectories(await send(0, 20))).toBe(20)
    const leaving = [of('project'), of('archive')]
    const sending = send(100, 100)
    for (const ms of await Promise.all(leaving.map((member) => member.end()))) expect(ms).toBeLessThan(10_000)
    await sending
    // Long before the lease of the one that left would have run out.
    expect(await trajectories('latest')).toBe(120)
    await agreed()
  })

  it('a project whose records retention has eaten stops there and says so, and skips nothing', async () => {
    const { env, topic } = await place()
    await started(env, { ingest: 1, query: 1, archive: 1, project: 1 })
    expect(await trajectories(await send(0, 20))).toBe(20)
    // What the lake has is read from there; the rest is lost.
    await json('/v1/snapshots?after=latest&wait=60')
    await of('project').end()
    await send(100, 40)
    const ends = await topics.admin.fetchTopicOffsets(topic)
    await topics.admin.deleteTopicRecords({
      topic,
      partitions: ends.map(({ partition, high }) => ({ partition, offset: high })),
    })
    const before = await json('/v1/position')
    folder = mkdtempSync(join(tmpdir(), 'stepstore-programs-'))
    const [again] = await startFleet({ folder, env, programs: { project: 1 } })
    if (again === undefined) throw new Error('no project')
    members.push(again)
    const said = await until(
      'the loss to be told',
      async () => {
        const { status, body } = await json('/readyz')
        const text = JSON.stringify(body)
        return status === 503 && /project cannot go on.*begins at offset/.test(text) ? text : undefined
      },
      60_000,
    )
    expect(said).toContain('failing')
    expect((await json('/v1/position')).body['offsets']).toBe(before.body['offsets'])
    expect(readFileSync(again.logFile, 'utf8')).toContain('begins at offset')
    expect(await json(`/v1/runs/${RUN}?after=latest&wait=0`)).toMatchObject({ status: 503, body: { code: 'behind' } })
  })
})
