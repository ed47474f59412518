/** The laws with a real database: any split into batches, crashes at any commit, and a rebuild give the same tables. */
import fc from 'fast-check'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { PROJECTED, TABLES } from '#schemas/tables.ts'
import type { Log } from '#services/log/log.ts'
import { silent } from '#services/logger.ts'
import { emptyStore } from '#services/project/doubt.ts'
import { PartitionFold } from '#services/project/partition.ts'
import { startProject } from '#services/project/project.ts'
import { postgresStore } from '#services/store/postgres.ts'
import type { Store } from '#services/store/store.ts'
import { garbage, history, recordOf } from '#tests/support/histories.ts'
import { lentStore } from '#tests/support/lent-store.ts'
import { memoryLog } from '#tests/support/memory-log.ts'
import { type RealPostgres, realPostgres } from '#tests/support/real-postgres.ts'

let store: Store
let postgres: RealPostgres
let stores: { readonly pglite: Store; readonly postgres: Store }
beforeAll(async () => {
  postgres = await realPostgres()
  store = await lentStore()
  stores = { pglite: store, postgres: await postgresStore({ url: postgres.url('postgres'), logger: silent }) }
}, 120_000)
afterAll(async () => {
  await stores.pglite.close()
  await stores.postgres.close()
  await postgres.stop()
})

/** Every projected table, whole, in order of key. */
async function tables(of: Store): Promise<Record<string, unknown[]>> {
  const dump: Record<string, unknown[]> = {}
  for (const name of PROJECTED) {
    const order = TABLES[name].key.map((column) => `"${column}"`).join(', ')
    dump[name] = (await sql`select * from ${sql.table(name)} order by ${sql.raw(order)}`.execute(of.db)).rows
  }
  return dump
}

/** A store whose n-th transaction fails just before it commits; the next ones go through. */
function failing(store: Store, at: ReadonlySet<number>): Store {
  let transactions = 0
  return {
    ...store,
    transaction: (work) =>
      store.transaction(async (transaction) => {
        const result = await work(transaction)
        if (at.has(transactions++)) throw new Error('power cut')
        return result
      }),
  }
}

/** A log that gives at most so many records a read, in turn. */
function inBatches(log: Log, sizes: readonly number[]): Log {
  let reads = 0
  return {
    ...log,
    read: (partition, from, limit) =>
      log.read(partition, from, { ...limit, recordsMax: sizes[reads++ % sizes.length] ?? 1 }),
  }
}

async function foldAll(log: Log, into: Store): Promise<void> {
  for (let partition = 0; partition < log.partitions; partition++) {
    const projection = new PartitionFold({ partition, log, store: into })
    for (;;) {
      try {
        if ((await projection.step()).records === 0) break
      } catch (error) {
        if (!(error instanceof Error) || error.message !== 'power cut') throw error
      }
    }
  }
}

describe('project', () => {
  it.each([
    ['pglite', 12],
    ['postgres', 5],
  ] as const)(
    'gives the same tables on %s for any split into batches, any failed commits, and from zero',
    { timeout: 120_000 },
    async (kind, numRuns) => {
      const store = stores[kind]
      const sizes = fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 5 })
      const failures = fc.array(fc.nat({ max: 20 }), { maxLength: 4 })
      await fc.assert(
        fc.asyncProperty(
          history,
          fc.array(garbage, { maxLength: 3 }),
          fc.array(fc.nat(), { maxLength: 5 }),
          sizes,
          failures,
          async (events, bad, again, batches, cuts) => {
            const log = memoryLog({ partitions: 2 })
            const records = [
              ...events.map((event) => recordOf(event)),
              ...bad,
              ...again.map((pick, index) => recordOf(events[pick % events.length] ?? events[0]!, index)),
            ]
            await log.append(records)
            await emptyStore(store)
            await foldAll(inBatches(log, batches), failing(store, new Set(cuts)))
            const live = await tables(store)
            await emptyStore(store)
            await foldAll(log, store)
            expect(await tables(store)).toEqual(live)
            const totals = live['partition_totals'] as {
              n_accepted: number
              n_duplicates: number
              n_conflicts: number
              n_unreadable: number
            }[]
            expect(
              totals.reduce(
                (sum, row) => sum + row.n_accepted + row.n_duplicates + row.n_conflicts + row.n_unreadable,
                0,
              ),
            ).toBe(records.length)
          },
        ),
        { numRuns },
      )
    },
  )

  it('lets exactly one of two owners commit a batch', async () => {
    await emptyStore(store)
    const log = memoryLog({ partitions: 1 })
    await log.append([
      recordOf({ type: 'run.started', data: { run_id: 'r', kind: 'rl' }, time: '2026-01-01T00:00:00Z' }),
    ])
    const owners = [new PartitionFold({ partition: 0, log, store }), new PartitionFold({ partition: 0, log, store })]
    await Promise.all(owners.map((owner) => owner.seek()))
    const outcomes = await Promise.allSettled(owners.map((owner) => owner.step()))
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    expect(outcomes.find((outcome) => outcome.status === 'rejected')).toMatchObject({
      reason: { code: 'cursor_moved' },
    })
    expect((await store.db.selectFrom('partition_totals').select('n_accepted').executeTakeFirst())?.n_accepted).toBe(1)
  })

  it('forwards a record of another partition once, and folds it there', async () => {
    await emptyStore(store)
    const log = memoryLog({ partitions: 2 })
    const record = recordOf({ type: 'run.started', data: { run_id: 'r', kind: 'rl' }, time: '2026-01-01T00:00:00Z' })
    const home = log.partitionOf(record.key)
    log.appendTo(1 - home, record)
    await foldAll(log, store)
    await foldAll(log, store)
    const totals = await store.db.selectFrom('partition_totals').selectAll().orderBy('partition').execute()
    expect(totals.find((row) => row.partition === home)).toMatchObject({ n_accepted: 1, n_misrouted: 0 })
    expect(totals.find((row) => row.partition !== home)).toMatchObject({ n_accepted: 0, n_misrouted: 1 })
  })

  it('folds again when the rows belong to another log, and tells how far it is', async () => {
    await emptyStore(store)
    const first = memoryLog({ id: 'log-1', partitions: 1 })
    await first.append([
      recordOf({ type: 'run.started', data: { run_id: 'old', kind: 'rl' }, time: '2026-01-01T00:00:00Z' }),
    ])
    const before = await startProject({ log: first, store, logger: silent })
    expect(await before.waitFor(new Map([[0, 1]]), 5000)).toBe(true)
    await before.stop()
    const second = memoryLog({ id: 'log-2', partitions: 1 })
    await second.append([
      recordOf({ type: 'run.started', data: { run_id: 'new', kind: 'rl' }, time: '2026-01-01T00:00:00Z' }),
    ])
    const seen: string[] = []
    const after = await startProject({
      log: second,
      store,
      logger: silent,
      onRebuild: ({ reason, folded, total }) => seen.push(`${reason} ${folded}/${total}`),
    })
    expect(await after.waitFor(new Map([[0, 1]]), 5000)).toBe(true)
    await after.stop()
    expect((await store.db.selectFrom('runs').select('run_id').execute()).map((row) => row.run_id)).toEqual(['new'])
    expect(seen).toEqual(['the rows belong to another log 0/1', 'the rows belong to another log 1/1'])
  })

  it('commits small batches of several partitions together, and each by itself where one of them fails', async () => {
    await emptyStore(store)
    const log = memoryLog({ partitions: 4 })
    let commits = 0
    const watched: Store = {
      ...store,
      get db() {
        return store.db
      },
      transaction: (work) => {
        commits += 1
        return store.transaction((transaction) =>
          work({
            ...transaction,
            copyIn: (table, columns, rows) => {
              const list = [...rows]
              if (list.some((row) => row.includes('poison'))) throw new Error('poison')
              return transaction.copyIn(table, columns, list)
            },
          }),
        )
      },
    }
    const started = (run: string, partition: number) => {
      const data = { run_id: run, kind: 'rl' }
      return { ...recordOf({ type: 'run.started', data, time: '2026-01-01T00:00:00Z' }), partition }
    }
    /** A run for each partition. */
    const runs = (stem: string): ReturnType<typeof started>[] => {
      const found = new Map<number, ReturnType<typeof started>>()
      for (let n = 0; found.size < 4; n++) {
        const partition = log.partitionOf(`${stem}${n}`)
        if (!found.has(partition)) found.set(partition, started(`${stem}${n}`, partition))
      }
      return [...found.values()]
    }
    const project = await startProject({ log, store: watched, logger: silent })
    try {
      commits = 0
      await log.append(runs('a'))
      expect(await project.waitFor(new Map([0, 1, 2, 3].map((partition) => [partition, 1])), 5000)).toBe(true)
      expect(commits).toBeLessThan(4)
      const home = log.partitionOf('poison')
      await log.append([started('poison', home), ...runs('b').filter(({ partition }) => partition !== home)])
      const others = [0, 1, 2, 3].filter((partition) => partition !== home)
      expect(await project.waitFor(new Map(others.map((partition) => [partition, 2])), 5000)).toBe(true)
      expect(project.offsets.get(home)).toBe(1)
      expect(project.failing).toBe('Error: poison')
    } finally {
      await project.stop()
    }
    expect(await store.db.selectFrom('runs').select('run_id').execute()).toHaveLength(7)
  })
})
