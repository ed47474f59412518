import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ADVANTAGES } from '#services/core/advantage.ts'
import { summariseGroup } from '#services/core/group.ts'
import { smallLake, trajectory, type SmallLake } from './small-lake.ts'
import { written } from './written.ts'

let lake: SmallLake
beforeEach(async () => {
  lake = await smallLake()
})
afterEach(async () => {
  await lake.close()
})

const reward = fc.oneof(
  fc.constantFrom(0, 0.1, 0.2, 0.3, 1, 0.7 + 0.1 + 0.2, -1, 1e-9, 1e9),
  fc.double({ min: -10, max: 10, noNaN: true }),
  fc.constantFrom(NaN, Infinity),
)

const attempt = fc.record({
  reward: fc.option(reward),
  status: fc.constantFrom('completed', 'completed', 'completed', 'truncated', 'aborted'),
  index: fc.option(fc.nat(4)),
  conflicts: fc.constantFrom(0, 0, 0, 0, 1),
  partition: fc.nat(1),
})

/** Groups of any make: many at once, since a lake costs more than what is computed on it. */
const groups = fc.array(
  fc.record({ run: fc.constantFrom('r1', 'r2'), attempts: fc.array(attempt, { minLength: 1, maxLength: 9 }) }),
  { minLength: 60, maxLength: 80 },
)

/** Of a row or a member, in the order of ids; as JSON has it, which knows no -0. */
function told(rows: readonly (readonly unknown[])[]): unknown {
  const ordered = rows.toSorted(([left], [right]) => (String(left) < String(right) ? -1 : 1))
  return JSON.parse(JSON.stringify(ordered))
}

describe('advantages in grpo', () => {
  it('are those of the analytics to the last bit, over the whole group whatever the filter selects', async () => {
    await fc.assert(
      fc.asyncProperty(groups, async (given) => {
        const own = await smallLake()
        const all = given.flatMap(({ run, attempts }, group) =>
          attempts.map((one, at) => ({
            ...one,
            run_id: run,
            group_id: `g${group}`,
            trajectory_id: `t${group}/${at}`,
            first_offset: at,
            rollout_index: one.index,
            correct: null,
          })),
        )
        try {
          await own.add({
            runs: [{ run_id: 'r1', group_size: 3 }],
            trajectories: all.map(
              ({ run_id, group_id, trajectory_id, first_offset, rollout_index, status, partition, conflicts }) =>
                trajectory({
                  run_id,
                  group_id,
                  trajectory_id,
                  first_offset,
                  rollout_index,
                  status,
                  partition,
                  n_conflicts: conflicts,
                }),
            ),
            scores: all.flatMap(({ trajectory_id, reward: paid }) =>
              paid === null ? [] : [{ trajectory_id, offset: 1, reward: Number.isFinite(paid) ? paid : String(paid) }],
            ),
          })
          for (const advantage of ADVANTAGES.filter((kind) => kind !== 'none')) {
            const positive = { reward: { any: [], ne: [], gte: 0 } }
            const { lines } = await written(own, { recipe: 'grpo', advantage, conditions: positive })
            const found = (await lines()).map((row) => [
              row['trajectory_id'],
              row['advantage'],
              row['group_size'],
              row['group_complete'],
              row['group_reward_mean'],
              row['group_reward_std'],
              row['group_reward_std_population'],
              row['group_zero_variance'],
            ])
            const expected = given.flatMap(({ run }, group) => {
              const members = all.filter((one) => one.group_id === `g${group}` && one.conflicts === 0)
              const { members: summed, ...sums } = summariseGroup(members, run === 'r1' ? 3 : null, advantage)
              return summed.flatMap(({ candidate, extra, advantage: value }) =>
                value === null || extra || (candidate.reward ?? -1) < 0
                  ? []
                  : [
                      [
                        candidate.trajectory_id,
                        value,
                        sums.size,
                        sums.complete,
                        sums.reward_mean,
                        sums.reward_std,
                        sums.reward_std_population,
                        sums.zero_variance,
                      ],
                    ],
              )
            })
            expect(expected.length).toBeGreaterThan(0)
            expect(told(found)).toEqual(told(expected))
          }
        } finally {
          await own.close()
        }
      }),
      { numRuns: 3, endOnFailure: true },
    )
  }, 120_000)
})

describe('grpo', () => {
  const tokens = {
    prompt_token_ids: [1, 2],
    completion_token_ids: [3, 4],
    logprobs: [-0.5, '-Infinity'],
    loss_mask: [1, 0],
  }

  it('has the tokens of each step where they were sent, and what its group says', async () => {
    await lake.add({
      trajectories: ['t1', 't2'].map((id, index) =>
        trajectory({
          trajectory_id: id,
          n_steps: 2,
          group_id: 'g',
          rollout_index: index,
          first_offset: index,
          partition: 0,
          advantage: 0.25,
        }),
      ),
      steps: ['t1', 't2'].flatMap((id) => [
        { run_id: 'r1', trajectory_id: id, step_index: 0, raw_output: 'A', ...(id === 't1' ? tokens : {}) },
        { run_id: 'r1', trajectory_id: id, step_index: 1, raw_output: 'B' },
      ]),
      scores: [
        { trajectory_id: 't1', offset: 1, reward: 1, parts: '{"correct":1,"format":0.5}' },
        { trajectory_id: 't2', offset: 1, reward: 0 },
      ],
    })
    const [first, second] = await (await written(lake, { recipe: 'grpo', advantage: 'dr_grpo' })).lines()
    expect(first).toMatchObject({
      trajectory_id: 't1',
      parts: '{"correct":1,"format":0.5}',
      advantage: 0.5,
      trainer_advantage: 0.25,
      group_size: 2,
      group_complete: null,
      completion: [
        { role: 'assistant', content: 'A' },
        { role: 'assistant', content: 'B' },
      ],
      completion_mask: [1, 1],
      prompt_token_ids: [[1, 2], null],
      completion_token_ids: [[3, 4], null],
      logprobs: [[-0.5, null], null],
      token_mask: [[1, 0], null],
    })
    expect(second).toMatchObject({ advantage: -0.5, completion_token_ids: null, logprobs: null })
  })

  it('counts what no group can count, and takes it in where no advantage is asked for', async () => {
    const of = (id: string, fields: Record<string, unknown>) =>
      trajectory({ trajectory_id: id, partition: 0, ...fields })
    await lake.add({
      trajectories: [
        of('a', { group_id: 'g', rollout_index: 0, first_offset: 1 }),
        of('b', { group_id: 'g', rollout_index: 0, first_offset: 2 }),
        of('c', { group_id: 'g', rollout_index: 1, status: 'aborted', first_offset: 3 }),
        of('d', { group_id: 'g', rollout_index: 2, first_offset: 4 }),
        of('e', {}),
      ],
      scores: ['a', 'b', 'c', 'e'].map((id) => ({ trajectory_id: id, offset: 1, reward: 1 })),
    })
    const made = await written(lake, { recipe: 'grpo' })
    expect([made.rows, made.notTaken]).toEqual([1, { extra: 1, no_group: 1, no_reward: 1, not_counted: 1 }])
    expect((await written(lake, { recipe: 'grpo', advantage: 'none' })).rows).toBe(5)
  })

  it('as verl has the answer that a reward is computed against, and leaves out what has none or several', async () => {
    await lake.add({
      items: [
        { item_id: 'one', dataset: 'd', family: 'f', split: 'train', question: 'Q', answer: ['4'] },
        { item_id: 'two', dataset: 'd', family: 'f', split: 'train', question: 'Q', answer: ['4', 'four'] },
      ],
      trajectories: ['one', 'two', 'none'].map((item, index) =>
        trajectory({
          trajectory_id: `t${index}`,
          item_id: item,
          group_id: item,
          partition: 0,
          first_offset: index,
          prompt: [{ role: 'user', content: 'Q' }],
        }),
      ),
      scores: [0, 1, 2].map((index) => ({ trajectory_id: `t${index}`, offset: 1, reward: 1 })),
    })
    const made = await written(lake, { recipe: 'grpo', shape: 'verl' })
    expect(made.notTaken).toEqual({ no_answer: 1, several_answers: 1 })
    expect((await made.lines())[0]).toMatchObject({
      data_source: 'd',
      prompt: [{ role: 'user', content: 'Q' }],
      ability: 'f',
      reward_model: { style: 'rule', ground_truth: '4' },
      extra_info: { split: 'train', index: 'one' },
    })
  })
})
