/** Every example of every definition can be read, and everything else is told clearly what is wrong with it. */
import { describe, expect, it } from 'vitest'
import { EVENT_TYPES, EVENTS } from '#schemas/events.ts'
import { EVENT_BYTES_MAX, readEvent } from '#services/core/event-reader.ts'

const envelope = (fields: object) => ({ specversion: '1.0', id: '1', source: '/tests', ...fields })
const read = (value: unknown) => readEvent(Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)))
const step = { trajectory_id: 't', step_index: 0, run_id: 'r', action_kind: 'answer' }
const stepWith = (fields: object, attributes: object = {}) =>
  read(envelope({ type: 'step.recorded', data: { ...step, ...fields }, ...attributes }))

describe('the examples of the definitions', () => {
  it.each(EVENT_TYPES.flatMap((type) => EVENTS[type].examples.map((data, index) => ({ type, index, data }))))(
    '$type $index can be read',
    ({ type, data }) => {
      const own = EVENTS[type].internal ? { 'stepstore-internal': '1' } : {}
      expect(readEvent(Buffer.from(JSON.stringify(envelope({ type, data }))), own)).toMatchObject({
        readable: true,
        type,
        data,
        partitionKey: String(data[EVENTS[type].partitionBy]),
      })
    },
  )

  it('have a description for every field of every definition', () => {
    const bare = EVENT_TYPES.flatMap((type) =>
      Object.entries(
        EVENTS[type].data.properties as Record<string, { description?: string; anyOf?: { description?: string }[] }>,
      )
        .filter(([, field]) => (field.description ?? field.anyOf?.[0]?.description ?? '') === '')
        .map(([name]) => `${type}.${name}`),
    )
    expect(bare).toEqual([])
  })
})

describe('a value outside a closed list', () => {
  const finished = (status: string) =>
    read(
      envelope({
        type: 'trajectory.finished',
        data: { trajectory_id: 't', status, end_reason: 'answer', n_steps: 1 },
      }),
    )

  it('is named with the words that are allowed', () => {
    expect(finished('foo')).toMatchObject({
      code: 'invalid',
      pointer: '/data/status',
      message: '/data/status must be one of completed, truncated, aborted, infra_error, and is "foo"',
    })
  })

  it('comes with the nearest word', () => {
    expect(finished('complete')).toMatchObject({ hint: 'did you mean completed?' })
  })

  it('is shortened where it is long', () => {
    const found = finished('x'.repeat(100_000))
    expect(found.readable ? '' : found.message.length).toBeLessThan(250)
  })

  it('is found inside a list', () => {
    expect(stepWith({ tool_calls: [{ name: 'find', status: 'fine' }] })).toMatchObject({
      message: expect.stringMatching(/^\/data\/tool_calls\/0\/status must be one of ok, .* and is "fine"$/),
    })
  })
})

describe('a record that is no event', () => {
  it('that lacks fields is told what they mean, and not the same again', () => {
    const found = read(envelope({ type: 'step.recorded', data: { trajectory_id: 't', run_id: 'r' } }))
    expect(found).toMatchObject({
      code: 'missing_field',
      message: '/data lacks step_index, action_kind',
      hint: expect.stringMatching(/step_index: .+ action_kind \(one of tool_call, answer, message, invalid\): /),
    })
  })

  it.each([
    ['half a line', '{"specversion":"1.0","id":"1","sour', 'malformed_json', /JSON/],
    [
      'a bare NaN',
      JSON.stringify(
        envelope({ type: 'metric.logged', data: { run_id: 'r', train_step: 1, name: 'n', value: 0 } }),
      ).replace('"value":0', '"value":NaN'),
      'malformed_json',
      /"NaN"/,
    ],
    [
      '1e400',
      '{"specversion":"1.0","id":"1","source":"s","type":"step.recorded","data":{"trajectory_id":"t","step_index":0,"run_id":"r","action_kind":"answer","new_field":1e400}}',
      'not_finite',
      /Infinity/,
    ],
    ['a key twice', '{"specversion":"1.0","id":"1","id":"2"}', 'duplicate_key', /once/],
    ['a key twice with a space before the colon', '{"a" : 1, "b":2, "a" :3}', 'duplicate_key', /once/],
    ['deep nesting', `${'['.repeat(5000)}${']'.repeat(5000)}`, 'too_deep', /JSON text/],
    ['half of a surrogate pair', '{"specversion":"1.0","id":"\\ud800"}', 'lone_surrogate', /UTF-8/],
    ['a list', '[]', 'invalid', /CloudEvents/],
    [
      'another specversion',
      JSON.stringify({ ...envelope({ type: 'step.recorded', data: step }), specversion: '0.3' }),
      'invalid',
      /1\.0/,
    ],
    [
      'an unknown type',
      JSON.stringify(envelope({ type: 'step.recordd', data: step })),
      'unknown_type',
      /step\.recorded/,
    ],
    [
      'a version to come',
      JSON.stringify(
        envelope({ type: 'step.recorded', dataschema: 'urn:stepstore:event/step.recorded/2', data: step }),
      ),
      'unknown_version',
      /upgrade/,
    ],
    [
      'an event that only Stepstore writes',
      JSON.stringify(
        envelope({ type: 'image.stored', data: { image_id: 'a'.repeat(64), media_type: 'image/png', bytes: 1 } }),
      ),
      'internal_type',
      /request/,
    ],
    ['data that is text', JSON.stringify(envelope({ type: 'step.recorded', data: 'x' })), 'invalid', /fields/],
    [
      'a partition key of its own',
      JSON.stringify(envelope({ type: 'step.recorded', partitionkey: 'x', data: step })),
      'wrong_partitionkey',
      /leave partitionkey out/,
    ],
  ])('%s', (_, text, code, hint) => {
    const result = read(text)
    expect(result).toMatchObject({ readable: false, code })
    expect(result.readable ? '' : result.hint).toMatch(hint)
  })

  it.each([
    ['a wrong type', { step_index: 'one' }, '/data/step_index'],
    ['a negative index', { step_index: -1 }, '/data/step_index'],
    ['an integer past 2^53-1', { prompt_tokens: 2 ** 53 }, '/data/prompt_tokens'],
    ['a word that is not in a closed list', { action_kind: 'anser' }, '/data/action_kind'],
    ['an id of 10 kB', { run_id: 'x'.repeat(10_000) }, '/data/run_id'],
    ['an id of 256 characters but more bytes', { run_id: 'é'.repeat(200) }, '/data/run_id'],
    ['an id with a line break', { run_id: 'a\nb' }, '/data/run_id'],
    ['an empty id', { run_id: '' }, '/data/run_id'],
    ['a field of a tool call', { tool_calls: [{ id: 'c' }] }, '/data/tool_calls/0'],
    ['an image that is no hash', { images: ['cat.png'] }, '/data/images/0'],
    ['a time of the year 0', { started_at: '0000-01-01T00:00:00Z' }, '/data/started_at'],
  ])('%s is named by its pointer', (_, fields, pointer) => {
    expect(stepWith(fields)).toMatchObject({ readable: false, pointer })
  })

  it('a missing field is named', () => {
    expect(read(envelope({ type: 'step.recorded', data: { step_index: 0 } }))).toMatchObject({
      code: 'missing_field',
      pointer: '/data',
      message: '/data lacks trajectory_id, run_id, action_kind',
    })
  })

  it('bytes that are not UTF-8, nothing at all, and more than the bound', () => {
    expect(readEvent(Buffer.from([0x7b, 0xff, 0x7d]))).toMatchObject({ code: 'invalid_utf8' })
    expect(readEvent(null)).toMatchObject({ code: 'empty' })
    expect(readEvent(Buffer.alloc(EVENT_BYTES_MAX + 1, 32))).toMatchObject({ code: 'too_long' })
  })
})

describe('a readable event', () => {
  it('keeps ids with slashes, quotes and any script', () => {
    for (const id of ['a/b', 'it\'s "quoted"', '轨迹/1', 'a b', '%2F', 'x'.repeat(256)])
      expect(stepWith({ trajectory_id: id })).toMatchObject({ readable: true, partitionKey: id })
  })

  it('takes null for a field that is left out, and keeps unknown fields', () => {
    expect(stepWith({ raw_output: null, brand_new: { a: 1 } })).toMatchObject({
      data: { ...step, brand_new: { a: 1 } },
    })
  })

  it('takes the words for numbers that are not finite, where a reward is', () => {
    for (const reward of ['NaN', 'Infinity', '-Infinity']) {
      expect(
        read(envelope({ type: 'trajectory.scored', data: { trajectory_id: 't', reward_version: 'v', reward } })),
      ).toMatchObject({ readable: true })
    }
    expect(
      read(envelope({ type: 'trajectory.scored', data: { trajectory_id: 't', reward_version: 'v', reward: 'high' } })),
    ).toMatchObject({ readable: false, pointer: '/data/reward' })
  })

  it('reads times of the years 1 to 9999 to microseconds, in UTC', () => {
    const timeOf = (time: string) => {
      const event = stepWith({}, { time })
      return event.readable ? event.time : event.code
    }
    expect(timeOf('2026-11-23T03:00:00.123456789+05:30')).toBe('2026-11-22T21:30:00.123456Z')
    expect(timeOf('2026-11-23T03:00:07Z')).toBe('2026-11-23T03:00:07.000000Z')
    expect(timeOf('2026-11-23T03:00:08.5Z')).toBe('2026-11-23T03:00:08.500000Z')
    expect(timeOf('0001-01-01T00:00:00Z')).toBe('0001-01-01T00:00:00.000000Z')
    expect(timeOf('9999-12-31T23:59:59.999999Z')).toBe('9999-12-31T23:59:59.999999Z')
    for (const bad of [
      '0000-06-01T00:00:00Z',
      '9999-12-31T23:59:59-01:00',
      '2026-02-30T00:00:00Z',
      '2026-11-23T24:00:00Z',
      '2026-11-23T03:00:60Z',
      '2026-11-23',
      'yesterday',
      '2026-11-23T03:00:0xZ',
    ])
      expect(timeOf(bad)).toBe('bad_time')
  })

  it('is read from Kafka headers in binary mode, and from base64 data', () => {
    const headers = {
      ce_specversion: '1.0',
      ce_id: '1',
      ce_source: 's',
      ce_type: 'step.recorded',
      ce_time: '2026-11-23T03:00:00Z',
    }
    expect(readEvent(Buffer.from(JSON.stringify(step)), headers)).toMatchObject({
      readable: true,
      type: 'step.recorded',
      data: step,
    })
    expect(
      read(envelope({ type: 'step.recorded', data_base64: Buffer.from(JSON.stringify(step)).toString('base64') })),
    ).toMatchObject({ readable: true, data: step })
  })
})
