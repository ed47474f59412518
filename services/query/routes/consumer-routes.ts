/** /v1/consumers: completed groups for trainers that learn while others sample, each group once. */
import { AckAnswer, AckBody, ConsumerRow, NextAnswer, NextBody } from '#schemas/http-consumers.ts'
import { listOf } from '#schemas/http.ts'
import type { Row } from '#schemas/tables.ts'
import { formatPosition } from '#services/position.ts'
import { Problem } from '#services/problem.ts'
import { acknowledge, type Given, nextGroups } from '#services/query/consumers.ts'
import { LIST_PARAMETERS, page, parseCursor } from '#services/query/cursor.ts'
import type { QueryDeps } from '#services/query/deps.ts'
import { badMember, jsonBody, queryMember } from '#services/query/json-body.ts'
import { flag, parseParameters } from '#services/query/parameters.ts'
import { jsonAnswer, readJson } from '#services/query/reading.ts'
import { READ_PARAMETERS, route, type Call, type Route } from '#services/query/route.ts'
import type { Wish } from '#services/query/rows/consumer-rows.ts'
import { groupAnswer } from '#services/query/rows/group-rows.ts'
import { TRAJECTORY_FILTERS } from '#services/query/rows/scored.ts'
import { onlyFilters } from './group-routes.ts'

const LIST = 'consumers'
const tag = 'Groups'
const NAME = /^[A-Za-z0-9._-]{1,128}$/
const pathParameters = { name: 'The name of the consumer: 1 to 128 letters, digits, dots, _ and -.' }
const MEMBERS = ['filter', 'max', 'wait_s', 'max_staleness', 'policy_version', 'max_age_s']
const EXAMPLE = '{"filter": {"run": "r1"}, "max": 16, "wait_s": 10}'

const { run, item, dataset, family, split, actor_model, policy_version, train_step, reward_version } =
  TRAJECTORY_FILTERS
const CONSUMER_FILTERS = {
  run,
  item,
  dataset,
  family,
  split,
  actor_model,
  policy_version,
  train_step,
  reward_version,
  zero_variance: flag('Whether all members that count have the same reward.'),
}

function consumerName(given: string): string {
  if (NAME.test(given)) return given
  throw new Problem('invalid', 'the name of a consumer is 1 to 128 letters, digits, dots, _ and -', {
    hint: 'choose one for each training run, such as grpo-8b',
  })
}

interface Range {
  readonly minimum: number
  readonly maximum: number
  readonly whole: boolean
}

const COUNT: Range = { minimum: 0, maximum: Number.MAX_SAFE_INTEGER, whole: true }

/** A number of the body. Throws `invalid`. */
function numberMember(
  body: Readonly<Record<string, unknown>>,
  member: string,
  { minimum, maximum, whole }: Range,
): number | undefined {
  const value = body[member]
  if (value === undefined || value === null) return undefined
  if (typeof value === 'number' && value >= minimum && value <= maximum && (!whole || Number.isSafeInteger(value)))
    return value
  throw badMember(
    member,
    `${member} is a ${whole ? 'whole ' : ''}number from ${minimum} to ${maximum}`,
    `send ${EXAMPLE}`,
  )
}

/** A filter in one form, however it was written. */
const canonical = (filter: URLSearchParams): string =>
  [...new Set([...filter].map(([name, value]) => `${name}=${encodeURIComponent(value)}`))].sort().join('&')

function wishOf(deps: QueryDeps, consumer: string, body: Readonly<Record<string, unknown>>) {
  const params = queryMember(body, 'filter')
  const { zero_variance: zeroVariance, ...filters } = parseParameters(CONSUMER_FILTERS, params)
  if (filters.reward_version === '*')
    throw badMember('filter', 'a group is read with one reward version', 'name the version, or leave it out')
  const maxAge = numberMember(body, 'max_age_s', COUNT)
  const wish: Wish = {
    consumer,
    filters: onlyFilters(filters),
    zeroVariance,
    max: numberMember(body, 'max', { minimum: 1, maximum: 100, whole: true }) ?? 16,
    maxStaleness: numberMember(body, 'max_staleness', COUNT),
    policyVersion: numberMember(body, 'policy_version', COUNT),
    maxAgeMs: maxAge === undefined ? undefined : maxAge * 1000,
    nowMs: deps.clock(),
  }
  const waitS = numberMember(body, 'wait_s', { minimum: 0, maximum: 60, whole: false }) ?? 10
  return { wish, filter: canonical(params), waitMs: waitS * 1000 }
}

/** The groups of a lease as a dataset that includes them. */
function datasetUrl(deps: QueryDeps, { groups, offsets }: Given, version: string | undefined): string | undefined {
  const runs = new Set(groups.map(({ run_id: runId }) => runId))
  const [runId] = runs
  if (runs.size !== 1 || runId === null || runId === undefined) return undefined
  const query = new URLSearchParams([
    ['run', runId],
    ...groups.map(({ group_id: id }): [string, string] => ['group', id]),
  ])
  if (version !== undefined) query.append('reward_version', version)
  query.append('after', formatPosition(deps.log.id, offsets))
  return `${deps.publicUrl}/v1/datasets/grpo.parquet?${query.toString().replaceAll('+', '%20')}`
}

async function answerNext({ deps, path, request }: Call<Record<string, never>>): Promise<Response> {
  const consumer = consumerName(path('name'))
  const { wish, filter, waitMs } = wishOf(
    deps,
    consumer,
    await jsonBody(request, { members: MEMBERS, example: EXAMPLE }),
  )
  const given = await nextGroups(deps, wish, filter, waitMs, request.signal)
  const dataset = datasetUrl(deps, given, wish.filters.reward_version)
  const body = {
    consumer,
    lease: given.lease ?? null,
    groups: given.groups.map(groupAnswer),
    skipped: given.skipped,
    ...(dataset === undefined ? {} : { dataset }),
    position: formatPosition(deps.log.id, given.offsets),
  }
  return jsonAnswer(deps, body, given.offsets)
}

async function answerAck({ deps, path, request }: Call<Record<string, never>>): Promise<Response> {
  const consumer = consumerName(path('name'))
  const { lease } = await jsonBody(request, { members: ['lease'], example: '{"lease": "…"}' })
  if (typeof lease !== 'string') throw badMember('lease', 'lease is a text', 'send the lease as it was given')
  const offsets = await acknowledge(deps, consumer, lease, request.signal)
  return jsonAnswer(deps, { consumer, lease, position: formatPosition(deps.log.id, offsets) }, offsets)
}

const consumerAnswer = (row: Row<'consumers'>) => ({
  consumer: row.consumer,
  filter: row.filter,
  lease: row.acked_number < row.lease_number ? `${row.consumer}:${row.lease_number}` : null,
  leased_at: row.leased_at,
  n_leases: row.lease_number,
  n_groups: row.n_groups,
})

const listRoute = route({
  path: '/v1/consumers',
  tag,
  summary: 'List consumers of completed groups',
  parameters: LIST_PARAMETERS,
  answers: [{ status: 200, description: 'A page of consumers.', schema: listOf(ConsumerRow) }],
  handle: async (call) => {
    const { query } = call
    const key = parseCursor(LIST, 1, query.cursor)
    return readJson(call, async (db) => {
      const rows = await db
        .selectFrom('consumers')
        .selectAll()
        .where('consumer', '>', key === undefined ? '' : String(key[0]))
        .orderBy('consumer')
        .limit(query.limit + 1)
        .execute()
      const found = page(LIST, rows, query.limit, ({ consumer }) => [consumer])
      return { ...found, rows: found.rows.map(consumerAnswer) }
    })
  },
})

const oneRoute = route({
  path: '/v1/consumers/{name}',
  tag,
  summary: 'Read a consumer',
  pathParameters,
  parameters: READ_PARAMETERS,
  problems: ['not_found'],
  answers: [{ status: 200, description: 'The consumer.', schema: ConsumerRow }],
  handle: async (call) =>
    readJson(call, async (db) => {
      const name = call.path('name')
      const row = await db.selectFrom('consumers').selectAll().where('consumer', '=', name).executeTakeFirst()
      if (row === undefined)
        throw new Problem('not_found', `there is no consumer ${JSON.stringify(name.slice(0, 80))}`, {
          hint: 'its first lease makes it: POST /v1/consumers/{name}/next',
        })
      return consumerAnswer(row)
    }),
})

const nextRoute = route({
  method: 'POST',
  path: '/v1/consumers/{name}/next',
  tag,
  summary: 'Take completed groups that this consumer has not had yet',
  detail:
    'Gives groups that have their expected size, oldest first, and the same lease again until it is acknowledged: whoever dies in between asks again and misses nothing, and what was acknowledged never comes again, through crashes of trainer and server. A retry that finishes after its group was given does not bring the group back.',
  pathParameters,
  parameters: {},
  requestTypes: { 'application/json': NextBody },
  problems: ['invalid', 'conflict', 'behind', 'too_large', 'unsupported_media_type'],
  answers: [{ status: 200, description: 'The lease.', schema: NextAnswer }],
  handle: answerNext,
})

const ackRoute = route({
  method: 'POST',
  path: '/v1/consumers/{name}/ack',
  tag,
  summary: 'Acknowledge a lease',
  detail: 'After that `next` goes on. Acknowledging again changes nothing.',
  pathParameters,
  parameters: {},
  requestTypes: { 'application/json': AckBody },
  problems: ['invalid', 'not_found', 'behind', 'too_large', 'unsupported_media_type'],
  answers: [{ status: 200, description: 'Acknowledged.', schema: AckAnswer }],
  handle: answerAck,
})

export const CONSUMER_ROUTES: readonly Route[] = [listRoute, oneRoute, nextRoute, ackRoute]
