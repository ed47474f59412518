/** Two contents are the same exactly where they are equal as JSON, whatever the order of their keys. */
import fc from 'fast-check'
import { isDeepStrictEqual } from 'node:util'
import { describe, expect, it } from 'vitest'
import { canonicalBytes, contentHash } from '#services/core/canonical.ts'
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

/** The form by which contents were hashed since the first release; stored hashes depend on each byte of it. */
function released(value: unknown): string {
  if (typeof value === 'string') return `s${value.length}:${value}`
  if (typeof value === 'number') return `n${value};`
  if (typeof value === 'boolean') return value ? 't' : 'f'
  if (value === null) return 'z'
  if (Array.isArray(value)) return `[${value.map(released).join('')}]`
  const fields = Object.entries(value as object).filter(([, field]) => field !== undefined)
  const sorted = fields.toSorted(([left], [right]) => (left < right ? -1 : 1))
  return `{${sorted.map(([key, field]) => `${key.length}:${key}${released(field)}`).join('')}}`
}

const formOf = (value: unknown): string => canonicalBytes(value).toString()

describe('canonical form', () => {
  it('is the one by which stored contents were hashed', () => {
    const long = fc.record({
      times: fc.constantFrom(1, 30, 100_000),
      unit: fc.string({ unit: 'grapheme', maxLength: 9 }),
    })
    fc.assert(
      fc.property(json, long, (value, { times, unit }) => {
        const whole = { value, [`k${unit}`]: unit.repeat(times), absent: undefined }
        expect(formOf(whole)).toBe(released(whole))
        expect(formOf(value)).toBe(released(value))
      }),
    )
    expect(contentHash({ b: [1, 'é', null], a: true })).toBe('1a461381dcbffd9c6cd83ec54b6b07cd')
  })

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
        expect(formOf(left) === formOf(right)).toBe(isDeepStrictEqual(left, right))
      }),
    )
    expect(formOf(['1:a', 'b'])).not.toBe(formOf(['1', 'a:b']))
    expect(formOf(['a', 'b'])).not.toBe(formOf(['as1:b']))
    expect(formOf(1)).not.toBe(formOf('1'))
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
