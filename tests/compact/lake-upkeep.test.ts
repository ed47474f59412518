import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { enter, newAttempt } from '#services/archive/commit.ts'
import { startCompactor } from '#services/compact/compactor.ts'
import { candidates, mergeAll, mergeOne } from '#services/compact/merge.ts'
import { planMerges, type Sizes, SIZES } from '#services/compact/plan.ts'
import type { Rules } from '#services/compact/policy.ts'
import { sweep, type SweepWorld } from '#services/compact/sweep.ts'
import { filesAt } from '#services/lake/catalog.ts'
import { noteDeltaThrough } from '#services/lake/delta-progress.ts'
import { keepSnapshot, releaseSnapshot } from '#services/lake/kept.ts'
import { lakeRecordsFrom } from '#services/lake/history.ts'
import type { Lake } from '#services/lake/lake.ts'
import { snapshotLeases } from '#services/lake/readers.ts'
import { silent } from '#services/logger.ts'
import { emptyStore } from '#services/project/doubt.ts'
import { ArchiveWorld, type Running } from '#tests/support/archive-world.ts'
import { memoryLog } from '#tests/support/memory-log.ts'
import { history, recordOf, type SentEvent } from '#tests/support/histories.ts'

let world: ArchiveWorld
let running: Running | undefined
beforeAll(async () => {
  world = await ArchiveWorld.open()
})
afterAll(async () => {
  await world.close()
})
beforeEach(() => world.clear())
afterEach(async () => {
  await running?.stop()
  running = undefined
})

const { signal } = new AbortController()
const everything = { everything: true }
const upkeep = (lake: Lake = world.lake) => ({
  store: world.store,
  blobs: world.blobs,
  lake,
  logger: silent,
  clock: () => Date.now(),
})

const step = (id: string, index = 0): SentEvent => ({
  type: 'step.recorded',
  data: { trajectory_id: id, step_index: index, run_id: 'r', action_kind: 'answer', raw_output: `${index} of ${id}` },
  time: '2026-01-01T00:00:01Z',
})
const finish = (id: string): SentEvent => ({
  type: 'trajectory.finished',
  data: { trajectory_id: id, status: 'completed', end_reason: 'answer', n_steps: 1 },
  time: '2026-01-01T00:00:02Z',
})
const note = (id: string, name: string): SentEvent => ({
  type: 'trajectory.annotated',
  data: { trajectory_id: id, annotation_id: name, codes: ['E1'] },
  time: '2026-01-01T00:00:03Z',
})

/** Sends events and waits for the snapshot that has them. */
async function cut(...events: SentEvent[]): Promise<number> {
  await world.log.append(events.map((event) => recordOf(event)))
  const reached = await running?.archive.reach(await world.ends(), 20_000)
  if (reached === undefined) throw new Error('no snapshot in time')
  return reached.snapshot_id
}

const newestId = async (): Promise<number> =>
  Math.max(...(await world.store.db.selectFrom('snapshots').selectAll().execute()).map((row) => row.snapshot_id))

describe('a merge', () => {
  test('makes one file of many, in a snapshot of the same cut, with the same rows; older snapshots stay as they were', async () => {
    running = await world.run()
    for (let index = 0; index < 5; index++) await cut(step(`t${index}`), finish(`t${index}`))
    const before = await Promise.all([1, 3, 5].map((id) => world.lakeAt(id)))
    const merged = await mergeAll(upkeep(), SIZES, signal, everything)
    const last = await newestId()
    expect(merged.every(({ snapshot_id: id }) => id !== null)).toBe(true)
    for (const table of ['events', 'steps', 'trajectories'] as const)
      expect(await filesAt(world.store.db, table, last)).toHaveLength(1)
    expect(await world.lakeAt(last)).toEqual(before[2])
    expect(await Promise.all([1, 3, 5].map((id) => world.lakeAt(id)))).toEqual(before)
    const { snapshots } = await world.catalog()
    expect(
      new Set(
        (snapshots as { snapshot_id: number; cut: string }[])
          .filter((row) => row.snapshot_id >= 5)
          .map((row) => row.cut),
      ).size,
    ).toBe(1)
    expect(await mergeAll(upkeep(), SIZES, signal, everything)).toEqual([])
  })

  test('gives way to a cut that writes one of its files again, and the cut after it finds the row in the merged file', async () => {
    running = await world.run()
    for (let index = 0; index < 3; index++) await cut(step(`t${index}`), finish(`t${index}`))
    const merges = planMerges(await candidates(upkeep()), SIZES, Date.now(), everything)
    const trajectories = merges.find(({ table }) => table === 'trajectories')
    if (trajectories === undefined) throw new Error('nothing to merge')
    // The cut comes while the merge is being written.
    const slow: Lake = {
      ...world.lake,
      run: async (kind, request, options) => {
        const result = await world.lake.run(kind, request, options)
        await cut(note('t1', 'first'))
        return result
      },
    }
    expect((await mergeOne(upkeep(slow), trajectories, signal)).snapshot_id).toBeNull()
    expect((await world.tableAt('trajectories', await newestId())).n).toBe(3)
    const merged = await mergeAll(upkeep(), SIZES, signal, everything)
    expect(merged.some(({ table, snapshot_id: id }) => table === 'trajectories' && id !== null)).toBe(true)
    await cut(note('t2', 'second'))
    const last = await newestId()
    const [file, ...others] = await filesAt(world.store.db, 'trajectories', last)
    expect(others).toEqual([])
    expect(file?.begin_snapshot).toBe(last)
    const { rows } = await world.lake.run('rows', {
      sql: `select trajectory_id, n_annotations from read_parquet('${await world.blobs.localPath(file?.path ?? '')}') order by 1`,
      rowsMax: 9,
    })
    expect(rows).toEqual([
      { trajectory_id: 't0', n_annotations: 0 },
      { trajectory_id: 't1', n_annotations: 1 },
      { trajectory_id: 't2', n_annotations: 1 },
    ])
  })

  test('that finds other rows in its file than in those it replaces enters nothing', async () => {
    running = await world.run()
    for (let index = 0; index < 2; index++) await cut(step(`t${index}`))
    const [first] = planMerges(await candidates(upkeep()), SIZES, Date.now(), everything)
    if (first === undefined) throw new Error('nothing to merge')
    const twice = { ...first, files: [...first.files, ...first.files] }
    // The same file twice: rows double, and the keys of the snapshot would too.
    await expect(mergeOne(upkeep(), twice, signal)).resolves.toMatchObject({ snapshot_id: null })
    expect(await newestId()).toBe(2)
  })

  test('of two compactors at once does no harm, and one of them is outrun', async () => {
    running = await world.run()
    for (let index = 0; index < 4; index++) await cut(step(`t${index}`))
    const before = await world.lakeAt(4)
    const [left, right] = await Promise.all([
      mergeAll(upkeep(), SIZES, signal, everything),
      mergeAll(upkeep(), SIZES, signal, everything),
    ])
    const outcomes = [...left, ...right]
    expect(outcomes.some(({ snapshot_id: id }) => id === null)).toBe(true)
    const last = await newestId()
    expect(await world.lakeAt(last)).toEqual(before)
    for (let id = 5; id <= last; id++) expect(await world.lakeAt(id)).toEqual(before)
  })
})

/** Every record of a partition as the lake gives it back, few at a time. */
async function allRecords(partition: number): Promise<number[]> {
  const reader = { db: world.store.db, blobs: world.blobs, lake: world.lake }
  const offsets: number[] = []
  for (;;) {
    const some = await lakeRecordsFrom(reader, partition, (offsets.at(-1) ?? -1) + 1, { recordsMax: 3 })
    if (some.length === 0) return offsets
    offsets.push(...some.map(({ offset }) => offset))
  }
}

test('a compactor merges and sweeps by itself, where it is its turn, and stops in the middle', async () => {
  running = await world.run()
  for (let index = 0; index < 3; index++) await cut(step(`t${index}`))
  const orphan = `lake/steps/dt=2026-01-01/left-${newAttempt()}.parquet`
  await world.blobs.put(orphan, new Uint8Array([1]))
  const often = { mergeEveryMs: 5, sweepEveryMs: 0, sizes: QUICK, rules: { snapshotMs: 1e9, graceMs: 0, orphanMs: 0 } }
  const idle = startCompactor({ ...upkeep(), ...often, isActive: () => false })
  await new Promise((resolve) => setTimeout(resolve, 50))
  await idle.stop()
  expect(await newestId()).toBe(3)
  const compactor = startCompactor({ ...upkeep(), ...often })
  const done = async (): Promise<boolean> =>
    (await filesAt(world.store.db, 'steps', await newestId())).length === 1 &&
    (await world.blobs.head(orphan)) === undefined
  while (!(await done())) await new Promise((resolve) => setTimeout(resolve, 10))
  expect(compactor.failing).toBeUndefined()
  await compactor.stop()
  const before = await world.lakeAt(3)
  expect(await world.lakeAt(await newestId())).toEqual(before)
  const last = await newestId()
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(await newestId()).toBe(last)
})

test('records come back whole from merged files of two days, which overlap in their offsets', async () => {
  world.log = memoryLog({
    partitions: 1,
    appendedAtMs: (offset) => Date.UTC(2026, 0, offset < 5 ? 1 : 2),
  })
  running = await world.run()
  for (let index = 0; index < 9; index += 3) await cut(step('a', index), step('a', index + 1), step('a', index + 2))
  await mergeAll(upkeep(), SIZES, signal, everything)
  const files = await filesAt(world.store.db, 'events', await newestId())
  expect(files.map(({ dt, from_offsets, to_offsets }) => [dt, from_offsets, to_offsets])).toEqual([
    ['2026-01-01', '', '0:6'],
    ['2026-01-02', '0:3', '0:9'],
  ])
  expect(await allRecords(0)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8])
})

type Step =
  | { readonly do: 'cut'; readonly size: number }
  | { readonly do: 'merge' | 'note' | 'two' | 'sweep' | 'lose_store' }
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ do: fc.constant('cut' as const), size: fc.integer({ min: 1, max: 12 }) }) },
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constantFrom('merge' as const, 'note' as const, 'two' as const, 'sweep' as const, 'lose_store' as const),
      }),
    },
  ),
  { minLength: 6, maxLength: 14 },
)
const QUICK: Sizes = { ...SIZES, filesMin: 2, coldMs: 0 }

test('cuts, rewrites, merges, sweeps and a lost store in any order change no snapshot that is kept, and lose no record', async () => {
  await fc.assert(
    fc.asyncProperty(history, steps, async (events, plan) => {
      await world.clear()
      running = await world.run()
      const seen = new Map<number, unknown>()
      let nowMs = Date.now()
      const sweeping: SweepWorld = { ...upkeep(), clock: () => nowMs }
      const rules: Rules = { snapshotMs: 1000, graceMs: 500, orphanMs: 400 }
      let next = 0
      for (const action of plan) {
        if (action.do === 'cut') {
          const some = events.slice(next, next + action.size)
          next += action.size
          if (some.length > 0) await cut(...some)
        } else if (action.do === 'note') {
          await cut(note(`run-a/${next % 6}`, `note ${nowMs}`))
        } else if (action.do === 'merge') {
          await mergeAll(upkeep(), QUICK, signal)
        } else if (action.do === 'two') {
          await Promise.all([
            mergeAll(upkeep(), QUICK, signal),
            mergeAll(upkeep(), QUICK, signal),
            cut(note('run-b/1', `two ${nowMs}`)),
          ])
        } else if (action.do === 'sweep') {
          await noteDeltaThrough(world.store.db, await newestIdOrNone())
          nowMs += 600
          await sweep(sweeping, rules)
        } else {
          await running.stop()
          await emptyStore(world.store)
          running = await world.run()
          await running.project.waitFor(await world.ends(), 20_000)
        }
        const kept = await world.store.db.selectFrom('snapshots').selectAll().execute()
        for (const { snapshot_id: id } of kept) {
          const held = await world.lakeAt(id)
          if (seen.has(id)) expect(held).toEqual(seen.get(id))
          for (const [table, { n, distinctKeys }] of Object.entries(held))
            expect({ table, n }).toEqual({ table, n: distinctKeys })
          seen.set(id, held)
        }
      }
      if ((await newestIdOrNone()) > 0)
        for (const [partition, end] of await world.ends())
          expect(await allRecords(partition)).toEqual(Array.from({ length: end }, (_, offset) => offset))
      await running.stop()
    }),
    { numRuns: 5 },
  )
}, 300_000)

const newestIdOrNone = async (): Promise<number> => {
  const rows = await world.store.db.selectFrom('snapshots').select('snapshot_id').execute()
  return Math.max(0, ...rows.map((row) => row.snapshot_id))
}

describe('a sweep', () => {
  const HOUR = 3_600_000
  const rules: Rules = { snapshotMs: 10 * HOUR, graceMs: HOUR, orphanMs: HOUR }
  const at = (hours: number): SweepWorld => ({ ...upkeep(), clock: () => Date.now() + hours * HOUR })

  /** Two cuts merged into one file a table: snapshots 1 and 2 are superseded. */
  async function merged(): Promise<string[]> {
    running = await world.run()
    await cut(step('a'))
    await cut(step('b'))
    const old = (await filesAt(world.store.db, 'steps', 2)).map(({ path }) => path)
    await mergeAll(upkeep(), SIZES, signal, everything)
    await noteDeltaThrough(world.store.db, await newestId())
    return old
  }
  const there = async (paths: readonly string[]): Promise<boolean[]> =>
    Promise.all(paths.map(async (path) => (await world.blobs.head(path)) !== undefined))

  test('removes superseded files once their snapshots are forgotten and the grace period is over, also from a store that was lost', async () => {
    const old = await merged()
    const last = await newestId()
    const before = await world.lakeAt(last)
    await sweep(at(1), rules)
    expect(await there(old)).toEqual([true, true])
    expect((await sweep(at(11), rules)).snapshots).toBe(last - 1)
    expect(await there(old)).toEqual([true, true])
    await sweep(at(13), rules)
    expect(await there(old)).toEqual([false, false])
    expect(await world.lakeAt(last)).toEqual(before)
    await running?.stop()
    await emptyStore(world.store)
    running = await world.run()
    const snapshots = await world.store.db.selectFrom('snapshots').select('snapshot_id').execute()
    expect(snapshots).toEqual([{ snapshot_id: last }])
    expect(await world.lakeAt(last)).toEqual(before)
  })

  test('leaves the files of a snapshot that somebody reads, however old', async () => {
    const old = await merged()
    const leases = (hours: number) =>
      snapshotLeases({ store: world.store, logger: silent, clock: () => Date.now() + hours * HOUR })
    await leases(10.9).hold(2)
    await sweep(at(11), rules)
    expect((await world.tableAt('steps', 2)).n).toBe(2)
    // Snapshot 1 is forgotten, and read all the same by whoever has held it.
    await leases(12.5).hold(2)
    await sweep(at(13), rules)
    expect((await world.tableAt('steps', 2)).n).toBe(2)
    expect(await there(old)).toEqual([true, true])
    await sweep(at(14), rules)
    await sweep(at(16), rules)
    expect(await there(old)).toEqual([false, false])
    await expect(leases(16).hold(2)).rejects.toMatchObject({ code: 'snapshot_expired' })
  })

  test('leaves a snapshot that is marked to be kept, until the mark is taken away', async () => {
    const old = await merged()
    await keepSnapshot(world.blobs, 2)
    await sweep(at(11), rules)
    await sweep(at(13), rules)
    expect((await world.tableAt('steps', 2)).n).toBe(2)
    expect(await there(old)).toEqual([true, true])
    await releaseSnapshot(world.blobs, 2)
    await sweep(at(14), rules)
    await sweep(at(16), rules)
    expect(await there(old)).toEqual([false, false])
  })

  test('removes orphans by age, and what it has doomed can be entered by nobody', async () => {
    running = await world.run()
    await cut(step('a'))
    await noteDeltaThrough(world.store.db, 1)
    const path = `lake/steps/dt=2026-01-01/000000000001-000000000002-${'0'.repeat(16)}-${newAttempt()}.parquet`
    await world.blobs.put(path, new Uint8Array([1]))
    expect(await sweep(at(0), rules)).toMatchObject({ orphans: 0, waiting: 1 })
    expect(await there([path])).toEqual([true])
    expect(await sweep(at(2), rules)).toMatchObject({ orphans: 1, waiting: 0 })
    expect(await there([path])).toEqual([false])
    // The process that wrote it stood still all the while, and goes on now.
    const cursor = running.archive.newest?.cut ?? new Map<number, number>()
    const row = {
      path,
      table_name: 'steps',
      dt: '2026-01-01',
      rows: 1,
      bytes: 1,
      sha256: '',
      from_offsets: '',
      to_offsets: '',
      stats: {},
    }
    const entering = enter(world.store, {
      from: cursor,
      to: cursor,
      files: { added: [{ row, localPath: '' }], ended: [] },
      logId: world.log.id,
      createdAt: new Date().toISOString(),
    })
    await expect(entering).rejects.toMatchObject({ code: 'cursor_moved' })
    expect(await newestId()).toBe(1)
  })

  test('finds no orphans while the catalog is behind its records in blobs', async () => {
    running = await world.run()
    await cut(step('a'))
    await running.stop()
    running = undefined
    await emptyStore(world.store)
    expect(await sweep(at(0), rules)).toMatchObject({ waiting: 0 })
    expect(await sweep(at(5), rules)).toMatchObject({ orphans: 0 })
    running = await world.run()
    expect((await world.tableAt('steps', 1)).n).toBe(1)
  })
})
