/** Datasets of the real program: killed in the middle of a build, and pinned while the lake under them is merged and made anew. */
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { bytesOf, during, fill } from '#tests/support/filled.ts'
import { childrenOf, hasProc, until } from '#tests/support/processes.ts'
import { seedOf } from '#tests/support/seed.ts'
import {
  cleanUp,
  copyOf,
  newWorld,
  nothingLeft,
  runCommand,
  startServer,
  type World,
} from '#tests/support/server-process.ts'
import { getJson } from '#tests/support/traffic-check.ts'

afterEach(() => cleanUp())

const datasetsOf = (world: World): string => join(world.dataDir, 'blobs', 'datasets')

/** The processes below a server that run DuckDB for the lake. */
function lakeProcesses(main: number): number[] {
  return childrenOf(main).filter((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('lake/process.ts'))
}

async function builtOf(world: World, path: string): Promise<string> {
  for (;;) {
    const { status, sha256 } = await bytesOf(world, path)
    if (status === 200) return sha256
    expect(status).toBe(503)
  }
}

describe.skipIf(!hasProc)('SIGKILL in the middle of a build (needs /proc)', () => {
  it(
    'is gone on with by the next server, and its bytes are those of an undisturbed build',
    { timeout: 300_000 },
    async () => {
      const seed = seedOf('dataset-build-killed')
      const world = await newWorld()
      const first = startServer(world)
      await first.ready()
      await fill(world, { rollouts: 200, cuts: 2, seed, textChars: 2000 })
      const main = await first.main()
      const lakes = lakeProcesses(main)
      expect(lakes.length).toBeGreaterThan(0)
      // It stands still until the build is noted, so that the kill meets it at work.
      for (const pid of lakes) process.kill(pid, 'SIGSTOP')
      const answer = await fetch(`${world.url}/v1/datasets/sft.parquet/pin?include=gap&snapshot=1`)
      expect(answer.status).toBe(202)
      const build = new URL(((await answer.json()) as { build: string }).build).pathname
      const note = join(datasetsOf(world), 'pending', `${build.split('/').at(-1)}.json`)
      await until('a note of the build', () => (existsSync(note) ? true : undefined), 30_000)
      for (const pid of lakes) process.kill(pid, 'SIGCONT')
      await first.sigkill()
      await nothingLeft(world, first.group)
      const undisturbed = await copyOf(world)
      rmSync(join(datasetsOf(undisturbed), 'pending'), { recursive: true })
      const path = '/v1/datasets/sft.parquet?include=gap&snapshot=1'
      const right = await during(undisturbed, () => builtOf(undisturbed, path))
      await during(world, async () => {
        // Nobody asks for the dataset: the note alone brings it about.
        await until('the end of the build', () => (existsSync(note) ? undefined : true), 60_000)
        expect(await getJson(world, build)).toMatchObject({ state: 'done', progress: 1 })
        expect(await bytesOf(world, path)).toEqual({ status: 200, sha256: right })
      })
    },
  )
})

describe('a pinned URL', () => {
  it(
    'keeps its bytes while the lake is merged and the store is rebuilt, and so does one that is built afterwards',
    { timeout: 300_000 },
    async () => {
      const world = await newWorld()
      const { pinned } = await during(world, () =>
        fill(world, { rollouts: 60, cuts: 4, seed: seedOf('dataset-pinned') }),
      )
      const files = () => during(world, async () => getJson(world, '/v1/lake/steps/files'))
      const allAsBefore = async (of: World): Promise<void> => {
        await during(of, async () => {
          for (const { path, sha256 } of pinned) expect([path, await builtOf(of, path)]).toEqual([path, sha256])
        })
      }
      const before = (await files())['rows'] as unknown[]
      expect(await runCommand(world, ['compact', '--all'])).toMatchObject({ code: 0 })
      expect(((await files())['rows'] as unknown[]).length).toBeLessThan(before.length)
      await allAsBefore(world)
      for (const what of ['projection', 'catalog']) {
        const said = await runCommand(world, ['rebuild', what])
        expect(said, said.stderr).toMatchObject({ code: 0 })
      }
      await allAsBefore(world)
      const unbuilt = await copyOf(world)
      rmSync(datasetsOf(unbuilt), { recursive: true })
      await allAsBefore(unbuilt)
    },
  )
})
