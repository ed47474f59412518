import { expect, it } from 'vitest'
import type { QueryDeps } from '#services/query/deps.ts'
import { eventsAt } from '#services/query/rows/records.ts'

const record = (offset: number) => ({
  partition: 0,
  offset,
  appendedAtMs: 0,
  headers: {},
  value: Buffer.from(
    JSON.stringify({ specversion: '1.0', id: '1', source: '/t', type: 'run.finished', data: { run_id: `r${offset}` } }),
  ),
})

/** A log that holds records from 2 on, and a lake that holds those from 1 on. */
const deps = {
  log: { readOne: (_: number, offset: number) => Promise.resolve(offset < 2 ? undefined : record(offset)) },
  lakeRecords: (places: readonly { offset: number }[]) =>
    Promise.resolve(places.flatMap(({ offset }) => (offset < 1 ? [] : [record(offset)]))),
} as unknown as QueryDeps
const at = (...offsets: number[]) => offsets.map((offset) => ({ partition: 0, offset }))

it('gives events in the order of their places, from the lake where the log let go of them', async () => {
  const events = await eventsAt(deps, at(3, 1, 2))
  expect(events.map(({ data }) => data['run_id'])).toEqual(['r3', 'r1', 'r2'])
})

it('says which event is nowhere, and leaves none out in silence', async () => {
  await expect(eventsAt(deps, at(1, 0))).rejects.toThrow('neither log nor lake holds the record 0 of partition 0')
})
