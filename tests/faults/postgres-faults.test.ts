/** The store on a Postgres that is restarted, killed, cut off in the middle of a commit, or refuses. */
import fc from 'fast-check'
import { sql } from 'kysely'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { silent } from '#services/logger.ts'
import { startProject } from '#services/project/project.ts'
import { moveCursor } from '#services/project/write.ts'
import { postgresStore } from '#services/store/postgres.ts'
import type { Store } from '#services/store/store.ts'
import { history, recordOf } from '#tests/support/histories.ts'
import { memoryLog } from '#tests/support/memory-log.ts'
import { type PostgresFaults, postgresFaults } from '#tests/support/postgres-faults.ts'
import { type RealPostgres, realPostgres } from '#tests/support/real-postgres.ts'

let server: RealPostgres
let faults: PostgresFaults
let databases = 0
let database = ''
/** Past the proxy. */
let direct: Store
let store: Store

const url = (role: 'stepstore_owner' | 'stepstore_writer' | 'stepstore_reader', port = server.port): string =>
  server.url(database, role).replace(`:${server.port}/`, `:${port}/`)

beforeAll(async () => {
  server = await realPostgres()
}, 120_000)
afterAll(() => server.stop())
beforeEach(async () => {
  database = `faults_${++databases}`
  await server.makeDatabase(database)
  faults = await postgresFaults(server.port)
  direct = await postgresStore({ url: url('stepstore_owner'), logger: silent })
  store = await postgresStore({
    url: url('stepstore_owner', faults.port),
    logger: silent,
    poolMax: 4,
    connectAttemptsMax: 40,
  })
})
afterEach(async () => {
  await store.close()
  await direct.close()
  await faults.close()
})

const note = (value: string) => (target: Store) =>
  target.transaction(async ({ db, copyIn }) => {
    await db.insertInto('meta').values({ name: value, value }).execute()
    await copyIn('steps', ['trajectory_id', 'step_index', 'offset', 'content_hash'], [[value, 0, 0, '']])
  })
const noted = async (): Promise<string[]> =>
  (await direct.db.selectFrom('meta').select('name').orderBy('name').execute()).map(({ name }) => name)

describe('a connection that breaks at a commit', () => {
  test('before the server hears of it: unknown to us, and nothing is written', async () => {
    faults.cutCommits('before')
    await expect(note('a')(store)).rejects.toMatchObject({ code: 'unavailable', details: { committed: 'unknown' } })
    expect(await noted()).toEqual([])
    await note('a')(store)
    expect(await noted()).toEqual(['a'])
  })

  test('before its answer: unknown to us, and everything is written', async () => {
    faults.cutCommits('after')
    await expect(note('a')(store)).rejects.toMatchObject({ code: 'unavailable', details: { committed: 'unknown' } })
    expect(await noted()).toEqual(['a'])
    expect(await direct.db.selectFrom('steps').select('trajectory_id').execute()).toEqual([{ trajectory_id: 'a' }])
  })

  test('the cursor tells which: a batch is done once, whatever was lost', async () => {
    await direct.db
      .insertInto('cursors')
      .values({ projection: 'p', partition: 0, next_offset: 0, epoch: 1, last_record_hash: null })
      .execute()
    faults.cutCommits('after', 'before', 'pass', 'before', 'before', 'after')
    let unknown = 0
    for (;;) {
      const { next_offset } = await direct.db.selectFrom('cursors').select('next_offset').executeTakeFirstOrThrow()
      if (next_offset === 4) break
      try {
        await store.transaction(async (transaction) => {
          await moveCursor(
            transaction,
            'p',
            { partition: 0, nextOffset: next_offset, epoch: 1, lastRecordHash: null },
            next_offset + 1,
            null,
          )
          await transaction.copyIn(
            'steps',
            ['trajectory_id', 'step_index', 'offset', 'content_hash'],
            [['t', next_offset, next_offset, '']],
          )
        })
      } catch (error) {
        expect(error).toMatchObject({ details: { committed: 'unknown' } })
        unknown += 1
      }
    }
    expect(unknown).toBe(5)
    expect(
      (await direct.db.selectFrom('steps').select('step_index').orderBy('step_index').execute()).map(
        ({ step_index }) => step_index,
      ),
    ).toEqual([0, 1, 2, 3])
  })
})

describe('project on a store that loses answers', () => {
  test(
    'folds everything once, and tells those who wait of what it committed without an answer',
    { timeout: 60_000 },
    async () => {
      const log = memoryLog()
      const project = await startProject({ log, store, logger: silent })
      const before = faults.commits
      faults.cutCommits('after', 'before', 'after', 'after', 'before', 'after')
      for (const events of fc.sample(history, { numRuns: 3, seed: 7 }))
        for (const event of events) await log.append([recordOf(event)])
      const ends = new Map((await log.bounds()).map(({ end }, partition) => [partition, end]))
      // Nothing more is appended: what was committed without an answer must be noticed all the same.
      expect(await project.waitFor(ends, 50_000)).toBe(true)
      await project.stop()
      expect(faults.commits - before).toBeGreaterThan(4)
      expect(await dump(direct)).toEqual(await foldedWithoutFaults(log))
    },
  )

  async function foldedWithoutFaults(log: ReturnType<typeof memoryLog>): Promise<unknown> {
    const name = `${database}_clean`
    await server.makeDatabase(name)
    const clean = await postgresStore({ url: server.url(name, 'stepstore_owner'), logger: silent })
    const project = await startProject({ log, store: clean, logger: silent })
    await project.waitFor(new Map((await log.bounds()).map(({ end }, partition) => [partition, end])), 30_000)
    await project.stop()
    const rows = await dump(clean)
    await clean.close()
    return rows
  }

  async function dump({ db }: Store): Promise<unknown> {
    return {
      trajectories: await db.selectFrom('trajectories').selectAll().orderBy('trajectory_id').execute(),
      steps: await db.selectFrom('steps').selectAll().orderBy('trajectory_id').orderBy('step_index').execute(),
      totals: await db.selectFrom('partition_totals').selectAll().orderBy('partition').execute(),
      verdicts: await db.selectFrom('verdicts').selectAll().orderBy('partition').orderBy('offset').execute(),
    }
  }
})

describe('a server that goes away', () => {
  test('connections that were cut while idle are not noticed by a transaction', async () => {
    await Promise.all([note('a')(store), note('b')(store), note('c')(store)])
    faults.breakAll()
    await note('d')(store)
    expect(await noted()).toEqual(['a', 'b', 'c', 'd'])
  })

  test('a transaction that is cut in its middle fails as unavailable, writes nothing, and the process lives on', async () => {
    const cut = store.transaction(async ({ db }) => {
      await db.insertInto('meta').values({ name: 'a', value: '1' }).execute()
      faults.breakAll()
      // An event of the socket comes between, with nobody asking anything.
      await new Promise((resolve) => setTimeout(resolve, 50))
      await db.insertInto('meta').values({ name: 'b', value: '2' }).execute()
    })
    await expect(cut).rejects.toMatchObject({ code: 'unavailable', details: {} })
    expect(await noted()).toEqual([])
  })

  test.each(['SIGINT', 'SIGKILL'] as const)(
    'after %s and a start the same store goes on, with what was committed',
    { timeout: 120_000 },
    async (signal) => {
      await note('before')(store)
      await server.end(signal)
      await expect(
        postgresStore({ url: url('stepstore_owner'), logger: silent, connectAttemptsMax: 2 }),
      ).rejects.toMatchObject({ code: 'unavailable', retryAfterSeconds: 1 })
      // The old one waits for the server, as nothing was sent yet.
      await Promise.all([note('after')(store), server.start()])
      expect(await noted()).toEqual(['after', 'before'])
    },
  )

  test('a server that may only be read, as after a fail-over, is left, and written again once it may be', async () => {
    await server.administer(`alter database ${database} set default_transaction_read_only = on`)
    faults.breakAll()
    await expect(note('a')(store)).rejects.toMatchObject({ code: 'unavailable' })
    await server.administer(`alter database ${database} set default_transaction_read_only = off`)
    await note('b')(store)
    expect(await noted()).toEqual(['b'])
  })
})

describe('limits and rights', () => {
  test('a statement that takes too long is cancelled, with what to do', async () => {
    const hasty = await postgresStore({ url: url('stepstore_owner'), logger: silent, statementTimeoutMs: 100 })
    await expect(sql`select pg_sleep(30)`.execute(hasty.db)).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('too long'),
    })
    await note('a')(hasty)
    await hasty.close()
  })

  test('an integer past 2^53 - 1 is refused rather than rounded', async () => {
    await expect(sql`select 9007199254740993::bigint as n`.execute(store.db)).rejects.toMatchObject({ code: 'corrupt' })
  })

  test('the writer works with rows and makes no tables; the reader reads', async () => {
    const writer = await postgresStore({ url: url('stepstore_writer'), logger: silent })
    await note('a')(writer)
    await sql`truncate table steps`.execute(writer.db)
    await expect(sql`create table mine (a integer)`.execute(writer.db)).rejects.toMatchObject({
      code: 'unavailable',
      hint: expect.stringContaining('roles.sql'),
    })
    await writer.close()
    const reader = await postgresStore({ url: url('stepstore_reader'), logger: silent })
    expect(await reader.db.selectFrom('meta').select('name').execute()).toEqual([{ name: 'a' }])
    await expect(note('b')(reader)).rejects.toMatchObject({
      code: 'unavailable',
      hint: expect.stringContaining('roles.sql'),
    })
    await reader.close()
  })

  test('a role that may not make tables is told to let the owner start first', async () => {
    database = `faults_${++databases}`
    await server.makeDatabase(database)
    await expect(postgresStore({ url: url('stepstore_writer'), logger: silent })).rejects.toMatchObject({
      code: 'unavailable',
      hint: expect.stringContaining('stepstore_owner first'),
    })
  })

  test('a wrong password, a database that is not there and a server without TLS each say what to do', async () => {
    const open = (text: string) => postgresStore({ url: text, logger: silent, connectAttemptsMax: 2 })
    await expect(open(url('stepstore_owner').replace(/:[0-9a-f]{24}@/, ':wrong@'))).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('password'),
    })
    await expect(open(server.url('nowhere'))).rejects.toMatchObject({
      code: 'unavailable',
      hint: expect.stringContaining('createdb'),
    })
    await expect(open(`${url('stepstore_owner')}?sslmode=require`)).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('TLS'),
    })
  })
})
