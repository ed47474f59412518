import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { rollout } from './rollouts.ts'
import { type World, encoded, queryWorld } from './world.ts'

let world: World

const ODD = 'r1/t30/"quoted" 100%/a?b#c'

beforeAll(async () => {
  world = await queryWorld()
  await world.send(
    ['run.started', { run_id: 'r1', kind: 'rl', reward_version: 'vista', correct_threshold: 2 }],
    [
      'item.registered',
      {
        item_id: 'item-1',
        dataset: 'ChartQA',
        family: 'Charts',
        split: 'train',
        question: 'Which?',
        answer: ['Kenya'],
      },
    ],
    ...rollout({ id: 'a', reward: 2 }),
    ...rollout({ id: 'b', reward: 1, steps: 3 }),
    ...rollout({ id: 'c', reward: 'NaN', item: 'item-2' }),
    ...rollout({ id: 'd', finished: false }),
    ...rollout({ id: ODD, run: 'r2', reward: 1, policyVersion: 3 }),
    ['trajectory.scored', { trajectory_id: 'a', reward_version: 'dense', reward: -0.5, parts: { correct: 1 } }],
    ['trajectory.scored', { trajectory_id: 'b', reward_version: 'vista', reward: 9 }],
    ['trajectory.annotated', { trajectory_id: 'a', annotation_id: 'n1', codes: ['E4'], annotator: 'mia' }],
    ['trajectory.trained', { trajectory_id: 'a', train_step: 2, run_id: 'r1', policy_version: 1, kept: true }],
  )
})

afterAll(async () => {
  await world.close()
})

const ids = async (query: string) =>
  (await world.get(`/v1/trajectories${query}`)).body.rows.map((row: { trajectory_id: string }) => row.trajectory_id)

describe('the list', () => {
  test('has one row for each trajectory, in order of run and id', async () => {
    expect(await ids('')).toEqual(['a', 'b', 'c', 'd', ODD])
  })

  test.each([
    ['?run=r2', [ODD]],
    ['?run=r1&run=r2&item=item-2', ['c']],
    ['?status=completed', ['a', 'b', 'c', ODD]],
    ['?policy_version=3', [ODD]],
    ['?policy_version_lt=3', ['a', 'b', 'c', 'd']],
    ['?correct=true', ['a', ODD]],
    ['?correct=false', ['b', 'c']],
    ['?reward_gte=2', ['a']],
    ['?reward_ne=2', ['b', ODD]],
    ['?reward=1&reward=2&run=r1', ['a', 'b']],
    ['?n_steps_gt=2', ['b']],
    ['?dataset=ChartQA&run=r1', ['a', 'b', 'd']],
    ['?reward_version=dense&reward_lt=0', ['a']],
  ])('%s', async (query, expected) => {
    expect(await ids(query)).toEqual(expected)
  })

  test('pages give every row once, whatever their size', async () => {
    for (const limit of [1, 2, 3]) {
      for (const filter of ['', '&run=r1']) {
        const seen: string[] = []
        let cursor = ''
        do {
          const { body } = await world.get(`/v1/trajectories?limit=${limit}${filter}${cursor}`)
          seen.push(...body.rows.map((row: { trajectory_id: string }) => row.trajectory_id))
          cursor = body.next === null ? '' : `&cursor=${body.next}`
        } while (cursor !== '')
        expect(seen).toEqual(filter === '' ? ['a', 'b', 'c', 'd', ODD] : ['a', 'b', 'c', 'd'])
      }
    }
  })

  test('reward_version=* gives a row for each score, otherwise never two', async () => {
    const { body } = await world.get('/v1/trajectories?run=r1&reward_version=*')
    expect(
      body.rows.map((row: Record<string, unknown>) => [row['trajectory_id'], row['reward_version'], row['reward']]),
    ).toEqual([
      ['a', 'dense', -0.5],
      ['a', 'vista', 2],
      ['b', 'vista', 1],
      ['c', 'vista', 'NaN'],
      ['d', null, null],
    ])
  })

  test('a score without a version is one of the run; where the same version comes twice, the first wins', async () => {
    const { body } = await world.get('/v1/trajectories?run=r1&reward_version=vista')
    expect(body.rows.map((row: Record<string, unknown>) => row['reward'])).toEqual([2, 1, 'NaN', null])
  })

  test('a cursor of another list is refused', async () => {
    const { body } = await world.get('/v1/runs?limit=1')
    const answer = await world.get(`/v1/trajectories?cursor=${body.next}`)
    expect([answer.status, answer.body.code]).toEqual([400, 'invalid_parameter'])
  })
})

describe('one, whole', () => {
  test('has rows, bodies, scores, annotations, trainings and places', async () => {
    const { body } = await world.get('/v1/trajectories/a')
    expect(body).toMatchObject({
      trajectory_id: 'a',
      reward: 2,
      reward_version: 'vista',
      correct: true,
      dense: true,
      missing_steps: [],
    })
    expect(body.steps.map((step: Record<string, unknown>) => [step['step_index'], step['action_kind']])).toEqual([
      [0, 'tool_call'],
      [1, 'answer'],
    ])
    expect(
      body.scores.map((score: Record<string, unknown>) => [
        score['reward_version'],
        score['reward'],
        score['correct'],
        score['used'],
      ]),
    ).toEqual([
      ['dense', -0.5, true, false],
      ['vista', 2, true, true],
    ])
    expect(body.annotations).toMatchObject([{ annotation_id: 'n1', codes: ['E4'] }])
    expect(body.trainings).toMatchObject([{ train_step: 2, kept: true }])
    expect(body.finish).toMatchObject({ status: 'completed' })
    expect(body.tools).toEqual([{ type: 'function', function: { name: 'look' } }])
    const place = body.steps[0].position
    expect((await world.log.readOne(place.partition, place.offset))?.value?.toString()).toContain('"step_index":0')
  })

  test('has the conversation as one list', async () => {
    const { body } = await world.get('/v1/trajectories/a')
    expect(body.messages).toEqual([
      { role: 'user', content: 'Which?' },
      {
        role: 'assistant',
        content: null,
        tool_calls: [{ id: 'c0', type: 'function', function: { name: 'look', arguments: '{"x":0}' } }],
      },
      { role: 'tool', content: 'seen 0', tool_call_id: 'c0' },
      { role: 'assistant', content: '<answer>Kenya</answer>' },
    ])
  })

  test('is found by an id with slashes, quotes and escapes', async () => {
    const { status, body } = await world.get(`/v1/trajectories/${encoded(ODD)}`)
    expect([status, body.trajectory_id]).toEqual([200, ODD])
    const steps = await world.get(`/v1/trajectories/${encoded(ODD)}/steps`)
    expect(steps.body.rows).toHaveLength(2)
  })

  test('that is unknown is 404 with a hint', async () => {
    const { status, body } = await world.get('/v1/trajectories/nobody')
    expect([status, body.code]).toEqual([404, 'not_found'])
    expect(body.hint).toContain('after=')
  })

  test('with thousands of steps streams, and its steps come in pages', async () => {
    await world.send(...rollout({ id: 'long', run: 'r3', steps: 300, reward: 1 }))
    const { body } = await world.get('/v1/trajectories/long')
    expect(body.steps.map((step: { step_index: number }) => step.step_index)).toEqual(
      Array.from({ length: 300 }, (_, index) => index),
    )
    expect(body.messages).toHaveLength(600)
    const first = await world.get('/v1/trajectories/long/steps?limit=250')
    const second = await world.get(`/v1/trajectories/long/steps?limit=250&cursor=${first.body.next}`)
    expect([first.body.rows.length, second.body.rows.length, second.body.next]).toEqual([250, 50, null])
  })

  test('names the steps that are missing', async () => {
    await world.send(
      ['step.recorded', { trajectory_id: 'gappy', run_id: 'r4', step_index: 1, action_kind: 'message' }],
      ['step.recorded', { trajectory_id: 'gappy', run_id: 'r4', step_index: 4, action_kind: 'message' }],
      ['trajectory.finished', { trajectory_id: 'gappy', status: 'completed', end_reason: 'answer', n_steps: 6 }],
    )
    const { body } = await world.get('/v1/trajectories/gappy')
    expect([body.dense, body.missing_steps]).toEqual([false, [0, 2, 3, 5]])
  })
})
