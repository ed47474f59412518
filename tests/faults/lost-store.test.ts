/** The store is a read model: with it lost or spoilt, a start brings back the same rows, snapshots, dataset URLs and bytes. */
import { readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { bytesOf, dumpLake, dumpRows, during, fill, type Pinned } from '#tests/support/filled.ts'
import { hasProc } from '#tests/support/processes.ts'
import { cleanUp, copyOf, newWorld, runCommand, startServer, type World } from '#tests/support/server-process.ts'

interface Known {
  readonly rows: Record<string, unknown>
  readonly lake: Record<string, unknown>
  readonly pinned: readonly Pinned[]
}

let filled: World
let known: Known

beforeAll(async () => {
  filled = await newWorld()
  known = await during(filled, async () => {
    const { pinned } = await fill(filled, { rollouts: 240, cuts: 3, seed: 11 })
    return { pinned, rows: await dumpRows(filled), lake: await dumpLake(filled) }
  })
}, 240_000)
afterEach(() => cleanUp(filled))
afterAll(() => cleanUp())

/** Starts the server on what is left, and expects everything as it was. */
async function expectAllBack(world: World, said: RegExp): Promise<void> {
  await during(world, async (server) => {
    expect(await dumpRows(world)).toEqual(known.rows)
    expect(await dumpLake(world)).toEqual(known.lake)
    for (const { path, sha256 } of known.pinned)
      expect({ path, ...(await bytesOf(world, path)) }).toEqual({ path, status: 200, sha256 })
    expect(server.said()).toMatch(said)
  })
  const verified = await runCommand(world, ['verify', '--json'])
  expect(verified, verified.stderr + verified.stdout.slice(0, 2000)).toMatchObject({ code: 0 })
}

describe.skipIf(!hasProc)('the store (needs /proc)', () => {
  it('comes back as it was after its folder was deleted', { timeout: 240_000 }, async () => {
    const world = await copyOf(filled)
    rmSync(join(world.dataDir, 'store'), { recursive: true })
    await expectAllBack(world, /rebuilt the store from \d/)
  })

  it('comes back as it was after SIGKILL and files that cannot be read', { timeout: 240_000 }, async () => {
    const world = await copyOf(filled)
    const server = startServer(world)
    await server.ready()
    await server.sigkill()
    const pg = join(world.dataDir, 'store', 'pg')
    rmSync(join(pg, 'global'), { recursive: true })
    await expectAllBack(world, /rebuilding the store: its files could not be opened[^]*rebuilt the store from \d/)
  })

  it('comes back as it was after SIGKILL and a table cut to nothing', { timeout: 240_000 }, async () => {
    const world = await copyOf(filled)
    const server = startServer(world)
    await server.ready()
    await server.sigkill()
    const base = join(world.dataDir, 'store', 'pg', 'base')
    const files = readdirSync(base, { recursive: true, encoding: 'utf8' })
      .map((name) => join(base, name))
      .filter((path) => statSync(path).isFile())
    for (const path of files) truncateSync(path, 0)
    await expectAllBack(world, /rebuilding the store: its files could not be opened[^]*rebuilt the store from \d/)
  })

  it('is folded again after the machine went down while it was open', { timeout: 240_000 }, async () => {
    const world = await copyOf(filled)
    const server = startServer(world)
    await server.ready()
    await server.sigkill()
    writeFileSync(
      join(world.dataDir, 'store', 'mark.json'),
      JSON.stringify({ boot_id: 'another boot', closed_well: false }),
    )
    await expectAllBack(
      world,
      /rebuilding the store: the machine went down while the store was open[^]*rebuilt the store from \d/,
    )
  })
})
