/** SIGTERM under load: ends well and in time, keeps what was acknowledged, and equals SIGKILL and replay. And who may open a data folder. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { silent } from '#services/logger.ts'
import { pgliteStore } from '#services/store/pglite.ts'
import { dumpRows, during, fill, RUN } from '#tests/support/filled.ts'
import { hasProc } from '#tests/support/processes.ts'
import {
  cleanUp,
  copyOf,
  newWorld,
  nothingLeft,
  startServer,
  type ServerProcess,
  type World,
} from '#tests/support/server-process.ts'
import { checkApi, checkFiles, checkLake, getJson } from '#tests/support/traffic-check.ts'
import { Traffic } from '#tests/support/traffic.ts'

afterEach(() => cleanUp())

/** A start that is expected to be refused. */
async function refused(world: World): Promise<{ code: number | null; problem: Record<string, unknown> }> {
  const server = startServer(world)
  const { code } = await server.ended
  const line =
    server
      .said()
      .split('\n')
      .findLast((text) => text.startsWith('{"type"')) ?? '{}'
  return { code, problem: JSON.parse(line) as Record<string, unknown> }
}

/** Sends for a while, and ends the server with `end` in the middle of it. The client goes on until a second life has everything. */
async function underLoad(
  world: World,
  seed: number,
  end: (server: ServerProcess) => Promise<unknown>,
): Promise<Traffic> {
  const traffic = new Traffic({ url: world.url, seed, runId: RUN, pauseMs: 4 })
  const enough = new AbortController()
  const giveUp = new AbortController()
  const server = startServer(world)
  const sending = traffic.run(enough.signal, giveUp.signal)
  sending.catch(() => undefined)
  try {
    await server.ready()
    // Reads that are under way when the signal comes.
    for (const path of [
      `/v1/datasets/sft.parquet?run=${RUN}&after=latest`,
      '/v1/snapshots?after=latest',
      '/v1/trajectories',
    ]) {
      fetch(`${world.url}${path}`)
        .then((answer) => answer.bytes())
        .catch(() => undefined)
    }
    await sleep(300)
    await end(server)
    await nothingLeft(world, server.group)
    const second = startServer(world)
    await second.ready()
    enough.abort()
    await sending
    await checkApi(world, traffic, RUN)
    const lake = await checkLake(world, traffic)
    expect(await second.sigterm(), second.said()).toMatchObject({ code: 0 })
    await checkFiles(world, traffic, lake)
    return traffic
  } finally {
    enough.abort()
    giveUp.abort(new Error('the test is over'))
    await sending.catch(() => undefined)
  }
}

describe.skipIf(!hasProc)('SIGTERM (needs /proc)', { timeout: 240_000 }, () => {
  it('ends with 0 under load, within its limit, and keeps everything that was acknowledged', async () => {
    const traffic = await underLoad(await newWorld(), 21, async (server) => {
      // The program itself ends with 1 where the drain takes longer than its limit.
      expect(await server.sigterm(), server.said()).toMatchObject({ code: 0 })
    })
    expect(traffic.refused).toEqual([])
  })

  it('ends well where a terminal interrupts the whole group, and says nothing of errors', async () => {
    const world = await newWorld()
    const server = startServer(world)
    await server.ready()
    // The lake process and the one that answers SQL are both up then.
    await fill(world, { rollouts: 8, cuts: 1, seed: 23 })
    const asked = await fetch(`${world.url}/v1/sql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ sql: 'select count(*) as n from steps' }),
    })
    expect(asked.status, await asked.text()).toBe(200)
    process.kill(-server.group, 'SIGINT')
    expect(await server.ended, server.said()).toMatchObject({ code: 0 })
    expect(server.said()).not.toMatch(/"level":"(error|warn)"/)
    await nothingLeft(world, server.group)
  })

  it('gives the rows that SIGKILL and replay give', async () => {
    const world = await newWorld()
    const server = startServer(world)
    await server.ready()
    const { traffic } = await fill(world, { rollouts: 40, cuts: 1, seed: 22 })
    const more = traffic.lines(
      Array.from({ length: 100 }, (_, index) =>
        traffic.rollout({
          next: () => index / 100,
          int: (from) => from + (index % 3),
          chance: () => false,
          pick: ([first]) => first as never,
          shuffle: (list) => [...list],
        }),
      ).flatMap(({ events }) => events),
    )
    await traffic.send(more, AbortSignal.timeout(20_000))
    await server.sigkill()
    const drained = await copyOf(world)
    const killed = await copyOf(world)
    await during(drained, async () => undefined)
    const life = startServer(killed)
    await life.main()
    await sleep(400)
    await life.sigkill()
    const rows = (of: World) => during(of, () => dumpRows(of))
    expect(await rows(drained)).toEqual(await rows(killed))
  })
})

describe.skipIf(!hasProc)('a data folder (needs /proc)', { timeout: 240_000 }, () => {
  it('is refused to a second process, with the id of the one that has it, which goes on', async () => {
    const world = await newWorld()
    const first = startServer(world)
    await first.ready()
    const pid = await first.main()
    const second = await refused({ ...world, port: (await newWorld()).port })
    expect(second).toMatchObject({ code: 1, problem: { code: 'store_in_use', pid } })
    expect(second.problem['detail']).toContain(String(pid))
    const { pinned } = await fill(world, { rollouts: 8, cuts: 1, seed: 23 })
    expect(pinned[1]?.rows).toBe(8)
    expect(await first.sigterm()).toMatchObject({ code: 0 })
  })

  it('is refused where a newer version wrote it, and left as it was', async () => {
    const world = await newWorld()
    mkdirSync(world.dataDir)
    const file = join(world.dataDir, 'format.json')
    writeFileSync(file, '{"version": 2}')
    expect(await refused(world)).toMatchObject({
      code: 1,
      problem: { code: 'newer_data', hint: expect.stringContaining('newer version') as unknown },
    })
    expect(readFileSync(file, 'utf8')).toBe('{"version": 2}')
  })

  it('is refused where a newer version migrated its store', async () => {
    const world = await newWorld()
    await during(world, () => getJson(world, '/v1/runs'))
    const inStore = async (
      change: (store: Awaited<ReturnType<typeof pgliteStore>>) => Promise<unknown>,
    ): Promise<void> => {
      const store = await pgliteStore({ folder: join(world.dataDir, 'store'), logger: silent, clock: () => new Date() })
      await change(store)
      await store.close()
    }
    await inStore(({ db }) =>
      db
        .insertInto('migrations' as never)
        .values({ number: 999, name: '000999_later.sql', sha256: 'x' } as never)
        .execute(),
    )
    expect(await refused(world)).toMatchObject({ code: 1, problem: { code: 'newer_data' } })
  })
})
