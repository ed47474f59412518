/** Rows of a Postgres made again beside those that are served, while events come in. */
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { PROJECTED } from '#schemas/tables.ts'
import { withHistory } from '#services/log/with-history.ts'
import type { Log } from '#services/log/log.ts'
import { silent } from '#services/logger.ts'
import { Problem } from '#services/problem.ts'
import { type Project, startProject } from '#services/project/project.ts'
import { rebuildBeside, rollBack } from '#services/serve/rebuild-beside.ts'
import { postgresStore } from '#services/store/postgres.ts'
import type { Store } from '#services/store/store.ts'
import { recordOf } from '#tests/support/histories.ts'
import { memoryLog, type MemoryLog } from '#tests/support/memory-log.ts'
import { type RealPostgres, realPostgres } from '#tests/support/real-postgres.ts'

let server: RealPostgres
let databases = 0
let url: string
let live: Store
let log: MemoryLog
let project: Project
beforeAll(async () => {
  server = await realPostgres()
}, 120_000)
afterAll(() => server.stop())
beforeEach(async () => {
  await server.makeDatabase(`beside_${++databases}`)
  url = server.url(`beside_${databases}`, 'stepstore_owner')
  live = await postgresStore({ url, logger: silent })
  log = memoryLog()
  project = await startProject({
    log,
    store: live,
    logger: silent,
    shared: { newId: () => `worker ${databases} ${Math.random()}`, leaseMs: 2000 },
  })
}, 60_000)
afterEach(async () => {
  await project.stop()
  await live.close()
})

let sent = 0
/** A rollout, part of it twice, part of it with other content. */
async function send(rollouts: number): Promise<void> {
  for (let index = 0; index < rollouts; index++) {
    const id = `t${sent++}`
    const step = (text: string) =>
      recordOf({
        type: 'step.recorded',
        data: { trajectory_id: id, step_index: 0, run_id: 'r', action_kind: 'answer', raw_output: text },
        time: '2026-01-01T00:00:01Z',
      })
    const finish = recordOf({
      type: 'trajectory.finished',
      data: { trajectory_id: id, status: 'completed', end_reason: 'answer', n_steps: 1, reward: 0.1 },
      time: '2026-01-01T00:00:02Z',
    })
    await log.append([step('a'), step('a'), step('b'), finish, { key: '{', headers: {}, value: Buffer.from('{') }])
  }
}
const ends = async () => new Map((await log.bounds()).map(({ end }, partition) => [partition, end]))
const folded = async (): Promise<void> => {
  expect(await project.waitFor(await ends(), 30_000)).toBe(true)
}
const rows = async (): Promise<unknown[]> => {
  const tables: unknown[] = []
  for (const table of PROJECTED)
    tables.push((await sql`select t::text as row from ${sql.table(table)} t order by 1`.execute(live.db)).rows)
  return tables
}
const beside = (more: Partial<Parameters<typeof rebuildBeside>[0]> = {}) =>
  rebuildBeside({
    url,
    live,
    log,
    logger: silent,
    signal: new AbortController().signal,
    isDry: false,
    onProgress: () => {},
    ...more,
  })

test(
  'a rebuild of what is right changes nothing, and what comes meanwhile and afterwards is folded once',
  { timeout: 120_000 },
  async () => {
    await send(30)
    await folded()
    const before = await rows()
    const grants = () =>
      sql`select grantee, table_name, privilege_type from information_schema.role_table_grants where table_schema = 'public' order by 1, 2, 3`.execute(
        live.db,
      )
    const granted = (await grants()).rows
    const first = await beside()
    expect(first).toMatchObject({ swapped: true, resumed_at: 0 })
    expect(first.tables.filter(({ differs }) => differs)).toEqual([])
    expect(await rows()).toEqual(before)
    expect((await grants()).rows).toEqual(granted)
    let going = true
    const sending = (async () => {
      while (going) {
        await send(5)
        await sleep(20)
      }
    })()
    let reads = 0
    const reading = (async () => {
      let least = 0
      while (going) {
        const { n } = (await sql<{ n: number }>`select count(*)::integer as n from trajectories`.execute(live.db))
          .rows[0] ?? { n: 0 }
        // What was read once is there for ever.
        expect(n).toBeGreaterThanOrEqual(least)
        least = n
        reads += 1
      }
    })()
    const second = await beside().finally(() => {
      going = false
    })
    await Promise.all([sending, reading])
    expect(reads).toBeGreaterThan(0)
    expect(second.tables.filter(({ differs }) => differs)).toEqual([])
    await folded()
    const last = await beside({ isDry: true })
    expect(last.tables.filter(({ differs }) => differs)).toEqual([])
    expect(last.records).toBe([...(await ends()).values()].reduce((sum, end) => sum + end, 0))
  },
)

test('rows that went wrong are named and made right; a rollback brings them back', { timeout: 120_000 }, async () => {
  await send(10)
  await folded()
  const right = await rows()
  await sql`update trajectories set n_steps_seen = 99 where trajectory_id = (select min(trajectory_id) from trajectories)`.execute(
    live.db,
  )
  await sql`delete from scores where trajectory_id = (select max(trajectory_id) from scores)`.execute(live.db)
  const wrong = await rows()
  const only = await beside({ isDry: true })
  expect(
    only.tables
      .filter(({ differs }) => differs)
      .map(({ table }) => table)
      .sort(),
  ).toEqual(['scores', 'trajectories'])
  expect(await rows()).toEqual(wrong)
  // The comparison has folded everything beside; the rebuild goes on from there.
  expect(await beside()).toMatchObject({ swapped: true, resumed_at: only.records })
  expect(await rows()).toEqual(right)
  await rollBack(live)
  expect(await rows()).toEqual(wrong)
  await expect(rollBack(live)).resolves.toBeUndefined()
  expect(await rows()).toEqual(right)
  await send(3)
  await folded()
})

test('a rebuild that is stopped leaves what is served, and the next one goes on', { timeout: 120_000 }, async () => {
  await send(40)
  await folded()
  const before = await rows()
  const stop = new AbortController()
  const stopped = beside({ signal: stop.signal, onProgress: (done) => (done > 0 ? stop.abort() : undefined) })
  await expect(stopped).rejects.toThrow()
  expect(await rows()).toEqual(before)
  const next = await beside()
  expect(next.resumed_at).toBeGreaterThan(0)
  expect(next.tables.filter(({ differs }) => differs)).toEqual([])
  expect(await rows()).toEqual(before)
})

test(
  'what the log no longer holds comes from elsewhere, and what nobody holds ends the rebuild with the rows as they are',
  { timeout: 120_000 },
  async () => {
    await send(10)
    await folded()
    const before = await rows()
    const start = 5
    const short: Log = {
      ...log,
      read: (partition, from, limit) =>
        from < start ? Promise.reject(new Problem('corrupt', 'below the start')) : log.read(partition, from, limit),
      bounds: async () => (await log.bounds()).map(({ end }) => ({ start, end })),
    }
    const lost = beside({ log: withHistory(short, () => Promise.resolve([])) })
    await expect(lost).rejects.toThrow()
    expect(await rows()).toEqual(before)
    await sql`drop schema stepstore_next cascade`.execute(live.db)
    const whole = withHistory(short, (partition, from) => log.read(partition, from, { recordsMax: 3, bytesMax: 1e6 }))
    const made = await beside({ log: whole })
    expect(made.tables.filter(({ differs }) => differs)).toEqual([])
    expect(await rows()).toEqual(before)
  },
)
