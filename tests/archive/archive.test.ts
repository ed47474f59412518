import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { startArchive } from '#services/archive/archive.ts'
import type { Blobs } from '#services/blobs/blobs.ts'
import { filesAt, newestRecord, newestSnapshot, snapshotById } from '#services/lake/catalog.ts'
import { sqlText } from '#services/lake/engine.ts'
import { lakeRecords, lakeRecordsFrom } from '#services/lake/history.ts'
import { silent } from '#services/logger.ts'
import { ArchiveWorld, type Running } from '#tests/support/archive-world.ts'
import { recordOf, type SentEvent } from '#tests/support/histories.ts'
import { expectWhole } from './whole.ts'
import { Crashing } from '#tests/support/crashes.ts'

let world: ArchiveWorld
beforeAll(async () => {
  world = await ArchiveWorld.open()
})
afterAll(async () => {
  await world.close()
})

const finish = (id: string): SentEvent => ({
  type: 'trajectory.finished',
  data: {
    trajectory_id: id,
    status: 'completed',
    end_reason: 'answer',
    n_steps: 1,
    reward: 1,
    prediction_raw: `answer of ${id}`,
  },
  time: '2026-01-01T00:00:02Z',
})
const start = (id: string): SentEvent => ({
  type: 'trajectory.started',
  data: {
    trajectory_id: id,
    run_id: 'r',
    item_id: 'i',
    policy_version: 1,
    prompt: [{ role: 'user', content: `prompt of ${id}` }],
  },
  time: '2026-01-01T00:00:00Z',
})
const step = (id: string, index = 0): SentEvent => ({
  type: 'step.recorded',
  data: {
    trajectory_id: id,
    step_index: index,
    run_id: 'r',
    action_kind: 'answer',
    raw_output: `step ${index} of ${id}`,
  },
  time: '2026-01-01T00:00:01Z',
})
const note = (id: string, name: string): SentEvent => ({
  type: 'trajectory.annotated',
  data: { trajectory_id: id, annotation_id: name, codes: ['E1'] },
  time: '2026-01-01T00:00:03Z',
})
const append = (...events: SentEvent[]) => world.log.append(events.map((event) => recordOf(event)))

describe('archive', () => {
  let running: Running | undefined
  beforeEach(() => world.clear())
  afterEach(async () => {
    await running?.stop()
    running = undefined
  })

  test('of an empty log has nothing to wait for, and the first event is waited for all the same', async () => {
    running = await world.run()
    expect(await running.archive.reach(await world.ends(), 3_600_000)).toBeUndefined()
    await append(start('a'))
    expect(await running.archive.reach(new Map(), 20_000)).toMatchObject({ snapshot_id: 1 })
  })

  test('brings everything below the position asked for into a published snapshot', async () => {
    running = await world.run()
    expect(running.archive.newest).toBeUndefined()
    await append(start('a'), step('a'), finish('a'))
    const snapshot = await running.archive.reach(await world.ends(), 20_000)
    expect(snapshot).toMatchObject({ snapshot_id: 1 })
    expect(running.archive.newest).toEqual(snapshot)
    expect(await newestSnapshot(world.store.db)).toMatchObject({
      snapshot_id: 1,
      published: true,
      log_id: 'memory-log',
    })
    const tables = await expectWhole(world, 1)
    expect(Object.fromEntries(Object.entries(tables).map(([table, { n }]) => [table, n]))).toMatchObject({
      events: 3,
      steps: 1,
      trajectories: 1,
      scores: 1,
    })
    const record = await newestRecord(world.blobs)
    expect(record?.files.map(({ path }) => path).sort()).toEqual(
      (await world.store.db.selectFrom('data_files').select('path').orderBy('path').execute())
        .map(({ path }) => path)
        .sort(),
    )
  })

  test('answers from the newest snapshot when that suffices, and gives up after the time', async () => {
    running = await world.run()
    await append(step('a'))
    const want = await world.ends()
    const first = await running.archive.reach(want, 20_000)
    expect(await running.archive.reach(want, 0)).toEqual(first)
    expect(await running.archive.reach(new Map([[0, 1_000_000]]), 30)).toBeUndefined()
    const abort = new AbortController()
    const waiting = running.archive.reach(new Map([[0, 1_000_000]]), 60_000, abort.signal)
    abort.abort()
    expect(await waiting).toBeUndefined()
  })

  test('writes the file of a trajectory again when it changes after its finish, and old snapshots stay', async () => {
    running = await world.run()
    await append(start('a'), step('a'), finish('a'), start('b'), step('b'), finish('b'))
    await running.archive.reach(await world.ends(), 20_000)
    const before = await world.lakeAt(1)
    await append(note('a', 'n1'), start('c'), finish('c'))
    await running.archive.reach(await world.ends(), 20_000)
    const files = await filesAt(world.store.db, 'trajectories', 2)
    const paths = await Promise.all(files.map(({ path }) => world.blobs.localPath(path)))
    const { rows } = await world.lake.run('rows', {
      sql: `select trajectory_id, n_annotations, prompt[1].content as prompt, prediction_raw from read_parquet([${paths.map(sqlText).join(', ')}]) order by 1`,
      rowsMax: 9,
    })
    expect(rows).toEqual([
      { trajectory_id: 'a', n_annotations: 1, prompt: 'prompt of a', prediction_raw: 'answer of a' },
      { trajectory_id: 'b', n_annotations: 0, prompt: 'prompt of b', prediction_raw: 'answer of b' },
      { trajectory_id: 'c', n_annotations: 0, prompt: 'prompt of c', prediction_raw: 'answer of c' },
    ])
    expect(await world.lakeAt(1)).toEqual(before)
    const rewritten = await world.store.db.selectFrom('data_files').selectAll().where('end_snapshot', '=', 2).execute()
    expect(rewritten.map((file) => file.table_name)).toEqual(['trajectories'])
    expect(
      files.filter((file) => file.from_offsets === rewritten[0]?.from_offsets).map((file) => file.begin_snapshot),
    ).toEqual([2])
  })

  test('takes the bodies of an old trajectory from the lake when the log no longer holds them', async () => {
    running = await world.run()
    await append(start('a'), step('a'), finish('a'))
    const bounds = await world.ends()
    await running.archive.reach(bounds, 20_000)
    const whole = { ...world.log }
    world.log.readOne = async (partition, offset) =>
      offset < (bounds.get(partition) ?? 0) ? undefined : whole.readOne(partition, offset)
    await append(note('a', 'late'))
    const snapshot = await running.archive.reach(await world.ends(), 20_000)
    const [file] = await filesAt(world.store.db, 'trajectories', snapshot?.snapshot_id ?? 0)
    const { rows } = await world.lake.run('rows', {
      sql: `select n_annotations, prompt[1].content as prompt from read_parquet(${sqlText(await world.blobs.localPath(file?.path ?? ''))})`,
      rowsMax: 2,
    })
    expect(rows).toEqual([{ n_annotations: 1, prompt: 'prompt of a' }])
  })

  test('cuts when enough bytes are new, and holds project back when it is too far ahead', async () => {
    running = await world.run({ cutBytes: 2000 })
    for (let index = 0; index < 40; index++) await append(step(`t${index % 5}`, index))
    const want = await world.ends()
    expect(await running.project.waitFor(want, 20_000)).toBe(true)
    await running.archive.reach(want, 20_000)
    expect((await expectWhole(world, running.archive.newest?.snapshot_id ?? 0))['steps']?.n).toBe(40)
    let open = false
    let gate: (() => Promise<void>) | undefined
    const stuck = await startArchive({
      log: world.log,
      logPlace: { kind: 'lmdb', folder: '' },
      store: world.store,
      blobs: world.blobs,
      lake: world.lake,
      logger: silent,
      clock: () => 0,
      cutBytes: 1000,
      cutEveryMs: 1e9,
      project: {
        offsets: want,
        onCommit: (listener) => {
          listener(want, 5000)
          return () => undefined
        },
        setGate: (given) => {
          gate = given ?? gate
        },
      },
    })
    void gate?.().then(() => {
      open = true
    })
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(open).toBe(false)
    await stuck.stop()
    await new Promise((resolve) => setTimeout(resolve, 0))
    expect(open).toBe(true)
  })

  test('gives records back from the lake by place, and in order from an offset on', async () => {
    running = await world.run()
    const events = [start('a'), step('a'), step('a', 1), finish('a')]
    await append(...events)
    await running.archive.reach(await world.ends(), 20_000)
    await append(note('a', 'x'))
    await running.archive.reach(await world.ends(), 20_000)
    const reader = { db: world.store.db, blobs: world.blobs, lake: world.lake }
    const partition = world.log.partitionOf('a')
    const [kept] = await lakeRecords(reader, [
      { partition, offset: 2 },
      { partition, offset: 99 },
    ])
    expect(kept).toMatchObject({ partition, offset: 2, appendedAtMs: Date.UTC(2026, 0, 1) })
    expect(Buffer.from(kept?.value ?? []).equals(Buffer.from(recordOf(step('a', 1)).value))).toBe(true)
    const first = await lakeRecordsFrom(reader, partition, 1, { recordsMax: 2 })
    expect(first.map(({ offset }) => offset)).toEqual([1, 2])
    expect(
      (await lakeRecordsFrom(reader, partition, 4, { recordsMax: 9 })).map(({ offset, key }) => [offset, key]),
    ).toEqual([[4, 'a']])
    expect(await lakeRecordsFrom(reader, partition, 5, { recordsMax: 9 })).toEqual([])
  })

  test('names no snapshot before its record is in blobs', async () => {
    const crashing = new Crashing(undefined)
    const failing: Blobs = {
      ...crashing.blobs(world.blobs),
      put: (key, body, options) =>
        key.startsWith('catalog/') ? Promise.reject(new Error('no')) : world.blobs.put(key, body, options),
    }
    running = await world.run({ blobs: failing })
    await append(step('a'))
    expect(await running.archive.reach(await world.ends(), 1_000)).toBeUndefined()
    expect(running.archive.newest).toBeUndefined()
    expect(await newestSnapshot(world.store.db)).toBeUndefined()
    expect(await snapshotById(world.store.db, 1)).toBeUndefined()
    await running.stop()
    running = await world.run()
    expect(running.archive.newest).toMatchObject({ snapshot_id: 1 })
  })
})
