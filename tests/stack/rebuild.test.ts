/** Rebuilds on real Kafka, Postgres and S3 while programs run: beside what is served, after retention, and of an empty Postgres. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { FleetWorld, RUN } from '#tests/support/fleet-world.ts'
import { until } from '#tests/support/processes.ts'
import { connect } from '#tests/support/real-postgres.ts'
import { newWorld, runCommand, cleanUp } from '#tests/support/server-process.ts'
import { needsStack, stack } from '#tests/support/stack.ts'

const LEASE_S = 2

interface Rebuilt {
  readonly records: number
  readonly swapped: boolean
  readonly tables: readonly { readonly table: string; readonly differs: boolean }[]
}

describe.skipIf(stack === undefined)(`rebuilds on the stack${needsStack}`, { timeout: 300_000 }, () => {
  let world: FleetWorld
  let folder = ''
  beforeAll(async () => {
    world = await FleetWorld.open(stack, LEASE_S)
    folder = mkdtempSync(join(tmpdir(), 'stepstore-rebuild-'))
  })
  afterAll(async () => {
    await world.close()
    rmSync(folder, { recursive: true, force: true })
  })
  afterEach(async () => {
    await world.clear()
    await cleanUp()
  })

  async function rebuild(
    env: Record<string, string>,
    ...options: string[]
  ): Promise<{ code: number | null; said: Rebuilt }> {
    const { code, stdout, stderr } = await runCommand(await newWorld(env), [
      'rebuild',
      'projection',
      ...options,
      '--json',
    ])
    if (stdout === '') throw new Error(stderr)
    return { code, said: JSON.parse(stdout) as Rebuilt }
  }

  const differing = ({ tables }: Rebuilt): string[] => tables.filter(({ differs }) => differs).map(({ table }) => table)

  it('makes the rows again beside those that are served, under load, and differs in nothing', async () => {
    const { env, database } = await world.place()
    await world.started(env, { ingest: 1, query: 1, archive: 1, project: 2 })
    expect(await world.trajectories(await world.send(0, 60))).toBe(60)
    let going = true
    let sent = 60
    const sending = (async () => {
      while (going) {
        await world.send(1_000 + sent, 10)
        sent += 10
      }
    })()
    let least = 0
    const reading = (async () => {
      while (going) {
        const { status, body } = await world.json(`/v1/runs/${RUN}`)
        expect(status, JSON.stringify(body)).toBe(200)
        const seen = Number(body['n_trajectories'])
        // What was read once is there for ever, also while rows are swapped.
        expect(seen).toBeGreaterThanOrEqual(least)
        least = seen
      }
    })()
    for (const work of [sending, reading]) work.catch(() => undefined)
    const { code, said } = await rebuild(env).finally(() => {
      going = false
    })
    await Promise.all([sending, reading])
    expect(code).toBe(0)
    expect(said).toMatchObject({ swapped: true })
    expect(differing(said)).toEqual([])
    expect(await world.trajectories('latest')).toBe(sent)
    await world.agreed()

    const db = connect(database, 1)
    try {
      await db.deleteFrom('steps').where('step_index', '=', 0).execute()
    } finally {
      await db.destroy()
    }
    const wrong = await rebuild(env, '--compare')
    expect(wrong).toMatchObject({ code: 1, said: { swapped: false } })
    expect(differing(wrong.said)).toEqual(['steps'])
    expect(differing((await rebuild(env)).said)).toEqual(['steps'])
    await world.agreed()
  })

  it('takes what retention has eaten from the lake, beside what is served and in an empty Postgres', async () => {
    const { env, topic } = await world.place()
    await world.started(env, { ingest: 1, query: 1, archive: 1, project: 1 })
    expect(await world.trajectories(await world.send(0, 60))).toBe(60)
    expect((await world.json('/v1/snapshots?after=latest&wait=60')).status).toBe(200)
    const ends = await world.topics.admin.fetchTopicOffsets(topic)
    await world.topics.admin.deleteTopicRecords({
      topic,
      partitions: ends.map(({ partition, high }) => ({ partition, offset: high })),
    })
    expect(await world.trajectories(await world.send(500, 20))).toBe(80)
    const beside = await rebuild(env)
    expect(beside).toMatchObject({ code: 0, said: { swapped: true } })
    expect(differing(beside.said)).toEqual([])
    expect(beside.said.records).toBeGreaterThan(60)
    await world.agreed()
    const before = await world.json(`/v1/trajectories?run=${RUN}&limit=1000&after=latest&wait=60`)

    await world.clear()
    const empty = { ...env, STORE_URL: await world.database() }
    await world.started(empty, { ingest: 1, query: 1, archive: 1, project: 1 })
    expect(await world.trajectories('latest')).toBe(80)
    expect((await world.json(`/v1/trajectories?run=${RUN}&limit=1000&after=latest&wait=60`)).body).toEqual(before.body)
    await world.agreed()
    // The snapshots of before are there again, from their records in the bucket.
    const snapshots = await until('the snapshots', async () => {
      const { body } = await world.json('/v1/snapshots?limit=1000')
      const rows = body['rows'] as { snapshot_id: number }[]
      return rows.length > 1 ? rows : undefined
    })
    expect(snapshots.map(({ snapshot_id: id }) => id)).toContain(1)
  })
})
