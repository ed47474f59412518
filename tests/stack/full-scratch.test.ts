/** No room where a program makes its files, with the lake in S3: refused for now, and gone on with once there is room. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { FleetWorld } from '#tests/support/fleet-world.ts'
import { until } from '#tests/support/processes.ts'
import { cleanUp, newWorld, startServer } from '#tests/support/server-process.ts'
import { canMount, fillDisk, mount, unmountAll } from '#tests/support/small-disk.ts'
import { needsStack, stack } from '#tests/support/stack.ts'

const LEASE_S = 2
const needsMount = canMount ? '' : ' (needs the right to mount a tmpfs)'

describe.skipIf(stack === undefined || !canMount)(`a full disk${needsStack}${needsMount}`, { timeout: 240_000 }, () => {
  let world: FleetWorld
  beforeAll(async () => {
    world = await FleetWorld.open(stack, LEASE_S)
  })
  afterEach(async () => {
    await world.clear()
    unmountAll()
    await cleanUp()
  })
  afterAll(() => world.close())

  /** Starts one program with its data folder on a small disk of its own. */
  async function onSmallDisk(
    env: Record<string, string>,
    program: string,
  ): Promise<{ url: string; full: () => () => void; end: () => Promise<void> }> {
    const own = await newWorld({ ...env, PROGRAMS: program })
    mount(own.dataDir, 32)
    const server = startServer(own)
    await server.ready()
    return {
      url: own.url,
      full: () => fillDisk(own.dataDir),
      end: async () => expect(await server.sigterm(), server.said()).toMatchObject({ code: 0 }),
    }
  }

  it('of query: datasets are unavailable for now, lists are answered, and datasets are built once there is room', async () => {
    const { env } = await world.place()
    await world.started(env, { ingest: 1, project: 1, archive: 1 })
    const query = await onSmallDisk(env, 'query')
    const after = await world.send(0, 20)
    expect((await world.json(`/v1/snapshots?after=${after}&wait=60`, query.url)).status).toBe(200)
    const release = query.full()
    for (const name of ['sft.parquet', 'sft.jsonl', 'transitions.arrow']) {
      const refused = await world.json(`/v1/datasets/${name}?include=gap`, query.url)
      expect(refused).toMatchObject({ status: 503, body: { code: 'unavailable' } })
      expect(refused.body['detail']).toMatch(/folder of local copies cannot be written|scratch folder is full/)
    }
    expect(await world.json('/v1/runs/programs', query.url)).toMatchObject({
      status: 200,
      body: { n_trajectories: 20 },
    })
    release()
    const built = await until(
      'a dataset',
      async () => {
        const answer = await world.json('/v1/datasets/sft.parquet/pin?include=gap', query.url)
        await sleep(100)
        return answer.status === 200 ? answer.body : undefined
      },
      60_000,
    )
    expect(built['rows']).toBe(20)
    await query.end()
  })

  it('of archive: events are taken and listed, /readyz says so, and cuts go on once there is room', async () => {
    const { env } = await world.place()
    const archive = await onSmallDisk(env, 'archive')
    await world.started(env, { ingest: 1, project: 1, query: 1 })
    await world.send(0, 20)
    expect((await world.json('/v1/snapshots?after=latest&wait=60')).status).toBe(200)
    const release = archive.full()
    for (let at = 100; at < 200; at += 20) await world.send(at, 20)
    expect(await world.trajectories('latest')).toBe(120)
    await until(
      '/readyz to say what is wrong',
      async () => {
        await sleep(100)
        const { status, body } = await world.json('/readyz', archive.url)
        return status === 503 && /archive cannot go on: .*(ENOSPC|scratch folder is full)/.test(JSON.stringify(body))
          ? true
          : undefined
      },
      60_000,
    )
    release()
    expect(
      await until(
        'a snapshot of all',
        async () => {
          const { status } = await world.json('/v1/snapshots?after=latest&wait=30')
          return status === 200 ? true : undefined
        },
        120_000,
      ),
    ).toBe(true)
    await world.agreed()
    await archive.end()
  })
})
