import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { history, recordOf } from '#tests/support/histories.ts'
import { type World, encoded, queryWorld } from './world.ts'

let world: World

beforeAll(async () => {
  world = await queryWorld()
})

afterAll(async () => {
  await world.close()
})

const fields = ({ reward, reward_version, parts, correct, answer_match, format_ok }: Record<string, unknown>) => ({
  reward,
  reward_version,
  parts,
  correct,
  answer_match,
  format_ok,
})

test('lists choose the score of a trajectory in SQL as one trajectory chooses it in TypeScript', async () => {
  const samples = fc.sample(history, { numRuns: 12, seed: 7 })
  const extra = ['NaN', 'Infinity', '-Infinity', 1, 0.9999995, 0.9].flatMap((value, index) => [
    {
      type: 'trajectory.scored' as const,
      time: '2026-01-01T00:00:00Z',
      data: { trajectory_id: `parts-${index}`, reward_version: 'default', reward: 5, parts: { correct: value } },
    },
    {
      type: 'trajectory.scored' as const,
      time: '2026-01-01T00:00:00Z',
      data: { trajectory_id: `reward-${index}`, reward_version: 'default', reward: value },
    },
    {
      type: 'trajectory.scored' as const,
      time: '2026-01-01T00:00:00Z',
      data: {
        trajectory_id: `match-${index}`,
        reward_version: 'default',
        reward: value,
        answer_match: index % 2 === 0,
      },
    },
  ])
  const appended = await world.log.append([...samples.flat(), ...extra].map((event) => recordOf(event)))
  expect(await world.project.waitFor(appended, 20_000)).toBe(true)
  const { body } = await world.get('/v1/trajectories?limit=1000')
  expect(body.rows.length).toBeGreaterThan(20)
  const all = (await world.get('/v1/trajectories?limit=1000&reward_version=*')).body.rows
  for (const row of body.rows) {
    const whole = (await world.get(`/v1/trajectories/${encoded(row.trajectory_id)}`)).body
    expect(fields(whole)).toEqual(fields(row))
    const scores = all.filter(
      (one: { trajectory_id: string; reward_version: string | null }) =>
        one.trajectory_id === row.trajectory_id && one.reward_version !== null,
    )
    expect(whole.scores.map(fields)).toEqual(scores.map(fields))
  }
})
