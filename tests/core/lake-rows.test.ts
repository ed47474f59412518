import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { EVENT_TYPES, EVENTS } from '#schemas/events.ts'
import { lakeColumns } from '#schemas/lake.ts'
import { readAgain, readEvent, type ReadEvent } from '#services/core/event-reader.ts'
import { imageRow, runRow, trajectoryRow } from '#services/core/lake-entities.ts'
import type { LakeRow } from '#services/core/lake-place.ts'
import { eachLakeRow, messageRow, scoreRow, stepRow, toolCallRows } from '#services/core/lake-rows.ts'
import { contentWithoutCalls } from '#services/core/lake-step.ts'
import type { Row } from '#schemas/tables.ts'

const place = { partition: 2, offset: 7, appendedAtMs: Date.UTC(2026, 10, 23, 3, 4, 5, 678) }

function event(type: string, data: Record<string, unknown>, more: Record<string, unknown> = {}): ReadEvent {
  const read = readEvent(
    Buffer.from(JSON.stringify({ specversion: '1.0', id: '1', source: '/t', type, data, ...more })),
    { 'stepstore-internal': '1' },
  )
  if (!read.readable) throw new Error(`${read.code} ${read.message} ${read.pointer}`)
  return read
}

const step = (fields: Record<string, unknown>, more?: Record<string, unknown>): ReadEvent =>
  event('step.recorded', { trajectory_id: 't', step_index: 0, run_id: 'r', action_kind: 'tool_call', ...fields }, more)

const HASH_A = 'a'.repeat(64)
const HASH_B = 'b'.repeat(64)

describe('a message', () => {
  test('with text is as it was sent', () => {
    expect(messageRow({ role: 'user', content: 'Which?', images: [HASH_A] })).toEqual({
      role: 'user',
      content: 'Which?',
      content_parts: null,
      tool_calls: null,
      tool_call_id: null,
      name: null,
      images: [HASH_A],
    })
  })

  test('with parts becomes one text, images marked and their hashes listed', () => {
    const content = [
      { type: 'image', image_id: HASH_A },
      { type: 'text', text: 'left or ' },
      'right',
      { type: 'image_url', image_url: { url: 'x' } },
      { type: 'audio' },
    ]
    const row = messageRow({ role: 'user', content })
    expect(row.content).toBe('<image>left or right<image>')
    expect(row.images).toEqual([HASH_A])
    expect(JSON.parse(row.content_parts ?? '')).toEqual(content)
  })

  test('names an image once when its list and its parts name the same, and keeps an image that parts show twice', () => {
    const parts = [
      { type: 'image', image_id: HASH_A },
      { type: 'image', image_id: HASH_B },
    ]
    expect(messageRow({ role: 'user', content: parts, images: [HASH_A] }).images).toEqual([HASH_A, HASH_B])
    expect(messageRow({ role: 'user', content: [parts[0], parts[0]] }).images).toEqual([HASH_A, HASH_A])
  })

  test('keeps its calls, the call that it answers and its tool', () => {
    const calls = [{ id: 'c', function: { name: 'f' } }]
    expect(messageRow({ role: 'tool', content: null, tool_calls: calls, tool_call_id: 'c', name: 'f' })).toMatchObject({
      content: null,
      tool_calls: JSON.stringify(calls),
      tool_call_id: 'c',
      name: 'f',
    })
  })

  test('whose content is neither text nor a list is kept as JSON', () => {
    expect(messageRow({ role: 'tool', content: { rows: 2 } })).toMatchObject({
      content: '{"rows":2}',
      content_parts: '{"rows":2}',
    })
  })
})

describe('the content of a step', () => {
  test('is what is left without the calls and the tags around them', () => {
    const call = '{"name":"ocr"}'
    expect(
      contentWithoutCalls(`<think>a</think>\n<tool_call>\n${call}\n</tool_call>\n`, [{ name: 'ocr', raw_call: call }]),
    ).toBe('<think>a</think>')
    expect(contentWithoutCalls(`see ${call} there`, [{ name: 'ocr', raw_call: call }])).toBe('see  there')
    expect(contentWithoutCalls(`<tool_call>${call}</tool_call>`, [{ name: 'ocr', raw_call: call }])).toBe('')
  })

  test('is null where no call stands in it as written', () => {
    expect(contentWithoutCalls('words', [{ name: 'ocr', raw_call: 'other' }])).toBeNull()
    expect(contentWithoutCalls('words', [{ name: 'ocr' }])).toBeNull()
    expect(contentWithoutCalls('words', [{ name: 'ocr', raw_call: '' }])).toBeNull()
  })

  test('keeps every word between any number of calls', () => {
    const words = fc.string({ unit: fc.constantFrom('a', 'ä', '😀', ' ', '\n') })
    fc.assert(
      fc.property(
        fc.array(fc.record({ before: words, args: fc.integer(), tagged: fc.boolean() }), {
          minLength: 1,
          maxLength: 5,
        }),
        words,
        (pieces, end) => {
          const calls = pieces.map(({ args }, index) => ({ name: 'f', raw_call: `{"call":${index},"x":${args}}` }))
          const raw =
            pieces
              .map(
                ({ before, tagged }, index) =>
                  before + (tagged ? `<tool_call>${calls[index]?.raw_call}</tool_call>` : calls[index]?.raw_call),
              )
              .join('') + end
          expect(contentWithoutCalls(raw, calls)).toBe((pieces.map(({ before }) => before).join('') + end).trim())
        },
      ),
    )
  })
})

describe('a step', () => {
  test('has its place, the time it says, its fields and its unknown fields', () => {
    const row = stepRow(
      step(
        { raw_output: 'x', mood: 'good', started_at: '2026-11-23T04:00:00+01:00' },
        { time: '2026-11-23T03:00:00.5Z' },
      ),
      place,
    )
    expect(row).toMatchObject({
      partition: 2,
      offset: 7,
      appended_at: '2026-11-23T03:04:05.678000Z',
      dt: '2026-11-23',
      time: '2026-11-23T03:00:00.500000Z',
      raw_output: 'x',
      content: null,
      n_tool_calls: 0,
      started_at: '2026-11-23T03:00:00.000000Z',
      extra: '{"mood":"good"}',
    })
    expect(row['content_hash']).toMatch(/^[0-9a-f]{32}$/)
  })

  test('without a time has the time of append', () => {
    expect(stepRow(step({}), place)['time']).toBe('2026-11-23T03:04:05.678000Z')
  })

  test('with a bare observation has one tool message', () => {
    expect(stepRow(step({ observation: '42' }), place)['observation']).toMatchObject([{ role: 'tool', content: '42' }])
    expect(stepRow(step({}), place)['observation']).toBeNull()
  })

  test('lists its calls with arguments as JSON text', () => {
    const row = stepRow(
      step({
        tool_calls: [{ id: 'c', name: 'f', arguments: { x: 1 } }, { name: 'g', arguments: 'not json' }, { name: 'h' }],
      }),
      place,
    )
    expect(row['tool_calls']).toEqual([
      { id: 'c', name: 'f', arguments: '{"x":1}' },
      { id: null, name: 'g', arguments: '"not json"' },
      { id: null, name: 'h', arguments: null },
    ])
    expect(row['n_tool_calls']).toBe(3)
  })

  test('gives a row for each call, which unknown fields cannot disturb', () => {
    const rows = toolCallRows(
      step({
        tool_calls: [
          { name: 'f', latency_ms: 4 },
          { name: 'f', run_id: 'evil', dt: 'x', extra: 'y' },
        ],
      }),
      place,
    )
    expect(rows.map((row) => row['call_index'])).toEqual([0, 1])
    expect(rows[0]).toMatchObject({ name: 'f', latency_ms: 4, run_id: 'r', extra: null })
    expect(rows[1]).toMatchObject({ run_id: 'r', dt: '2026-11-23', extra: '{"run_id":"evil","dt":"x","extra":"y"}' })
  })
})

describe('scores', () => {
  test('come from a finish with a reward under no version, and from a scoring under its own', () => {
    const finish = { trajectory_id: 't', status: 'completed', end_reason: 'answer', n_steps: 1 }
    expect(scoreRow(event('trajectory.finished', finish), place)).toBeUndefined()
    expect(
      scoreRow(
        event('trajectory.finished', { ...finish, reward: 'NaN', parts: { correct: 1, rep: '-Infinity' } }),
        place,
      ),
    ).toMatchObject({
      reward_version: null,
      reward: 'NaN',
      r_correct: 1,
      r_rep: '-Infinity',
      r_format: null,
      parts: '{"correct":1,"rep":"-Infinity"}',
    })
    expect(
      scoreRow(event('trajectory.scored', { trajectory_id: 't', reward_version: 'dense', reward: 2 }), place),
    ).toMatchObject({ reward_version: 'dense', reward: 2 })
  })
})

describe('every row', () => {
  const rows: (readonly [string, LakeRow])[] = EVENT_TYPES.flatMap((type) =>
    EVENTS[type].examples.flatMap((data) => {
      const found: (readonly [string, LakeRow])[] = []
      eachLakeRow(event(type, data), place, (table, row) => found.push([table, row]))
      return found
    }),
  )
  const started = event('trajectory.started', EVENTS['trajectory.started'].examples[0] ?? {})
  const finished = event('trajectory.finished', EVENTS['trajectory.finished'].examples[0] ?? {})
  rows.push(['trajectories', trajectoryRow({} as Row<'trajectories'>, { started, finished, finishedAppendedAtMs: 0 })])
  rows.push(['runs', runRow({} as Row<'runs'>, undefined, 0)], ['images', imageRow({} as Row<'images'>, 0)])

  test('has columns of its table only, and all tables but events are covered', () => {
    for (const [table, row] of rows) {
      const columns = lakeColumns(table as 'steps')
      for (const name of Object.keys(row)) expect(columns, `${table}.${name}`).toHaveProperty(name)
    }
    expect([...new Set(rows.map(([table]) => table))].sort()).toEqual([
      'annotations',
      'images',
      'items',
      'metrics',
      'runs',
      'scores',
      'steps',
      'tool_calls',
      'trajectories',
    ])
  })
})

test('an event that is read again without checks is the same event', () => {
  for (const type of EVENT_TYPES) {
    for (const data of EVENTS[type].examples) {
      const bytes = Buffer.from(
        JSON.stringify({
          specversion: '1.0',
          id: 'x',
          source: '/s',
          type,
          time: '2026-01-01T00:00:00Z',
          traceparent: '00-1-2-3',
          data: { ...data, empty: null },
        }),
      )
      const own = { 'stepstore-internal': '1' }
      expect(readAgain(bytes, own)).toEqual(readEvent(bytes, own))
    }
  }
  const headers = { ce_specversion: '1.0', ce_id: 'x', ce_source: '/s', ce_type: 'run.finished' }
  const binary = Buffer.from('{"run_id":"r","status":"completed"}')
  expect(readAgain(binary, headers)).toEqual(readEvent(binary, headers))
  const encoded = Buffer.from(
    JSON.stringify({
      specversion: '1.0',
      id: 'x',
      source: '/s',
      type: 'run.finished',
      data_base64: binary.toString('base64'),
    }),
  )
  expect(readAgain(encoded, {})).toEqual(readEvent(encoded))
})
