/** A Delta log read as others read it says what the catalog says, from its first version and from a checkpoint, and a wrong one does not. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { LAKE_TABLE_NAMES, type LakeTableName } from '#schemas/lake.ts'
import { mergeAll } from '#services/compact/merge.ts'
import { SIZES } from '#services/compact/plan.ts'
import { deltaStateAt } from '#services/delta/fold.ts'
import { publishDelta } from '#services/delta/publisher.ts'
import { filesAt } from '#services/lake/catalog.ts'
import { deltaThrough } from '#services/lake/delta-progress.ts'
import { silent } from '#services/logger.ts'
import { compareDelta } from '#services/verify/lake-objects.ts'
import { Differences } from '#services/verify/report.ts'
import { ArchiveWorld, type Running } from '#tests/support/archive-world.ts'
import { recordOf } from '#tests/support/histories.ts'

let world: ArchiveWorld
let running: Running | undefined
beforeAll(async () => {
  world = await ArchiveWorld.open()
})
afterAll(() => world.close())
beforeEach(() => world.clear())
afterEach(async () => {
  await running?.stop()
  running = undefined
})

const { signal } = new AbortController()

/** Snapshots, each with a step more, and then everything in few files. */
async function published(checkpointEvery: number, snapshots = 5): Promise<number> {
  running = await world.run()
  for (let index = 0; index < snapshots; index++) {
    const data = { trajectory_id: `t${index}`, step_index: 0, run_id: 'r', action_kind: 'answer' }
    await world.log.append([recordOf({ type: 'step.recorded', data, time: '2026-01-01T00:00:01Z' })])
    await running.archive.reach(await world.ends(), 20_000)
  }
  const { store, blobs, lake } = world
  await mergeAll({ store, blobs, lake, logger: silent, clock: () => Date.now() }, SIZES, signal, { everything: true })
  await publishDelta({ store, blobs, lake, logger: silent, checkpointEvery }, signal)
  return deltaThrough(store.db)
}

/** What verify says of all logs at a snapshot. */
async function said(snapshotId: number): Promise<string[]> {
  const differences = new Differences()
  const tables = []
  const files = []
  for (const table of LAKE_TABLE_NAMES) {
    const state = await deltaStateAt(world, table, snapshotId)
    if (state === undefined || state === 'newer') throw new Error(`${table} has no such version`)
    tables.push({ table, ...state })
    files.push(...(await filesAt(world.store.db, table, snapshotId)))
  }
  compareDelta({ snapshotId, tables, unread: [] }, files, differences)
  return differences.listed.map(({ where, what }) => `${where}: ${what}`)
}

const commit = (table: LakeTableName, version: number): string =>
  `lake/${table}/_delta_log/${String(version).padStart(20, '0')}.json`

test('agrees with the catalog at every snapshot, from the first version on', async () => {
  const through = await published(1_000)
  for (let snapshot = 1; snapshot <= through; snapshot++) expect(await said(snapshot), `${snapshot}`).toEqual([])
})

test('agrees from a checkpoint on, and says that an older snapshot lies before it', async () => {
  const through = await published(2)
  expect(await said(through)).toEqual([])
  expect(await deltaStateAt(world, 'events', 1)).toBe('newer')
})

test('a version that is gone, and one that says something else, are found', async () => {
  const through = await published(1_000)
  const state = await deltaStateAt(world, 'steps', through)
  if (state === undefined || state === 'newer') throw new Error('no version')
  const key = commit('steps', state.version)
  const text = Buffer.from((await world.blobs.get(key)) ?? []).toString()
  await world.blobs.delete(key)
  // The merge is missing: what it replaced is still there, and what it made is not.
  expect(new Set(await said(through))).toEqual(
    new Set([
      `delta.steps: version ${state.version - 1} lacks a file of snapshot ${through}`,
      `delta.steps: version ${state.version - 1} has a file that snapshot ${through} has not`,
    ]),
  )
  await world.blobs.put(key, new TextEncoder().encode(text.replace(/"size":\d+/g, '"size":7')))
  expect(new Set(await said(through))).toEqual(new Set(['delta.steps: the log says another size than the catalog']))
  const twice = text.trim().split('\n').at(-1) ?? ''
  await world.blobs.put(key, new TextEncoder().encode(`${text}${twice}\n`))
  expect((await said(through)).join()).toContain('again')
  await world.blobs.put(key, new TextEncoder().encode('{"add":{"path":"x","size":1}}\n'))
  await expect(said(through)).rejects.toMatchObject({ code: 'corrupt' })
})
