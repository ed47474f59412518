import { beforeAll, describe, expect, it } from 'vitest'
import { readEvent } from '#services/core/event-reader.ts'
import type { EventData } from '#schemas/events.ts'
import type { GymEventType } from '#services/gym/loop/event.ts'
import { demoPlay, playRun, type PlayedPart, type PlayOptions } from '#services/gym/play.ts'

async function played(options: PlayOptions): Promise<PlayedPart[]> {
  const parts: PlayedPart[] = []
  for await (const part of playRun(options)) parts.push(part)
  return parts
}

function dataOf<Type extends GymEventType>(parts: readonly PlayedPart[], type: Type): EventData<Type>[] {
  const events = parts.flatMap((part) => part.events).filter((event) => event.type === type)
  return events.map((event) => event.data as EventData<Type>)
}

describe('the demo play', () => {
  let demo: PlayedPart[]
  beforeAll(async () => {
    demo = await played(demoPlay)
  })

  it('plays 20 items by 3 versions in groups of 8', () => {
    expect(dataOf(demo, 'item.registered')).toHaveLength(20)
    expect(dataOf(demo, 'policy.published').map((data) => data.policy_version)).toEqual([0, 1, 2])
    expect(dataOf(demo, 'trajectory.started')).toHaveLength(480)
    expect(dataOf(demo, 'trajectory.finished')).toHaveLength(480)
    expect(demo.at(-1)?.about).toEqual({ phase: 'run_finished', trajectories_done: 480, trajectories_total: 480 })
  })

  it('is the same when played again, to the byte', async () => {
    const again = await played(demoPlay)
    const images = (parts: PlayedPart[]) =>
      parts.flatMap((part) => part.images.map((image) => Buffer.from(image.bytes).toString('base64')))
    expect(JSON.stringify(again.map((part) => [part.events, part.about]))).toBe(
      JSON.stringify(demo.map((part) => [part.events, part.about])),
    )
    expect(images(again)).toEqual(images(demo))
  })

  it('makes only events that ingest can read, each with its own id', () => {
    const events = demo.flatMap((part) => part.events)
    for (const event of events) {
      const read = readEvent(Buffer.from(JSON.stringify(event)))
      expect(read).not.toHaveProperty('pointer')
    }
    expect(new Set(events.map((event) => event.id)).size).toBe(events.length)
  })

  it('answers better with every version: about 0.3, 0.6 and 0.9', () => {
    const rates = [0, 1, 2].map((version) => {
      const finished = dataOf(demo, 'trajectory.finished').filter((data) =>
        data.trajectory_id.startsWith(`demo-rl/v${version}/`),
      )
      return finished.filter((data) => data.answer_match === true).length / finished.length
    })
    expect(rates).toEqual([0.30625, 0.5875, 0.89375])
  })

  it('keeps better form and makes fewer bad calls with every version', () => {
    const shares = [0, 1, 2].map((version) => {
      const of = (id: string): boolean => id.startsWith(`demo-rl/v${version}/`)
      const finished = dataOf(demo, 'trajectory.finished').filter((data) => of(data.trajectory_id))
      const steps = dataOf(demo, 'step.recorded').filter((data) => of(data.trajectory_id))
      const calls = steps.flatMap((data) => data.tool_calls ?? [])
      return {
        malformed: finished.filter((data) => data.format_ok === false).length,
        bad: calls.filter((call) => call.valid !== true).length / calls.length,
      }
    })
    expect(shares[0]?.malformed).toBeGreaterThan(shares[1]?.malformed ?? 0)
    expect(shares[1]?.malformed).toBeGreaterThan(shares[2]?.malformed ?? 0)
    expect(shares[0]?.bad).toBeGreaterThan(shares[1]?.bad ?? 0)
    expect(shares[1]?.bad).toBeGreaterThan(shares[2]?.bad ?? 0)
  })

  it('has groups with variance and groups without, all right and all wrong', () => {
    const groups = demo.flatMap((part) => (part.about.phase === 'group' ? [part.about.rollouts] : []))
    const zero = groups.filter((group) => new Set(group.map((rollout) => rollout.reward)).size === 1)
    expect(groups).toHaveLength(60)
    expect(zero.length).toBeGreaterThan(5)
    expect(zero.length).toBeLessThan(30)
    expect(groups.some((group) => group.every((rollout) => rollout.correct))).toBe(true)
    expect(groups.some((group) => group.every((rollout) => !rollout.correct))).toBe(true)
  })

  it('reaches every reward, end and kind of call that the room knows', () => {
    const finished = dataOf(demo, 'trajectory.finished')
    const calls = dataOf(demo, 'step.recorded').flatMap((data) => data.tool_calls ?? [])
    expect(new Set(finished.map((data) => data.reward))).toEqual(new Set([-3, -2, -1.5, -1, 1, 2]))
    expect(new Set(finished.map((data) => data.end_reason))).toEqual(new Set(['answer', 'max_turns', 'max_tokens']))
    expect(new Set(calls.map((call) => call.status))).toEqual(new Set(['ok', 'invalid', 'not_found']))
    expect(new Set(calls.flatMap((call) => call.error_codes ?? []))).toEqual(new Set(['E1', 'E2', 'E3', 'WRONG_TOOL']))
  })

  it('numbers steps without gaps, and says how many there were', () => {
    const indexes = new Map<string, number[]>()
    for (const step of dataOf(demo, 'step.recorded')) {
      indexes.set(step.trajectory_id, [...(indexes.get(step.trajectory_id) ?? []), step.step_index])
    }
    for (const data of dataOf(demo, 'trajectory.finished')) {
      expect(indexes.get(data.trajectory_id)).toEqual(Array.from({ length: data.n_steps }, (_, index) => index))
      expect(data.n_steps).toBeLessThanOrEqual(3)
    }
  })

  it('sends each picture once, under the hash that item and image events name', () => {
    const images = demo.flatMap((part) => part.images)
    const ids = new Set(images.map((image) => image.image_id))
    expect(ids.size).toBe(20)
    expect(new Set(dataOf(demo, 'image.registered').map((data) => data.image_id))).toEqual(ids)
    expect(new Set(dataOf(demo, 'item.registered').flatMap((data) => data.image_ids ?? []))).toEqual(ids)
  })

  it('logs metrics that agree with the rollouts', () => {
    const logged = dataOf(demo, 'metric.logged').find(
      (data) => data.train_step === 2 && data.name === 'critic/rewards/mean',
    )
    const rewards = dataOf(demo, 'trajectory.finished')
      .filter((data) => data.trajectory_id.startsWith('demo-rl/v2/'))
      .map((data) => Number(data.reward))
    expect(logged?.value).toBeCloseTo(rewards.reduce((sum, reward) => sum + reward, 0) / rewards.length, 9)
  })
})

describe('other plays', () => {
  it('keep a rollout the same however many others are played', async () => {
    const small = await played({ ...demoPlay, items: 2, policy_versions: [1] })
    const large = await played({ ...demoPlay, items: 3, policy_versions: [0, 1] })
    const of = (parts: PlayedPart[]) =>
      parts.flatMap((part) => part.events).filter((event) => event.partitionkey === 'demo-rl/v1/0001/5')
    expect(of(small).length).toBeGreaterThan(2)
    expect(of(large)).toEqual(of(small))
  })

  it('of another seed have other items, with other ids', async () => {
    const ids = async (seed: number) =>
      dataOf(await played({ ...demoPlay, seed, items: 1, group_size: 1 }), 'item.registered').map(
        (data) => data.item_id,
      )
    expect(await ids(1)).toEqual(['bar-chart/1/0000'])
    expect(await ids(2)).toEqual(['bar-chart/2/0000'])
  })

  it.each([
    [{ items: 0 }, /items is 0/],
    [{ group_size: 1.5 }, /group_size is 1.5/],
    [{ seed: Number.NaN }, /seed NaN/],
    [{ run_id: '' }, /run_id/],
    [{ policy_versions: [0, 3] }, /policy_versions is \[0, 3\]/],
    [{ policy_versions: [1, 1] }, /policy_versions is \[1, 1\]/],
  ])('refuse %j', async (wrong, message) => {
    await expect(played({ ...demoPlay, ...wrong })).rejects.toThrow(message)
  })
})
