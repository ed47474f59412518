/** Values of requests, checked against their schemas; what does not fit is said in words. */
import type { TObject } from 'typebox'
import { Compile } from 'typebox/compile'
import { GymTurn } from '#schemas/http-gym.ts'
import { nearest } from '#services/core/nearest.ts'
import { Problem } from '#services/problem.ts'
import type { WrittenTurn } from '#services/gym/policies/policy.ts'

/** A reader of values that fit a schema. What it reads throws `invalid`, naming the nearest known field. */
export function checked<Value>(schema: TObject, what: string): (value: unknown) => Value {
  const check = Compile(schema)
  const known = Object.keys(schema.properties)
  const fields = `the fields are ${known.join(', ')}`
  return (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw new Problem('invalid', `${what} is no JSON object`, { hint: fields })
    for (const name of Object.keys(value)) {
      if (known.includes(name)) continue
      const near = nearest(name, known)
      throw new Problem('invalid', `${what} has an unknown field ${JSON.stringify(name.slice(0, 80))}`, {
        hint: near === undefined ? fields : `did you mean ${near}? ${fields}`,
      })
    }
    if (!check.Check(value)) {
      const [first] = check.Errors(value)
      const where = first?.instancePath.slice(1) ?? ''
      throw new Problem('invalid', `${what}: ${where} ${first?.message ?? 'does not fit'}`, { hint: fields })
    }
    return value as Value
  }
}

const readTurn = checked<GymTurn>(GymTurn, 'the action')

/** An action as the core takes it: text, or a turn with its tokens. Throws `invalid`. */
export function actionOf(value: unknown): string | WrittenTurn {
  if (typeof value === 'string') return value
  const { text, metadata: _, ...told } = readTurn(value)
  return { raw: text, ...told }
}

/** An object without what is null: that counts as left out. */
export const given = (value: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> =>
  Object.fromEntries(Object.entries(value).filter(([, field]) => field !== null))
