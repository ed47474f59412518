/** A teacher's run and a training of a few rollouts each, small enough to work every number out by hand. */

export interface KnownEvent {
  readonly type: string
  readonly time: string
  readonly data: Record<string, unknown>
}

let second = 0
const event = (type: string, data: Record<string, unknown>): KnownEvent => ({
  type,
  time: new Date(Date.UTC(2026, 0, 5, 9) + 1000 * second++).toISOString(),
  data,
})

const TOOLS = ['ocr', 'zoom'].map((name) => ({
  type: 'function',
  function: { name, parameters: { type: 'object', properties: { x: { type: 'integer' } }, required: ['x'] } },
}))

const ITEMS = [
  ['c1', 'Chart', 'ChartQA', 'train'],
  ['c2', 'Chart', 'ChartQA', 'train'],
  ['g1', 'Geometry', 'Geometry3K', 'train'],
  ['x1', 'Chart', 'ChartQA', 'test'],
] as const

interface Rollout {
  readonly id: string
  readonly item: string
  readonly started: Record<string, unknown>
  readonly call: Record<string, unknown>
  readonly answer: string
  readonly finished: Record<string, unknown>
}

function rollout({ id, item, started, call, answer, finished }: Rollout): KnownEvent[] {
  const name = { trajectory_id: id, run_id: id.split('/')[0] }
  const raw_call = `<tool_call>{"name":"${String(call['name'])}","arguments":{"x":1}}</tool_call>`
  return [
    event('trajectory.started', {
      ...name,
      item_id: item,
      policy_version: 0,
      tools: TOOLS,
      prompt: [{ role: 'user', content: `About ${item}?` }],
      ...started,
    }),
    event('step.recorded', {
      ...name,
      step_index: 0,
      action_kind: 'tool_call',
      raw_output: `<think>Look.</think>${raw_call}`,
      think_text: 'Look.',
      tool_calls: [{ id: 'call', raw_call, arguments: { x: 1 }, status: 'ok', ...call }],
      observation: 'seen',
    }),
    event('step.recorded', {
      ...name,
      step_index: 1,
      action_kind: 'answer',
      raw_output: `<think>Said.</think><answer>${answer}</answer>`,
      answer_text: answer,
    }),
    event('trajectory.finished', { ...name, status: 'completed', end_reason: 'answer', n_steps: 2, ...finished }),
  ]
}

interface Taught {
  readonly item: string
  readonly parts?: readonly [rep: number, format: number, correct: number]
  readonly think?: number
  readonly tokens?: number
  readonly answer?: string
  readonly tool?: string
  readonly status?: string
  readonly started?: Record<string, unknown>
}

function taught(name: string, given: Taught): KnownEvent[] {
  const [rep, format, correct] = given.parts ?? [0, 1, 1]
  return rollout({
    id: `teach/${name}`,
    item: given.item,
    started: { actor_model: 'gpt-5', ...given.started },
    call: { name: given.tool ?? 'ocr', latency_ms: 10 },
    answer: given.answer ?? `${name} says`,
    finished: {
      status: given.status ?? 'completed',
      reward: rep + format + correct,
      parts: { rep, format, correct },
      answer_match: correct === 1,
      format_ok: format === 1,
      prompt_tokens: 500,
      response_tokens: given.tokens ?? 400,
      think_tokens: given.think ?? 300,
      obs_tokens: 100,
    },
  })
}

const densified = (parent: string) => ({
  actor_model: 'qwen3-vl',
  derived_from_trajectory_id: `teach/${parent}`,
  derivation: 'densified',
})

/** Right: all but `wrong`. e1 and e2 say the same; long has 20,000 tokens, brief 20 of thought. */
const TEACH: KnownEvent[] = [
  event('run.started', { run_id: 'teach', kind: 'expert_synthesis' }),
  ...taught('e1', { item: 'c1', answer: 'forty-two' }),
  ...taught('e2', { item: 'c1', answer: 'forty-two' }),
  ...taught('loose', { item: 'c1', parts: [0, 0, 1] }),
  ...taught('repeats', { item: 'c2', parts: [-1, 1, 1] }),
  ...taught('brief', { item: 'g1', think: 20, tool: 'zoom' }),
  ...taught('long', { item: 'g1', tokens: 19_400, tool: 'zoom' }),
  ...taught('wrong', { item: 'c2', parts: [0, 1, 0] }),
  ...taught('tested', { item: 'x1' }),
  ...taught('broken', { item: 'c2', status: 'infra_error' }),
  ...taught('d-old', { item: 'c1', started: densified('e1') }),
  ...taught('d-new', { item: 'c1', started: densified('e1') }),
  ...taught('d-brief', { item: 'g1', started: densified('brief'), tool: 'zoom' }),
]

/** Rewards by policy version and item: 2 is right and well formed, 1 well formed, 0 neither. */
const REWARDS: Readonly<Record<number, Readonly<Record<string, readonly number[]>>>> = {
  0: { c1: [2, 1, 1, 1], c2: [1, 1, 1, 0], g1: [2, 2, 2, 2] },
  1: { c1: [2, 2, 2, 2], c2: [1, 1, 1, 1], g1: [1, 1, 0, 0] },
}

function trained(version: number, item: string, index: number, reward: number): KnownEvent[] {
  const id = `grpo/${version}/${item}/${index}`
  const right = reward === 2
  const step = version + 1
  const cut = id === 'grpo/1/g1/3'
  // At version 0 rollouts of c2 zoom: it times out, and the last one forgets the argument.
  const zooms = version === 0 && item === 'c2'
  return [
    ...rollout({
      id,
      item,
      started: {
        policy_version: version,
        train_step: step,
        group_id: `grpo/${version}/${item}`,
        group_size: 4,
        rollout_index: index,
        actor_model: `8b-v${version}`,
      },
      call: zooms
        ? { name: 'zoom', status: 'timeout', latency_ms: 1000, ...(index === 3 ? { arguments: {}, valid: false } : {}) }
        : { name: 'ocr', latency_ms: 10 * (index + 1) },
      answer: right ? '42' : `not ${index}`,
      finished: {
        ...(cut ? { status: 'truncated', end_reason: 'max_tokens' } : {}),
        reward,
        parts: { rep: 0, format: reward === 0 ? 0 : 1, correct: right ? 1 : 0 },
        answer_match: right,
        format_ok: reward !== 0,
        prediction_raw: right ? '42' : `not ${index}`,
        response_tokens: right ? 100 : 200,
      },
    }),
    event('trajectory.trained', {
      trajectory_id: id,
      run_id: 'grpo',
      train_step: step,
      // Of version 1 the rollouts were a version old when they were trained on.
      policy_version: version * 2,
      kept: item !== 'g1' || version !== 0,
      ...(item === 'g1' && version === 0 ? { drop_reason: 'zero_variance' } : {}),
      // What verl gives for c1 at version 0, but for the first, which is 1.5; nothing is said of others.
      ...(item === 'c1' && version === 0 ? { advantage: index === 0 ? 1.25 : -0.4999990000020001 } : {}),
    }),
  ]
}

const METRICS = Object.entries({ 'actor/ppo_kl': 0.01, 'actor/pg_clipfrac': 0.125, 'actor/entropy': 0.5, other: 9 })

const GRPO: KnownEvent[] = [
  event('run.started', { run_id: 'grpo', kind: 'rl', algorithm: 'grpo', correct_threshold: 2 }),
  ...Object.entries(REWARDS).flatMap(([version, items]) =>
    Object.entries(items).flatMap(([item, rewards]) =>
      rewards.flatMap((reward, index) => trained(Number(version), item, index, reward)),
    ),
  ),
  ...[1, 2].flatMap((step) =>
    METRICS.map(([name, value]) =>
      event('metric.logged', { run_id: 'grpo', train_step: step, name, value: value * step }),
    ),
  ),
  event('trajectory.annotated', {
    trajectory_id: 'grpo/0/c2/3',
    annotation_id: 'h1',
    codes: ['E4'],
    method: 'human',
    annotator: 'mia',
  }),
]

/** Everything, in the order in which it is sent. */
export const KNOWN: readonly KnownEvent[] = [
  ...ITEMS.map(([item_id, family, dataset, split]) =>
    event('item.registered', { item_id, family, dataset, split, question: `About ${item_id}?`, answer: ['42'] }),
  ),
  ...TEACH,
  ...GRPO,
]
