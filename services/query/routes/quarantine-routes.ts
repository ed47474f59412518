/** /v1/quarantine: what could not be read, kept raw until somebody drops it or it can be read after all. */
import { isUtf8 } from 'node:buffer'
import { type Kysely, sql } from 'kysely'
import { Appended, QuarantineRow, QuarantineWhole } from '#schemas/http-operations.ts'
import { listOf } from '#schemas/http.ts'
import type { Database, Row } from '#schemas/tables.ts'
import { instantFromMs } from '#services/core/instant.ts'
import { ownEvent } from '#services/core/own-event.ts'
import type { NewRecord } from '#services/log/log.ts'
import { formatPosition } from '#services/position.ts'
import { Problem } from '#services/problem.ts'
import { type KeyPart, LIST_PARAMETERS, page, parseCursor } from '#services/query/cursor.ts'
import type { QueryDeps } from '#services/query/deps.ts'
import { text, word } from '#services/query/parameters.ts'
import { type Reading, jsonAnswer, readJson, reading } from '#services/query/reading.ts'
import { bodies } from '#services/query/rows/records.ts'
import { READ_PARAMETERS, type Route, route } from '#services/query/route.ts'

const LIST = 'quarantine'
const tag = 'Quarantine'
const STATES = ['open', 'dropped', 'retried', 'all'] as const
const pathParameters = { quarantine_id: 'The SHA-256 of the bytes.' }

const afterKey = (key: readonly KeyPart[] | undefined) =>
  key === undefined ? sql<boolean>`true` : sql<boolean>`(seen_at, quarantine_id) < (${key[0]}::text, ${key[1]}::text)`

const listRoute = route({
  path: '/v1/quarantine',
  tag,
  summary: 'List what could not be read',
  detail: 'Newest first; open ones unless `state` says otherwise.',
  parameters: {
    ...LIST_PARAMETERS,
    state: word(STATES, 'open (the default), dropped, retried, or all.'),
    id_prefix: text('How the ids begin.', {
      pattern: /^[0-9a-f]{1,64}$/,
      meaning: 'the beginning of a SHA-256 in lowercase hex',
    }),
  },
  answers: [{ status: 200, description: 'A page of records.', schema: listOf(QuarantineRow) }],
  handle: async (call) => {
    const { query } = call
    const key = parseCursor(LIST, 2, query.cursor)
    const state = query.state ?? 'open'
    return readJson(call, async (db) => {
      const rows = await db
        .selectFrom('quarantine')
        .selectAll()
        .where(
          query.id_prefix === undefined
            ? sql<boolean>`true`
            : sql<boolean>`starts_with(quarantine_id, ${query.id_prefix})`,
        )
        .where(state === 'all' ? sql<boolean>`true` : sql<boolean>`state = ${state}::text`)
        .where(afterKey(key))
        .orderBy('seen_at', 'desc')
        .orderBy('quarantine_id', 'desc')
        .limit(query.limit + 1)
        .execute()
      return page(LIST, rows, query.limit, (row) => [row.seen_at, row.quarantine_id])
    })
  },
})

async function find(db: Kysely<Database>, id: string): Promise<Row<'quarantine'>> {
  const row = await db.selectFrom('quarantine').selectAll().where('quarantine_id', '=', id).executeTakeFirst()
  if (row === undefined)
    throw new Problem('not_found', `nothing is quarantined as ${JSON.stringify(id.slice(0, 80))}`, {
      hint: 'list them: /v1/quarantine?state=all',
    })
  return row
}

/** The record with its bytes as they lie in the log. */
async function recordOf(deps: QueryDeps, row: Row<'quarantine'>) {
  const [record] = await bodies(deps, [row])
  if (record === undefined)
    throw new Problem('corrupt', `the record at ${row.partition}:${row.offset} is in neither log nor lake`, {
      hint: 'run: stepstore verify',
    })
  return record
}

const oneRoute = route({
  path: '/v1/quarantine/{quarantine_id}',
  tag,
  summary: 'Read a quarantined record',
  detail: 'The reason, the bytes as they were sent, and where they lie.',
  pathParameters,
  parameters: READ_PARAMETERS,
  answers: [{ status: 200, description: 'The record.', schema: QuarantineWhole }],
  problems: ['not_found'],
  handle: async (call) => {
    const { result: row, offsets } = await reading(call, (db) => find(db, call.path('quarantine_id')))
    const { value, headers, appended_at } = await recordOf(call.deps, row)
    const encoding = isUtf8(value) ? 'utf8' : 'base64'
    return jsonAnswer(
      call.deps,
      { ...row, encoding, raw: Buffer.from(value).toString(encoding), headers, appended_at },
      offsets,
    )
  },
})

/** A fact that Stepstore itself writes about a quarantined record. */
const fact = (type: 'quarantine.dropped' | 'quarantine.retried', id: string, clock: () => number): NewRecord =>
  ownEvent(
    type,
    { quarantine_id: id },
    { id: `${type}:${id}`, source: 'urn:stepstore:query', time: instantFromMs(clock()) },
  )

/** Appends, and waits a little until reads show it; the position says it in any case. */
async function appendAndShow(
  call: Reading,
  records: readonly NewRecord[],
  id: string,
  state: string,
): Promise<Response> {
  const { deps } = call
  const appended = await deps.log.append(records)
  await deps.project.waitFor(appended, call.query.wait * 1000, call.request.signal)
  return jsonAnswer(deps, { quarantine_id: id, state, position: formatPosition(deps.log.id, appended) }, appended)
}

function alreadySettled(row: Row<'quarantine'>): Problem {
  return new Problem('conflict', `the record was ${row.state} already`, { hint: 'nothing needs to be done' })
}

const dropRoute = route({
  method: 'DELETE',
  path: '/v1/quarantine/{quarantine_id}',
  tag,
  summary: 'Drop a quarantined record',
  detail: 'It leaves the list of open ones; its bytes stay in the log. Dropping again changes nothing.',
  pathParameters,
  parameters: READ_PARAMETERS,
  answers: [{ status: 200, description: 'Dropped.', schema: Appended }],
  problems: ['not_found', 'conflict'],
  handle: async (call) => {
    const { result: row } = await reading(call, (db) => find(db, call.path('quarantine_id')))
    if (row.state === 'retried') throw alreadySettled(row)
    const records = row.state === 'dropped' ? [] : [fact('quarantine.dropped', row.quarantine_id, call.deps.clock)]
    return appendAndShow(call, records, row.quarantine_id, 'dropped')
  },
})

const retryRoute = route({
  method: 'POST',
  path: '/v1/quarantine/{quarantine_id}/retry',
  tag,
  summary: 'Read a quarantined record again',
  detail:
    'After an upgrade a record may have become readable: then it is appended to the log again, as it was sent. Otherwise 422 says what is still wrong.',
  pathParameters,
  parameters: READ_PARAMETERS,
  answers: [{ status: 200, description: 'It could be read, and is in the log again.', schema: Appended }],
  problems: ['not_found', 'conflict', 'unreadable'],
  handle: async (call) => {
    const { result: row } = await reading(call, (db) => find(db, call.path('quarantine_id')))
    if (row.state === 'retried') throw alreadySettled(row)
    const { event, value, headers } = await recordOf(call.deps, row)
    if (!event.readable)
      throw new Problem('unreadable', `still not readable: ${event.message}`, {
        hint: event.hint,
        details: { reason: event.code, pointer: event.pointer },
      })
    const again: NewRecord = { key: event.partitionKey, headers, value }
    return appendAndShow(
      call,
      [again, fact('quarantine.retried', row.quarantine_id, call.deps.clock)],
      row.quarantine_id,
      'retried',
    )
  },
})

export const QUARANTINE_ROUTES: readonly Route[] = [listRoute, oneRoute, dropRoute, retryRoute]
