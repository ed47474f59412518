import { expect } from 'vitest'
/**
 * What the questions come to over the known runs, worked out by hand from their rewards: of each answer the part that
 * the question is about. In the order of the requests of each question.
 */

const rows = (field: string, ...values: readonly unknown[]) => values.map((value) => ({ [field]: value }))
const teach = (...names: readonly string[]) => rows('trajectory_id', ...names.map((name) => `teach/${name}`))
const page = (...found: readonly object[]) => ({ rows: found })
const SHA = expect.stringMatching(/^[0-9a-f]{64}$/)
const near = (value: number) => expect.closeTo(value, 12)
/** Of eleven that are right. */
const RIGHT = teach('brief', 'broken', 'd-brief', 'd-new', 'd-old', 'e1', 'e2', 'long', 'loose', 'repeats', 'tested')
const without = (...names: readonly string[]) =>
  RIGHT.filter(({ trajectory_id: id }) => !names.includes(String(id).slice(6)))

const CLONING = {
  'The trajectories of a teacher whose answer matches': [without('d-brief', 'd-new', 'd-old')],
  'Those in the right form, without repetition and without a fault of the infrastructure': [
    teach('brief', 'e1', 'e2', 'long', 'tested'),
  ],
  'Thoughts of 100 tokens or more, and 16,384 tokens in all at most': [
    without('long'),
    page(...without('long', 'brief')),
  ],
  'At most one for each item, and nothing that says the same twice': [
    without('e2'),
    rows('item_id', 'c2', 'g1', 'c1', 'x1'),
  ],
  // Geometry has three that are right, and so has the tool zoom.
  'As many of each family, or of each tool': [
    rows('item_id', 'g1', 'c2', 'g1', 'c1', 'g1', 'x1'),
    rows('item_id', 'g1', 'c2', 'g1', 'c1', 'g1', 'x1'),
  ],
  'The newest densified child of each trajectory': [
    page({ parent: 'teach/brief', child: 'teach/d-brief' }, { parent: 'teach/e1', child: 'teach/d-new' }),
  ],
  'Nothing of the test split, and no leaks by equal questions either': [without('tested'), without('tested')],
  'The rows as InternVL, verl and ShareGPT want them, with a manifest: filter, positions, counts, hashes': [
    RIGHT.map(() => ({ conversations: [{ from: 'human' }, { from: 'gpt' }, { from: 'human' }, { from: 'gpt' }] })),
    RIGHT.map((row) => ({ ...row, messages: rows('role', 'user', 'assistant', 'tool', 'assistant') })),
    RIGHT.map(() => ({ conversations: rows('from', 'human', 'function_call', 'observation', 'gpt') })),
    { rows: 11, sha256: SHA, snapshot: 1, manifest: expect.stringContaining('/v1/datasets/manifests/') },
  ],
}

const part = (mean: number) => ({ mean: near(mean) })
const TRAINING = {
  'Reward and each part of it, by step, family and data set': [
    page(
      {
        train_step: 1,
        n: 12,
        reward_mean: near(16 / 12),
        parts: { rep: part(0), format: part(11 / 12), correct: part(5 / 12) },
      },
      {
        train_step: 2,
        n: 12,
        reward_mean: near(14 / 12),
        parts: { rep: part(0), format: part(10 / 12), correct: part(4 / 12) },
      },
    ),
    page(
      { family: 'Chart', dataset: 'ChartQA', n: 16, reward_mean: near(20 / 16), parts: { correct: part(5 / 16) } },
      { family: 'Geometry', dataset: 'Geometry3K', n: 8, reward_mean: near(10 / 8), parts: { correct: part(4 / 8) } },
    ),
  ],
  "Mean and deviation of groups, a histogram of advantages, and where the trainer's own differ": [
    page(
      { group_id: 'grpo/0/c1', reward_mean: 1.25, reward_std: 0.5 },
      { group_id: 'grpo/0/c2', reward_mean: 0.75, reward_std: 0.5 },
      { group_id: 'grpo/0/g1', reward_mean: 2, reward_std: 0 },
      { group_id: 'grpo/1/c1', reward_mean: 2, reward_std: 0 },
      { group_id: 'grpo/1/c2', reward_mean: 1, reward_std: 0 },
      { group_id: 'grpo/1/g1', reward_mean: 0.5, reward_std: near(Math.sqrt(1 / 3)) },
    ),
    {
      rows: [
        { trajectory_id: 'grpo/0/c1/0', advantage: near(0.75 / (0.5 + 1e-6)), trainer_advantage: 1.25, differs: true },
      ],
      n: 24,
      n_compared: 4,
      n_different: 1,
      histogram: expect.arrayContaining([expect.objectContaining({ n: 12 })]),
    },
  ],
  'Groups that are all right, all wrong or of equal rewards, by step': [
    page(
      {
        train_step: 1,
        groups: 3,
        all_pass: 1,
        all_fail: 0,
        zero_variance: 1,
        outcome_all_fail: 1,
        all_fail_kept_by_std: 1,
      },
      {
        train_step: 2,
        groups: 3,
        all_pass: 1,
        all_fail: 1,
        zero_variance: 2,
        outcome_all_fail: 2,
        all_fail_kept_by_std: 1,
      },
    ),
  ],
  // dense is 1 for right, -0.5 for wrong in the form and -1 without it; adaptive weights 0.875, 1 and 0.5, then 0.5, 1 and 1.
  "Rewards by other formulas, with and without DAPO's filter": [
    page(
      { train_step: 1, formula: 'dense', mean: near(1 / 12), dapo_kept_by_reward: 2 },
      { train_step: 1, formula: 'sparse', mean: near(5 / 12), dapo_kept_by_reward: 1, dapo_kept_mean: 0.25 },
      { train_step: 1, formula: 'difficulty_adaptive', mean: near(11.375 / 12), dapo_kept_by_reward: 2 },
      { train_step: 1, formula: '2*correct-0.1*n_steps', mean: near((5 * 2 - 12 * 0.2) / 12) },
      { train_step: 2, formula: 'dense', mean: near(-1 / 12), dapo_kept_by_reward: 1 },
      { train_step: 2, formula: 'sparse', mean: near(4 / 12), dapo_kept_by_reward: 0, dapo_kept_mean: null },
      { train_step: 2, formula: 'difficulty_adaptive', mean: near(10 / 12), dapo_kept_by_reward: 1 },
      { train_step: 2, formula: '2*correct-0.1*n_steps', mean: near((4 * 2 - 12 * 0.2) / 12) },
    ),
  ],
  // Items are right in 1, 0 and 4 of 4. Of two of c1 the right one is there in 1/2; nobody else says what it says.
  'pass@k, and the best, worst and majority of k': [
    {
      estimates: [
        {
          k: 1,
          pass_at_k: near(5 / 12),
          best: { value: near(4 / 3) },
          worst: { value: near(4 / 3) },
          maj: { value: near(5 / 12) },
        },
        {
          k: 2,
          pass_at_k: 0.5,
          best: { value: 1.5 },
          worst: { value: near(3.5 / 3) },
          maj: { value: near((0.25 + 1) / 3) },
        },
        {
          k: 4,
          pass_at_k: near(2 / 3),
          best: { value: near(5 / 3) },
          worst: { value: 1 },
          maj: { value: near((0.25 + 1) / 3) },
        },
      ],
    },
  ],
  'Lengths of right and wrong rollouts, and the share of overlong ones': [
    page(
      {
        train_step: 1,
        right: { n: 5, tokens: { mean: 100 } },
        wrong: { n: 7, tokens: { mean: 200 } },
        overlong_share: 0,
      },
      {
        train_step: 2,
        right: { n: 4, tokens: { mean: 100 } },
        wrong: { n: 8, tokens: { mean: 200 } },
        overlong_share: near(1 / 12),
      },
    ),
  ],
  'Tool calls of a trajectory, the share of valid calls, and the mix of tools, by step': [
    page(
      { train_step: 1, tool: 'ocr', n_calls: 8, call_share: near(2 / 3), valid_share: 1 },
      { train_step: 1, tool: 'zoom', n_calls: 4, call_share: near(1 / 3), valid_share: 0.75 },
      { train_step: 2, tool: 'ocr', n_calls: 12, call_share: 1, valid_share: 1 },
    ),
    page({ train_step: 1, calls: 1 }, { train_step: 2, calls: 1 }),
  ],
  'KL, clip fraction and entropy': [
    page(
      ...[1, 2].flatMap((step) => [
        { train_step: step, name: 'actor/entropy', value: 0.5 * step },
        { train_step: step, name: 'actor/pg_clipfrac', value: 0.125 * step },
        { train_step: step, name: 'actor/ppo_kl', value: 0.01 * step },
      ]),
    ),
  ],
  'Staleness: policy version of the training less that of the rollout': [
    page(
      { train_step: 1, n: 12, staleness: { mean: 0 }, counts: [{ staleness: 0, n: 12 }] },
      { train_step: 2, n: 12, staleness: { mean: 1 }, counts: [{ staleness: 1, n: 12 }] },
    ),
  ],
}

const CURRICULUM = {
  'The pass rate of each item at a checkpoint, with n and an interval': [
    page(
      // Wilson's interval of 1 in 4.
      {
        item_id: 'c1',
        n_rollouts: 4,
        n_pass: 1,
        pass_rate_low: expect.closeTo(0.0456, 4),
        pass_rate_high: expect.closeTo(0.6994, 4),
      },
      { item_id: 'c2', n_rollouts: 4, n_pass: 0, pass_rate_low: 0 },
      { item_id: 'g1', n_rollouts: 4, n_pass: 4, pass_rate_high: 1 },
    ),
  ],
  'Items that are right in 1/8 to 3/8 of their rollouts, of which there are enough': [
    { rows: [{ item_id: 'c1', n_pass: 1 }], n_items: 1, n_items_known: 3, n_items_left_out: 0 },
  ],
  'How items moved between two checkpoints: histograms and matrix': [
    {
      rows: [
        { from_bucket: 'never', to_bucket: 'never', n_items: 1 },
        { from_bucket: 'tail', to_bucket: 'always', n_items: 1 },
        { from_bucket: 'always', to_bucket: 'never', n_items: 1 },
      ],
      forgotten: { items: ['g1'] },
    },
  ],
  'Items never right, and items always right': [page(...rows('item_id', 'c2', 'g1')), page(...rows('item_id', 'c1'))],
  'A slice as a training set that stays as it is, with its manifest': [
    { rows: 1, sha256: SHA, snapshot: 1, manifest: expect.stringContaining('/v1/datasets/manifests/') },
    { snapshot: 1, rows: [{ item_id: 'c1', why: expect.stringContaining('1 of 4 right') }] },
  ],
}

const DIAGNOSIS = {
  // The four rollouts of c2 at version 0 have INFRA by rule, one of them E1 by rule and E4 by a person, too.
  'How often each error came, by model; one trajectory may have several': [
    {
      rows: expect.arrayContaining(
        [
          { actor_model: '8b-v0', code: 'E1', n_trajectories: 1, share: near(1 / 12), by_method: { rule: 1 } },
          { actor_model: '8b-v0', code: 'E4', n_trajectories: 1, share: near(1 / 12), by_method: { human: 1 } },
          { actor_model: '8b-v0', code: 'INFRA', n_trajectories: 4, share: near(4 / 12), by_method: { rule: 4 } },
          { actor_model: '8b-v1', code: 'E1', n_trajectories: 0, share: 0 },
        ].map((row) => expect.objectContaining(row)),
      ),
    },
  ],
  'Before and after: two policies on the same items': [
    {
      rows: [
        { code: 'E1', n_before: 1, n_solved: 0, n_after: 0 },
        { code: 'E4', n_before: 1, n_solved: 0, n_after: 0 },
        { code: 'INFRA', n_before: 1, n_solved: 0, n_after: 0 },
      ],
      n_items: 3,
      accuracy_before: near((0.25 + 0 + 1) / 3),
      accuracy_after: near((1 + 0 + 0) / 3),
    },
  ],
  'Latency and failures of each tool': [
    page(
      { tool: 'ocr', n_calls: 20, failure_share: 0, latency_ms_p50: 25, latency_ms_max: 40, statuses: { ok: 20 } },
      { tool: 'zoom', n_calls: 4, failure_share: 1, latency_ms_p50: 1000, statuses: { timeout: 4 } },
    ),
  ],
  'A trajectory, whole, and as it stood at any place of the log': [
    { trajectory_id: 'grpo/0/c1/0', reward: 2, messages: rows('role', 'user', 'assistant', 'tool', 'assistant') },
    page(
      ...rows(
        'type',
        'trajectory.started',
        'step.recorded',
        'step.recorded',
        'trajectory.finished',
        'trajectory.trained',
      ),
    ),
  ],
}

/** By question. */
export const EXPECTED: Readonly<Record<string, readonly unknown[]>> = {
  ...CLONING,
  ...TRAINING,
  ...CURRICULUM,
  ...DIAGNOSIS,
}
