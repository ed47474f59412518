import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { LakeTableName } from '#schemas/lake.ts'
import { newestSnapshot } from '#services/lake/catalog.ts'
import type { NewRecord } from '#services/log/log.ts'
import { emptyStore } from '#services/project/doubt.ts'
import { ArchiveWorld } from '#tests/support/archive-world.ts'
import { expectWhole } from '#tests/archive/whole.ts'
import { Crashing, type Crash } from '#tests/support/crashes.ts'
import { garbage, history, recordOf, type SentEvent } from '#tests/support/histories.ts'

let world: ArchiveWorld
beforeAll(async () => {
  world = await ArchiveWorld.open()
})
afterAll(async () => {
  await world.close()
})

const AFTERWARDS: SentEvent = {
  type: 'step.recorded',
  data: { trajectory_id: 'afterwards', step_index: 0, run_id: 'r', action_kind: 'answer' },
  time: '2026-01-01T00:00:01Z',
}

/** Comes last and changes rows that the lake has already, so that files are written again. */
const LATE: readonly NewRecord[] = ['run-a', 'run-b'].flatMap((run) =>
  Array.from({ length: 6 }, (_, index) =>
    recordOf({
      type: 'trajectory.annotated',
      data: { trajectory_id: `${run}/${index}`, annotation_id: 'late', codes: [] },
      time: '2026-01-01T01:00:00Z',
    }),
  ),
)

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
    const all = [
      ...records,
      ...again.map((index) => recordOf(events[index % events.length] as SentEvent, 1)),
      ...rubbish,
    ]
    const bounds = [
      0,
      ...places.map((place) => Math.floor(place * all.length)).sort((left, right) => left - right),
      all.length,
    ]
    return {
      batches: [...bounds.slice(1).map((bound, index) => all.slice(bounds[index], bound)), LATE].filter(
        (batch) => batch.length > 0,
      ),
      crashes,
    }
  })

/** Lives one life after another, each with its crash, until everything is in the lake. Returns what each snapshot held when it was seen first. */
async function liveThrough({ batches, crashes }: Scenario): Promise<Map<number, unknown>> {
  const seen = new Map<number, unknown>()
  const plans: (Crash | undefined)[] = [...crashes, undefined]
  let batch = 0
  for (const plan of plans) {
    const crashing = new Crashing(plan)
    const last = plan === undefined
    const life = await world
      .run({ blobs: crashing.blobs(world.blobs), store: crashing.store(world.store) })
      .catch(() => undefined)
    if (life === undefined) continue
    while (!crashing.dead && (batch < batches.length || last)) {
      const records = batches[batch]
      if (records !== undefined) await world.log.append(records)
      batch += 1
      const want = await world.ends()
      await life.project.waitFor(want, 20_000)
      const reached = await Promise.race([life.archive.reach(want, 20_000), untilDead(crashing)])
      if (reached !== undefined && reached !== 'dead') {
        const tables = await expectWhole(world, reached.snapshot_id)
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

test('dying before or after any call, and losing the store, leaves every record and every fact in the lake exactly once', async () => {
  await fc.assert(
    fc.asyncProperty(scenario, async (given) => {
      await world.clear()
      const seen = await liveThrough(given)
      const newest = await newestSnapshot(world.store.db)
      const tables = await expectWhole(world, newest?.snapshot_id ?? 0)
      const total = [...(await world.ends()).values()].reduce((sum, end) => sum + end, 0)
      expect(tables['events']?.n).toBe(total)
      for (const [table, count] of Object.entries(await world.storeCounts()))
        expect({ table, n: tables[table as LakeTableName].n }).toEqual({ table, n: count })
      for (const [snapshotId, before] of seen) expect(await world.lakeAt(snapshotId)).toEqual(before)

      const before = await world.catalog()
      await emptyStore(world.store)
      const life = await world.run()
      try {
        expect(await world.catalog()).toEqual(before)
        expect(life.archive.newest?.snapshot_id).toBe(newest?.snapshot_id)
        // Folding everything again brings nothing new; what comes then is cut from where the lake ends.
        await life.project.waitFor(await world.ends(), 20_000)
        await world.log.append([recordOf(AFTERWARDS)])
        const next = await life.archive.reach(await world.ends(), 20_000)
        expect(next?.snapshot_id).toBe((newest?.snapshot_id ?? 0) + 1)
        expect((await expectWhole(world, next?.snapshot_id ?? 0))['events']?.n).toBe(total + 1)
      } finally {
        await life.stop()
      }
    }),
    { numRuns: 6 },
  )
}, 240_000)
