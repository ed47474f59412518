import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { rollout } from './rollouts.ts'
import { encoded, PUBLIC_URL, queryWorld, type World } from './world.ts'

let world: World

beforeAll(async () => {
  world = await queryWorld()
  const whole = rollout({ id: 'r/whole', run: 'r', reward: 1, steps: 3 })
  await world.send(
    ['run.started', { run_id: 'r', kind: 'rl' }],
    ['run.started', { run_id: 'r', kind: 'rl' }],
    ...whole,
    ...whole.slice(-1),
    ...rollout({ id: 'r/odd', run: 'r', reward: 0 }),
    ['step.recorded', { trajectory_id: 'r/odd', run_id: 'r', step_index: 0, action_kind: 'message' }],
    ...rollout({ id: 'r/open', run: 'r', finished: false }),
    [
      'trajectory.finished',
      { trajectory_id: 'r/holes', run_id: 'r', status: 'completed', end_reason: 'answer', n_steps: 4 },
    ],
    ...rollout({ id: 'implied/0', run: 'implied' }),
  )
})

afterAll(async () => {
  await world.close()
})

/** The facts of what an id names, by name. */
async function told(id: string, kind: string): Promise<Record<string, string>> {
  const { body } = await world.get(`/v1/explain/${encoded(id)}?after=latest`)
  const found = body.found.find((thing: { kind: string }) => thing.kind === kind)
  return Object.fromEntries(found.facts.map(({ name, says }: { name: string; says: string }) => [name, says]))
}

describe('a trajectory', () => {
  test('that is whole: its reward, correctness, status, place and datasets', async () => {
    expect(await told('r/whole', 'trajectory')).toMatchObject({
      reward: '1 (reward version default)',
      correct: 'yes',
      status: 'completed (answer)',
      steps: '3 here, 3 by its finish',
      missing: 'nothing',
      verdict: '1 duplicate (counted once), 0 conflicts (set aside)',
      'place in the log': expect.stringMatching(/^\d+:\d+ to \d+:\d+$/),
      lake: 'not yet: the lake has no snapshot',
      datasets: 'have it wherever their filters fit it',
    })
  })

  test.each([
    ['r/odd', 'conflicted', 'nothing'],
    ['r/open', 'unfinished', 'trajectory.finished'],
    ['r/holes', 'gap', 'trajectory.started, 4 steps (0, 1, 2, 3)'],
  ])('%s is left out of datasets as %s', async (id, reason, missing) => {
    expect(await told(id, 'trajectory')).toMatchObject({
      missing,
      datasets: `leave it out: ${reason} (include=${reason} takes it in)`,
    })
  })

  test('with conflicts leads to them', async () => {
    const { body } = await world.get(`/v1/explain/${encoded('r/odd')}`)
    const url = body.found[0].urls.at(-1)
    expect(url).toBe(`${PUBLIC_URL}/v1/gaps?kind=conflict&run=r`)
    expect((await world.get(url.slice(PUBLIC_URL.length))).body.rows).toMatchObject([{ trajectory_id: 'r/odd' }])
  })
})

describe('a run', () => {
  test('has the counts that /v1/runs has, and both lead to its conflicts', async () => {
    const run = (await world.get('/v1/runs')).body.rows.find((row: { run_id: string }) => row.run_id === 'r')
    const { body } = await world.get('/v1/explain/r')
    expect(body.found[0].row).toEqual(run)
    expect(run).toMatchObject({
      n_duplicates: 2,
      n_conflicts: 1,
      conflicts_url: `${PUBLIC_URL}/v1/gaps?kind=conflict&run=r`,
    })
    expect(await told('r', 'run')).toMatchObject({
      verdict: '2 duplicates, 1 conflict, of it and its trajectories',
    })
  })

  test('that only other events name is explained too', async () => {
    expect(await told('implied', 'run')).toMatchObject({ state: 'implied', trajectories: '1, 1 finished' })
  })
})

test('a place in the log tells its verdict', async () => {
  const { body } = await world.get('/v1/gaps?run=r&kind=conflict')
  const { partition, offset } = body.rows[0]
  expect(await told(`${partition}:${offset}`, 'record')).toMatchObject({
    verdict: expect.stringMatching(/^conflict/),
    'the first of its key': expect.stringMatching(/^\d+:\d+$/),
    content: expect.stringContaining('step.recorded'),
  })
})
