/** Compiled checks of envelopes and event data, and the clearest way to say what did not fit. */
import type { TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import { Envelope } from '#schemas/envelope.ts'
import { EVENT_TYPES, EVENTS, type EventType } from '#schemas/events.ts'
import type { Data } from '#schemas/events/define.ts'
import { normaliseInstant } from './instant.ts'
import { nearest } from './nearest.ts'

/** What is wrong with a record, where (a JSON pointer), and what to do. */
export interface Fault {
  readonly code: string
  readonly message: string
  readonly pointer: string
  readonly hint: string
}

interface Checks {
  readonly check: {
    Check(value: unknown): boolean
    Errors(value: unknown): readonly { keyword: string; instancePath: string; message: string; params: object }[]
  }
  /** What each field means, and the words of those that take a closed list. */
  readonly fields: ReadonlyMap<string, { readonly description: string; readonly words: readonly string[] }>
  /** Fields bounded in bytes, with the bound. */
  readonly bounded: readonly (readonly [string, number])[]
  /** Fields that hold instants. */
  readonly instants: readonly string[]
}

/** Looks through `maybe(…)` at the schema inside. */
function inner(schema: TSchema): Record<string, unknown> {
  const fields = schema as unknown as Record<string, unknown>
  const choices = fields['anyOf']
  return Array.isArray(choices) && choices.length === 2 ? (choices[0] as Record<string, unknown>) : fields
}

function compile(schema: TSchema & { properties: Record<string, TSchema> }): Checks {
  const fields = Object.entries(schema.properties).map(([name, field]) => [name, inner(field)] as const)
  return {
    check: Compile(schema) as unknown as Checks['check'],
    fields: new Map(
      fields.map(([name, field]) => {
        const words = Array.isArray(field['enum']) ? field['enum'].map(String) : []
        const description = typeof field['description'] === 'string' ? field['description'] : ''
        return [name, { description, words }]
      }),
    ),
    bounded: fields.flatMap(([name, field]) =>
      typeof field['x-bytes-max'] === 'number' ? [[name, field['x-bytes-max']] as const] : [],
    ),
    instants: fields.flatMap(([name, field]) => (field['x-instant'] === true ? [name] : [])),
  }
}

const envelopeChecks = compile(Envelope)
const dataChecks = Object.fromEntries(EVENT_TYPES.map((type) => [type, compile(EVENTS[type].data)])) as Record<
  EventType,
  Checks
>

/** A value as an error shows it, up to this long. */
const SHOWN_CHARACTERS_MAX = 80

/** What stands at a JSON pointer, shortened, or nothing where it is an object or a list: those are what was sent anyway. */
function shown(value: unknown, pointer: string): string | undefined {
  let found = value
  for (const part of pointer.split('/').slice(1)) {
    if (typeof found !== 'object' || found === null) return undefined
    found = (found as Record<string, unknown>)[part.replaceAll('~1', '/').replaceAll('~0', '~')]
  }
  if (found === undefined || (typeof found === 'object' && found !== null)) return undefined
  const text = JSON.stringify(typeof found === 'string' ? found.slice(0, SHOWN_CHARACTERS_MAX) : found)
  return typeof found === 'string' && found.length > SHOWN_CHARACTERS_MAX ? `${text.slice(0, -1)}…"` : text
}

/** What each missing field of an event is, so that one need not look it up. */
function missingHint({ fields }: Checks, missing: readonly string[], isNested: boolean): string {
  const told = missing.slice(0, 5).flatMap((name) => {
    const field = isNested ? undefined : fields.get(name)
    if (field === undefined) return []
    const words = field.words.length === 0 ? '' : ` (one of ${field.words.join(', ')})`
    return [`${name}${words}: ${field.description}`]
  })
  return told.length === 0 ? 'see /docs for the fields of each event type' : told.join(' ')
}

/** A value outside a closed list. */
function notAllowed(pointer: string, given: string | undefined, allowed: readonly string[]): Fault {
  const near = given === undefined ? undefined : nearest(given.replaceAll('"', ''), allowed)
  return {
    code: 'invalid',
    message: `${pointer} must be one of ${allowed.join(', ')}${given === undefined ? '' : `, and is ${given}`}`,
    pointer,
    hint: near === undefined ? 'send one of those words' : `did you mean ${near}?`,
  }
}

/** The error that tells most: not "must match anyOf", not "must be null". */
function clearest(checks: Checks, value: unknown, at: string): Fault {
  const errors = checks.check.Errors(value)
  const telling =
    errors.find(
      (error) => error.keyword !== 'anyOf' && !(error.keyword === 'type' && error.message.includes('null')),
    ) ?? errors[0]
  const pointer = `${at}${telling?.instancePath ?? ''}`
  const missing = (telling?.params as { requiredProperties?: string[] } | undefined)?.requiredProperties
  if (missing !== undefined && missing.length > 0) {
    return {
      code: 'missing_field',
      message: `${pointer === '' ? 'the event' : pointer} lacks ${missing.join(', ')}`,
      pointer,
      hint: missingHint(checks, missing, (telling?.instancePath ?? '') !== ''),
    }
  }
  const given = shown(value, telling?.instancePath ?? '')
  const allowed = (telling?.params as { allowedValues?: unknown[] } | undefined)?.allowedValues
  if (allowed !== undefined) return notAllowed(pointer, given, allowed.map(String))
  return {
    code: 'invalid',
    message:
      `${pointer === '' ? 'the event' : pointer} ${telling?.message ?? 'does not fit its definition'}`.slice(0, 400) +
      (given === undefined ? '' : `, and is ${given}`),
    pointer,
    hint: 'see /docs for the fields of each event type',
  }
}

function check(checks: Checks, fields: Record<string, unknown>, at: string): Fault | undefined {
  if (!checks.check.Check(fields)) return clearest(checks, fields, at)
  for (const [name, bytesMax] of checks.bounded) {
    const value = fields[name]
    if (typeof value === 'string' && value.length * 3 > bytesMax && Buffer.byteLength(value) > bytesMax) {
      return {
        code: 'invalid',
        message: `${at}/${name} has more than ${bytesMax} bytes`,
        pointer: `${at}/${name}`,
        hint: 'shorten the id',
      }
    }
  }
  for (const name of checks.instants) {
    const value = fields[name]
    if (typeof value === 'string' && normaliseInstant(value) === undefined) {
      return {
        code: 'bad_time',
        message: `${at}/${name} is not an instant of the years 1 to 9999`,
        pointer: `${at}/${name}`,
        hint: 'send RFC 3339, such as 2026-11-23T03:00:00Z',
      }
    }
  }
  return undefined
}

/** What is wrong with an envelope, if anything. */
export function checkEnvelope(value: unknown): Fault | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { code: 'invalid', message: 'an event must be a JSON object', pointer: '', hint: 'send CloudEvents 1.0' }
  }
  const envelope = value as Record<string, unknown>
  const fault = check(envelopeChecks, envelope, '')
  if (fault !== undefined) return fault
  if (envelope['specversion'] !== '1.0') {
    return {
      code: 'invalid',
      message: '/specversion must be "1.0"',
      pointer: '/specversion',
      hint: 'send CloudEvents 1.0',
    }
  }
  return undefined
}

/** What is wrong with the data of an event, if anything. */
export function checkData(type: EventType, data: Data): Fault | undefined {
  return check(dataChecks[type], data, '/data')
}
