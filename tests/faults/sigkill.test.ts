/** SIGKILL of the real process at random instants while clients send: nothing acknowledged is lost, nothing counts twice. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { random as randomOf, type Random } from '#services/gym/random.ts'
import { hasProc } from '#tests/support/processes.ts'
import { seedOf } from '#tests/support/seed.ts'
import {
  cleanUp,
  newWorld,
  nothingLeft,
  runCommand,
  startServer,
  type ServerProcess,
  type World,
} from '#tests/support/server-process.ts'
import { checkApi, checkFiles, checkLake } from '#tests/support/traffic-check.ts'
import { Traffic } from '#tests/support/traffic.ts'

const KILLS = 21
const RUN = 'killed'

/** What the server is made to do when it is killed. */
const MOMENTS = ['starting', 'appending', 'folding', 'cutting', 'building', 'ending'] as const
type Moment = (typeof MOMENTS)[number]

/** A read that is cut off by the kill. */
function ask(world: World, path: string): void {
  fetch(`${world.url}${path}`)
    .then((answer) => answer.body?.cancel())
    .catch(() => undefined)
}

/** Brings the server to the moment, and a random while further. */
async function reach(
  moment: Moment,
  world: World,
  server: ServerProcess,
  traffic: Traffic,
  random: Random,
): Promise<void> {
  await server.main()
  if (moment === 'starting') {
    await sleep(random.int(0, 1500))
    return
  }
  await server.ready()
  if (moment === 'folding') {
    const burst = Array.from({ length: 40 }, () => traffic.rollout(random).events).flat()
    const sending = traffic.lines(burst)
    await traffic.send(sending, AbortSignal.timeout(20_000))
  }
  if (moment === 'cutting') ask(world, '/v1/snapshots?after=latest')
  if (moment === 'building')
    ask(
      world,
      `/v1/datasets/sft.${random.pick(['parquet', 'jsonl'])}?run=${RUN}&after=latest&limit=${random.int(1, 1000)}`,
    )
  if (moment === 'ending') void server.sigterm()
  await sleep(random.int(0, moment === 'building' ? 900 : 300))
}

afterEach(() => cleanUp())

describe.skipIf(!hasProc)('SIGKILL at random instants (needs /proc)', () => {
  it(`loses nothing and counts nothing twice over ${KILLS} kills`, { timeout: 600_000 }, async () => {
    const seed = seedOf('sigkill')
    const random = randomOf(seed, 'kills')
    const world = await newWorld()
    const traffic = new Traffic({ url: world.url, seed, runId: RUN })
    const enough = new AbortController()
    const giveUp = new AbortController()
    const sending = traffic.run(enough.signal, giveUp.signal)
    sending.catch(() => undefined)
    try {
      const moments = random.shuffle(
        Array.from({ length: KILLS }, (_, kill) => MOMENTS[kill % MOMENTS.length] ?? 'appending'),
      )
      for (const [kill, moment] of moments.entries()) {
        const server = startServer(world)
        await reach(moment, world, server, traffic, random)
        const how = await server.sigkill()
        // The launcher hands on the signal of the main process as 128 + 9; one that was ending may have been quicker.
        expect(how.code, `${moment}: ${server.said()}`).toBeOneOf(moment === 'ending' ? [137, 0] : [137])
        // Half of the lives begin at once, beside whatever the one before may have left.
        if (kill % 2 === 0) await nothingLeft(world, server.group)
      }
      const last = startServer(world)
      await last.ready()
      await sleep(200)
      enough.abort()
      await sending
      expect(traffic.refused).toEqual([])
      const verified = await runCommand(world, ['verify', '--json'])
      expect(verified, verified.stderr + verified.stdout.slice(0, 4000)).toMatchObject({ code: 0 })
      expect(JSON.parse(verified.stdout)).toMatchObject({ ok: true, differences: [] })
      await checkApi(world, traffic, RUN)
      const lake = await checkLake(world, traffic)
      expect(await last.sigterm()).toMatchObject({ code: 0 })
      await nothingLeft(world, last.group)
      const { duplicates } = await checkFiles(world, traffic, lake)
      console.log(
        `sigkill: ${traffic.rollouts.size} rollouts, ${traffic.acked} acknowledgements, ${traffic.doubtful} in doubt, ${duplicates} duplicates`,
      )
    } finally {
      enough.abort()
      giveUp.abort(new Error('the test is over'))
      await sending.catch(() => undefined)
    }
  })
})
