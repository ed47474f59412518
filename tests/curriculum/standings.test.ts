import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { EventType } from '#schemas/events.ts'
import { select } from '#services/analytics/select.ts'
import { StandingCounts, type Standings, newestStandings } from '#services/curriculum/standings.ts'
import type { Offsets } from '#services/position.ts'
import { framesOfStore } from '#services/query/frame-call.ts'
import { type StandingsWanted, standingsAt } from '#services/query/standings-call.ts'
import { Draw } from '#tests/analytics/random-run.ts'
import { type World, queryWorld } from '#tests/query/world.ts'

type Event = readonly [EventType, Record<string, unknown>]

let world: World
beforeEach(async () => {
  world = await queryWorld()
})
afterEach(() => world.close())

const wanted: StandingsWanted = { run: 'r1', lineage: false, rewardVersion: undefined }
const noLake = (): never => {
  throw new Error('the lake was asked')
}

const plain = ({ all, shares }: Standings) => ({
  shares,
  all: all
    .map(({ item_id: id, item, policy_version: version, n, passed }) => ({ id, ...item, version, n, passed }))
    .sort((left, right) => (JSON.stringify(left) < JSON.stringify(right) ? -1 : 1)),
})

/** What a frame says of the state that the store is in now, all of it. */
async function now(query = wanted): Promise<ReturnType<typeof plain>> {
  const { frame } = await framesOfStore(world.store).read([query.run], query.lineage)
  const counts = new StandingCounts()
  counts.add(select(frame, {}, query.rewardVersion))
  return plain(counts.standings())
}

/** What the projection says is its own, and goes on. */
const cutNow = (): Offsets => new Map(world.project.offsets)

let id = 0
const then = async (cut: Offsets, query = wanted, fromLake: () => Promise<never> = noLake) =>
  plain(await standingsAt(world.store, query, { id: ++id, cut }, fromLake))

const started = (trajectory: string, item: string, version = 1): Event => [
  'trajectory.started',
  { trajectory_id: trajectory, run_id: 'r1', item_id: item, policy_version: version, train_step: version },
]
const finished = (trajectory: string, reward?: number): Event => [
  'trajectory.finished',
  {
    trajectory_id: trajectory,
    status: 'completed',
    end_reason: 'answer',
    n_steps: 0,
    ...(reward === undefined ? {} : { reward }),
  },
]
const scored = (trajectory: string, reward: number, version = 'default'): Event => [
  'trajectory.scored',
  { trajectory_id: trajectory, reward_version: version, reward },
]
const registered = (item: string): Event => [
  'item.registered',
  { item_id: item, dataset: `d${item}`, family: 'f', split: 'train', question: '?', answer: ['1'] },
]

describe('standings at a cut', () => {
  it('are what the store said when it was there, whatever came since', async () => {
    const draw = new Draw(20)
    const known: { cut: Offsets; said: unknown; second: unknown }[] = []
    const second = { ...wanted, rewardVersion: 'second' }
    await world.send(['run.started', { run_id: 'r1', kind: 'rl', correct_threshold: 1 }])
    for (let round = 0; round < 25; round++) {
      const events = Array.from({ length: 1 + draw.below(14) }, (): Event => {
        // Few trajectories, so that most are said something of once more: again, otherwise, late, or in another order.
        const number = draw.below(12 + round * 2)
        const trajectory = `t${number}`
        const isOther = draw.chance(0.1) ? 1 : 0
        return draw.one<() => Event>([
          () => started(trajectory, `i${(number + isOther) % 6}`, 1 + (number % 3)),
          () => finished(trajectory, number % 3 === 0 ? undefined : (number + isOther) % 2 === 0 ? 0 : 2),
          () => scored(trajectory, (number + isOther) % 4, number % 3 === 0 ? 'default' : 'second'),
          () => registered(`i${draw.below(6)}`),
        ])()
      })
      await world.send(...events)
      known.push({ cut: cutNow(), said: await now(), second: await now(second) })
    }
    for (const { cut, said, second: other } of known) {
      expect(await then(cut)).toEqual(said)
      expect(await then(cut, second)).toEqual(other)
    }
    const last = known.at(-1)?.said as ReturnType<typeof plain>
    expect(last.all.length).toBeGreaterThan(6)
  })

  it('do not ask the lake for a score, a conflict or a name that came since', async () => {
    await world.send(
      ['run.started', { run_id: 'r1', kind: 'rl' }],
      started('a', 'i'),
      finished('a'),
      started('b', 'i'),
      finished('b', 2),
    )
    const cut = cutNow()
    await world.send(scored('a', 2), finished('b', 0), registered('i'))
    expect(await then(cut)).toEqual({
      all: [{ id: 'i', dataset: null, family: null, split: null, version: 1, n: 1, passed: 1 }],
      shares: [1],
    })
    expect((await now()).all).toMatchObject([{ dataset: 'di', n: 1, passed: 1 }])
  })

  it('ask the lake where the run was started since: its threshold may be another', async () => {
    await world.send(started('a', 'i'), finished('a', 1))
    const cut = cutNow()
    await world.send(['run.started', { run_id: 'r1', kind: 'rl', correct_threshold: 2 }])
    await expect(then(cut)).rejects.toThrow('the lake was asked')
    expect((await now()).all).toMatchObject([{ n: 1, passed: 0 }])
  })

  it('ask the lake where the store does not hold the cut', async () => {
    await world.send(['run.started', { run_id: 'r1', kind: 'rl' }], started('a', 'i'), finished('a', 1))
    const ahead = new Map([...world.project.offsets].map(([partition, offset]) => [partition, offset + 5]))
    await expect(then(ahead)).rejects.toThrow('the lake was asked')
  })

  it('are made once for a snapshot, and a failure is not kept', async () => {
    await world.send(['run.started', { run_id: 'r1', kind: 'rl' }], started('a', 'i'), finished('a', 2))
    const state = { id: ++id, cut: cutNow() }
    const [one, other] = await Promise.all([
      standingsAt(world.store, wanted, state, noLake),
      standingsAt(world.store, wanted, state, noLake),
    ])
    expect(other).toBe(one)
    const late = { id: ++id, cut: new Map([[0, 99]]) }
    let asked = 0
    const failing = (): never => {
      asked += 1
      throw new Error('the lake was asked')
    }
    await expect(standingsAt(world.store, wanted, late, failing)).rejects.toThrow('the lake was asked')
    await expect(standingsAt(world.store, wanted, late, failing)).rejects.toThrow('the lake was asked')
    expect(asked).toBe(2)
  })
})

describe('the newest standings', () => {
  it('are those by the newest version of each item, of items and versions that fit', async () => {
    await world.send(
      ['run.started', { run_id: 'r1', kind: 'rl' }],
      registered('a'),
      ...(['a', 'b'] as const).flatMap((item) =>
        [1, 2].flatMap((version) => [
          started(`${item}${version}`, item, version),
          finished(`${item}${version}`, version),
        ]),
      ),
    )
    const all = await standingsAt(world.store, wanted, { id: ++id, cut: cutNow() }, noLake)
    const of = (filter: Parameters<typeof newestStandings>[1]) =>
      [...newestStandings(all, filter).values()].map(({ item_id: item, policy_version: version }) => [item, version])
    expect(Object.fromEntries(of({}))).toEqual({ a: 2, b: 2 })
    expect(of({ policy_version: 1, dataset: ['da'] })).toEqual([['a', 1]])
    expect(of({ split: ['other'] })).toEqual([])
  })
})
