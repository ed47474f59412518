import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { LAKE_TABLE_NAMES, LAKE_TABLES, type LakeTableName } from '#schemas/lake.ts'
import { startArchive, type Archive, type ArchiveOptions } from '#services/archive/archive.ts'
import type { Blobs } from '#services/blobs/blobs.ts'
import { directoryBlobs } from '#services/blobs/directory.ts'
import { filesAt, newestRecord, newestSnapshot, snapshotById } from '#services/lake/catalog.ts'
import { sqlText } from '#services/lake/engine.ts'
import { lakeRecords, lakeRecordsFrom } from '#services/lake/history.ts'
import type { Lake } from '#services/lake/lake.ts'
import type { Offsets } from '#services/position.ts'
import { silent } from '#services/logger.ts'
import { emptyStore } from '#services/project/doubt.ts'
import { startProject, type Project } from '#services/project/project.ts'
import { pgliteStore } from '#services/store/pglite.ts'
import type { Store } from '#services/store/store.ts'
import type { NewRecord } from '#services/log/log.ts'
import { Crashing, type Crash } from '#tests/support/crashes.ts'
import { garbage, history, recordOf, type SentEvent } from '#tests/support/histories.ts'
import { inProcessLake } from '#tests/support/in-process-lake.ts'
import { memoryLog, type MemoryLog } from '#tests/support/memory-log.ts'

let folder = ''
let store: Store
let lake: Lake
let log: MemoryLog
let blobs: Blobs
let nth = 0

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stepstore-archive-'))
  store = await pgliteStore({ clock: () => new Date(), logger: silent })
  lake = await inProcessLake(join(folder, 'scratch'), () => log)
})
afterAll(async () => {
  await lake.close()
  await store.close()
  await rm(folder, { recursive: true, force: true })
})

async function freshWorld(): Promise<void> {
  await emptyStore(store)
  log = memoryLog()
  blobs = await directoryBlobs({ folder: join(folder, `blobs-${nth++}`) })
}

interface Running {
  readonly project: Project
  readonly archive: Archive
  stop(): Promise<void>
}

async function run(more: Partial<ArchiveOptions> = {}): Promise<Running> {
  const project = await startProject({ log, store, logger: silent })
  try {
    const archive = await startArchive({
      log, logPlace: { kind: 'lmdb', folder: '' }, store, blobs, lake, project, logger: silent, clock: () => Date.now(), cutEveryMs: 3_600_000, reachEveryMs: 0, ...more,
    })
    return {
      project,
      archive,
      stop: async () => {
        await archive.stop()
        await project.stop()
      },
    }
  } catch (error) {
    await project.stop()
    throw error
  }
}

const ends = async (): Promise<Offsets> => new Map((await log.bounds()).map(({ end }, partition) => [partition, end]))

/** Rows, distinct keys and a digest of a table at a snapshot. */
async function tableAt(table: LakeTableName, snapshotId: number): Promise<{ n: number; keys: number; digest: unknown }> {
  const files = await filesAt(store.db, table, snapshotId)
  if (files.length === 0) return { n: 0, keys: 0, digest: null }
  const paths = await Promise.all(files.map((file) => blobs.localPath(file.path)))
  const key = LAKE_TABLES[table].key.map((name) => `"${name}"`).join(', ')
  const { rows } = await lake.run('rows', {
    sql: `select count(*) as n, count(distinct struct_pack(${key.split(', ').map((name) => `${name.slice(1, -1)} := ${name}`).join(', ').replace('offset :=', '"offset" :=').replace('partition :=', '"partition" :=')})) as keys, md5(string_agg(t::varchar, chr(10) order by ${key})) as digest
      from read_parquet([${paths.map(sqlText).join(', ')}], hive_partitioning = false) t`,
    rowsMax: 1,
  })
  return rows[0] as { n: number; keys: number; digest: unknown }
}

async function wholeLake(snapshotId: number): Promise<Record<string, { n: number; keys: number; digest: unknown }>> {
  const tables: Record<string, { n: number; keys: number; digest: unknown }> = {}
  for (const table of LAKE_TABLE_NAMES) tables[table] = await tableAt(table, snapshotId)
  return tables
}

/** That a snapshot holds what lies below its cut: each record once, each accepted fact once, one row a key. */
async function expectWhole(snapshotId: number): Promise<Record<string, { n: number; keys: number; digest: unknown }>> {
  const tables = await wholeLake(snapshotId)
  for (const [table, { n, keys }] of Object.entries(tables)) expect({ table, keys }).toEqual({ table, keys: n })
  return tables
}

async function storeCounts(): Promise<Record<string, number>> {
  const count = async (table: 'steps' | 'scores' | 'annotations' | 'metrics' | 'items' | 'runs' | 'images'): Promise<number> => Number((await store.db.selectFrom(table).select((where) => where.fn.countAll().as('n')).executeTakeFirstOrThrow()).n)
  const finished = await store.db.selectFrom('trajectories').select((where) => where.fn.countAll().as('n')).where('finished_offset', 'is not', null).executeTakeFirstOrThrow()
  return {
    steps: await count('steps'), scores: await count('scores'), annotations: await count('annotations'), metrics: await count('metrics'),
    items: await count('items'), runs: await count('runs'), images: await count('images'), trajectories: Number(finished.n),
  }
}

const finish = (id: string): SentEvent => ({ type: 'trajectory.finished', data: { trajectory_id: id, status: 'completed', end_reason: 'answer', n_steps: 1, reward: 1, prediction_raw: `answer of ${id}` }, time: '2026-01-01T00:00:02Z' })
const start = (id: string): SentEvent => ({ type: 'trajectory.started', data: { trajectory_id: id, run_id: 'r', item_id: 'i', policy_version: 1, prompt: [{ role: 'user', content: `prompt of ${id}` }] }, time: '2026-01-01T00:00:00Z' })
const step = (id: string, index = 0): SentEvent => ({ type: 'step.recorded', data: { trajectory_id: id, step_index: index, run_id: 'r', action_kind: 'answer', raw_output: `step ${index} of ${id}` }, time: '2026-01-01T00:00:01Z' })
const note = (id: string, name: string): SentEvent => ({ type: 'trajectory.annotated', data: { trajectory_id: id, annotation_id: name, codes: ['E1'] }, time: '2026-01-01T00:00:03Z' })
const append = (...events: SentEvent[]) => log.append(events.map((event) => recordOf(event)))

describe('archive', () => {
  let running: Running | undefined
  beforeEach(freshWorld)
  afterEach(async () => {
    await running?.stop()
    running = undefined
  })

  test('brings everything below the position asked for into a published snapshot', async () => {
    running = await run()
    expect(running.archive.newest).toBeUndefined()
    await append(start('a'), step('a'), finish('a'))
    const snapshot = await running.archive.reach(await ends(), 20_000)
    expect(snapshot).toMatchObject({ snapshot_id: 1 })
    expect(running.archive.newest).toEqual(snapshot)
    expect(await newestSnapshot(store.db)).toMatchObject({ snapshot_id: 1, published: true, log_id: 'memory-log' })
    const tables = await expectWhole(1)
    expect(Object.fromEntries(Object.entries(tables).map(([table, { n }]) => [table, n]))).toMatchObject({ events: 3, steps: 1, trajectories: 1, scores: 1 })
    const record = await newestRecord(blobs)
    expect(record?.files.map(({ path }) => path).sort()).toEqual((await store.db.selectFrom('data_files').select('path').orderBy('path').execute()).map(({ path }) => path).sort())
  })

  test('answers from the newest snapshot when that suffices, and gives up after the time', async () => {
    running = await run()
    await append(step('a'))
    const want = await ends()
    const first = await running.archive.reach(want, 20_000)
    expect(await running.archive.reach(want, 0)).toEqual(first)
    expect(await running.archive.reach(new Map([[0, 1_000_000]]), 30)).toBeUndefined()
    const abort = new AbortController()
    const waiting = running.archive.reach(new Map([[0, 1_000_000]]), 60_000, abort.signal)
    abort.abort()
    expect(await waiting).toBeUndefined()
  })

  test('writes the file of a trajectory again when it changes after its finish, and old snapshots stay', async () => {
    running = await run()
    await append(start('a'), step('a'), finish('a'), start('b'), step('b'), finish('b'))
    await running.archive.reach(await ends(), 20_000)
    const before = await wholeLake(1)
    await append(note('a', 'n1'), start('c'), finish('c'))
    await running.archive.reach(await ends(), 20_000)
    const files = await filesAt(store.db, 'trajectories', 2)
    const paths = await Promise.all(files.map(({ path }) => blobs.localPath(path)))
    const { rows } = await lake.run('rows', { sql: `select trajectory_id, n_annotations, prompt[1].content as prompt, prediction_raw from read_parquet([${paths.map(sqlText).join(', ')}]) order by 1`, rowsMax: 9 })
    expect(rows).toEqual([
      { trajectory_id: 'a', n_annotations: 1, prompt: 'prompt of a', prediction_raw: 'answer of a' },
      { trajectory_id: 'b', n_annotations: 0, prompt: 'prompt of b', prediction_raw: 'answer of b' },
      { trajectory_id: 'c', n_annotations: 0, prompt: 'prompt of c', prediction_raw: 'answer of c' },
    ])
    expect(await wholeLake(1)).toEqual(before)
    const rewritten = await store.db.selectFrom('data_files').selectAll().where('end_snapshot', '=', 2).execute()
    expect(rewritten.map((file) => file.table_name)).toEqual(['trajectories'])
    expect(files.filter((file) => file.from_offsets === rewritten[0]?.from_offsets).map((file) => file.begin_snapshot)).toEqual([2])
  })

  test('takes the bodies of an old trajectory from the lake when the log no longer holds them', async () => {
    running = await run()
    await append(start('a'), step('a'), finish('a'))
    const bounds = await ends()
    await running.archive.reach(bounds, 20_000)
    const readOne = log.readOne
    log.readOne = async (partition, offset) => (offset < (bounds.get(partition) ?? 0) ? undefined : readOne(partition, offset))
    await append(note('a', 'late'))
    const snapshot = await running.archive.reach(await ends(), 20_000)
    const [file] = await filesAt(store.db, 'trajectories', snapshot?.snapshot_id ?? 0)
    const { rows } = await lake.run('rows', { sql: `select n_annotations, prompt[1].content as prompt from ${sqlText(await blobs.localPath(file?.path ?? ''))}`, rowsMax: 2 })
    expect(rows).toEqual([{ n_annotations: 1, prompt: 'prompt of a' }])
  })

  test('cuts when enough bytes are new, and holds project back when it is too far ahead', async () => {
    running = await run({ cutBytes: 2000 })
    for (let index = 0; index < 40; index++) await append(step(`t${index % 5}`, index))
    const want = await ends()
    expect(await running.project.waitFor(want, 20_000)).toBe(true)
    await running.archive.reach(want, 20_000)
    expect((await expectWhole(running.archive.newest?.snapshot_id ?? 0))['steps']?.n).toBe(40)
    let open = false
    let gate: (() => Promise<void>) | undefined
    const stuck = await startArchive({
      log, logPlace: { kind: 'lmdb', folder: '' }, store, blobs, lake, logger: silent, clock: () => 0, cutBytes: 1000, cutEveryMs: 1e9,
      project: { offsets: want, onCommit: (listener) => { listener(want, 5000); return () => undefined }, setGate: (given) => { gate = given ?? gate } },
    })
    void gate?.().then(() => { open = true })
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(open).toBe(false)
    await stuck.stop()
    await new Promise((resolve) => setTimeout(resolve, 0))
    expect(open).toBe(true)
  })

  test('gives records back from the lake by place, and in order from an offset on', async () => {
    running = await run()
    const events = [start('a'), step('a'), step('a', 1), finish('a')]
    await append(...events)
    await running.archive.reach(await ends(), 20_000)
    await append(note('a', 'x'))
    await running.archive.reach(await ends(), 20_000)
    const reader = { db: store.db, blobs, lake }
    const partition = log.partitionOf('a')
    const [kept] = await lakeRecords(reader, [{ partition, offset: 2 }, { partition, offset: 99 }])
    expect(kept).toMatchObject({ partition, offset: 2, appendedAtMs: Date.UTC(2026, 0, 1) })
    expect(Buffer.from(kept?.value ?? []).equals(Buffer.from(recordOf(step('a', 1)).value))).toBe(true)
    const first = await lakeRecordsFrom(reader, partition, 1, { recordsMax: 2 })
    expect(first.map(({ offset }) => offset)).toEqual([1, 2])
    expect((await lakeRecordsFrom(reader, partition, 4, { recordsMax: 9 })).map(({ offset, key }) => [offset, key])).toEqual([[4, 'a']])
    expect(await lakeRecordsFrom(reader, partition, 5, { recordsMax: 9 })).toEqual([])
  })

  test('names no snapshot before its record is in blobs', async () => {
    const crashing = new Crashing(undefined)
    const failing: Blobs = { ...crashing.blobs(blobs), put: (key, body, options) => (key.startsWith('catalog/') ? Promise.reject(new Error('no')) : blobs.put(key, body, options)) }
    running = await run({ blobs: failing })
    await append(step('a'))
    expect(await running.archive.reach(await ends(), 1_000)).toBeUndefined()
    expect(running.archive.newest).toBeUndefined()
    expect(await newestSnapshot(store.db)).toBeUndefined()
    expect(await snapshotById(store.db, 1)).toBeUndefined()
    await running.stop()
    running = await run()
    expect(running.archive.newest).toMatchObject({ snapshot_id: 1 })
  })
})

interface Scenario {
  readonly batches: readonly (readonly NewRecord[])[]
  readonly crashes: readonly Crash[]
}

const scenario: fc.Arbitrary<Scenario> = fc
  .record({
    events: history,
    rubbish: fc.array(garbage, { maxLength: 2 }),
    // Where the history is cut into batches, and which of its events are sent again.
    places: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 3 }),
    again: fc.array(fc.nat(), { maxLength: 4 }),
    order: fc.nat(),
    crashes: fc.array(fc.record({ call: fc.nat({ max: 24 }), after: fc.boolean() }), { maxLength: 4 }),
  })
  .map(({ events, rubbish, places, again, order, crashes }) => {
    // A stride through the events, so that finishes come before starts and steps after finishes.
    const strides = [1, 7, 11, 13].filter((stride) => events.length % stride !== 0 || stride === 1)
    const stride = strides[order % strides.length] ?? 1
    const records = events.map((_, index) => recordOf(events[(index * stride) % events.length] as SentEvent))
    const all = [...records, ...again.map((index) => recordOf(events[index % events.length] as SentEvent, 1)), ...rubbish]
    const bounds = [0, ...places.map((place) => Math.floor(place * all.length)).sort((left, right) => left - right), all.length]
    return { batches: bounds.slice(1).map((bound, index) => all.slice(bounds[index], bound)).filter((batch) => batch.length > 0), crashes }
  })

/** Lives one life after another, each with its crash, until everything is in the lake. Returns what each snapshot held when it was seen first. */
async function liveThrough({ batches, crashes }: Scenario): Promise<Map<number, unknown>> {
  const seen = new Map<number, unknown>()
  const plans: (Crash | undefined)[] = [...crashes, undefined]
  let batch = 0
  for (const plan of plans) {
    const crashing = new Crashing(plan)
    const last = plan === undefined
    const life = await run({ blobs: crashing.blobs(blobs), store: crashing.store(store) }).catch(() => undefined)
    if (life === undefined) continue
    while (!crashing.dead && (batch < batches.length || last)) {
      const records = batches[batch]
      if (records !== undefined) await log.append(records)
      batch += 1
      const want = await ends()
      await life.project.waitFor(want, 20_000)
      const reached = await Promise.race([life.archive.reach(want, 20_000), untilDead(crashing)])
      if (reached !== undefined && reached !== 'dead') {
        const tables = await expectWhole(reached.snapshot_id)
        if (seen.has(reached.snapshot_id)) expect(tables).toEqual(seen.get(reached.snapshot_id))
        seen.set(reached.snapshot_id, tables)
      }
      if (batch >= batches.length && !crashing.dead) break
    }
    await life.stop()
  }
  return seen
}

async function untilDead(crashing: Crashing): Promise<'dead'> {
  while (!crashing.dead) await new Promise((resolve) => setTimeout(resolve, 2))
  return 'dead'
}

const catalog = async () => ({
  snapshots: await store.db.selectFrom('snapshots').selectAll().orderBy('snapshot_id').execute(),
  files: await store.db.selectFrom('data_files').selectAll().orderBy('path').execute(),
  cursor: await store.db.selectFrom('cursors').select(['partition', 'next_offset']).where('projection', '=', 'archive').orderBy('partition').execute(),
})

test('dying before or after any call, and losing the store, leaves every record and every fact in the lake exactly once', async () => {
  await fc.assert(
    fc.asyncProperty(scenario, async (given) => {
      await freshWorld()
      const seen = await liveThrough(given)
      const newest = await newestSnapshot(store.db)
      const tables = await expectWhole(newest?.snapshot_id ?? 0)
      const total = [...(await ends()).values()].reduce((sum, end) => sum + end, 0)
      expect(tables['events']?.n).toBe(total)
      for (const [table, count] of Object.entries(await storeCounts())) expect({ table, n: tables[table]?.n }).toEqual({ table, n: count })
      for (const [snapshotId, before] of seen) expect(await wholeLake(snapshotId)).toEqual(before)

      const before = await catalog()
      await emptyStore(store)
      const life = await run()
      try {
        expect(await catalog()).toEqual(before)
        expect(life.archive.newest?.snapshot_id).toBe(newest?.snapshot_id)
        // Folding everything again brings nothing new; what comes then is cut from where the lake ends.
        await life.project.waitFor(await ends(), 20_000)
        await append(step('afterwards'))
        const next = await life.archive.reach(await ends(), 20_000)
        expect(next?.snapshot_id).toBe((newest?.snapshot_id ?? 0) + 1)
        expect((await expectWhole(next?.snapshot_id ?? 0))['events']?.n).toBe(total + 1)
      } finally {
        await life.stop()
      }
    }),
    { numRuns: 6 },
  )
}, 240_000)
