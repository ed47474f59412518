/** The server with its store in a real Postgres and its blobs in a real S3: kills, a lost database, and the same answers. */
import { randomUUID } from 'node:crypto'
import { afterEach, describe, expect, it } from 'vitest'
import { makeDatabase, postgresUrl } from '#infra/local/postgres.ts'
import { settingsOf } from '#infra/local/stack.ts'
import { bytesOf, dumpRows, fill } from '#tests/support/filled.ts'
import { cleanUp, newWorld, runCommand, startServer, type World } from '#tests/support/server-process.ts'
import { needsStack, stack } from '#tests/support/stack.ts'

/** The settings of a new database and an empty place in the bucket. */
async function remote(): Promise<Record<string, string>> {
  if (stack === undefined) throw new Error('there is no stack')
  const { LOG_URL: _log, BLOBS_URL, ...credentials } = settingsOf(stack)
  const place = new URL(BLOBS_URL)
  place.pathname = `/server/${randomUUID()}`
  return { ...credentials, STORE_URL: await newDatabase(), BLOBS_URL: place.href }
}

async function newDatabase(): Promise<string> {
  if (stack === undefined) throw new Error('there is no stack')
  const name = `server_${randomUUID().replaceAll('-', '')}`
  await makeDatabase(stack.postgres, name)
  return postgresUrl(stack.postgres, 'stepstore_owner', name)
}

async function verified(world: World): Promise<void> {
  const said = await runCommand(world, ['verify', '--json'])
  expect(said, said.stderr + said.stdout.slice(0, 4000)).toMatchObject({ code: 0 })
  expect(JSON.parse(said.stdout)).toMatchObject({ ok: true, differences: [] })
}

afterEach(() => cleanUp())

describe.skipIf(stack === undefined)(`Postgres and S3 behind the server${needsStack}`, () => {
  it(
    'after a SIGKILL, and with another, empty database, it says what it said before, to the byte',
    { timeout: 240_000 },
    async () => {
      const world = await newWorld(await remote())
      const first = startServer(world)
      await first.ready()
      const { pinned } = await fill(world, { rollouts: 60, cuts: 2, seed: 11 })
      const before = await dumpRows(world)
      await verified(world)
      await first.sigkill()

      const second = startServer(world)
      await second.ready()
      expect(await dumpRows(world)).toEqual(before)
      for (const { path, sha256 } of pinned) expect(await bytesOf(world, path)).toEqual({ status: 200, sha256 })
      expect(await second.sigterm()).toMatchObject({ code: 0 })

      const bereft = { ...world, env: { ...world.env, STORE_URL: await newDatabase() } }
      const third = startServer(bereft)
      await third.ready()
      expect(await dumpRows(bereft)).toEqual(before)
      for (const { path, sha256 } of pinned) expect(await bytesOf(bereft, path)).toEqual({ status: 200, sha256 })
      await verified(bereft)
      expect(await third.sigterm()).toMatchObject({ code: 0 })
    },
  )

  it('doctor says what it reached, and names what it did not, with what to do', { timeout: 120_000 }, async () => {
    const world = await newWorld(await remote())
    const well = await runCommand(world, ['doctor', '--json'])
    expect(JSON.parse(well.stdout)).toMatchObject({
      data_folder: { store: expect.stringMatching(/^Postgres \d/), blobs: 'there' },
    })
    const ill = await newWorld({
      ...world.env,
      STORE_URL: 'postgres://nobody@127.0.0.1:1/d',
      BLOBS_URL: `${world.env['BLOBS_URL']}`.replace('s3://stepstore', 's3://no-such-bucket'),
    })
    const said = await runCommand(ill, ['doctor', '--json'])
    expect(said.code).toBe(1)
    expect(JSON.parse(said.stdout)).toMatchObject({
      data_folder: { store: 'not reached', blobs: 'not reached' },
      findings: expect.arrayContaining([
        expect.objectContaining({ what: 'the store cannot be reached' }),
        expect.objectContaining({ what: 'the bucket of BLOBS_URL does not exist' }),
      ]),
    })
  })
})
