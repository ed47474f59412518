import { describe, expect, test } from 'vitest'
import type { Input } from '#services/import/unit.ts'
import { call, imported, messagesOf, ofType, type Sent } from './tau-bench-world.ts'

/** A rollout in the layout of tau-bench, made by hand. */
function rollout(task: number, trial: number, reward: number, traj: readonly Sent[]): Record<string, unknown> {
  return {
    task_id: task,
    reward,
    info: {
      task: { user_id: 'ann_lee_1', actions: [], instruction: `You are Ann. Task ${task}.`, outputs: ['42'] },
      source: 'user',
      user_cost: 0.01,
      reward_info: { reward, info: { r_actions: reward, gt_data_hash: 'abc' }, actions: [] },
    },
    traj,
    trial,
  }
}

const system: Sent = { role: 'system', content: '# Retail agent policy\n\nHelp.' }
const conversation: readonly Sent[] = [
  system,
  { role: 'user', content: 'Where is my order?' },
  { role: 'assistant', content: null, tool_calls: [call('c1', 'find', '{"id": 1}'), call('c1', 'find', '{"id":2}')] },
  { role: 'tool', tool_call_id: 'c1', name: 'find', content: 'first' },
  { role: 'tool', tool_call_id: 'c1', name: 'find', content: 'Error: second' },
  { role: 'assistant', content: '' },
  { role: 'user', content: '' },
  { role: 'assistant', content: 'Wait.', tool_calls: [call('c2', 'think', 'not json')] },
]

const input = (text: string | Uint8Array, name = 'model-retail.json'): Input => ({
  name,
  bytes: Buffer.from(text as string).length,
  open: async function* () {
    yield Buffer.from(text as string)
  },
})

describe('a tau-bench record', () => {
  test('becomes a run, an item, a rollout and its steps', async () => {
    const { events, faults } = await imported([
      input(JSON.stringify([rollout(7, 0, 1, conversation), rollout(7, 1, 0, [system])])),
    ])
    expect(faults).toEqual([])
    expect(ofType(events, 'run.started')).toEqual([
      { run_id: 'model-retail', kind: 'eval', config: { format: 'tau-bench' } },
    ])
    expect(ofType(events, 'item.registered')).toEqual([
      expect.objectContaining({
        item_id: 'tau-bench/retail/7',
        dataset: 'tau-bench-retail',
        split: 'test',
        question: 'You are Ann. Task 7.',
        answer: ['42'],
      }),
    ])
    expect(ofType(events, 'trajectory.started').map(({ prompt: _prompt, ...data }) => data)).toEqual(
      [0, 1].map((trial) => ({
        trajectory_id: `model-retail/retail/7/${trial}`,
        run_id: 'model-retail',
        item_id: 'tau-bench/retail/7',
        policy_version: 0,
        group_id: 'model-retail/retail/7',
        group_size: 2,
        rollout_index: trial,
      })),
    )
    const [first, second, third] = ofType(events, 'step.recorded')
    expect(first).toMatchObject({ step_index: 0, action_kind: 'tool_call' })
    expect(first).not.toHaveProperty('raw_output')
    expect(first?.['tool_calls']).toEqual([
      { id: 'c1', name: 'find', arguments: { id: 1 }, arguments_text: '{"id": 1}', parse_ok: true, status: 'ok' },
      { id: 'c1', name: 'find', arguments: { id: 2 }, parse_ok: true, status: 'tool_error' },
    ])
    expect(second).toMatchObject({
      action_kind: 'message',
      raw_output: '',
      observation: [{ role: 'user', content: '' }],
    })
    expect(third).toMatchObject({ raw_output: 'Wait.', tool_calls: [{ arguments: 'not json', parse_ok: false }] })
    expect(third).not.toHaveProperty('observation')
    expect(ofType(events, 'trajectory.finished')[0]).toMatchObject({
      status: 'completed',
      end_reason: 'env_done',
      n_steps: 3,
      reward: 1,
      parts: { r_actions: 1, correct: 1 },
    })
    expect(ofType(events, 'trajectory.finished')[1]).toMatchObject({ n_steps: 0, reward: 0, parts: { correct: 0 } })
    expect(events.at(-1)?.type).toBe('run.finished')
  })

  test('gives every message back, in order', async () => {
    const { events } = await imported([input(JSON.stringify([rollout(7, 0, 1, conversation)]))])
    expect(messagesOf(events, 'model-retail/retail/7/0')).toEqual(conversation)
  })

  test('gives the same events twice', async () => {
    const text = JSON.stringify([rollout(7, 0, 1, conversation)])
    const [once, twice] = [await imported([input(text)]), await imported([input(text)])]
    expect(twice.units).toEqual(once.units)
  })

  test('takes its domain from the system message where the name of the file tells none', async () => {
    const { events } = await imported([input(JSON.stringify([rollout(7, 0, 1, conversation)]), 'history.json')])
    expect(ofType(events, 'trajectory.started')[0]?.['item_id']).toBe('tau-bench/retail/7')
  })

  test('of a program that failed is an infra_error', async () => {
    const failed = { ...rollout(7, 0, 0, []), info: { error: 'rate limit', traceback: '…' } }
    const { events } = await imported([input(JSON.stringify([failed]))])
    expect(ofType(events, 'trajectory.finished')[0]).toMatchObject({
      status: 'infra_error',
      end_reason: 'error',
      n_steps: 0,
    })
    expect(ofType(events, 'item.registered')).toEqual([])
  })

  test('that nobody judged ran out of turns', async () => {
    const record = rollout(7, 0, 0, conversation)
    const { events } = await imported([
      input(JSON.stringify([{ ...record, info: { ...(record['info'] as object), reward_info: null } }])),
    ])
    expect(ofType(events, 'trajectory.finished')[0]).toMatchObject({ status: 'truncated', end_reason: 'max_turns' })
  })
})

describe('unreadable records', () => {
  const good = JSON.stringify(rollout(1, 0, 1, conversation))
  const bad: readonly (readonly [string, string, string])[] = [
    ['null', 'null', 'not an object'],
    ['no messages', '{"task_id":1,"trial":0,"reward":1,"info":{}}', 'traj'],
    ['a trial that is text', '{"task_id":1,"trial":"x","reward":1,"info":{},"traj":[]}', 'trial'],
    ['a message without a role', '{"task_id":1,"trial":0,"reward":1,"info":{},"traj":[{"content":"x"}]}', 'traj[0]'],
    [
      'a call without a function',
      '{"task_id":1,"trial":0,"reward":1,"info":{},"traj":[{"role":"assistant","tool_calls":[{}]}]}',
      'names no function',
    ],
    ['half a record', '{"task_id":1,"trial":0,"rew', ''],
    [
      'a step of more than 4 MiB',
      JSON.stringify(rollout(1, 9, 1, [{ role: 'assistant', content: 'x'.repeat(5e6) }])),
      'step.recorded',
    ],
    [
      'half of a surrogate pair',
      '{"task_id":1,"trial":9,"reward":1,"info":{},"traj":[{"role":"assistant","content":"\\ud800"}]}',
      'surrogate',
    ],
  ]
  test.each(bad)('%s is reported with its place, and the rest is imported', async (_name, garbage, says) => {
    const others = [2, 3].map((task) => JSON.stringify(rollout(task, 0, 1, conversation)))
    const { events, faults } = await imported([input(`[${good}, ${garbage}, ${others.join(',')}]`)])
    expect(faults).toHaveLength(1)
    expect(faults[0]).toMatchObject({ input: 'model-retail.json', index: 1, byteOffset: Buffer.byteLength(good) + 3 })
    expect(faults[0]?.message).toContain(says)
    expect(ofType(events, 'trajectory.finished').map((data) => data['trajectory_id'])).toEqual(
      [1, 2, 3].map((task) => `model-retail/retail/${task}/0`),
    )
  })
})
