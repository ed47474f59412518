/**
 * Query parameters, declared once for each route: the same declaration gives the parsed values with their types, the
 * errors that name the nearest known parameter, and the parameters of the OpenAPI document.
 */
import { nearest } from '#services/core/nearest.ts'
import { Problem } from '#services/problem.ts'
import { formatOffsets, parsePosition, type Position } from '#services/position.ts'
import type { NumberCondition } from '#services/number-condition.ts'

/** The operators that a comparable parameter takes after its name, as `reward_gte=1`. */
export const OPERATORS = ['gte', 'lte', 'gt', 'lt', 'ne'] as const
export type Operator = (typeof OPERATORS)[number]

/** How one value is read from text: throws a sentence's end ("is not …") as a Problem by `badValue`. */
interface Reader<Value> {
  readonly kind: 'text' | 'integer' | 'real' | 'flag' | 'enum' | 'position' | 'list'
  readonly description: string
  /** The JSON Schema of one value. */
  readonly schema: Readonly<Record<string, unknown>>
  readonly read: (text: string, name: string) => Value
}

/** A parameter: how a value is read, and how often it may come. */
export interface Parameter<Parsed> extends Reader<unknown> {
  readonly occurs: 'once' | 'many' | 'compared'
  readonly required: boolean
  /** Makes what the route sees from the values that came, by operator ('' is none). */
  readonly assemble: (given: ReadonlyMap<'' | Operator, readonly unknown[]>, name: string) => Parsed
}

/** Parameters by name. */
export type ParameterSet = Readonly<Record<string, Parameter<unknown>>>

/** What a route sees of a set of parameters. */
export type Parsed<Set extends ParameterSet> = {
  readonly [Name in keyof Set]: Set[Name] extends Parameter<infer Value> ? Value : never
}

/** The most values that one parameter may repeat. */
const VALUES_MAX = 200
/** The longest text that a parameter takes, in characters; ids have at most 256 bytes. */
const TEXT_MAX = 1024

function badValue(name: string, given: string, wanted: string, hint?: string): Problem {
  const shown = JSON.stringify(given.slice(0, 80))
  return new Problem('invalid_parameter', `${name} is ${wanted}, and not ${shown}`, {
    ...(hint === undefined ? {} : { hint }),
    details: { parameter: name },
  })
}

/** Any text that is not empty. */
export function text(
  description: string,
  options: { readonly pattern?: RegExp; readonly meaning?: string } = {},
): Parameter<string | undefined> {
  const read = (given: string, name: string) => {
    if (given === '' || given.length > TEXT_MAX || options.pattern?.test(given) === false) {
      throw badValue(name, given, options.meaning ?? `a text of 1 to ${TEXT_MAX} characters`)
    }
    return given
  }
  const pattern = options.pattern === undefined ? {} : { pattern: options.pattern.source }
  return once<string>({ kind: 'text', description, schema: { type: 'string', minLength: 1, ...pattern }, read })
}

interface Bounds {
  readonly minimum?: number
  readonly maximum?: number
}

/** A whole number; at least 0 unless told otherwise. */
export function integer(description: string, bounds: Bounds = {}): Parameter<number | undefined> {
  const { minimum = 0, maximum = Number.MAX_SAFE_INTEGER } = bounds
  const read = (given: string, name: string) => {
    const value = Number(given)
    if (!/^-?\d{1,16}$/.test(given) || !(value >= minimum && value <= maximum)) {
      throw badValue(name, given, `a whole number from ${minimum} to ${maximum}`)
    }
    return value
  }
  return once<number>({ kind: 'integer', description, schema: { type: 'integer', minimum, maximum }, read })
}

/** A finite number. */
export function real(description: string, bounds: Bounds = {}): Parameter<number | undefined> {
  const { minimum = -Infinity, maximum = Infinity } = bounds
  const read = (given: string, name: string) => {
    const value = Number(given)
    const isNumber = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(given) && Number.isFinite(value)
    if (!isNumber || value < minimum || value > maximum) {
      throw badValue(
        name,
        given,
        Object.keys(bounds).length === 0 ? 'a number' : `a number from ${minimum} to ${maximum}`,
      )
    }
    return value
  }
  return once<number>({ kind: 'real', description, schema: { type: 'number', ...bounds }, read })
}

/** `true` or `false`. */
export function flag(description: string): Parameter<boolean | undefined> {
  const read = (given: string, name: string) => {
    if (given !== 'true' && given !== 'false') throw badValue(name, given, 'true or false')
    return given === 'true'
  }
  return once<boolean>({ kind: 'flag', description, schema: { type: 'boolean' }, read })
}

/** One of a closed list of words; the error names the nearest. */
export function word<const Words extends readonly string[]>(
  words: Words,
  description: string,
): Parameter<Words[number] | undefined> {
  const read = (given: string, name: string): Words[number] => {
    const found = words.find((known) => known === given)
    if (found === undefined) {
      const near = nearest(given, words)
      throw badValue(
        name,
        given,
        `one of ${words.join(', ')}`,
        near === undefined ? undefined : `did you mean ${name}=${near}?`,
      )
    }
    return found
  }
  return once<Words[number]>({ kind: 'enum', description, schema: { type: 'string', enum: words }, read })
}

/** A position: a token, the plain form `0:123,3:45`, or `latest`. */
export function position(description: string): Parameter<Position | 'latest' | undefined> {
  const read = (given: string, name: string) => {
    if (given === 'latest') return given
    try {
      const parsed = parsePosition(given)
      formatOffsets(parsed.offsets)
      return parsed
    } catch {
      throw badValue(
        name,
        given,
        'a position',
        'send a Stepstore-Position as it was given, the plain form 0:123,3:45, or latest',
      )
    }
  }
  return once<Position | 'latest'>({ kind: 'position', description, schema: { type: 'string' }, read })
}

/** Several values in one, with commas between: `k=1,2,4`. */
export function commas<Value>(
  parameter: Parameter<Value | undefined>,
  valuesMax = VALUES_MAX,
): Parameter<readonly Value[] | undefined> {
  const read = (given: string, name: string) => {
    const parts = given.split(',')
    if (parts.length > valuesMax) throw badValue(name, given, `at most ${valuesMax} values`)
    return parts.map((part) => parameter.read(part, name) as Value)
  }
  return once<readonly Value[]>({
    ...parameter,
    kind: 'list',
    schema: { type: 'array', items: parameter.schema },
    read,
  })
}

function once<Value>(reader: Reader<Value>): Parameter<Value | undefined> {
  return {
    ...reader,
    occurs: 'once',
    required: false,
    assemble: (given, name) => {
      const values = given.get('') ?? []
      if (values.length > 1)
        throw new Problem('invalid_parameter', `${name} is given ${values.length} times, and may come once`, {
          details: { parameter: name },
        })
      return values[0] as Value | undefined
    },
  }
}

/** The same parameter, repeated for "any of"; an empty list where it did not come. */
export function many<Value>(parameter: Parameter<Value | undefined>): Parameter<readonly Value[]> {
  return {
    ...parameter,
    occurs: 'many',
    assemble: (given, name) => {
      const values = given.get('') ?? []
      if (values.length > VALUES_MAX)
        throw new Problem(
          'invalid_parameter',
          `${name} is given ${values.length} times, and may come ${VALUES_MAX} times`,
          { hint: `ask ${VALUES_MAX} at a time`, details: { parameter: name } },
        )
      return values as readonly Value[]
    },
  }
}

/** Texts, repeated or with commas between. A text that has commas itself is found as a whole, too. */
export function severalTexts(description: string): Parameter<readonly string[]> {
  const one = text(`${description} Several by repeating it or with commas between.`)
  const read = (given: string, name: string): unknown => {
    for (const part of given.split(',')) one.read(part, name)
    return one.read(given, name)
  }
  const parts = (given: string): string[] => (given.includes(',') ? [given, ...given.split(',')] : [given])
  return {
    ...many<string>({ ...one, read }),
    assemble: (given, name) => [...new Set(many(one).assemble(given, name).flatMap(parts))],
  }
}

/** A number that may repeat and takes the operators `_gte _lte _gt _lt _ne`. */
export function compared(parameter: Parameter<number | undefined>): Parameter<NumberCondition> {
  return {
    ...parameter,
    occurs: 'compared',
    assemble: (given, name) => {
      const single = (operator: Operator) =>
        parameter.assemble(new Map([['', given.get(operator) ?? []]]), `${name}_${operator}`)
      const several = (operator: '' | 'ne') =>
        many(parameter).assemble(new Map([['', given.get(operator) ?? []]]), name)
      return {
        any: several(''),
        ne: several('ne'),
        gte: single('gte'),
        lte: single('lte'),
        gt: single('gt'),
        lt: single('lt'),
      }
    },
  }
}

/** The same parameter with a value for when it does not come. */
export function withDefault<Value>(parameter: Parameter<Value | undefined>, value: Value): Parameter<Value> {
  const shown = Array.isArray(value) ? [...(value as unknown[])] : value
  return {
    ...parameter,
    schema: { ...parameter.schema, default: shown },
    assemble: (given, name) => parameter.assemble(given, name) ?? value,
  }
}

/** The same parameter, without which the request makes no sense. */
export function required<Value>(parameter: Parameter<Value | undefined>): Parameter<Value> {
  return {
    ...parameter,
    required: true,
    assemble: (given, name) => {
      const value = parameter.assemble(given, name)
      if (value === undefined)
        throw new Problem('invalid_parameter', `${name} is needed: ${parameter.description}`, {
          hint: `add ${name}=…`,
          details: { parameter: name },
        })
      return value
    },
  }
}

/** All names that a set takes, with their operators. */
export function parameterNames(set: ParameterSet): string[] {
  return Object.entries(set).flatMap(([name, { occurs }]) =>
    occurs === 'compared' ? [name, ...OPERATORS.map((operator) => `${name}_${operator}`)] : [name],
  )
}

function locate(set: ParameterSet, given: string): { name: string; operator: '' | Operator } | undefined {
  if (Object.hasOwn(set, given)) return { name: given, operator: '' }
  for (const operator of OPERATORS) {
    const name = given.slice(0, -operator.length - 1)
    if (given.endsWith(`_${operator}`) && Object.hasOwn(set, name) && set[name]?.occurs === 'compared')
      return { name, operator }
  }
  return undefined
}

/** The key that a tool sends which cannot send headers; the edge checks it, so every route lets it pass. */
const TOKEN = 'token'

/**
 * Reads the query of a request. Throws `unknown_parameter`, naming the nearest known one, and `invalid_parameter`.
 */
export function parseParameters<Set extends ParameterSet>(set: Set, query: URLSearchParams): Parsed<Set> {
  const given = new Map<string, Map<'' | Operator, unknown[]>>()
  for (const [key, value] of query) {
    if (key === TOKEN) continue
    const found = locate(set, key)
    const parameter = found === undefined ? undefined : set[found.name]
    if (found === undefined || parameter === undefined) throw unknownParameter(set, key)
    const byOperator = given.get(found.name) ?? new Map<'' | Operator, unknown[]>()
    given.set(found.name, byOperator)
    byOperator.set(found.operator, [...(byOperator.get(found.operator) ?? []), parameter.read(value, key)])
  }
  const none = new Map<'' | Operator, unknown[]>()
  return Object.fromEntries(
    Object.entries(set).map(([name, parameter]) => [name, parameter.assemble(given.get(name) ?? none, name)]),
  ) as Parsed<Set>
}

function unknownParameter(set: ParameterSet, key: string): Problem {
  const names = parameterNames(set)
  const near = nearest(key, names)
  return new Problem('unknown_parameter', `this route has no parameter ${JSON.stringify(key.slice(0, 80))}`, {
    hint: near === undefined ? `it takes ${Object.keys(set).join(', ') || 'none'}` : `did you mean ${near}?`,
    details: { parameter: key.slice(0, 80), ...(near === undefined ? {} : { nearest: near }) },
  })
}

/** The parameters as OpenAPI 3.1 has them. */
export function openApiParameters(set: ParameterSet): Record<string, unknown>[] {
  return Object.entries(set).flatMap(([name, parameter]) => {
    const { description, occurs, schema } = parameter
    const repeated = occurs === 'once' ? schema : { type: 'array', items: schema }
    const style =
      parameter.kind === 'list'
        ? { style: 'form', explode: false }
        : occurs === 'once'
          ? {}
          : { style: 'form', explode: true }
    const plain = { name, in: 'query', required: parameter.required, description, schema: repeated, ...style }
    if (occurs !== 'compared') return [plain]
    return [
      plain,
      ...OPERATORS.map((operator) => ({
        name: `${name}_${operator}`,
        in: 'query',
        required: false,
        description: `${name} ${SIGNS[operator]} this.`,
        schema: operator === 'ne' ? repeated : schema,
      })),
    ]
  })
}

const SIGNS: Record<Operator, string> = { gte: '>=', lte: '<=', gt: '>', lt: '<', ne: 'is not' }
