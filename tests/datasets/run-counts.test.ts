/** The counts of one run where the lake has files of others: what is not read must be counted right all the same. */
import type { Hono } from 'hono'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { PUBLIC_URL, served } from './served.ts'
import { smallLake, trajectory, type SmallLake } from './small-lake.ts'

let lake: SmallLake
let app: Hono
let offset = 0

const event = (run: string, id: string, type: string) => ({
  partition: 0,
  offset: offset++,
  verdict: 'accepted',
  type,
  run_id: run,
  trajectory_id: id,
  headers: '{}',
  raw: JSON.stringify({ data: { item_id: 'i1', policy_version: 0 } }),
})

beforeAll(async () => {
  lake = await smallLake()
  // A file with run a alone.
  await lake.add({
    trajectories: [
      trajectory({ trajectory_id: 'a/0', run_id: 'a' }),
      trajectory({ trajectory_id: 'a/1', run_id: 'a' }),
    ],
    events: [event('a', 'a/0', 'trajectory.started'), event('a', 'a/1', 'trajectory.started')],
  })
  // A file with other runs alone, whose events lie in one file with those of run a.
  await lake.add({
    trajectories: [
      trajectory({ trajectory_id: 'b/0', run_id: 'b' }),
      trajectory({ trajectory_id: 'b/1', run_id: 'b' }),
      trajectory({ trajectory_id: 'c/0', run_id: 'c' }),
    ],
    events: [
      event('b', 'b/0', 'trajectory.started'),
      event('b', 'b/1', 'trajectory.started'),
      event('c', 'c/0', 'trajectory.started'),
      event('a', 'a/open', 'trajectory.started'),
      event('b', 'b/open', 'trajectory.started'),
    ],
  })
  app = served(lake)
})

afterAll(async () => {
  await lake.close()
})

async function counts(query: string): Promise<unknown> {
  const answer = await app.request(`${PUBLIC_URL}/v1/datasets/trajectories.parquet?${query}&explain=counts`)
  return ((await answer.json()) as { counts: unknown }).counts
}

const NONE = { unfinished: 0, gap: 0, conflicted: 0, missing_image: 0 }

describe('the counts of a run', () => {
  it('have finished ones of other files once, as not of this run, and never as unfinished', async () => {
    expect(await counts('run=a')).toMatchObject({
      trajectories: 6,
      rows: 2,
      filtered: { run: 3 },
      left_out: { ...NONE, unfinished: 1 },
    })
  })

  it('are the same whichever files need not be read', async () => {
    expect(await counts('run=b')).toMatchObject({
      trajectories: 6,
      rows: 2,
      filtered: { run: 3 },
      left_out: { unfinished: 1 },
    })
    expect(await counts('run=c')).toMatchObject({ trajectories: 5, rows: 1, filtered: { run: 4 }, left_out: NONE })
    expect(await counts('run=a&run=b&run=c')).toMatchObject({
      trajectories: 7,
      rows: 5,
      filtered: {},
      left_out: { unfinished: 2 },
    })
  })

  it('of a name that no file can hold are all of other runs', async () => {
    expect(await counts('run=zzz')).toMatchObject({ trajectories: 5, rows: 0, filtered: { run: 5 }, left_out: NONE })
  })

  it('agree with those of the dataset that is built', async () => {
    const answer = await app.request(`${PUBLIC_URL}/v1/datasets/trajectories.parquet/pin?run=a`)
    const pin = (await answer.json()) as { rows: number; manifest: string }
    const manifest = (await (await app.request(pin.manifest)).json()) as { counts: unknown }
    expect([pin.rows, manifest.counts]).toEqual([2, await counts('run=a')])
  })
})
