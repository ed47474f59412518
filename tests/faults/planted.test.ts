/** verify is clean where all is well, and finds each difference that is planted, alone. */
import { readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { silent } from '#services/logger.ts'
import { pgliteStore } from '#services/store/pglite.ts'
import type { Store } from '#services/store/store.ts'
import { during, fill, RUN } from '#tests/support/filled.ts'
import { hasProc } from '#tests/support/processes.ts'
import { cleanUp, copyOf, newWorld, runCommand, type World } from '#tests/support/server-process.ts'
import type { Traffic } from '#tests/support/traffic.ts'

let filled: World
let traffic: Traffic

beforeAll(async () => {
  filled = await newWorld()
  traffic = await during(filled, async () => (await fill(filled, { rollouts: 80, cuts: 2, seed: 12 })).traffic)
}, 120_000)
afterEach(() => cleanUp(filled))
afterAll(() => cleanUp())

const TRAJECTORY = `${RUN}/000007`

interface Found {
  readonly code: number | null
  readonly places: string[]
  readonly text: string
}

/** Runs verify on a copy of the data folder after `plant` changed it. */
async function verified(plant: (world: World) => Promise<void> | void): Promise<Found> {
  const world = await copyOf(filled)
  await plant(world)
  const { code, stdout, stderr } = await runCommand(world, ['verify', '--json'])
  const report = stdout === '' ? undefined : (JSON.parse(stdout) as { ok: boolean; differences: { where: string; key: string; what: string }[] })
  expect(report?.ok ?? false, stderr).toBe(code === 0)
  return { code, places: report?.differences.map(({ where, key, what }) => `${where} | ${key} | ${what}`) ?? [], text: `${stdout}${stderr}` }
}

async function inStore(world: World, change: (store: Store) => Promise<unknown>): Promise<void> {
  const store = await pgliteStore({ folder: join(world.dataDir, 'store'), logger: silent, clock: () => new Date() })
  await change(store)
  await store.close()
}

/** The files below a folder of blobs, in order. */
function blobFiles(world: World, folder: string): string[] {
  const root = join(world.dataDir, 'blobs', folder)
  return readdirSync(root, { recursive: true, encoding: 'utf8' }).map((name) => join(root, name)).filter((path) => statSync(path).isFile()).sort()
}

const firstFile = (world: World, folder: string): string => blobFiles(world, folder)[0] ?? expect.unreachable(`no file in ${folder}`)
const keyOf = (world: World, path: string): string => path.slice(join(world.dataDir, 'blobs').length + 1)

function flip(path: string, at: (size: number) => number): void {
  const bytes = readFileSync(path)
  const place = at(bytes.length)
  bytes[place] = (bytes[place] ?? 0) ^ 0xff
  writeFileSync(path, bytes)
}

/** Expects exactly the given exit code and a difference of which `where` and `key` are as given. */
function expectFound(found: Found, where: string, key: string): void {
  expect(found.code, found.text.slice(0, 2000)).toBe(1)
  expect(found.places.filter((place) => place.startsWith(`${where} | `) && place.includes(key)), found.places.join('\n') || found.text).not.toEqual([])
}

describe.skipIf(!hasProc)('verify (needs /proc)', { timeout: 60_000 }, () => {
  it('is clean where nothing was planted', async () => {
    const found = await verified(() => undefined)
    expect(found.places).toEqual([])
    expect(found.code, found.text).toBe(0)
  })

  it('finds a deleted step', async () => {
    expectFound(await verified((world) => inStore(world, ({ db }) => db.deleteFrom('steps').where('trajectory_id', '=', TRAJECTORY).where('step_index', '=', 0).execute())), 'store.steps', `${TRAJECTORY} / 0`)
  })

  it('finds a changed reward', async () => {
    expectFound(await verified((world) => inStore(world, ({ db }) => db.updateTable('scores').set({ reward: 77 }).where('trajectory_id', '=', TRAJECTORY).execute())), 'store.scores', TRAJECTORY)
  })

  it('finds a deleted trajectory', async () => {
    expectFound(await verified((world) => inStore(world, ({ db }) => db.deleteFrom('trajectories').where('trajectory_id', '=', TRAJECTORY).execute())), 'store.trajectories', TRAJECTORY)
  })

  it('finds a step that no event made', async () => {
    expectFound(await verified((world) => inStore(world, ({ db }) => db.insertInto('steps').values({ trajectory_id: TRAJECTORY, step_index: 900, offset: 0, content_hash: 'none' }).execute())), 'store.steps', 'partition')
  })

  it('finds a count that is not that of the log', async () => {
    expectFound(await verified((world) => inStore(world, ({ db }) => db.updateTable('run_totals').set({ n_steps: 1 }).where('run_id', '=', RUN).execute())), 'store.run_totals', RUN)
  })

  it.each(['events', 'steps', 'trajectories', 'scores', 'tool_calls'])('finds a cut Parquet file of %s', async (table) => {
    let key = ''
    const found = await verified((world) => {
      const path = blobFiles(world, `lake/${table}`).at(-1) ?? ''
      key = keyOf(world, path)
      truncateSync(path, statSync(path).size - 100)
    })
    expectFound(found, 'file', key)
  })

  it('finds a flipped byte in a Parquet file', async () => {
    let key = ''
    const found = await verified((world) => {
      const path = firstFile(world, 'lake/steps')
      key = keyOf(world, path)
      flip(path, (size) => Math.floor(size / 2))
    })
    expectFound(found, 'file', key)
  })

  it('finds a deleted Parquet file', async () => {
    let key = ''
    const found = await verified((world) => {
      const path = firstFile(world, 'lake/events')
      key = keyOf(world, path)
      rmSync(path)
    })
    expectFound(found, 'file', key)
  })

  it.each([['image', 'images'], ['dataset', 'datasets/objects']])('finds a flipped byte in an object: %s', async (where, folder) => {
    let key = ''
    const found = await verified((world) => {
      const path = firstFile(world, folder)
      key = keyOf(world, path)
      flip(path, (size) => size - 1)
    })
    expectFound(found, where, key)
  })

  it('finds a deleted image', async () => {
    let key = ''
    const found = await verified((world) => {
      const path = firstFile(world, 'images')
      key = keyOf(world, path)
      rmSync(path)
    })
    expectFound(found, 'image', key)
  })

  it('finds a flipped byte in a record of the log', async () => {
    const text = traffic.rollouts.get(TRAJECTORY)?.texts[0] ?? ''
    const found = await verified((world) => {
      const path = join(world.dataDir, 'log', 'records', 'data.mdb')
      const bytes = readFileSync(path)
      let times = 0
      // A page may have been copied, and the old one be free but still hold the bytes.
      for (let at = bytes.indexOf(text); at >= 0; at = bytes.indexOf(text, at + 1), times++) bytes[at] = (bytes[at] ?? 0) ^ 0xff
      expect(times).toBeGreaterThan(0)
      writeFileSync(path, bytes)
    })
    expectFound(found, 'log', '')
  })
})
