/** A value held against a JSON Schema, as far as schemas of tools go: what is missing, unknown, or of the wrong kind. */

/** missing: a required field. unknown: a name that the schema does not have. value: the wrong type, word, range or form. */
export type FaultKind = 'missing' | 'unknown' | 'value'

type Schema = Readonly<Record<string, unknown>>

/** Deeper than this nothing is looked at. */
const DEPTH_MAX = 16

const isObject = (value: unknown): value is Schema =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isType = (value: unknown, type: unknown): boolean => {
  switch (type) {
    case 'string':
    case 'boolean':
      return typeof value === type
    case 'number':
      return typeof value === 'number'
    case 'integer':
      return typeof value === 'number' && Number.isInteger(value)
    case 'array':
      return Array.isArray(value)
    case 'object':
      return isObject(value)
    case 'null':
      return value === null
    default:
      // A type that we do not know refuses nothing.
      return true
  }
}

const sameJson = (left: unknown, right: unknown): boolean => JSON.stringify(left) === JSON.stringify(right)

/** A bound that a number breaks, or a text or list by its length. */
function breaksBounds(value: unknown, schema: Schema): boolean {
  const bound = (name: string): number | undefined => {
    const found = schema[name]
    return typeof found === 'number' ? found : undefined
  }
  if (typeof value === 'number')
    return (
      value < (bound('minimum') ?? -Infinity) ||
      value > (bound('maximum') ?? Infinity) ||
      value <= (bound('exclusiveMinimum') ?? -Infinity) ||
      value >= (bound('exclusiveMaximum') ?? Infinity)
    )
  if (typeof value === 'string')
    return value.length < (bound('minLength') ?? 0) || value.length > (bound('maxLength') ?? Infinity)
  if (Array.isArray(value))
    return value.length < (bound('minItems') ?? 0) || value.length > (bound('maxItems') ?? Infinity)
  return false
}

function* fieldFaults(value: Schema, schema: Schema, depth: number): Generator<FaultKind> {
  const { properties, required, additionalProperties: additional } = schema
  const known = isObject(properties) ? properties : undefined
  if (Array.isArray(required)) for (const name of required as unknown[]) if (!(String(name) in value)) yield 'missing'
  for (const [name, field] of Object.entries(value)) {
    const here = known !== undefined && Object.hasOwn(known, name) ? known[name] : undefined
    if (isObject(here)) yield* faultsOf(field, here, depth + 1)
    // Without a list of properties any name is as good as another.
    else if (here === undefined && known !== undefined && additional !== true) {
      if (isObject(additional)) yield* faultsOf(field, additional, depth + 1)
      else yield 'unknown'
    }
  }
}

/** What is wrong with a value. Keywords that are not of the usual ones are not looked at, and then nothing is wrong. */
export function* faultsOf(value: unknown, schema: Schema, depth = 0): Generator<FaultKind> {
  if (depth > DEPTH_MAX) return
  const choices = schema['anyOf'] ?? schema['oneOf']
  if (Array.isArray(choices)) {
    const fits = (choice: unknown): boolean => !isObject(choice) || [...faultsOf(value, choice, depth + 1)].length === 0
    if (!choices.some(fits)) yield 'value'
    return
  }
  const { type } = schema
  const types = Array.isArray(type) ? (type as unknown[]) : type === undefined ? [] : [type]
  if (types.length > 0 && !types.some((one) => isType(value, one))) {
    yield 'value'
    return
  }
  if (Array.isArray(schema['enum']) && !schema['enum'].some((word) => sameJson(word, value))) yield 'value'
  else if ('const' in schema && !sameJson(schema['const'], value)) yield 'value'
  else if (breaksBounds(value, schema)) yield 'value'
  if (isObject(value)) yield* fieldFaults(value, schema, depth)
  const { items } = schema
  if (Array.isArray(value) && isObject(items)) for (const item of value) yield* faultsOf(item, items, depth + 1)
}
