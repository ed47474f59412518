import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { LAKE_TABLE_NAMES, LAKE_TABLES, type LakeTableName } from '#schemas/lake.ts'
import { mergeAll } from '#services/compact/merge.ts'
import { SIZES } from '#services/compact/plan.ts'
import { type DeltaOptions, publishDelta } from '#services/delta/publisher.ts'
import { deltaType, schemaString } from '#services/delta/schema.ts'
import { filesAt } from '#services/lake/catalog.ts'
import { deltaThrough } from '#services/lake/delta-progress.ts'
import { silent } from '#services/logger.ts'
import { emptyStore } from '#services/project/doubt.ts'
import { ArchiveWorld, type Running } from '#tests/support/archive-world.ts'
import { Crashing } from '#tests/support/crashes.ts'
import { recordOf, type SentEvent } from '#tests/support/histories.ts'

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
const options = (more: Partial<DeltaOptions> = {}): DeltaOptions => ({
  store: world.store,
  blobs: world.blobs,
  lake: world.lake,
  logger: silent,
  ...more,
})

const step = (id: string): SentEvent => ({
  type: 'step.recorded',
  data: { trajectory_id: id, step_index: 0, run_id: 'r', action_kind: 'answer' },
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

async function cut(...events: SentEvent[]): Promise<void> {
  await world.log.append(events.map((event) => recordOf(event)))
  await running?.archive.reach(await world.ends(), 20_000)
}

interface Action {
  readonly add?: { readonly path: string; readonly dataChange: boolean; readonly size: number; readonly stats: string }
  readonly remove?: { readonly path: string; readonly dataChange: boolean }
  readonly txn?: { readonly version: number }
  readonly metaData?: { readonly schemaString: string }
  readonly protocol?: object
}

async function commits(table: LakeTableName): Promise<Action[][]> {
  const found: Action[][] = []
  for (;;) {
    const key = `lake/${table}/_delta_log/${String(found.length).padStart(20, '0')}.json`
    const bytes = await world.blobs.get(key)
    if (bytes === undefined) return found
    found.push(
      Buffer.from(bytes)
        .toString()
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Action),
    )
  }
}

/** That each version of each log has the files of its snapshot, and that no snapshot which changed a table is left out. */
async function expectTrue(): Promise<void> {
  const snapshots = await world.store.db.selectFrom('snapshots').selectAll().orderBy('snapshot_id').execute()
  const newest = snapshots.at(-1)?.snapshot_id ?? 0
  for (const table of LAKE_TABLE_NAMES) {
    const live = new Set<string>()
    const versions: number[] = []
    for (const [version, actions] of (await commits(table)).entries()) {
      expect(actions.some(({ metaData }) => metaData !== undefined)).toBe(version === 0)
      const snapshotId = actions.find(({ txn }) => txn !== undefined)?.txn?.version ?? 0
      for (const { remove } of actions) if (remove !== undefined) expect(live.delete(remove.path)).toBe(true)
      for (const { add } of actions) if (add !== undefined) live.add(add.path)
      const files = await filesAt(world.store.db, table, snapshotId)
      expect([...live].sort()).toEqual(files.map(({ path }) => path.slice(`lake/${table}/`.length)).sort())
      versions.push(snapshotId)
    }
    const rows = await world.store.db.selectFrom('data_files').selectAll().where('table_name', '=', table).execute()
    const changed = new Set(rows.flatMap((row) => [row.begin_snapshot, row.end_snapshot ?? 0]).filter((id) => id > 1))
    expect(versions).toEqual([1, ...[...changed].sort((left, right) => left - right)])
  }
  expect(await deltaThrough(world.store.db)).toBe(newest)
}

test('every version has the files of its snapshot; rewrites change rows, merges do not', async () => {
  running = await world.run()
  await cut(step('a'), finish('a'))
  await publishDelta(options(), signal)
  await cut(step('b'), finish('b'))
  await cut(note('a', 'one'))
  await mergeAll({ ...options(), clock: () => Date.now() }, SIZES, signal, { everything: true })
  await publishDelta(options(), signal)
  await expectTrue()
  const [, , rewritten, merged] = await commits('trajectories')
  expect(rewritten?.flatMap(({ remove }) => remove ?? []).map(({ dataChange }) => dataChange)).toEqual([true])
  expect(
    merged
      ?.flatMap(({ add, remove }) => [...(add === undefined ? [] : [add]), ...(remove === undefined ? [] : [remove])])
      .map(({ dataChange }) => dataChange),
  ).toEqual([false, false, false])
  const stats = JSON.parse(merged?.find(({ add }) => add !== undefined)?.add?.stats ?? '') as Record<string, unknown>
  expect(stats).toMatchObject({ numRecords: 2, minValues: { trajectory_id: 'a' }, maxValues: { trajectory_id: 'b' } })
})

test('publishers that die at any call, lose the store or publish at once leave each version once and right', async () => {
  const crash = fc.record({ call: fc.nat({ max: 40 }), after: fc.boolean() })
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(crash, { maxLength: 3 }), { minLength: 3, maxLength: 5 }), async (lives) => {
      await world.clear()
      running = await world.run()
      for (const [index, crashes] of lives.entries()) {
        await cut(step(`t${index}`), finish(`t${index}`), ...(index > 1 ? [note('t0', `n${index}`)] : []))
        if (index === 2) await mergeAll({ ...options(), clock: () => Date.now() }, SIZES, signal, { everything: true })
        await Promise.allSettled(
          crashes.map((plan) => {
            const crashing = new Crashing(plan)
            return publishDelta(options({ blobs: crashing.blobs(world.blobs), checkpointEvery: 2 }), signal)
          }),
        )
      }
      await running.stop()
      await emptyStore(world.store)
      running = await world.run()
      await publishDelta(options({ checkpointEvery: 2 }), signal)
      await expectTrue()
      await running.stop()
    }),
    { numRuns: 6 },
  )
}, 120_000)

test('a checkpoint holds the files of its version, and old commits go', async () => {
  running = await world.run()
  for (let index = 0; index < 7; index++) await cut(step(`t${index}`))
  await publishDelta(options({ checkpointEvery: 2, versionsKept: 2 }), signal)
  const last = JSON.parse(
    Buffer.from((await world.blobs.get('lake/steps/_delta_log/_last_checkpoint')) ?? []).toString(),
  ) as { version: number }
  expect(last.version).toBe(6)
  const path = await world.blobs.localPath('lake/steps/_delta_log/00000000000000000006.checkpoint.parquet')
  const { rows } = await world.lake.run('rows', {
    sql: `select add.path as path, protocol.minReaderVersion as reader, metaData.schemaString as schema from read_parquet('${path}') order by add.path`,
    rowsMax: 99,
  })
  const files = await filesAt(world.store.db, 'steps', 7)
  expect(rows.flatMap((row) => (row['path'] === null ? [] : [row['path']]))).toEqual(
    files.map((file) => file.path.slice('lake/steps/'.length)),
  )
  expect(rows.filter((row) => row['reader'] === 1)).toHaveLength(1)
  expect(rows.find((row) => row['schema'] !== null)?.['schema']).toBe(schemaString('steps'))
  expect(await world.blobs.head('lake/steps/_delta_log/00000000000000000003.json')).toBeUndefined()
  expect(await world.blobs.head('lake/steps/_delta_log/00000000000000000004.json')).toBeDefined()
  await cut(step('later'))
  await publishDelta(options({ checkpointEvery: 2, versionsKept: 2 }), signal)
  expect(await world.blobs.head('lake/steps/_delta_log/00000000000000000007.json')).toBeDefined()
})

test('a log that another engine wrote to is refused, not overwritten', async () => {
  running = await world.run()
  await cut(step('a'))
  await publishDelta(options(), signal)
  const key = 'lake/steps/_delta_log/00000000000000000001.json'
  const theirs = Buffer.from('{"commitInfo":{"engineInfo":"other"}}\n')
  await world.blobs.put(key, theirs)
  await cut(step('b'))
  await expect(publishDelta(options(), signal)).rejects.toMatchObject({ code: 'corrupt' })
  expect(Buffer.from((await world.blobs.get(key)) ?? [])).toEqual(theirs)
})

test('every type of every table has a name in Delta', () => {
  for (const table of LAKE_TABLE_NAMES)
    expect((JSON.parse(schemaString(table)) as { fields: { name: string }[] }).fields.map(({ name }) => name)).toEqual(
      Object.keys(LAKE_TABLES[table].columns),
    )
  expect(deltaType('STRUCT(a VARCHAR, b STRUCT(c BIGINT[], d DATE)[])')).toMatchObject({
    fields: [
      { name: 'a', type: 'string' },
      {
        name: 'b',
        type: {
          type: 'array',
          elementType: {
            fields: [
              { name: 'c', type: { elementType: 'long' } },
              { name: 'd', type: 'date' },
            ],
          },
        },
      },
    ],
  })
  expect(() => deltaType('HUGEINT')).toThrow('HUGEINT')
})
