/** Every program in processes of its own: what each answers, and who works when one is stopped, asked to end or cannot go on. */
import { readFileSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { FleetWorld, RUN } from '#tests/support/fleet-world.ts'
import { connect } from '#tests/support/real-postgres.ts'
import { until } from '#tests/support/processes.ts'
import { needsStack, stack } from '#tests/support/stack.ts'

const LEASE_S = 2

describe.skipIf(stack === undefined)(`programs in processes of their own${needsStack}`, { timeout: 240_000 }, () => {
  let world: FleetWorld
  beforeAll(async () => {
    world = await FleetWorld.open(stack, LEASE_S)
  })
  afterAll(() => world.close())
  afterEach(() => world.clear())

  it('each answers what it runs, says how it is, and together they are one server', async () => {
    const { env } = await world.place()
    await world.started(env, { ingest: 1, project: 2, archive: 2, query: 1 })
    expect(await world.trajectories(await world.send(0, 30))).toBe(30)
    const { body: snapshots } = await world.json('/v1/snapshots?after=latest&wait=60')
    expect(snapshots['rows']).not.toHaveLength(0)
    const dataset = await fetch(
      `${world.of('query').url}/v1/datasets/trajectories.jsonl?run=${RUN}&after=latest&wait=60`,
    )
    expect((await dataset.text()).trim().split('\n')).toHaveLength(30)
    for (const member of world.members) {
      expect(await world.json('/healthz', member.url), member.name).toMatchObject({
        status: 200,
        body: { status: 'ok' },
      })
      expect(await world.json('/readyz', member.url), member.name).toMatchObject({ status: 200, body: { ready: true } })
      const metrics = await fetch(`${member.url}/metrics`).then((answer) => answer.text())
      expect(metrics, member.name).toContain('stepstore_log_end_offset{partition="0"}')
    }
    expect(await world.json('/v1/runs', world.of('ingest').url)).toMatchObject({
      status: 404,
      body: { code: 'not_found' },
    })
    expect(await world.json('/v1/runs', world.of('project').url)).toMatchObject({
      status: 404,
      body: { detail: expect.stringContaining('runs project') },
    })
    const sent = await fetch(`${world.of('query').url}/v1/events`, { method: 'POST', body: 'x' })
    expect(await sent.json()).toMatchObject({ status: 404, hint: expect.stringContaining('PROGRAMS') })
    await world.agreed()
  })

  it('what a project that is stopped had is folded by another, and when it goes on it writes nothing', async () => {
    const { env, database } = await world.place()
    await world.started(env, { ingest: 1, query: 1, archive: 1, project: 1 })
    const first = world.of('project')
    expect(await world.trajectories(await world.send(0, 20))).toBe(20)
    const owners = connect(database, 1)
    const parts = async (): Promise<number[]> => {
      const rows = await owners.selectFrom('claims').selectAll().where('projection', '=', 'project').execute()
      return [...Map.groupBy(rows, ({ owner }) => owner).values()].map(({ length }) => length).sort((a, b) => a - b)
    }
    try {
      const before = await owners.selectFrom('cursors').selectAll().where('projection', '=', 'project').execute()
      // Under load, so that it is stopped in the middle of its work.
      const sending = Promise.all(Array.from({ length: 6 }, (_, nth) => world.send(100 + nth * 50, 50)))
      const frozen = first.freeze(LEASE_S * 4_000)
      await world.started(env, { project: 1 })
      await sending
      expect(await world.trajectories('latest')).toBe(320)
      await frozen
      await until('two each', async () => ((await parts()).join() === '2,2' ? true : undefined), 60_000)
      expect(await world.trajectories(await world.send(1_000, 20))).toBe(340)
      const after = await owners.selectFrom('cursors').selectAll().where('projection', '=', 'project').execute()
      for (const row of after)
        expect(row.epoch).toBeGreaterThan(before.find(({ partition }) => partition === row.partition)?.epoch ?? 0)
    } finally {
      await owners.destroy()
    }
    await world.agreed()
  })

  it('one that is asked to end hands its work over at once, and ends in time', async () => {
    const { env } = await world.place()
    await world.started({ ...env, STEPSTORE_LEASE_S: '60' }, { ingest: 1, query: 1, archive: 2, project: 2 })
    expect(await world.trajectories(await world.send(0, 20))).toBe(20)
    const leaving = [world.of('project'), world.of('archive')]
    const sending = world.send(100, 100)
    for (const { ms, code } of await Promise.all(leaving.map((member) => member.end()))) {
      expect(ms).toBeLessThan(10_000)
      expect(code).toBe(0)
    }
    await sending
    // Long before the lease of the one that left would have run out.
    expect(await world.trajectories('latest')).toBe(120)
    await world.agreed()
  })

  it('a project whose records retention has eaten stops there and says so, and skips nothing', async () => {
    const { env, topic } = await world.place()
    await world.started(env, { ingest: 1, query: 1, archive: 1, project: 1 })
    expect(await world.trajectories(await world.send(0, 20))).toBe(20)
    // What the lake has is read from there; the rest is lost.
    await world.json('/v1/snapshots?after=latest&wait=60')
    await world.of('project').end()
    await world.send(100, 40)
    const ends = await world.topics.admin.fetchTopicOffsets(topic)
    await world.topics.admin.deleteTopicRecords({
      topic,
      partitions: ends.map(({ partition, high }) => ({ partition, offset: high })),
    })
    const before = await world.json('/v1/position')
    const [again] = await world.started(env, { project: 1 }, false)
    if (again === undefined) throw new Error('no project')
    const said = await until(
      'the loss to be told',
      async () => {
        const { status, body } = await world.json('/readyz')
        const text = JSON.stringify(body)
        return status === 503 && /project cannot go on.*begins at offset/.test(text) ? text : undefined
      },
      60_000,
    )
    expect(said).toContain('failing')
    expect((await world.json('/v1/position')).body['offsets']).toBe(before.body['offsets'])
    expect(readFileSync(again.logFile, 'utf8')).toContain('begins at offset')
    expect(await world.json(`/v1/runs/${RUN}?after=latest&wait=0`)).toMatchObject({
      status: 503,
      body: { code: 'behind' },
    })
  })
})
