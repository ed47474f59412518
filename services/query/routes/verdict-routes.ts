/** /v1/verdicts: how many records of a stretch of the log were not accepted. An importer learns from it what became of its own. */
import { sql } from 'kysely'
import Type from 'typebox'
import type { Offsets } from '#services/position.ts'
import { formatCursor, parseCursor } from '#services/query/cursor.ts'
import type { QueryDeps } from '#services/query/deps.ts'
import { position, text } from '#services/query/parameters.ts'
import { asNumber, readJson } from '#services/query/reading.ts'
import { bodies } from '#services/query/rows/records.ts'
import { READ_PARAMETERS, route, type Route } from '#services/query/route.ts'

const LIST = 'verdicts'
/** With a source the records themselves are looked at, so a call looks at this many and says where to go on. */
const RECORDS_MAX = 20_000
/** Bodies in memory at once. */
const BODIES_AT_ONCE = 200

const VERDICTS = ['duplicate', 'conflict', 'unreadable', 'misrouted'] as const
type Counts = Record<(typeof VERDICTS)[number], number>

const noCounts = (): Counts => ({ duplicate: 0, conflict: 0, unreadable: 0, misrouted: 0 })
const isVerdict = (word: string): word is keyof Counts => (VERDICTS as readonly string[]).includes(word)

const count = (description: string) => Type.Integer({ description, minimum: 0 })
const Verdicts = Type.Object({
  counts: Type.Object({
    duplicate: count('Sent again with the same content.'),
    conflict: count('Sent again with other content.'),
    unreadable: count('No event.'),
    misrouted: count('Found in a partition that is not theirs.'),
  }),
  next: Type.Union([Type.String(), Type.Null()], {
    description: 'Where to go on, or null at the end: add up the counts of all pages.',
  }),
})

/** The offsets of `given`, or undefined where there is no such bound. */
function offsetsOf(
  deps: QueryDeps,
  given: { readonly log: string | undefined; readonly offsets: Offsets } | 'latest' | undefined,
): Offsets | undefined {
  return given === undefined || given === 'latest' || (given.log !== undefined && given.log !== deps.log.id)
    ? undefined
    : given.offsets
}

/** Offsets as a list by partition, for SQL. */
const pairs = (offsets: Offsets, otherwise: number, partitions: number): string =>
  JSON.stringify(
    Array.from({ length: partitions }, (_, partition) => ({ partition, bound: offsets.get(partition) ?? otherwise })),
  )

const verdictsRoute = route({
  path: '/v1/verdicts',
  tag: 'Operations',
  summary: 'Count what was not accepted',
  detail: 'Over the records in [`from`, `to`). With `source`, over those that bear one of these CloudEvents sources.',
  parameters: {
    ...READ_PARAMETERS,
    from: position('Count records from here on. Without it, from the beginning.'),
    to: position('Count records before this. Without it, all that are judged.'),
    source: text('The CloudEvents source of the records to count.'),
    cursor: text('Where to go on: `next` of the page before.'),
  },
  answers: [{ status: 200, description: 'Counts by verdict.', schema: Verdicts }],
  handle: async (call) => {
    const { deps, query } = call
    const from = pairs(offsetsOf(deps, query.from) ?? new Map(), 0, deps.log.partitions)
    const upper = offsetsOf(deps, query.to)
    const to = pairs(upper ?? new Map(), upper === undefined ? Number.MAX_SAFE_INTEGER : 0, deps.log.partitions)
    const [partition = -1, offset = -1] = parseCursor(LIST, 2, query.cursor) ?? []
    return readJson(call, async (db) => {
      const within = sql<boolean>`
        exists (select from json_to_recordset(${from}::json) as f(partition int, bound bigint) where f.partition = verdicts.partition and verdicts."offset" >= f.bound)
        and exists (select from json_to_recordset(${to}::json) as t(partition int, bound bigint) where t.partition = verdicts.partition and verdicts."offset" < t.bound)`
      if (query.source === undefined) {
        const rows = await db
          .selectFrom('verdicts')
          .select(['verdict', asNumber(sql`count(*)`).as('n')])
          .where(within)
          .groupBy('verdict')
          .execute()
        const counts = noCounts()
        for (const row of rows) if (isVerdict(row.verdict)) counts[row.verdict] = row.n
        return { counts, next: null }
      }
      const rows = await db
        .selectFrom('verdicts')
        .select(['partition', 'offset', 'verdict'])
        .where(within)
        .where(sql<boolean>`(partition, "offset") > (${partition}::int, ${offset}::bigint)`)
        .orderBy('partition')
        .orderBy('offset')
        .limit(RECORDS_MAX)
        .execute()
      const last = rows.length === RECORDS_MAX ? rows.at(-1) : undefined
      return {
        counts: await countsOfSource(
          deps,
          rows.map((row) => ({ ...row, offset: Number(row.offset) })),
          query.source,
        ),
        next: last === undefined ? null : formatCursor(LIST, [last.partition, Number(last.offset)]),
      }
    })
  },
})

async function countsOfSource(
  deps: QueryDeps,
  rows: readonly { partition: number; offset: number; verdict: string }[],
  source: string,
): Promise<Counts> {
  const counts = noCounts()
  for (let at = 0; at < rows.length; at += BODIES_AT_ONCE) {
    const part = rows.slice(at, at + BODIES_AT_ONCE)
    for (const [index, found] of (await bodies(deps, part)).entries()) {
      const verdict = part[index]?.verdict ?? ''
      if (found === undefined || !isVerdict(verdict)) continue
      const event = found.event.readable ? found.event : undefined
      if (event?.source === source) counts[verdict]++
    }
  }
  return counts
}

export const VERDICT_ROUTES: readonly Route[] = [verdictsRoute]
