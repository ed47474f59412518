/** `items` is limited and divided by whole items, of the rollouts that were selected and of no others. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Hono } from 'hono'
import { PUBLIC_URL, served } from './served.ts'
import { smallLake, trajectory, type SmallLake } from './small-lake.ts'

let lake: SmallLake
let app: Hono

/** Items i0 to i4 with four rollouts each, two of them right and of policy version 1; and two rollouts without an item. */
const ROLLOUTS = Array.from({ length: 22 }, (_, n) =>
  trajectory({
    trajectory_id: `a${String(n).padStart(2, '0')}`,
    item_id: n < 20 ? `i${n % 5}` : null,
    policy_version: n < 10 ? 0 : 1,
  }),
)

beforeAll(async () => {
  lake = await smallLake()
  await lake.add({
    trajectories: ROLLOUTS,
    items: [0, 1, 2, 3, 4].map((n) => ({ item_id: `i${n}`, family: n < 2 ? 'chart' : 'map', question: `q${n}` })),
    scores: ROLLOUTS.map((row, n) => ({
      trajectory_id: String(row['trajectory_id']),
      offset: n,
      reward: n < 10 ? 0 : 1,
    })),
  })
  app = served(lake)
})

afterAll(() => lake.close())

/** (item, rollouts, right ones) of each row. */
async function rows(query: string): Promise<[string, number, number][]> {
  const answer = await app.request(`${PUBLIC_URL}/v1/datasets/items.jsonl?${query}`)
  const lines = (await answer.text()).split('\n').slice(0, -1)
  return lines.map((line) => {
    const row = JSON.parse(line) as { item_id: string; n_rollouts: number; n_pass: number }
    return [row.item_id, row.n_rollouts, row.n_pass]
  })
}

describe('items', () => {
  it('are limited by whole items, and what has none takes no place', async () => {
    expect(await rows('limit=2')).toEqual([
      ['i0', 4, 2],
      ['i1', 4, 2],
    ])
    for (const seed of [1, 2, 3, 4, 5]) {
      const drawn = await rows(`limit=4&seed=${seed}`)
      expect([drawn.length, drawn.every(([, rollouts]) => rollouts === 4)]).toEqual([4, true])
    }
  })

  it('are limited after the filters: of the rollouts that fit alone', async () => {
    expect(await rows('limit=2&family=map&policy_version=1')).toEqual([
      ['i2', 2, 2],
      ['i3', 2, 2],
    ])
  })

  it('are divided into shards that are disjoint, whole and together everything, with a limit, too', async () => {
    for (const query of ['', 'policy_version=0&', 'limit=3&seed=7&']) {
      const parts = await Promise.all([0, 1, 2].map((index) => rows(`${query}shard=${index}/3`)))
      const byItem = (some: [string, number, number][]) => some.toSorted(([left], [right]) => left.localeCompare(right))
      expect([query, byItem(parts.flat())]).toEqual([query, byItem(await rows(query))])
    }
  })
})
