/** Random histories of rollouts, as fast-check arbitraries: what a set of workers might send. */
import fc from 'fast-check'
import type { EventType } from '#schemas/events.ts'
import type { Data } from '#schemas/events/define.ts'
import type { NewRecord } from '#services/log/log.ts'
import { EVENTS } from '#schemas/events.ts'

export interface SentEvent {
  readonly type: EventType
  readonly data: Data
  readonly time: string
}

/** The bytes and key of an event, as ingest would append it. `salt` changes what is not compared: the id. */
export function recordOf(event: SentEvent, salt = 0): NewRecord {
  const envelope = {
    specversion: '1.0',
    id: `${event.type}-${salt}`,
    source: '/tests',
    type: event.type,
    time: event.time,
    data: event.data,
  }
  // What Stepstore itself writes bears its mark.
  const headers = EVENTS[event.type].internal ? { 'stepstore-internal': '1' } : {}
  return {
    key: String(event.data[EVENTS[event.type].partitionBy]),
    headers,
    value: Buffer.from(JSON.stringify(envelope)),
  }
}

const word = fc.constantFrom(
  'alpha',
  'beta',
  'gamma',
  'δέλτα',
  'with "quotes"',
  "it's; drop table",
  'tab\tnew\nline',
  'nul\u0000byte',
  '',
)
const count = fc.nat({ max: 900 })
const maybe = <Value>(arbitrary: fc.Arbitrary<Value>) => fc.option(arbitrary, { nil: undefined })
const reward = fc.oneof(
  fc.constantFrom<unknown>(0, 1, 2, -1, -3, 0.1, 'NaN', 'Infinity'),
  fc.double({ noNaN: true, min: -10, max: 10 }),
)
const image = fc.constantFrom('a'.repeat(64), 'b'.repeat(64), 'c'.repeat(64))

const step = fc.record({
  action_kind: fc.constantFrom('tool_call', 'answer', 'message', 'invalid'),
  raw_output: maybe(word),
  tool_calls: maybe(
    fc.array(
      fc.record({
        name: fc.constantFrom('ocr', 'chart_to_table', 'crop'),
        arguments: fc.constantFrom<unknown>({}, { x: 1 }, 'raw'),
        schema_ok: maybe(fc.boolean()),
        error_codes: maybe(fc.array(fc.constantFrom('E1', 'E2'), { maxLength: 2 })),
      }),
      { maxLength: 3 },
    ),
  ),
  observation: maybe(
    fc.oneof(
      word,
      fc.array(
        fc.record({ role: fc.constant('tool'), content: word, images: maybe(fc.array(image, { maxLength: 2 })) }),
        { maxLength: 2 },
      ),
    ),
  ),
  prompt_tokens: maybe(count),
  completion_tokens: maybe(count),
})

const trajectory = fc.record({
  run: fc.constantFrom('run-a', 'run-b'),
  item: fc.constantFrom('item-1', 'item-2', 'item-3'),
  policyVersion: fc.nat({ max: 3 }),
  rolloutIndex: fc.nat({ max: 3 }),
  steps: fc.array(step, { maxLength: 5 }),
  started: fc.boolean(),
  finished: fc.boolean(),
  reward: maybe(reward),
  scores: fc.uniqueArray(fc.record({ version: fc.constantFrom('dense', 'sparse'), reward }), {
    maxLength: 2,
    selector: (score) => score.version,
  }),
  codes: fc.array(fc.constantFrom('E4', 'E6'), { maxLength: 2 }),
  trained: fc.boolean(),
})

const at = (second: number) =>
  `2026-01-01T00:${String(Math.floor(second / 60) % 60).padStart(2, '0')}:${String(second % 60).padStart(2, '0')}Z`
const without = (data: Record<string, unknown>): Data =>
  Object.fromEntries(Object.entries(data).filter(([, value]) => value !== undefined))

/** The events of one rollout, in the order in which a careful worker sends them. */
function eventsOf(
  index: number,
  given: typeof trajectory extends fc.Arbitrary<infer Value> ? Value : never,
): SentEvent[] {
  const id = `${given.run}/${index}`
  const events: SentEvent[] = []
  const say = (type: EventType, data: Record<string, unknown>) =>
    events.push({ type, data: without(data), time: at(index * 7 + events.length) })
  if (given.started) {
    say('trajectory.started', {
      trajectory_id: id,
      run_id: given.run,
      item_id: given.item,
      policy_version: given.policyVersion,
      group_id: `${given.item}@${given.policyVersion}`,
      group_size: 4,
      rollout_index: given.rolloutIndex,
      train_step: given.policyVersion,
      prompt: [{ role: 'user', content: 'Q', images: ['a'.repeat(64)] }],
    })
  }
  given.steps.forEach((fields, stepIndex) =>
    say('step.recorded', { trajectory_id: id, step_index: stepIndex, run_id: given.run, ...fields }),
  )
  if (given.finished)
    say('trajectory.finished', {
      trajectory_id: id,
      status: 'completed',
      end_reason: 'answer',
      n_steps: given.steps.length,
      reward: given.reward,
    })
  for (const score of given.scores)
    say('trajectory.scored', {
      trajectory_id: id,
      reward_version: score.version,
      reward: score.reward,
      parts: { correct: score.reward },
    })
  if (given.codes.length > 0)
    say('trajectory.annotated', { trajectory_id: id, annotation_id: 'note', codes: given.codes })
  if (given.trained)
    say('trajectory.trained', {
      trajectory_id: id,
      train_step: 1,
      run_id: given.run,
      policy_version: 2,
      advantage: 'NaN',
    })
  return events
}

const common: SentEvent[] = [
  ...['run-a', 'run-b'].flatMap((run): SentEvent[] => [
    { type: 'run.started', data: { run_id: run, kind: 'rl', reward_version: 'dense' }, time: at(0) },
    { type: 'policy.published', data: { run_id: run, policy_version: 1, train_step: 1 }, time: at(1) },
    { type: 'metric.logged', data: { run_id: run, train_step: 1, name: 'entropy', value: 'Infinity' }, time: at(2) },
    { type: 'run.finished', data: { run_id: run, status: 'completed' }, time: at(3) },
  ]),
  ...['item-1', 'item-2'].map((item): SentEvent => ({
    type: 'item.registered',
    data: { item_id: item, dataset: 'd', family: 'f', split: 'train', question: 'Which "one"?\u0000', answer: ['x'] },
    time: at(4),
  })),
  {
    type: 'image.registered',
    data: { image_id: 'a'.repeat(64), media_type: 'image/png', width: 2, height: 2, bytes: 9 },
    time: at(5),
  },
  { type: 'image.stored', data: { image_id: 'a'.repeat(64), media_type: 'image/png', bytes: 9 }, time: at(6) },
]

/** A history without conflicts or duplicates, in a careful order. */
export const history: fc.Arbitrary<SentEvent[]> = fc
  .array(trajectory, { maxLength: 6 })
  .map((given) => [...common, ...given.flatMap((one, index) => eventsOf(index, one))])

/** Bytes that no reader takes for an event. */
export const garbage: fc.Arbitrary<NewRecord> = fc
  .constantFrom('{', 'null', '{"specversion":"1.0"}', '\ufffd')
  .map((text) => ({ key: text, value: text === '\ufffd' ? Buffer.from([0xff, 0xfe]) : Buffer.from(text) }))
