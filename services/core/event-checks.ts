/** Compiled checks of envelopes and event data, and the clearest way to say what did not fit. */
import type { TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import { Envelope } from '#schemas/envelope.ts'
import { EVENT_TYPES, EVENTS, type EventType } from '#schemas/events.ts'
import type { Data } from '#schemas/events/define.ts'
import { normaliseInstant } from './instant.ts'

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
      hint: `add ${missing.join(', ')}`,
    }
  }
  return {
    code: 'invalid',
    message: `${pointer === '' ? 'the event' : pointer} ${telling?.message ?? 'does not fit its definition'}`.slice(
      0,
      400,
    ),
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
