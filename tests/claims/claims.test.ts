/** Work that is shared: as even as can be, taken from the dead, and never written by two. */
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Claims, type ClaimsOptions, openClaims, shareOf } from '#services/claims/claims.ts'
import { silent } from '#services/logger.ts'
import { fencePartition } from '#services/project/doubt.ts'
import { PartitionFold } from '#services/project/partition.ts'
import { startProject, type Project } from '#services/project/project.ts'
import { postgresStore } from '#services/store/postgres.ts'
import type { Store } from '#services/store/store.ts'
import { recordOf } from '#tests/support/histories.ts'
import { memoryLog, type MemoryLog } from '#tests/support/memory-log.ts'
import { until } from '#tests/support/processes.ts'
import { type RealPostgres, realPostgres } from '#tests/support/real-postgres.ts'

let postgres: RealPostgres
let store: Store
let opened: (() => Promise<unknown>)[] = []
let databases = 0
beforeAll(async () => {
  postgres = await realPostgres()
}, 120_000)
afterAll(() => postgres.stop())
beforeEach(async () => {
  const database = `claims_${++databases}`
  await postgres.makeDatabase(database)
  store = await postgresStore({ url: postgres.url(database), logger: silent, poolMax: 20 })
})
afterEach(async () => {
  for (const close of opened.reverse()) await close()
  opened = []
  await store.close()
})

const LEASE_MS = 1_000

/** A worker of which others see nothing but what is in the store. */
async function worker(name: string, more: Partial<ClaimsOptions> = {}): Promise<Claims> {
  let lives = 0
  const claims = await openClaims({
    store,
    logger: silent,
    projection: 'project',
    parts: 4,
    newId: () => `${name}-${++lives}`,
    leaseMs: LEASE_MS,
    fence: async () => {},
    onTake: async () => {},
    onDrop: async () => {},
    failing: () => undefined,
    ...more,
  })
  opened.push(() => claims.close())
  return claims
}

const parts = (claims: Claims): number[] => [...claims.held.keys()].sort((left, right) => left - right)
const sizes = (...all: Claims[]): number[] => all.map(({ held }) => held.size)
const shared = (...all: Claims[]): Promise<true> =>
  until(
    'every part to have one owner',
    () =>
      all
        .flatMap(parts)
        .sort((left, right) => left - right)
        .join() === '0,1,2,3'
        ? true
        : undefined,
    20_000,
  )

/** A store whose statements wait, as those of a process that is stopped. */
function stoppable(): { store: Store; stop(): void; go(): void } {
  let isStopped = false
  let gate = Promise.withResolvers<void>()
  gate.resolve()
  return {
    store: {
      get db() {
        // What is asked while it is stopped fails, as after a connection that was lost.
        return isStopped ? (undefined as unknown as Store['db']) : store.db
      },
      transaction: async (work) => {
        await gate.promise
        return store.transaction(async (transaction) => {
          const result = await work(transaction)
          await gate.promise
          return result
        })
      },
      close: () => store.close(),
    },
    stop: () => {
      isStopped = true
      gate = Promise.withResolvers<void>()
    },
    go: () => {
      isStopped = false
      gate.resolve()
    },
  }
}

describe('a share', () => {
  it('is as even as can be, and all together are everything', () => {
    fc.assert(
      fc.property(fc.nat({ max: 64 }), fc.integer({ min: 1, max: 20 }), (all, workers) => {
        const shares = Array.from({ length: workers }, (_, index) => shareOf(all, workers, index))
        expect(shares.reduce((sum, share) => sum + share, 0)).toBe(all)
        expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(1)
      }),
    )
  })
})

describe('workers of one store', { timeout: 60_000 }, () => {
  it('divide the parts evenly, also when one comes later and when one leaves', async () => {
    const first = await worker('a')
    expect(parts(first)).toEqual([0, 1, 2, 3])
    const second = await worker('b')
    await until('half each', () => (sizes(first, second).join() === '2,2' ? true : undefined), 20_000)
    await shared(first, second)
    const third = await worker('c')
    await until('2, 1, 1', () => (sizes(first, second, third).join() === '2,1,1' ? true : undefined), 20_000)
    await shared(first, second, third)
    await first.close()
    await shared(second, third)
    expect(sizes(second, third)).toEqual([2, 2])
  })

  it('take over what a worker had who gives no sign of life, and raise the epoch', async () => {
    const frozen = stoppable()
    const first = await worker('a', { store: frozen.store })
    const epochs = new Map(first.held)
    frozen.stop()
    const second = await worker('b')
    await until('everything to be taken', () => (second.held.size === 4 ? true : undefined), 20_000)
    for (const [part, epoch] of second.held) expect(epoch).toBeGreaterThan(epochs.get(part) ?? Infinity)
    // It believes to own everything until it can look.
    expect(first.held.size).toBe(4)
    frozen.go()
    await until('half each', () => (sizes(first, second).join() === '2,2' ? true : undefined), 20_000)
    await shared(first, second)
  })

  it('wait until work on a part has ended before they give it back', async () => {
    const dropped: number[] = []
    const end = Promise.withResolvers<void>()
    await worker('a', {
      onDrop: async (part) => {
        dropped.push(part)
        await end.promise
      },
    })
    const second = await worker('b')
    await until('a part to be dropped', () => (dropped.length > 0 ? true : undefined))
    await sleep(LEASE_MS / 2)
    expect(second.held.size).toBe(0)
    end.resolve()
    await until('the parts to be taken', () => (second.held.size === 2 ? true : undefined), 20_000)
  })

  it('without a lease takes everything by force, at once, and raises the epoch', async () => {
    const first = await worker('a')
    const epochs = new Map(first.held)
    const sole = await worker('alone', { leaseMs: undefined })
    expect(parts(sole)).toEqual([0, 1, 2, 3])
    for (const [part, epoch] of sole.held) expect(epoch).toBeGreaterThan(epochs.get(part) ?? Infinity)
  })
})

describe('project among others', { timeout: 60_000 }, () => {
  const run = (runId: string) =>
    recordOf({ type: 'run.started', data: { run_id: runId, kind: 'rl' }, time: '2026-01-01T00:00:00Z' })

  async function project(name: string, log: MemoryLog, on: Store = store): Promise<Project> {
    let lives = 0
    const started = await startProject({
      log,
      store: on,
      logger: silent,
      shared: { newId: () => `${name}-${++lives}`, leaseMs: LEASE_MS },
    })
    opened.push(() => started.stop())
    return started
  }

  const accepted = async (): Promise<number> =>
    (await store.db.selectFrom('partition_totals').select('n_accepted').execute()).reduce(
      (sum, row) => sum + row.n_accepted,
      0,
    )

  it('folds every record once, however the partitions change hands', async () => {
    const log = memoryLog()
    const frozen = stoppable()
    const first = await project('a', log, frozen.store)
    for (let n = 0; n < 20; n++) await log.append([run(`one ${n}`)])
    await until('the first records', async () => ((await accepted()) === 20 ? true : undefined))
    const second = await project('b', log)
    await until('half each', () => (second.partitions.length === 2 ? true : undefined), 20_000)
    for (let n = 0; n < 20; n++) await log.append([run(`two ${n}`)])
    await until('more records', async () => ((await accepted()) === 40 ? true : undefined))
    // In the middle of a transaction, past its lease.
    for (let n = 0; n < 20; n++) await log.append([run(`three ${n}`)])
    frozen.stop()
    for (let n = 0; n < 20; n++) await log.append([run(`four ${n}`)])
    await until('everything, by the other', async () => ((await accepted()) === 80 ? true : undefined), 20_000)
    expect(second.partitions).toEqual([0, 1, 2, 3])
    frozen.go()
    await until('half each again', () => (first.partitions.length === 2 ? true : undefined), 20_000)
    for (let n = 0; n < 20; n++) await log.append([run(`five ${n}`)])
    await until('the rest', async () => ((await accepted()) === 100 ? true : undefined))
    expect(await store.db.selectFrom('verdicts').selectAll().execute()).toEqual([])
    expect(await store.db.selectFrom('runs').select('run_id').execute()).toHaveLength(100)
  })

  it('refuses the batch of an owner whose epoch is past', async () => {
    const log = memoryLog({ partitions: 1 })
    await log.append([run('r')])
    await project('a', log).then((started) => started.stop())
    await log.append([run('s')])
    const { epoch } = await store.db.selectFrom('cursors').select('epoch').executeTakeFirstOrThrow()
    const stale = new PartitionFold({ partition: 0, log, store, epoch })
    await stale.seek()
    await store.transaction(({ db }) => fencePartition(db, log, 0, epoch + 1))
    await expect(stale.step()).rejects.toMatchObject({ code: 'cursor_moved' })
    await expect(stale.step()).rejects.toMatchObject({ code: 'cursor_moved' })
    expect(await accepted()).toBe(1)
  })

  it('leaves the rows of another version alone', async () => {
    const log = memoryLog({ partitions: 1 })
    await project('a', log)
    await store.db.updateTable('meta').set({ value: '999' }).where('name', '=', 'projection_version').execute()
    await expect(store.transaction(({ db }) => fencePartition(db, log, 0, 9))).rejects.toMatchObject({
      code: 'newer_data',
    })
  })

  it('empties a store in doubt once, however many start at once', async () => {
    const old = memoryLog({ id: 'old' })
    await old.append([run('old')])
    const before = await project('a', old)
    await until('the old rows', async () => ((await accepted()) === 1 ? true : undefined))
    await before.stop()
    const log = memoryLog({ id: 'new' })
    for (let n = 0; n < 30; n++) await log.append([run(`new ${n}`)])
    await Promise.all(['b', 'c', 'd', 'e'].map((name) => project(name, log)))
    await until('the new rows', async () => ((await accepted()) === 30 ? true : undefined), 20_000)
    expect(await store.db.selectFrom('runs').select('run_id').where('run_id', '=', 'old').execute()).toEqual([])
  })
})
