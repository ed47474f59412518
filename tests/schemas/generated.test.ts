import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import Type from 'typebox'
import { Compile } from 'typebox/compile'
import { describe, expect, test } from 'vitest'
import { EVENTS, EVENT_TYPES } from '#schemas/events.ts'
import { currentHashes, frozenHash, generatedFiles, thawedEvents } from '#services/cli/generated.ts'

const schemas = join(import.meta.dirname, '..', '..', 'schemas')

test.each([...generatedFiles().keys()])('schemas/generated/%s is what the definitions give', (name) => {
  expect(readFileSync(join(schemas, 'generated', name), 'utf8')).toBe(generatedFiles().get(name))
})

describe('released versions', () => {
  const frozen = JSON.parse(readFileSync(join(schemas, 'frozen.json'), 'utf8')) as Record<string, string>

  test('are all frozen, and none has changed', () => {
    expect(Object.keys(frozen)).toEqual(expect.arrayContaining(Object.keys(currentHashes())))
    expect(thawedEvents(frozen, currentHashes())).toEqual([])
  })

  test.each([
    [
      'a field that became needed',
      { data: Type.Object({ ...EVENTS['run.finished'].data.properties, extra: Type.String() }) },
    ],
    ['another natural key', { key: ['run_id', 'status'] }],
    ['another field to partition by', { partitionBy: 'status' }],
    ['a default', { defaults: { status: 'completed' } }],
  ])('%s is refused', (_what, change) => {
    const changed = { ...frozen, 'run.finished/1': frozenHash({ ...EVENTS['run.finished'], ...change }) }
    expect(thawedEvents(changed, currentHashes())).toHaveLength(1)
  })

  test('may be told of in better words', () => {
    const worded = {
      ...EVENTS['run.finished'],
      data: Type.Object(EVENTS['run.finished'].data.properties, { description: 'In better words.' }),
    }
    expect(frozenHash(worded)).toBe(currentHashes()['run.finished/1'])
  })

  test('may be followed by a newer one, but not vanish', () => {
    expect(thawedEvents({ 'run.finished/1': 'x' }, { 'run.finished/2': 'y' })).toEqual([])
    expect(thawedEvents({ 'run.finished/1': 'x' }, {})).toHaveLength(1)
  })
})

test.each(EVENT_TYPES)('the examples of %s fit the JSON Schema document', (type) => {
  const document = JSON.parse(generatedFiles().get('events.schema.json') ?? '') as { $defs: Record<string, object> }
  const check = Compile(document.$defs[type] ?? {})
  for (const example of EVENTS[type].examples) expect(check.Check(example)).toBe(true)
})
