/**
 * The clock of the store jumps ahead and back while two processes fold. Leases are instants in the store and are compared
 * with its clock there, so a jump of the clock is the same as all of them moved the other way. Then both believe again and
 * again to own what the other has; what is committed rests on the epochs alone.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { random as randomOf } from '#services/gym/random.ts'
import { silent } from '#services/logger.ts'
import { startProject, type Project } from '#services/project/project.ts'
import { postgresStore } from '#services/store/postgres.ts'
import type { Store } from '#services/store/store.ts'
import { recordOf } from '#tests/support/histories.ts'
import { memoryLog } from '#tests/support/memory-log.ts'
import { until } from '#tests/support/processes.ts'
import { type RealPostgres, realPostgres } from '#tests/support/real-postgres.ts'

const LEASE_MS = 1_000
const JUMP_MS_MAX = 5_000
const JUMPS = 60
const BATCHES = 150

let postgres: RealPostgres
let store: Store
beforeAll(async () => {
  postgres = await realPostgres()
  await postgres.makeDatabase('clock')
  store = await postgresStore({ url: postgres.url('clock'), logger: silent, poolMax: 20 })
}, 120_000)
afterAll(async () => {
  await store.close()
  await postgres.stop()
})

const run = (id: string) =>
  recordOf({ type: 'run.started', data: { run_id: id, kind: 'rl' }, time: '2026-01-01T00:00:00Z' })

/** As if the clock went ahead by so many milliseconds, or back. */
const jump = (ms: number): Promise<unknown> =>
  sql`update workers set lease_until_ms = lease_until_ms - ${ms}::bigint, joined_at_ms = joined_at_ms - ${ms}::bigint`.execute(
    store.db,
  )

const epochs = async (): Promise<number> =>
  (await store.db.selectFrom('claims').select('epoch').execute()).reduce((sum, { epoch }) => sum + epoch, 0)

it(
  'every record is folded once while the clock jumps, and work goes on when it stops',
  { timeout: 120_000 },
  async () => {
    const random = randomOf(11, 'clock')
    const log = memoryLog()
    const projects: Project[] = []
    const project = async (name: string): Promise<void> => {
      let lives = 0
      const shared = { newId: () => `${name}-${++lives}`, leaseMs: LEASE_MS }
      projects.push(await startProject({ log, store, logger: silent, shared }))
    }
    try {
      await project('a')
      await project('b')
      const before = await epochs()
      const writing = (async () => {
        for (let n = 0; n < BATCHES; n++) {
          // Each is there twice, and counts once.
          await log.append([run(`r${n}`), run(`r${n}`), run(`s${n}`)])
          await sleep(20)
        }
      })()
      for (let n = 0; n < JUMPS; n++) {
        await jump(random.int(-JUMP_MS_MAX, JUMP_MS_MAX))
        await sleep(random.int(5, 120))
      }
      await writing
      await until(
        'everything to be folded',
        async () => {
          const totals = await store.db.selectFrom('partition_totals').select('n_accepted').execute()
          return totals.reduce((sum, row) => sum + row.n_accepted, 0) === 2 * BATCHES ? true : undefined
        },
        60_000,
      )
      // The jumps did what they are there for: parts were taken from owners that lived.
      expect(await epochs()).toBeGreaterThan(before + 4)
      expect(await store.db.selectFrom('runs').select('run_id').execute()).toHaveLength(2 * BATCHES)
      const verdicts = await store.db.selectFrom('verdicts').select('verdict').execute()
      expect(verdicts.map(({ verdict }) => verdict)).toEqual(Array.from({ length: BATCHES }, () => 'duplicate'))
    } finally {
      for (const one of projects) await one.stop()
    }
  },
)
