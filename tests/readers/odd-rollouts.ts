/** Rollouts that say things in every way that is allowed, and some that are not whole: where two engines could differ. */

const RUN = 'odd run'
/** What would be read as an escape, the end of a text or a setting of Spark, were it put into a query as it is. */
export const ODD_MODEL = 'it\'s \\n \\ "q" `b` ${spark.app.name} 𝔘 $1'
const NOT_HELD = 'ab'.repeat(32)

type Data = Readonly<Record<string, unknown>>

const started = (id: string, rest: Data = {}) => ({
  type: 'trajectory.started',
  data: {
    trajectory_id: id,
    run_id: RUN,
    item_id: 'odd/1',
    policy_version: 1,
    prompt: [{ role: 'user', content: 'Go.' }],
    ...rest,
  },
})
const step = (id: string, index: number, rest: Data = {}) => ({
  type: 'step.recorded',
  data: {
    trajectory_id: id,
    step_index: index,
    run_id: RUN,
    action_kind: 'message',
    raw_output: `said ${index}`,
    ...rest,
  },
})
const finished = (id: string, steps: number, rest: Data = {}) => ({
  type: 'trajectory.finished',
  data: { trajectory_id: id, run_id: RUN, status: 'completed', end_reason: 'answer', n_steps: steps, ...rest },
})
const scored = (id: string, version: string, rest: Data) => ({
  type: 'trajectory.scored',
  data: { trajectory_id: id, run_id: RUN, reward_version: version, ...rest },
})

const prompt = [
  { role: 'system', content: 'Line\nline "quoted" 𝔘' },
  { role: 'user', content: ['See ', { type: 'image', image_id: NOT_HELD }, { type: 'text', text: ' this' }] },
  {
    role: 'assistant',
    content: null,
    tool_calls: [
      { id: 'a', type: 'function', function: { name: 'ocr', arguments: '{"x": 1}' } },
      { id: 'b', type: 'function', function: { name: 'ocr', arguments: { y: [1, 2.5, 'z'] } } },
    ],
  },
  { role: 'assistant', content: '', tool_calls: [{ id: 'c', name: 'flat', arguments: { k: null } }, { name: 'bare' }] },
  { role: 'tool', content: 'read', tool_call_id: 'a', name: 'ocr' },
  { role: 'assistant', content: 'none', tool_calls: [] },
]

/** Every way to write a step. */
const said = [
  step('odd/a', 0, { raw_output: null, think_text: 'why', answer_text: 'so', observation: 'bare text' }),
  step('odd/a', 1, { raw_output: null, answer_text: 'only' }),
  step('odd/a', 2, { raw_output: null, observation: [] }),
  step('odd/a', 10, {
    action_kind: 'tool_call',
    raw_output: 'Now <tool_call>{"name":"ocr"}</tool_call>',
    tool_calls: [
      { id: 'd', name: 'ocr', arguments: 'not \\ "json"\n𝔘', raw_call: '<tool_call>{"name":"ocr"}</tool_call>' },
      { name: 'none' },
      { id: 'f', name: 'deep', arguments: { a: { b: [true, null, 1e21] } } },
    ],
    observation: [
      { role: 'tool', content: 'one', tool_call_id: 'd' },
      { role: 'user', content: 'two', images: [NOT_HELD, NOT_HELD] },
    ],
    logprobs: [-0.1, -1e-9],
    completion_token_ids: [1, 2],
    env_step_reward: -0.5,
    done: true,
    info: { a: 1 },
    started_at: '2026-01-02T03:04:05.678901Z',
  }),
]

/** The events: `odd/a` to `odd/k`. */
export const ODD_EVENTS = [
  { type: 'run.started', data: { run_id: RUN, kind: 'rl', reward_version: 'r2', correct_threshold: 0.5 } },
  started('odd/a', { prompt, actor_model: ODD_MODEL, tools: [{ type: 'function', function: { name: 'ocr' } }] }),
  ...said,
  finished('odd/a', 11, { reward: 0.5, prompt_tokens: 7 }),
  scored('odd/a', 'r1', { reward: 0.1 + 0.2, parts: { correct: 1, other: 0.25 } }),
  // Whole, and right in one version alone.
  started('odd/b', { prompt: null, train_step: 3 }),
  step('odd/b', 0, { images: [NOT_HELD] }),
  finished('odd/b', 1, { reward: 0.4999999 }),
  scored('odd/b', 'r1', { reward: -1, answer_match: true, format_ok: false }),
  // Neither more nor less than anything.
  started('odd/c'),
  step('odd/c', 0),
  finished('odd/c', 1, { reward: 'NaN' }),
  started('odd/d', { item_id: 'odd/2' }),
  step('odd/d', 0, {
    tool_calls: [{ name: 'ocr', arguments: {}, error_codes: ['E1', 'E2'] }],
    action_kind: 'tool_call',
  }),
  finished('odd/d', 1, { status: 'aborted', end_reason: 'error' }),
  // A step is missing.
  started('odd/e'),
  step('odd/e', 0),
  step('odd/e', 2),
  finished('odd/e', 3, { reward: 1 }),
  // A step came again with other content.
  started('odd/f'),
  step('odd/f', 0),
  step('odd/f', 0, { raw_output: 'something else' }),
  finished('odd/f', 1, { reward: 1 }),
  // No steps at all.
  started('odd/g'),
  finished('odd/g', 0),
  // Not finished, with a start and without.
  started('odd/h', { actor_model: ODD_MODEL, train_step: 3 }),
  step('odd/h', 0),
  step('odd/i', 0),
  // Finished and never started.
  step('odd/j', 0),
  finished('odd/j', 1, { reward: 1 }),
]
