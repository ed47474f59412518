/** verify is clean where all is well, and finds each difference that is planted, alone. */
import { appendFileSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { silent } from '#services/logger.ts'
import { pgliteStore } from '#services/store/pglite.ts'
import type { Store } from '#services/store/store.ts'
import { during, fill, RUN } from '#tests/support/filled.ts'
import { hasProc, until } from '#tests/support/processes.ts'
import { cleanUp, copyOf, newWorld, runCommand, startServer, type World } from '#tests/support/server-process.ts'
import { getJson } from '#tests/support/traffic-check.ts'
import type { Traffic } from '#tests/support/traffic.ts'

/** Stopped, to be copied. */
let filled: World
/** The same, with a server that runs. */
let served: World
let traffic: Traffic

beforeAll(async () => {
  filled = await newWorld()
  traffic = await during(filled, async () => (await fill(filled, { rollouts: 80, cuts: 2, seed: 12 })).traffic)
  served = await copyOf(filled)
  await startServer(served).ready()
  // Other engines' logs are written behind the snapshots.
  await until(
    'the Delta logs to be published',
    async () => (await getJson(served, '/v1/upkeep'))['delta_behind'] === 0 || undefined,
    60_000,
  )
}, 240_000)
afterEach(() => cleanUp(filled, served))
afterAll(() => cleanUp())

const TRAJECTORY = `${RUN}/000007`
const byName = (left: string, right: string): number => (left < right ? -1 : 1)

interface Found {
  readonly code: number | null
  readonly places: string[]
  readonly text: string
}

/** Runs verify: by the server of the world where one runs, else on the data folder. */
async function verify(world: World): Promise<Found> {
  const { code, stdout, stderr } = await runCommand(world, ['verify', '--json'])
  const report =
    stdout === ''
      ? undefined
      : (JSON.parse(stdout) as { ok: boolean; differences: { where: string; key: string; what: string }[] })
  expect(report?.ok ?? false, stderr).toBe(code === 0)
  return {
    code,
    places: report?.differences.map(({ where, key, what }) => `${where} | ${key} | ${what}`) ?? [],
    text: `${stdout}${stderr}`,
  }
}

/** Runs verify on a copy of the data folder after `plant` changed it. */
async function verifiedCopy(plant: (world: World) => Promise<void> | void): Promise<Found> {
  const world = await copyOf(filled)
  await plant(world)
  return verify(world)
}

/** Runs verify by the running server while the file at `path` is as `plant` left it; then the file is as before. */
async function verifiedWhile(path: string, plant: (path: string) => void): Promise<Found> {
  const before = readFileSync(path)
  plant(path)
  try {
    return await verify(served)
  } finally {
    writeFileSync(path, before)
  }
}

async function inStore(world: World, change: (store: Store) => Promise<unknown>): Promise<void> {
  const store = await pgliteStore({ folder: join(world.dataDir, 'store'), logger: silent, clock: () => new Date() })
  await change(store)
  await store.close()
}

/** The files below a folder of blobs, in order. */
function blobFiles(world: World, folder: string): string[] {
  const root = join(world.dataDir, 'blobs', folder)
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .map((name) => join(root, name))
    .filter((path) => statSync(path).isFile() && !path.includes('_delta_log'))
    .sort()
}

const firstFile = (world: World, folder: string): string =>
  blobFiles(world, folder)[0] ?? expect.unreachable(`no file in ${folder}`)
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
  expect(
    found.places.filter((place) => place.startsWith(`${where} | `) && place.includes(key)),
    found.places.join('\n') || found.text,
  ).not.toEqual([])
}

describe.skipIf(!hasProc)('verify (needs /proc)', { timeout: 240_000 }, () => {
  it('is clean where nothing was planted', async () => {
    const offline = await verifiedCopy(() => undefined)
    expect(offline.places).toEqual([])
    expect(offline.code, offline.text).toBe(0)
    const online = await verify(served)
    expect(online.code, online.text).toBe(0)
  })

  it('finds a deleted step', async () => {
    expectFound(
      await verifiedCopy((world) =>
        inStore(world, ({ db }) =>
          db.deleteFrom('steps').where('trajectory_id', '=', TRAJECTORY).where('step_index', '=', 0).execute(),
        ),
      ),
      'store.steps',
      `${TRAJECTORY} / 0`,
    )
  })

  it('finds a changed reward', async () => {
    expectFound(
      await verifiedCopy((world) =>
        inStore(world, ({ db }) =>
          db.updateTable('scores').set({ reward: 77 }).where('trajectory_id', '=', TRAJECTORY).execute(),
        ),
      ),
      'store.scores',
      TRAJECTORY,
    )
  })

  it('finds a deleted trajectory', async () => {
    expectFound(
      await verifiedCopy((world) =>
        inStore(world, ({ db }) => db.deleteFrom('trajectories').where('trajectory_id', '=', TRAJECTORY).execute()),
      ),
      'store.trajectories',
      TRAJECTORY,
    )
  })

  it('finds a step that no event made', async () => {
    expectFound(
      await verifiedCopy((world) =>
        inStore(world, ({ db }) =>
          db
            .insertInto('steps')
            .values({ trajectory_id: TRAJECTORY, step_index: 900, offset: 0, content_hash: 'none' })
            .execute(),
        ),
      ),
      'store.steps',
      'partition',
    )
  })

  it('finds a count that is not that of the log', async () => {
    expectFound(
      await verifiedCopy((world) =>
        inStore(world, ({ db }) =>
          db.updateTable('run_totals').set({ n_steps: 1 }).where('run_id', '=', RUN).execute(),
        ),
      ),
      'store.run_totals',
      RUN,
    )
  })

  it.each(['events', 'steps', 'trajectories', 'scores', 'tool_calls'])(
    'finds a cut Parquet file of %s',
    async (table) => {
      const path = blobFiles(served, `lake/${table}`).at(-1) ?? ''
      expectFound(
        await verifiedWhile(path, () => truncateSync(path, statSync(path).size - 100)),
        'file',
        keyOf(served, path),
      )
    },
  )

  it('finds a flipped byte in a Parquet file', async () => {
    const path = firstFile(served, 'lake/steps')
    expectFound(
      await verifiedWhile(path, () => flip(path, (size) => Math.floor(size / 2))),
      'file',
      keyOf(served, path),
    )
  })

  it('finds a deleted Parquet file', async () => {
    const path = firstFile(served, 'lake/events')
    expectFound(await verifiedWhile(path, rmSync), 'file', keyOf(served, path))
  })

  it.each([
    ['image', 'images'],
    ['dataset', 'datasets/objects'],
  ])('finds a flipped byte in an object: %s', async (where, folder) => {
    const path = firstFile(served, folder)
    expectFound(await verifiedWhile(path, () => flip(path, (size) => size - 1)), where, keyOf(served, path))
  })

  it.each([
    ['image', 'images'],
    ['dataset', 'datasets/objects'],
  ])('finds a deleted object: %s', async (where, folder) => {
    const path = firstFile(served, folder)
    expectFound(await verifiedWhile(path, rmSync), where, keyOf(served, path))
  })

  it('finds a Delta log that lacks its last version, and one that names a file of no snapshot', async () => {
    const commits = readdirSync(join(served.dataDir, 'blobs/lake/steps/_delta_log')).filter((name) =>
      name.endsWith('.json'),
    )
    const last = join(served.dataDir, 'blobs/lake/steps/_delta_log', commits.sort(byName).at(-1) ?? '')
    expectFound(await verifiedWhile(last, rmSync), 'delta.steps', 'lake/steps/')
    const strange = JSON.stringify({ add: { path: 'dt=2026-01-01/strange.parquet', size: 1 } })
    expectFound(
      await verifiedWhile(last, (path) => appendFileSync(path, `${strange}\n`)),
      'delta.steps',
      'strange.parquet',
    )
    const gone = await verifiedWhile(last, (path) => writeFileSync(path, `${strange}\n`))
    expectFound(gone, 'delta.steps', 'snapshot')
    expect(gone.places.join()).toContain('was not written by Stepstore')
  })

  it('counts an object of the lake that is in no snapshot, which is no difference', async () => {
    const path = join(served.dataDir, 'blobs/lake/steps/left-behind.parquet')
    writeFileSync(path, 'left behind')
    const found = await verify(served).finally(() => rmSync(path))
    expect(found.code, found.text).toBe(0)
    expect(found.text).toContain(
      '1 objects of the lake with 11 bytes are in no snapshot, such as lake/steps/left-behind.parquet',
    )
    expect((await verify(served)).text).not.toContain('in no snapshot')
  })

  it.each(['first', 'last'])('finds a flipped byte in a record of the log: the %s of its partition', async (which) => {
    const text = textOf(which)
    const found = await verifiedCopy((world) => {
      const path = join(world.dataDir, 'log', 'records', 'data.mdb')
      const bytes = readFileSync(path)
      let times = 0
      // A page may have been copied, and the old one be free but still hold the bytes.
      for (let at = bytes.indexOf(text); at >= 0; at = bytes.indexOf(text, at + 1), times++)
        bytes[at] = (bytes[at] ?? 0) ^ 0xff
      expect(times).toBeGreaterThan(0)
      writeFileSync(path, bytes)
    })
    expectFound(found, 'log', 'partition')
    expect(found.places.join()).toContain('damaged at offset')
  })
})

/** What the first step of the first, or the last step of the last rollout says, which are at either end of a partition. */
function textOf(which: string): string {
  const sent = [...traffic.rollouts.values()]
  return (which === 'first' ? sent[0]?.texts[0] : sent.at(-1)?.texts.at(-1)) ?? expect.unreachable('no rollout')
}
