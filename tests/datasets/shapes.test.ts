import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { SHAPES, type Shape } from '#services/datasets/recipes.ts'
import { smallLake, trajectory, type SmallLake } from './small-lake.ts'
import { SFT_RULES, sharegptPair, verlRl } from './shape-rules.ts'
import { written } from './written.ts'

let lake: SmallLake | undefined
afterEach(async () => {
  await lake?.close()
  lake = undefined
})

const IMAGE = 'ab'.repeat(32)
const OTHER = 'cd'.repeat(32)

interface Talk {
  readonly prompt: readonly Record<string, unknown>[]
  readonly steps: readonly Record<string, unknown>[]
  readonly tools?: string
}

/** A lake with one trajectory for each conversation, t00, t01, … */
async function withTalks(talks: readonly Talk[]): Promise<SmallLake> {
  lake = await smallLake()
  const idOf = (index: number) => `t${String(index).padStart(2, '0')}`
  await lake.add({
    images: [IMAGE, OTHER].map((image_id) => ({ image_id, stored: true })),
    trajectories: talks.map(({ prompt, steps, tools = null }, index) =>
      trajectory({ trajectory_id: idOf(index), n_steps: steps.length, prompt, tools }),
    ),
    steps: talks.flatMap(({ steps }, index) =>
      steps.map((step, at) => ({ run_id: 'r1', trajectory_id: idOf(index), step_index: at, ...step })),
    ),
    scores: talks.map((_, index) => ({ trajectory_id: idOf(index), offset: 1, reward: 1 })),
  })
  return lake
}

const content = fc.constantFrom('', 'words', '<think>a</think>', '<image>', '<image> and <image>', null)
const images = fc.constantFrom([], [], [IMAGE], [IMAGE, OTHER])
const call = fc.record({
  id: fc.constantFrom('c1', null),
  name: fc.constantFrom('look', 'zoom'),
  arguments: fc.constantFrom('{"x":1}', '{}', '"{\\"y\\":2}"', '"broken {"', '[1]', null),
})

const heard = fc.record({
  role: fc.constantFrom('user', 'tool', 'tool', 'function', 'developer'),
  content,
  images,
})

/** What is right by itself, so that not every conversation has something wrong. */
const fine = fc.constantFrom<Record<string, unknown>>(
  { raw_output: '<think>a</think>answer' },
  {
    raw_output: '<think>a</think><tool_call>{"name":"look"}</tool_call>',
    content: '<think>a</think>',
    tool_calls: [{ id: 'c1', name: 'look', arguments: '{"x":1}' }],
    observation: [{ role: 'tool', content: 'seen <image>', images: [OTHER] }],
  },
  { raw_output: 'A', observation: [{ role: 'user', content: 'go on' }] },
)

const step = fc.oneof(
  { weight: 3, arbitrary: fine },
  {
    weight: 1,
    arbitrary: fc.record({
      raw_output: fc.constantFrom('say', '<think>b</think>', 'say look zoom', null),
      content: fc.constantFrom(null, 'said', '<think>b</think>'),
      tool_calls: fc.array(call, { maxLength: 2 }),
      observation: fc.array(heard, { maxLength: 2 }),
      images,
    }),
  },
)

const asked = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.constant([
      { role: 'system', content: 'S' },
      { role: 'user', content: '<image>Q', images: [IMAGE] },
    ]),
  },
  {
    weight: 1,
    arbitrary: fc.array(fc.record({ role: fc.constantFrom('system', 'user', 'user', 'assistant'), content, images }), {
      maxLength: 3,
    }),
  },
)

const talk: fc.Arbitrary<Talk> = fc.record(
  { prompt: asked, steps: fc.array(step, { maxLength: 3 }), tools: fc.constantFrom('[{"type":"function"}]', '[]') },
  { requiredKeys: ['prompt', 'steps'] },
)

describe.each(SHAPES)('any conversation as %s', (shape) => {
  it('keeps the rules of its readers, or is left out and counted', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(talk, { minLength: 60, maxLength: 99 }), async (talks) => {
        const made = await written(await withTalks(talks), { recipe: 'sft', shape })
        const rows = await made.lines()
        expect(rows.map(SFT_RULES[shape]).filter((fault) => fault !== undefined)).toEqual([])
        const left = Object.values(made.notTaken).reduce((sum, n) => sum + n, 0)
        expect([rows.length, made.rows + left]).toEqual([made.rows, talks.length])
        expect(made.rows).toBeGreaterThan(0)
        await lake?.close()
      }),
      { numRuns: 2, endOnFailure: true },
    )
    lake = undefined
  }, 60_000)
})

/** A conversation in which everything can be expressed. */
const good: Talk = {
  prompt: [
    { role: 'system', content: 'S' },
    { role: 'user', content: '<image>Q', images: [IMAGE] },
  ],
  steps: [
    {
      raw_output: '<think>a</think><tool_call>{"name":"look"}</tool_call>',
      content: '<think>a</think>',
      tool_calls: [{ id: 'c1', name: 'look', arguments: '{"x":1}' }],
      observation: [{ role: 'tool', content: 'seen', tool_call_id: 'c1', name: 'look' }],
    },
    { raw_output: '<answer>4</answer>', observation: [{ role: 'user', content: 'thanks <image>', images: [OTHER] }] },
  ],
  tools: '[{"type":"function"}]',
}

describe('a conversation that ends in something observed', () => {
  it('ends in sharegpt with the last action, and has no image that came after it', async () => {
    const [row] = await (await written(await withTalks([good]), { recipe: 'sft', shape: 'sharegpt' })).lines()
    expect(row).toMatchObject({
      system: 'S',
      conversations: [
        { from: 'human', value: '<image>Q' },
        { from: 'function_call', value: '<think>a</think>{"name":"look","arguments":{"x":1}}' },
        { from: 'observation', value: 'seen' },
        { from: 'gpt', value: '<answer>4</answer>' },
      ],
      tools: '[{"type":"function"}]',
      images: [IMAGE],
    })
  })

  it('has in swift what is trained on, call by call', async () => {
    const [row] = await (await written(await withTalks([good]), { recipe: 'sft', shape: 'swift' })).lines()
    expect(row?.['messages']).toEqual([
      { role: 'system', content: 'S' },
      { role: 'user', content: '<image>Q' },
      { role: 'assistant', content: '<think>a</think>', loss: true },
      { role: 'tool_call', content: '{"name":"look","arguments":{"x":1}}', loss: true },
      { role: 'tool_response', content: 'seen' },
      { role: 'assistant', content: '<answer>4</answer>', loss: true },
    ])
  })

  it('has in internvl the calls as they were written', async () => {
    const [row] = await (await written(await withTalks([good]), { recipe: 'sft', shape: 'internvl' })).lines()
    expect(row).toMatchObject({
      id: 't00',
      image: [IMAGE],
      conversations: [
        { from: 'system', value: 'S' },
        { from: 'human', value: '<image>Q' },
        { from: 'gpt', value: '<think>a</think><tool_call>{"name":"look"}</tool_call>' },
        { from: 'human', value: 'seen' },
        { from: 'gpt', value: '<answer>4</answer>' },
      ],
    })
  })

  it('is whole in raw and in verl, with every image', async () => {
    await withTalks([good])
    if (lake === undefined) throw new Error('no lake')
    const [raw] = await (await written(lake, { recipe: 'sft', shape: 'raw' })).lines()
    const messages = (raw?.['messages'] ?? []) as unknown[]
    expect(messages[2]).toEqual({
      role: 'assistant',
      content: '<think>a</think>',
      text: '<think>a</think><tool_call>{"name":"look"}</tool_call>',
      tool_calls: [{ id: 'c1', name: 'look', arguments: '{"x":1}' }],
      images: [],
    })
    const [verl] = await (await written(lake, { recipe: 'sft', shape: 'verl' })).lines()
    expect([raw?.['images'], verl?.['images']]).toEqual([
      [IMAGE, OTHER],
      [IMAGE, OTHER],
    ])
  })
})

const [first = {}] = good.steps
const broken: Record<string, readonly [Talk, readonly Shape[]]> = {
  no_action: [{ prompt: good.prompt, steps: [] }, ['sharegpt', 'swift', 'verl', 'internvl']],
  untrained_action: [
    { ...good, prompt: [...good.prompt, { role: 'assistant', content: 'a' }, { role: 'user', content: 'b' }] },
    ['sharegpt', 'verl', 'internvl'],
  ],
  role: [
    { ...good, prompt: [{ role: 'developer', content: 'a' }, ...good.prompt.slice(1)] },
    ['sharegpt', 'swift', 'internvl'],
  ],
  arguments: [
    {
      ...good,
      steps: [{ ...first, tool_calls: [{ id: 'c', name: 'look', arguments: '"no json"' }] }, { raw_output: 'A' }],
    },
    ['sharegpt', 'swift'],
  ],
  text_beside_call: [{ ...good, steps: [{ ...first, content: 'Let me look.' }, { raw_output: 'A' }] }, ['sharegpt']],
  tool_calls: [{ ...good, steps: [{ ...first, content: null, raw_output: '' }, { raw_output: 'A' }] }, ['internvl']],
  turn_order: [{ ...good, steps: [{ ...first, observation: [] }, { raw_output: 'A' }] }, ['sharegpt', 'internvl']],
  image_marks: [
    { ...good, prompt: [{ role: 'user', content: 'Q without a mark', images: [IMAGE] }] },
    ['sharegpt', 'swift', 'verl', 'internvl'],
  ],
  no_text: [
    { prompt: [{ role: 'user', content: 'Q' }], steps: [{ raw_output: null }] },
    ['sharegpt', 'swift', 'internvl'],
  ],
}

describe.each(Object.entries(broken))('a row that a shape cannot express because of %s', (reason, [given, shapes]) => {
  it('is left out and counted there, and stays in the others', async () => {
    const own = await withTalks([given])
    for (const shape of SHAPES) {
      const { rows, notTaken } = await written(own, { recipe: 'sft', shape })
      expect([shape, rows, notTaken]).toEqual(shapes.includes(shape) ? [shape, 0, { [reason]: 1 }] : [shape, 1, {}])
    }
  }, 60_000)
})

describe('marks that are as many as images, but not beside them', () => {
  it('are not taken for one another', async () => {
    const crossed: Talk = {
      prompt: [{ role: 'user', content: '<image><image>Q', images: [IMAGE] }],
      steps: [
        { raw_output: 'A', observation: [{ role: 'user', content: 'this', images: [OTHER] }] },
        { raw_output: 'B' },
      ],
    }
    const { notTaken } = await written(await withTalks([crossed]), { recipe: 'sft', shape: 'swift' })
    expect(notTaken).toEqual({ image_marks: 1 })
  })
})

describe('items and pairs', () => {
  it('keep the rules of verl and of LLaMA-Factory', async () => {
    lake = await smallLake()
    const prompt = [{ role: 'user', content: '<image>Q', images: [IMAGE] }]
    await lake.add({
      images: [{ image_id: IMAGE, stored: true }],
      items: [
        { item_id: 'i1', dataset: 'd', family: 'f', split: 'train', question: 'Q', answer: ['4'], image_ids: [IMAGE] },
      ],
      trajectories: [0, 1].map((index) =>
        trajectory({
          trajectory_id: `t${index}`,
          group_id: 'g',
          rollout_index: index,
          partition: 0,
          first_offset: index,
          prompt,
        }),
      ),
      steps: [0, 1].map((index) => ({
        run_id: 'r1',
        trajectory_id: `t${index}`,
        step_index: 0,
        raw_output: String(index),
      })),
      scores: [0, 1].map((index) => ({ trajectory_id: `t${index}`, offset: 1, reward: index })),
    })
    const rules = [
      [{ recipe: 'items', shape: 'verl' }, verlRl],
      [{ recipe: 'grpo', shape: 'verl' }, verlRl],
      [{ recipe: 'preference', shape: 'sharegpt' }, sharegptPair],
    ] as const
    for (const [asking, rule] of rules) {
      const rows = await (await written(lake, asking)).lines()
      expect(rows.length).toBeGreaterThan(0)
      expect(rows.map(rule).filter((fault) => fault !== undefined)).toEqual([])
    }
  })
})
