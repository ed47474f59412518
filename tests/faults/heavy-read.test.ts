/** A heavy read delays no acknowledgement: events are taken while the lake's processes and the query thread are busy. */
import { afterEach, describe, expect, it } from 'vitest'
import { random as randomOf } from '#services/gym/random.ts'
import { fill, pin, RUN } from '#tests/support/filled.ts'
import { childrenOf, hasProc } from '#tests/support/processes.ts'
import { cleanUp, newWorld, startServer } from '#tests/support/server-process.ts'
import { getJson } from '#tests/support/traffic-check.ts'

afterEach(() => cleanUp())

describe.skipIf(!hasProc)('a heavy read (needs /proc)', { timeout: 240_000 }, () => {
  it('of a dataset does not hold up events, nor reads of the store', async () => {
    const world = await newWorld()
    const server = startServer(world)
    await server.ready()
    const { traffic } = await fill(world, { rollouts: 100, cuts: 1, seed: 41 })
    const random = randomOf(41, 'more')
    const lake = childrenOf(await server.main())
    expect(lake.length).toBeGreaterThan(0)
    // Stopped, they are as slow as a process can be: nothing of theirs ends before they are let go on.
    for (const pid of lake) process.kill(pid, 'SIGSTOP')
    let built = false
    const building = pin(world, 'sft.parquet', `run=${RUN}&limit=77`).then((pinned) => {
      built = true
      return pinned
    })
    for (let sent = 0; sent < 50; sent++)
      await traffic.send(
        traffic.single(traffic.rollout(random).events[0] ?? expect.unreachable()),
        AbortSignal.timeout(30_000),
      )
    const { n_trajectories } = await getJson(world, `/v1/runs/${RUN}?after=latest`)
    expect(n_trajectories).toBe(150)
    expect(built).toBe(false)
    for (const pid of lake) process.kill(pid, 'SIGCONT')
    expect((await building).rows).toBe(77)
    expect(await server.sigterm(), server.said()).toMatchObject({ code: 0 })
  })

  it('of the query thread does not hold up events', async () => {
    const world = await newWorld()
    const server = startServer(world)
    await server.ready()
    const { traffic } = await fill(world, { rollouts: 1500, cuts: 1, seed: 42 })
    const random = randomOf(42, 'more')
    // verify folds the whole log on the query thread. How many events are acknowledged from its request to its answer?
    let during = 0
    for (let tries = 0; tries < 10 && during < 3; tries++) {
      let verifying = true
      during = 0
      const verified = fetch(`${world.url}/v1/verify`, { method: 'POST' }).then(async (answer) => {
        verifying = false
        return (await answer.json()) as { ok: boolean }
      })
      while (verifying) {
        await traffic.send(
          traffic.single(traffic.rollout(random).events[0] ?? expect.unreachable()),
          AbortSignal.timeout(30_000),
        )
        if (verifying) during += 1
      }
      expect((await verified).ok).toBe(true)
    }
    expect(during).toBeGreaterThanOrEqual(3)
    expect(await server.sigterm(), server.said()).toMatchObject({ code: 0 })
  })
})
