import { afterEach, describe, expect, it } from 'vitest'
import { compile, type TABLES_READ } from '#services/datasets/compile.ts'
import type { DatasetRequest } from '#services/datasets/request.ts'
import type { Manifest } from '#services/datasets/manifest.ts'
import { everything, smallLake, trajectory, type SmallLake } from './small-lake.ts'

let lake: SmallLake

afterEach(async () => {
  await lake.close()
})

async function built(request: DatasetRequest): Promise<{ manifest: Manifest; rows: Record<string, unknown>[] }> {
  const pinned = await lake.datasets.pin(request, { snapshotId: undefined, after: new Map(), waitMs: 0 })
  const result = await lake.datasets.ready(pinned, 20_000)
  if (!('manifest' in result)) throw new Error('not built in time')
  const { manifest } = result
  const reader = manifest.format === 'parquet' ? 'read_parquet' : 'read_json'
  const options = manifest.format === 'parquet' ? '' : ", format = 'newline_delimited'"
  return {
    manifest,
    rows: await lake.query(`SELECT * FROM ${reader}('${await lake.blobs.localPath(manifest.object)}'${options})`),
  }
}

const sft: DatasetRequest = { ...everything, recipe: 'sft' }

describe('a dataset of a lake without rows', () => {
  it('is an empty file with all columns and types', async () => {
    lake = await smallLake()
    await lake.add({})
    const { manifest } = await built(sft)
    expect(manifest.rows).toBe(0)
    const columns = await lake.query(
      `DESCRIBE SELECT * FROM read_parquet('${await lake.blobs.localPath(manifest.object)}')`,
    )
    expect(columns.map((column) => column['column_name'])).toEqual([
      'run_id',
      'trajectory_id',
      'item_id',
      'group_id',
      'policy_version',
      'train_step',
      'reward',
      'correct',
      'status',
      'messages',
      'tools',
      'images',
      'loss_mask',
    ])
    expect(columns.map((column) => column['column_type'])).toContain('INTEGER[]')
  })
})

describe('sft', () => {
  it('puts prompt, actions and observations in order, with a mask that marks the actions', async () => {
    lake = await smallLake()
    const call = { id: 'c1', name: 'look', arguments: '{"x":1}' }
    await lake.add({
      trajectories: [
        trajectory({
          trajectory_id: 't1',
          n_steps: 2,
          tools: '[{"type":"function"}]',
          prompt: [
            { role: 'system', content: 'S' },
            { role: 'user', content: '<image>Q', images: ['a'.repeat(64)] },
          ],
        }),
      ],
      steps: [
        { run_id: 'r1', trajectory_id: 't1', step_index: 1, raw_output: 'A', tool_calls: [], observation: [] },
        {
          run_id: 'r1',
          trajectory_id: 't1',
          step_index: 0,
          raw_output: 'whole',
          content: 'thought',
          tool_calls: [call],
          observation: [{ role: 'tool', content: 'seen', tool_call_id: 'c1', name: 'look' }],
        },
      ],
      scores: [{ trajectory_id: 't1', offset: 3, reward: 1 }],
    })
    const { rows } = await built(sft)
    const nothing = { tool_calls: null, tool_call_id: null, name: null }
    expect(rows).toEqual([
      expect.objectContaining({
        messages: [
          { role: 'system', content: 'S', ...nothing },
          { role: 'user', content: '<image>Q', ...nothing },
          {
            role: 'assistant',
            content: 'thought',
            ...nothing,
            tool_calls: [{ id: 'c1', type: 'function', function: { name: 'look', arguments: '{"x":1}' } }],
          },
          { role: 'tool', content: 'seen', tool_calls: null, tool_call_id: 'c1', name: 'look' },
          { role: 'assistant', content: 'A', ...nothing },
        ],
        loss_mask: [0, 0, 1, 0, 1],
        images: ['a'.repeat(64)],
        tools: '[{"type":"function"}]',
        reward: 1,
        correct: true,
      }),
    ])
  })

  it('has the same rows in the same order when it is gathered in many parts', async () => {
    lake = await smallLake()
    const ids = Array.from({ length: 9 }, (_, index) => `t${index}`)
    await lake.add({
      trajectories: ids.map((id, index) =>
        trajectory({ trajectory_id: id, run_id: `r${index % 2}`, n_steps: index % 4 }),
      ),
      steps: ids.flatMap((id, index) =>
        Array.from({ length: index % 4 }, (_, step) => ({
          run_id: `r${index % 2}`,
          trajectory_id: id,
          step_index: step,
          raw_output: `${id}/${step}`,
        })),
      ),
    })
    const { rows } = await built(sft)
    expect(rows).toHaveLength(9)
    const local = async (table: (typeof TABLES_READ)[number]) =>
      Promise.all(
        (await lake.catalog.filesAt(table, 1)).map(async (file) => ({
          ...file,
          localPath: await lake.blobs.localPath(file.path),
        })),
      )
    const { prepare, counts, write } = compile(
      sft,
      { trajectories: await local('trajectories'), steps: await local('steps') },
      3,
    )
    const output = await lake.blobs.localPath((await lake.catalog.filesAt('steps', 1))[0]?.path ?? '')
    await lake.runCopy(
      { prepare, counts, write: write(`${output}.again`, '') },
      { signal: new AbortController().signal },
    )
    expect(await lake.query(`SELECT * FROM read_parquet('${output}.again')`)).toEqual(rows)
  })

  it('tells steps in their order, in whatever order their files come', async () => {
    lake = await smallLake()
    const step = (index: number) => ({
      run_id: 'r1',
      trajectory_id: 't1',
      step_index: index,
      raw_output: `said ${index}`,
      observation: index % 2 === 0 ? [{ role: 'tool', content: `seen ${index}` }] : [],
      completion_token_ids: [index],
    })
    await lake.add({ steps: [step(2), step(4)] })
    await lake.add({ steps: [step(0), step(3)] })
    await lake.add({
      trajectories: [trajectory({ trajectory_id: 't1', n_steps: 5, group_id: 'g1' })],
      steps: [step(1)],
      scores: [{ trajectory_id: 't1', offset: 3, reward: 1 }],
    })
    const told = ['said 0', 'seen 0', 'said 1', 'said 2', 'seen 2', 'said 3', 'said 4', 'seen 4']
    const textOf = (messages: unknown) => (messages as { content: string }[]).map(({ content }) => content)
    const [talk] = (await built(sft)).rows
    expect(textOf(talk?.['messages'])).toEqual(told)
    expect(talk?.['loss_mask']).toEqual([1, 0, 1, 1, 0, 1, 1, 0])
    const [rollout] = (await built({ ...everything, recipe: 'grpo' })).rows
    expect(textOf(rollout?.['completion'])).toEqual(told)
    expect(rollout?.['completion_token_ids']).toEqual([['0'], ['1'], ['2'], ['3'], ['4']])
  })

  it('reads the calls of a prompt in either form, and arguments that were sent as text', async () => {
    lake = await smallLake()
    const calls = [
      { id: 'a', type: 'function', function: { name: 'f', arguments: '{"x": 1}' } },
      { id: 'b', name: 'g', arguments: { y: 2 } },
    ]
    await lake.add({
      trajectories: [
        trajectory({
          trajectory_id: 't1',
          prompt: [
            { role: 'assistant', content: null, tool_calls: JSON.stringify(calls) },
            { role: 'user', content: 'u', tool_calls: 'not json' },
          ],
        }),
      ],
      steps: [
        {
          run_id: 'r1',
          trajectory_id: 't1',
          step_index: 0,
          raw_output: '',
          tool_calls: [
            { id: null, name: 'h', arguments: JSON.stringify('{"z": 3}') },
            { id: 'x', name: 'i', arguments: null },
          ],
        },
      ],
    })
    const { rows } = await built(sft)
    const messages = rows[0]?.['messages'] as { tool_calls: { function: unknown }[] | null }[]
    expect(messages.map((message) => message.tool_calls?.map((call) => call.function) ?? null)).toEqual([
      [
        { name: 'f', arguments: '{"x": 1}' },
        { name: 'g', arguments: '{"y":2}' },
      ],
      null,
      [
        { name: 'h', arguments: '{"z": 3}' },
        { name: 'i', arguments: '{}' },
      ],
    ])
  })

  it('as jsonl leaves out what a message does not have, and NaN', async () => {
    lake = await smallLake()
    await lake.add({
      trajectories: [trajectory({ trajectory_id: 't1', prompt: [{ role: 'user', content: 'ü "q"\n' }] })],
      steps: [
        {
          run_id: 'r1',
          trajectory_id: 't1',
          step_index: 0,
          raw_output: 'A',
          tool_calls: [{ id: null, name: 'h', arguments: '{}' }],
        },
      ],
      scores: [{ trajectory_id: 't1', offset: 1, reward: 'NaN' }],
    })
    const { manifest } = await built({ ...sft, format: 'jsonl' })
    const text = Buffer.from((await lake.blobs.get(manifest.object)) ?? []).toString()
    expect(text.endsWith('}\n')).toBe(true)
    expect(JSON.parse(text)).toEqual({
      run_id: 'r1',
      trajectory_id: 't1',
      item_id: 'i1',
      group_id: null,
      policy_version: 0,
      train_step: null,
      reward: null,
      correct: false,
      status: 'completed',
      messages: [
        { role: 'user', content: 'ü "q"\n' },
        {
          role: 'assistant',
          content: 'A',
          tool_calls: [{ type: 'function', function: { name: 'h', arguments: '{}' } }],
        },
      ],
      tools: null,
      images: [],
      loss_mask: [0, 1],
    })
  })
})

describe('scores', () => {
  it('are those of the run unless another version is asked for; of two the earlier counts', async () => {
    lake = await smallLake()
    await lake.add({
      runs: [{ run_id: 'r1', reward_version: 'v2', correct_threshold: 0.5 }],
      trajectories: [trajectory({ trajectory_id: 't1' }), trajectory({ trajectory_id: 't2', run_id: 'r2' })],
      scores: [
        { trajectory_id: 't1', reward_version: 'v2', offset: 9, reward: 0.1 },
        { trajectory_id: 't1', reward_version: null, offset: 4, reward: 0.5 },
        { trajectory_id: 't1', reward_version: 'default', offset: 1, reward: 7 },
        { trajectory_id: 't2', reward_version: null, offset: 1, reward: 0.5 },
      ],
    })
    const read = async (rewardVersion: string | undefined) =>
      (await built({ ...everything, rewardVersion })).rows.map((row) => [
        row['trajectory_id'],
        row['reward_version'],
        row['reward'],
        row['correct'],
      ])
    expect(await read(undefined)).toEqual([
      ['t1', 'v2', 0.5, true],
      ['t2', 'default', 0.5, false],
    ])
    expect(await read('default')).toEqual([
      ['t1', 'default', 7, true],
      ['t2', 'default', 0.5, false],
    ])
  })
})

describe('what is left out', () => {
  it('is counted by its reason and comes in when the reason is included', async () => {
    lake = await smallLake()
    const held = 'b'.repeat(64)
    const start = (id: string) => ({
      partition: 0,
      offset: 70,
      verdict: 'accepted',
      type: 'trajectory.started',
      run_id: 'r1',
      trajectory_id: id,
      headers: '{}',
      raw: JSON.stringify({
        data: {
          item_id: 'i9',
          policy_version: 4,
          prompt: [
            {
              role: 'user',
              content: [
                { type: 'text', text: 'a' },
                { type: 'image', image_id: held },
              ],
            },
          ],
        },
      }),
    })
    await lake.add({
      trajectories: [
        trajectory({ trajectory_id: 'good', image_ids: [held] }),
        trajectory({ trajectory_id: 'gap', n_steps: 3, n_steps_seen: 2 }),
        trajectory({ trajectory_id: 'moved', n_steps: 2, step_index_max: 2 }),
        trajectory({ trajectory_id: 'odd', n_conflicts: 1 }),
        trajectory({ trajectory_id: 'blind', image_ids: [held, 'c'.repeat(64)] }),
        trajectory({ trajectory_id: 'other', run_id: 'r2' }),
      ],
      images: [
        { image_id: held, stored: true },
        { image_id: 'c'.repeat(64), stored: false },
      ],
      events: [start('open')],
      steps: [{ run_id: 'r1', trajectory_id: 'open', step_index: 0, raw_output: 'A' }],
    })
    const conditions = { run: { any: ['r1'], ne: [] } }
    const { manifest, rows } = await built({ ...sft, conditions })
    expect(rows.map((row) => row['trajectory_id'])).toEqual(['good'])
    expect(manifest.counts).toEqual({
      trajectories: 7,
      rows: 1,
      filtered: { run: 1 },
      left_out: { unfinished: 1, gap: 2, conflicted: 1, missing_image: 1 },
    })
    const all = await built({ ...sft, conditions, include: ['unfinished', 'gap', 'conflicted', 'missing_image'] })
    expect(all.rows.map((row) => row['trajectory_id'])).toEqual(['blind', 'gap', 'good', 'moved', 'odd', 'open'])
    expect(all.rows[5]).toMatchObject({
      item_id: 'i9',
      policy_version: '4',
      status: null,
      images: [held],
      loss_mask: [0, 1],
      messages: [{ role: 'user', content: 'a<image>' }, { content: 'A' }],
    })
  })

  it('limit with a seed keeps a sample that does not depend on the order, and counts the rest', async () => {
    lake = await smallLake()
    await lake.add({
      trajectories: Array.from({ length: 50 }, (_, index) =>
        trajectory({ trajectory_id: `t${String(index).padStart(2, '0')}` }),
      ),
    })
    const of = async (seed: number) =>
      (await built({ ...everything, limit: 5, seed })).rows.map((row) => row['trajectory_id'])
    const sample = await of(1)
    expect(sample).toHaveLength(5)
    expect(sample).toEqual(sample.map(String).toSorted((left, right) => (left < right ? -1 : 1)))
    expect(await of(2)).not.toEqual(sample)
    expect((await built({ ...everything, limit: 5 })).manifest.counts).toMatchObject({
      rows: 5,
      filtered: { limit: 45 },
    })
  })
})
