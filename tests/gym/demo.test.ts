import { createHash } from 'node:crypto'
import { beforeAll, describe, expect, it } from 'vitest'
import { FAMILIES } from '#services/gym/items/item.ts'
import { readEvent } from '#services/core/event-reader.ts'
import type { EventData } from '#schemas/events.ts'
import type { GymEventType } from '#services/gym/loop/event.ts'
import { demoPlay, playRun, type DemoOptions, type PlayedPart } from '#services/gym/run/demo.ts'

async function played(options: DemoOptions): Promise<PlayedPart[]> {
  const parts: PlayedPart[] = []
  for await (const part of playRun(options)) parts.push(part)
  return parts
}

function dataOf<Type extends GymEventType>(parts: readonly PlayedPart[], type: Type): EventData<Type>[] {
  const events = parts.flatMap((part) => part.events).filter((event) => event.type === type)
  return events.map((event) => event.data as EventData<Type>)
}

/** An item of each family, by the first and the last version. */
const SMALL: DemoOptions = { ...demoPlay, items: 7, group_size: 6, policy_versions: [0, 2] }
const ROLLOUTS = 7 * 6 * 2

describe('the play of the demo', () => {
  let parts: PlayedPart[]
  beforeAll(async () => {
    parts = await played(SMALL)
  }, 60_000)

  it('plays every item by every version in whole groups, over all families', () => {
    expect(new Set(dataOf(parts, 'item.registered').map(({ family }) => family))).toEqual(new Set(FAMILIES))
    expect(dataOf(parts, 'item.registered')).toHaveLength(7)
    expect(dataOf(parts, 'policy.published').map(({ policy_version }) => policy_version)).toEqual([0, 2])
    const groups = Map.groupBy(dataOf(parts, 'trajectory.started'), ({ group_id }) => group_id)
    expect(groups.size).toBe(14)
    for (const members of groups.values())
      expect(new Set(members.map(({ rollout_index }) => rollout_index))).toEqual(new Set([0, 1, 2, 3, 4, 5]))
    expect([...groups.values()].every(({ length }) => length === 6)).toBe(true)
    expect(dataOf(parts, 'trajectory.finished')).toHaveLength(ROLLOUTS)
    expect(parts.at(-1)?.about).toEqual({ phase: 'run_finished', done: ROLLOUTS, total: ROLLOUTS })
  })

  it('makes only events that ingest can read, each with its own id', () => {
    const events = parts.flatMap((part) => part.events)
    for (const event of events) expect(readEvent(Buffer.from(JSON.stringify(event)))).not.toHaveProperty('pointer')
    expect(new Set(events.map(({ id }) => id)).size).toBe(events.length)
  })

  it('tells what happens in the order of its times, a group by a group', () => {
    for (const { events, about } of parts) {
      if (about.phase !== 'group') continue
      const times = events.map(({ time }) => Date.parse(time))
      expect(times).toEqual(times.toSorted((left, right) => left - right))
      for (const { data } of events)
        if ('trajectory_id' in data) expect(data.trajectory_id.startsWith(`${about.group_id}/`)).toBe(true)
    }
  })

  it('errs less in the last version, by every code that there is', () => {
    const codes = dataOf(parts, 'trajectory.annotated').flatMap((note) =>
      note.codes.map((code) => ({
        code,
        method: note.method,
        version: Number(/\/v(\d)\//.exec(note.trajectory_id)?.[1]),
      })),
    )
    const by = (method: string, version: number) =>
      codes.filter((note) => note.method === method && note.version === version)
    expect(new Set(by('rule', 0).map(({ code }) => code))).toEqual(new Set(['E1', 'E2', 'E3', 'E5', 'NO_TOOL']))
    expect(by('injected', 0).map(({ code }) => code)).toEqual(expect.arrayContaining(['E6']))
    expect(by('rule', 0).length).toBeGreaterThan(3 * by('rule', 2).length)
    const reward = (version: number): number => Number(metric(parts, version, 'critic/rewards/mean'))
    expect(reward(2)).toBeGreaterThan(reward(0) + 0.5)
  })

  it('sends each picture once and first, under the hash that items and images name', () => {
    const images = parts.flatMap((part) => part.images)
    const ids = images.map(({ image_id }) => image_id)
    expect(images.map(({ bytes }) => createHash('sha256').update(bytes).digest('hex'))).toEqual(ids)
    expect(new Set(ids).size).toBe(ids.length)
    expect(
      dataOf(parts, 'image.registered')
        .map(({ image_id }) => image_id)
        .toSorted(),
    ).toEqual(ids.toSorted())
    for (const { image_ids } of dataOf(parts, 'item.registered'))
      expect(ids).toEqual(expect.arrayContaining(image_ids ?? []))
  })

  it('logs metrics that are those of the rollouts', () => {
    for (const version of [0, 2]) {
      const of = (id: string): boolean => id.startsWith(`demo-rl/v${version}/`)
      const finished = dataOf(parts, 'trajectory.finished').filter(({ trajectory_id }) => of(trajectory_id))
      const calls = dataOf(parts, 'step.recorded')
        .filter(({ trajectory_id }) => of(trajectory_id))
        .flatMap(({ tool_calls }) => tool_calls ?? [])
      const rewards = finished.map(({ reward }) => Number(reward))
      const expected = {
        'critic/rewards/mean': rewards.reduce((sum, reward) => sum + reward, 0) / rewards.length,
        'reward_extra_info/accuracy': finished.filter(({ answer_match }) => answer_match).length / finished.length,
        'agent/tool_call_mean': calls.length / finished.length,
        'env/ratio_of_valid_action': calls.filter(({ valid }) => valid).length / calls.length,
        'gym/malformed': finished.filter(({ format_ok }) => !format_ok).length,
        'gym/rollouts': finished.length,
      }
      for (const [name, value] of Object.entries(expected)) expect(metric(parts, version, name)).toBeCloseTo(value, 9)
    }
  })

  it('is the same when played again, to the byte, however many other items are played', async () => {
    const again = await played({ ...SMALL, items: 2 })
    const ofGroups = (all: readonly PlayedPart[]) => all.filter(({ about }) => about.phase === 'group')
    const text = (all: readonly PlayedPart[]): string[] =>
      all.flatMap(({ events, images }) => [
        ...events.map((event) => JSON.stringify(event)),
        ...images.map(({ bytes }) => Buffer.from(bytes).toString('base64')),
      ])
    const groups = ofGroups(parts)
    expect(text(ofGroups(again))).toEqual(text([...groups.slice(0, 2), ...groups.slice(7, 9)]))
  }, 60_000)
})

const metric = (parts: readonly PlayedPart[], step: number, wanted: string): number =>
  Number(dataOf(parts, 'metric.logged').find(({ train_step, name }) => train_step === step && name === wanted)?.value)

describe('a play', () => {
  it.each([
    [{ items: 0 }, /items is 0/],
    [{ group_size: 1.5 }, /group_size is 1.5/],
    [{ seed: Number.NaN }, /seed NaN/],
    [{ run_id: '' }, /run_id/],
    [{ policy_versions: [0, 3] }, /policy_versions is \[0, 3\]/],
    [{ policy_versions: [1, 1] }, /policy_versions is \[1, 1\]/],
  ])('refuses %j', async (wrong, message) => {
    await expect(played({ ...demoPlay, ...wrong })).rejects.toThrow(message)
  })
})
