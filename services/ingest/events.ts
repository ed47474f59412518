/** POST /v1/events: bytes in, durable records out. */
import { createHash } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import { EVENT_BYTES_MAX, readEvent } from '#services/core/event-reader.ts'
import type { Log, NewRecord } from '#services/log/log.ts'
import type { Logger } from '#services/logger.ts'
import { formatPosition } from '#services/position.ts'
import { Problem } from '#services/problem.ts'
import { codingOf, readBody } from './body.ts'
import type { Budget } from './budget.ts'
import { cutLines, cutList } from './cut.ts'
import { bodyOf, jsonReply, parameters, type Call } from './request.ts'

/** The longest body, decoded, in bytes. */
export const BODY_BYTES_MAX = 64 * 1024 * 1024

/** The most events in one body. */
export const BODY_EVENTS_MAX = 10_000

const STRUCTURED = 'application/cloudevents+json'
const BATCH = 'application/cloudevents-batch+json'
const LINES = 'application/x-ndjson'
const ACCEPTED = [STRUCTURED, BATCH, LINES, 'application/json with ce-… headers']

/** Headers of the records of structured events; one object, so that chunks keep it once. */
const STRUCTURED_HEADERS = { 'content-type': STRUCTURED }

/** After about this many bytes other requests get a turn: 2 MiB take some 10 ms to check. */
const TURN_BYTES = 2 * 1024 * 1024

export interface EventsDeps {
  readonly log: Log
  readonly budget: Budget
  readonly logger: Logger
}

/** An event that was not readable, by its place in the body. */
interface Quarantined {
  readonly index: number
  readonly code: string
  readonly message: string
  readonly pointer: string
}

interface Cut {
  readonly events: readonly Buffer[]
  readonly headers: Readonly<Record<string, string>>
  /** The body, where its lines are the events. */
  readonly lines?: Buffer
}

type Mode = typeof STRUCTURED | typeof BATCH | typeof LINES | 'binary'

function unquoted(value: string): string {
  const plain = /^".*"$/s.test(value) ? value.slice(1, -1).replace(/\\(.)/gs, '$1') : value
  try {
    return decodeURIComponent(plain)
  } catch {
    return plain
  }
}

function binaryHeaders(call: Call, contentType: string): Record<string, string> {
  const headers: Record<string, string> = { 'content-type': contentType }
  for (const [name, value] of Object.entries(call.req.header())) {
    if (name.startsWith('ce-') && value !== undefined) headers[`ce_${name.slice(3)}`] = unquoted(value)
  }
  if (!('ce_specversion' in headers))
    throw new Problem('bad_body', 'the header ce-specversion is missing', { hint: 'send ce-specversion: 1.0' })
  return headers
}

/** The mode of a request, and its content type without parameters. Throws `unsupported_media_type`. */
function modeOf(call: Call): { mode: Mode; mediaType: string } {
  const header = call.req.header('content-type') ?? ''
  const [name = '', ...rest] = header.split(';')
  const mediaType = name.trim().toLowerCase()
  const charset = /charset\s*=\s*"?([^";\s]+)/i.exec(rest.join(';'))?.[1]
  const utf8 = charset === undefined || /^(utf-?8|us-ascii)$/i.test(charset)
  if (utf8 && (mediaType === STRUCTURED || mediaType === BATCH || mediaType === LINES))
    return { mode: mediaType, mediaType }
  const isBinary = ['specversion', 'type', 'id', 'source'].some(
    (attribute) => call.req.header(`ce-${attribute}`) !== undefined,
  )
  if (utf8 && isBinary && (mediaType === '' || /^(application|text)\/(.+\+)?json$/.test(mediaType))) {
    return { mode: 'binary', mediaType: mediaType === '' ? 'application/json' : mediaType }
  }
  throw new Problem(
    'unsupported_media_type',
    `cannot read events from ${header === '' ? 'a body without content type' : JSON.stringify(header.slice(0, 80))}`,
    {
      hint: `send one of ${ACCEPTED.join(', ')}, in UTF-8`,
      details: { accepted: ACCEPTED },
    },
  )
}

function cut(call: Call, body: Buffer, mode: Mode, mediaType: string): Cut {
  if (mode === 'binary') return { events: [body], headers: binaryHeaders(call, mediaType) }
  if (mode === LINES) return { events: cutLines(body), headers: STRUCTURED_HEADERS, lines: body }
  if (mode === BATCH) return { events: cutList(body), headers: STRUCTURED_HEADERS }
  if (body.length === 0) throw new Problem('bad_body', 'the body is empty', { hint: 'send one event' })
  return { events: [body], headers: STRUCTURED_HEADERS }
}

function checkSizes(events: readonly Buffer[]): void {
  if (events.length > BODY_EVENTS_MAX) {
    throw new Problem('too_large', `the body has ${events.length} events, the most is ${BODY_EVENTS_MAX}`, {
      hint: 'send fewer at a time',
    })
  }
  const index = events.findIndex((event) => event.length > EVENT_BYTES_MAX)
  if (index >= 0) {
    throw new Problem(
      'too_large',
      `event ${index} has ${events[index]?.length} bytes, the most is ${EVENT_BYTES_MAX}`,
      {
        hint: 'send images by hash, and split what is long',
        details: { index },
      },
    )
  }
}

/** What is wrong with an event for producers, or the key of its record. */
function judge(bytes: Buffer, headers: Readonly<Record<string, string>>, index: number): { key: string } | Quarantined {
  const event = readEvent(bytes, headers)
  if (!event.readable) {
    const { code, message, pointer, hint } = event
    return { index, code, message: `${message} (${hint})`, pointer }
  }
  return { key: event.partitionKey }
}

const NEWLINE = 10

/** Tells the line, from 1, of an event in the body that it was cut from (empty ones count); events must be asked for in their order. */
function lineCounter(body: Buffer): (event: Buffer) => number {
  let line = 1
  let at = 0
  return (event) => {
    const start = event.byteOffset - body.byteOffset
    for (let next = body.indexOf(NEWLINE, at); next >= 0 && next < start; next = body.indexOf(NEWLINE, at)) {
      line += 1
      at = next + 1
    }
    return line
  }
}

async function recordsOf({
  events,
  headers,
  lines,
}: Cut): Promise<{ records: NewRecord[]; quarantined: Quarantined[] }> {
  const records: NewRecord[] = []
  const quarantined: Quarantined[] = []
  const lineOf = lines === undefined ? undefined : lineCounter(lines)
  let bytes = 0
  for (const [index, value] of events.entries()) {
    const verdict = judge(value, headers, index)
    if ('key' in verdict) records.push({ key: verdict.key, headers, value })
    else {
      if (lineOf === undefined) quarantined.push(verdict)
      else quarantined.push({ ...verdict, message: `line ${lineOf(value)}: ${verdict.message}` })
      records.push({ key: createHash('sha256').update(value).digest('hex'), headers, value })
    }
    bytes += value.length
    if (bytes > TURN_BYTES) {
      bytes = 0
      await setImmediate()
    }
  }
  return { records, quarantined }
}

function strictOf(value: string | undefined): boolean {
  if (value === undefined || value === 'false') return false
  if (value === 'true') return true
  throw new Problem('invalid_parameter', `strict must be true or false, not ${JSON.stringify(value.slice(0, 40))}`, {
    hint: 'send strict=true',
  })
}

/** The handler of POST /v1/events. Throws problems. */
export function eventsRoute(deps: EventsDeps): (call: Call) => Promise<Response> {
  const { log, budget, logger } = deps
  return async (call) => {
    const strict = strictOf(parameters(call, ['strict'])['strict'])
    const { mode, mediaType } = modeOf(call)
    const coding = codingOf(call.req.header('content-encoding'))
    const declared = Number(call.req.header('content-length') ?? 0)
    if (declared > BODY_BYTES_MAX) {
      throw new Problem('too_large', `the body has ${declared} bytes, the most is ${BODY_BYTES_MAX}`, {
        hint: 'send it in smaller parts',
      })
    }
    const lease = budget.lease()
    try {
      const body = await readBody(bodyOf(call), coding, { bytesMax: BODY_BYTES_MAX, lease })
      const parts = cut(call, body, mode, mediaType)
      checkSizes(parts.events)
      const { records, quarantined } = await recordsOf(parts)
      if (strict && quarantined[0] !== undefined) {
        const { index, message } = quarantined[0]
        throw new Problem('unreadable', `nothing was stored: event ${index}: ${message}`, {
          hint: 'mend the events listed, or send without strict=true to store the others',
          details: { unreadable: quarantined },
        })
      }
      const position = formatPosition(log.id, await log.append(records))
      const accepted = records.length - quarantined.length
      const reply = quarantined.length === 0 ? { accepted, position } : { accepted, position, quarantined }
      if (quarantined.length > 0)
        logger('warn', 'events quarantined', { count: quarantined.length, code: quarantined[0]?.code, position })
      return jsonReply(reply, quarantined.length === 0 ? 200 : 207, { 'stepstore-position': position })
    } finally {
      lease.release()
    }
  }
}
