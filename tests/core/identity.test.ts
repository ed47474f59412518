/** Two contents are the same exactly where they are equal as JSON, whatever the order of their keys. */
import fc from 'fast-check'
import { isDeepStrictEqual } from 'node:util'
import { describe, expect, it } from 'vitest'
import { canonicalText, contentHash } from '#services/core/canonical.ts'
import { eventHash, naturalKey } from '#services/core/identity.ts'
import { shapeFault } from '#services/core/json-shape.ts'

const json = fc.jsonValue({ maxDepth: 4 }).map((value) => JSON.parse(JSON.stringify(value)) as unknown)

function shuffledKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shuffledKeys)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, field]) => [key, shuffledKeys(field)]),
  )
}

describe('canonical text', () => {
  it('does not depend on the order of keys', () => {
    fc.assert(
      fc.property(json, (value) => {
        expect(contentHash(shuffledKeys(value))).toBe(contentHash(value))
      }),
    )
  })

  it('is equal for two values only where they are equal', () => {
    fc.assert(
      fc.property(json, json, (left, right) => {
        expect(canonicalText(left) === canonicalText(right)).toBe(isDeepStrictEqual(left, right))
      }),
    )
    expect(canonicalText(['1:a', 'b'])).not.toBe(canonicalText(['1', 'a:b']))
    expect(canonicalText(['a', 'b'])).not.toBe(canonicalText(['as1:b']))
    expect(canonicalText(1)).not.toBe(canonicalText('1'))
  })
})

describe('identity', () => {
  it('fills defaults in before contents and keys are compared', () => {
    const metric = { run_id: 'r', train_step: 1, name: 'n', value: 2 }
    expect(eventHash('metric.logged', { ...metric, substep: 0 })).toBe(eventHash('metric.logged', metric))
    expect(naturalKey('metric.logged', { ...metric, substep: 0 })).toBe(naturalKey('metric.logged', metric))
    expect(naturalKey('metric.logged', { ...metric, substep: 1 })).not.toBe(naturalKey('metric.logged', metric))
  })

  it('tells keys apart that look alike when joined', () => {
    expect(naturalKey('trajectory.scored', { trajectory_id: 'a","b', reward_version: 'c' })).not.toBe(
      naturalKey('trajectory.scored', { trajectory_id: 'a', reward_version: 'b","c' }),
    )
  })
})

describe('the shape of JSON', () => {
  it('has no fault where a value was written by JSON.stringify, with any spacing', () => {
    fc.assert(
      fc.property(json, fc.constantFrom(undefined, 1, '\t'), (value, indent) => {
        const text = JSON.stringify(value, undefined, indent)
        expect(shapeFault(text, JSON.parse(text))).toBeUndefined()
      }),
    )
  })

  it('shows a key that comes twice, wherever it stands and however strings look like keys', () => {
    fc.assert(
      fc.property(json, fc.string(), (value, key) => {
        const inner = JSON.stringify(value)
        const text = `{"x":${inner},${JSON.stringify(key)}:"\\":","y":{${JSON.stringify(key)}:1,${JSON.stringify(key)} : ${inner}}}`
        expect(shapeFault(text, JSON.parse(text))).toBe('duplicate_key')
      }),
    )
  })
})
