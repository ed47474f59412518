/**
 * What people ask of rollouts, and the request that answers it. The page at /docs, schemas/generated/questions.md and
 * tests/analytics/questions.test.ts are all made of this one table: what is written here is sent as it stands.
 */

export interface Question {
  /** What it is about: training sets, training, curriculum or diagnosis. */
  readonly about: 'Behavioural cloning' | 'GRPO' | 'Curriculum' | 'Diagnosis'
  readonly asks: string
  /** Requests, each `GET <path>` or `POST <path> <body>`. `teach` and `grpo` stand for runs of yours. */
  readonly requests: readonly string[]
}

const post = (path: string, body: unknown): string => `POST ${path} ${JSON.stringify(body)}`
const sql = (text: string, params?: unknown): string =>
  post('/v1/sql', params === undefined ? { sql: text } : { sql: text, params })

const CLONING: readonly Omit<Question, 'about'>[] = [
  {
    asks: 'The trajectories of a teacher whose answer matches',
    requests: ['GET /v1/datasets/sft.jsonl?run=teach&actor_model=gpt-5&answer_match=true'],
  },
  {
    asks: 'Those in the right form, without repetition and without a fault of the infrastructure',
    requests: [
      'GET /v1/datasets/sft.jsonl?run=teach&actor_model=gpt-5&answer_match=true&format_ok=true&reward_gte=2&status=completed',
    ],
  },
  {
    asks: 'Thoughts of 100 tokens or more, and 16,384 tokens in all at most',
    requests: [
      'GET /v1/datasets/sft.jsonl?run=teach&correct=true&tokens_lte=16384',
      sql(
        "SELECT trajectory_id FROM rollouts WHERE run_id = 'teach' AND correct AND (finished_extra->>'think_tokens')::BIGINT >= 100 AND prompt_tokens + response_tokens + obs_tokens <= 16384 ORDER BY trajectory_id",
      ),
    ],
  },
  {
    asks: 'At most one for each item, and nothing that says the same twice',
    requests: [
      'GET /v1/datasets/sft.jsonl?run=teach&correct=true&dedupe=content',
      'GET /v1/datasets/sft.jsonl?run=teach&correct=true&dedupe=content&per_item=1&seed=1',
    ],
  },
  {
    asks: 'As many of each family, or of each tool',
    requests: [
      'GET /v1/datasets/sft.jsonl?run=teach&correct=true&balance=family&seed=1',
      'GET /v1/datasets/sft.jsonl?run=teach&correct=true&balance=tool&seed=1',
    ],
  },
  {
    asks: 'The newest densified child of each trajectory',
    requests: [
      sql(
        "SELECT started_extra->>'derived_from_trajectory_id' AS parent, arg_max(trajectory_id, first_event_at) AS child FROM trajectories WHERE started_extra->>'derivation' = 'densified' GROUP BY parent ORDER BY parent",
      ),
    ],
  },
  {
    asks: 'Nothing of the test split, and no leaks by equal questions either',
    requests: [
      'GET /v1/datasets/sft.jsonl?run=teach&correct=true&exclude_split=test',
      'GET /v1/datasets/sft.jsonl?run=teach&correct=true&leaks=drop',
    ],
  },
  {
    asks: 'The rows as InternVL, verl and ShareGPT want them, with a manifest: filter, positions, counts, hashes',
    requests: [
      'GET /v1/datasets/sft.jsonl?run=teach&correct=true&shape=internvl',
      'GET /v1/datasets/sft.jsonl?run=teach&correct=true&shape=verl',
      'GET /v1/datasets/sft.jsonl?run=teach&correct=true&shape=sharegpt',
      'GET /v1/datasets/sft.parquet/pin?run=teach&correct=true',
    ],
  },
]

const TRAINING: readonly Omit<Question, 'about'>[] = [
  {
    asks: 'Reward and each part of it, by step, family and data set',
    requests: [
      'GET /v1/analytics/rewards?run=grpo&by=train_step',
      'GET /v1/analytics/rewards?run=grpo&by=family,dataset',
    ],
  },
  {
    asks: "Mean and deviation of groups, a histogram of advantages, and where the trainer's own differ",
    requests: ['GET /v1/groups?run=grpo', 'GET /v1/analytics/advantages?run=grpo&advantage=verl&differs=true'],
  },
  {
    asks: 'Groups that are all right, all wrong or of equal rewards, by step',
    requests: ['GET /v1/analytics/groups?run=grpo'],
  },
  {
    asks: "Rewards by other formulas, with and without DAPO's filter",
    requests: [
      'GET /v1/analytics/counterfactual?run=grpo&formula=dense,sparse,difficulty_adaptive&expression=2*correct-0.1*n_steps',
    ],
  },
  {
    asks: 'pass@k, and the best, worst and majority of k',
    requests: ['GET /v1/analytics/pass-at-k?run=grpo&policy_version=0&k=1,2,4&also=best,worst,maj'],
  },
  {
    asks: 'Lengths of right and wrong rollouts, and the share of overlong ones',
    requests: ['GET /v1/analytics/lengths?run=grpo&by=train_step'],
  },
  {
    asks: 'Tool calls of a trajectory, the share of valid calls, and the mix of tools, by step',
    requests: [
      'GET /v1/analytics/tools?run=grpo&by=train_step',
      sql(
        "SELECT train_step, avg(n_tool_calls) AS calls FROM trajectories WHERE run_id = 'grpo' GROUP BY train_step ORDER BY train_step",
      ),
    ],
  },
  {
    asks: 'KL, clip fraction and entropy',
    requests: ['GET /v1/analytics/metrics?run=grpo&name=actor/ppo_kl&name=actor/pg_clipfrac&name=actor/entropy'],
  },
  {
    asks: 'Staleness: policy version of the training less that of the rollout',
    requests: ['GET /v1/analytics/staleness?run=grpo'],
  },
]

const CURRICULUM: readonly Omit<Question, 'about'>[] = [
  {
    asks: 'The pass rate of each item at a checkpoint, with n and an interval',
    requests: ['GET /v1/curriculum/pass-rates?run=grpo&policy_version=0'],
  },
  {
    asks: 'Items that are right in 1/8 to 3/8 of their rollouts, of which there are enough',
    requests: ['GET /v1/curriculum/slice?run=grpo&policy_version=0&pass_lo=0.125&pass_hi=0.375&min_n=4'],
  },
  {
    asks: 'How items moved between two checkpoints: histograms and matrix',
    requests: ['GET /v1/curriculum/migration?run=grpo&from=0&to=1&min_n=4'],
  },
  {
    asks: 'Items never right, and items always right',
    requests: [
      'GET /v1/curriculum/slice?run=grpo&policy_version=1&pass_lo=0&pass_hi=0&min_n=4',
      'GET /v1/curriculum/slice?run=grpo&policy_version=1&pass_lo=1&pass_hi=1&min_n=4',
    ],
  },
  {
    asks: 'A slice as a training set that stays as it is, with its manifest',
    requests: [
      'GET /v1/datasets/items.parquet/pin?pass_rate_run=grpo&pass_rate_policy_version=0&item_pass_rate_gte=0.125&item_pass_rate_lte=0.375',
      post('/v1/curriculum/next', {
        run: 'grpo',
        n: 8,
        strategy: 'tail_patch',
        policy_version: 0,
        min_n: 4,
        seed: 1,
      }),
    ],
  },
]

const DIAGNOSIS: readonly Omit<Question, 'about'>[] = [
  {
    asks: 'How often each error came, by model; one trajectory may have several',
    requests: ['GET /v1/analytics/errors?run=grpo&by=actor_model'],
  },
  {
    asks: 'Before and after: two policies on the same items',
    requests: ['GET /v1/analytics/errors/changes?run=grpo&from=0&to=1'],
  },
  {
    asks: 'Latency and failures of each tool',
    requests: ['GET /v1/analytics/tools?run=grpo'],
  },
  {
    asks: 'A trajectory, whole, and as it stood at any place of the log',
    requests: [
      'GET /v1/trajectories/grpo%2F0%2Fc1%2F0',
      sql(
        'SELECT "offset", type, decode(raw) AS event FROM events WHERE trajectory_id = $trajectory AND "offset" < $offset ORDER BY "offset"',
        { trajectory: 'grpo/0/c1/0', offset: 100_000 },
      ),
    ],
  },
]

const about = (name: Question['about'], questions: readonly Omit<Question, 'about'>[]): Question[] =>
  questions.map((question) => ({ about: name, ...question }))

/** In the order in which a training run meets them. */
export const QUESTIONS: readonly Question[] = [
  ...about('Behavioural cloning', CLONING),
  ...about('GRPO', TRAINING),
  ...about('Curriculum', CURRICULUM),
  ...about('Diagnosis', DIAGNOSIS),
]

/** The table in Markdown. */
export function questionsText(): string {
  const rows = QUESTIONS.map(({ about: area, asks, requests }, index) => {
    const cells = requests.map((request) => `\`${request.replaceAll('|', String.raw`\|`)}\``)
    return `| ${index + 1} | ${area} | ${asks} | ${cells.join('<br>')} |`
  })
  return `# Questions and the requests that answer them

Made by \`npm run gen\` from \`services/query/docs/questions.ts\`; a test sends every one of them. \`teach\` and \`grpo\` stand for runs of yours.
Datasets come as \`.parquet\`, \`.jsonl\`, \`.arrow\` and \`.csv\`; statistics take \`format=csv\` and \`format=parquet\`, and \`snapshot=\` pins them.

| | about | question | request |
| --- | --- | --- | --- |
${rows.join('\n')}
`
}
