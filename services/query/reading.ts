/** Reads that know their position: rows and cursors come from one transaction, after the state that was asked for. */
import { type Kysely, sql } from 'kysely'
import type { Database } from '#schemas/tables.ts'
import { jsonText } from '#services/json-text.ts'
import { type Offsets, type Position, formatOffsets, formatPosition, includes, union } from '#services/position.ts'
import { Problem } from '#services/problem.ts'
import type { QueryDeps } from './deps.ts'

/** The projection whose cursors say what the store includes. */
const PROJECTION = 'project'

/** The part of a call that says which state is wanted. */
export interface Reading {
  readonly deps: QueryDeps
  readonly query: { readonly after: readonly (Position | 'latest')[]; readonly wait: number }
  readonly request: Request
}

/** The next offset of each partition of the log. */
async function logEnd(deps: QueryDeps): Promise<Offsets> {
  const bounds = await deps.log.bounds()
  return new Map(bounds.map(({ end }, partition) => [partition, end]))
}

/** The offsets that a read must include. Throws `position_of_another_log` and `invalid_parameter`. */
export async function wanted({ deps, query }: Reading): Promise<Offsets> {
  const all: Offsets[] = []
  for (const after of query.after) {
    if (after === 'latest') {
      all.push(await logEnd(deps))
      continue
    }
    if (after.log !== undefined && after.log !== deps.log.id) {
      throw new Problem('position_of_another_log', `the position is of log ${after.log}, and this is ${deps.log.id}`, {
        hint: 'ask the server that gave the position, or leave after out',
      })
    }
    for (const partition of after.offsets.keys()) {
      if (partition >= deps.log.partitions) {
        throw new Problem(
          'invalid_parameter',
          `after names partition ${partition}, and the log has ${deps.log.partitions} from 0 on`,
          { details: { parameter: 'after' } },
        )
      }
    }
    all.push(after.offsets)
  }
  return union(...all)
}

/** Waits until the store includes what the read asks for. Throws `behind` after the time it may wait. */
export async function reached(reading: Reading): Promise<Offsets> {
  const want = await wanted(reading)
  const { project } = reading.deps
  if (includes(project.offsets, want)) return want
  if (await project.waitFor(want, reading.query.wait * 1000, reading.request.signal)) return want
  throw behind(`the store includes ${formatOffsets(project.offsets) || 'nothing'} and not yet ${formatOffsets(want)}`)
}

/** The state that was asked for did not come in time. */
export function behind(detail: string): Problem {
  return new Problem('behind', detail, { hint: 'ask again later, or wait longer with wait=60', retryAfterSeconds: 1 })
}

/** The cursors of the store as this transaction sees them. */
export async function cursorsOf(db: Kysely<Database>): Promise<Offsets> {
  const rows = await db
    .selectFrom('cursors')
    .select(['partition', 'next_offset'])
    .where('projection', '=', PROJECTION)
    .execute()
  return new Map(rows.map(({ partition, next_offset }) => [partition, Number(next_offset)]))
}

/** The same as a column, for reads of one statement, which need no transaction. A list of [partition, next offset]. */
export const CURSORS = sql<
  [number, number][] | null
>`(select json_agg(json_build_array("partition", next_offset)) from cursors where projection = ${sql.lit(PROJECTION)})`

/** Runs the queries of a read in one transaction, with the offsets that their rows stand for. */
export async function reading<Result>(
  call: Reading,
  work: (db: Kysely<Database>) => Promise<Result>,
): Promise<{ result: Result; offsets: Offsets }> {
  const want = await reached(call)
  return call.deps.store.transaction(async ({ db }) => {
    const offsets = await cursorsOf(db)
    mustInclude(offsets, want)
    return { offsets, result: await work(db) }
  })
}

/** What was reached may be gone again (another process emptied the store): then the read is behind, never older than was asked for. */
export function mustInclude(offsets: Offsets, want: Offsets): void {
  if (!includes(offsets, want))
    throw behind(
      `the store was set back to ${formatOffsets(offsets) || 'nothing'}, and ${formatOffsets(want)} is wanted`,
    )
}

/** A read whose answer is one JSON value. */
export async function readJson(call: Reading, work: (db: Kysely<Database>) => Promise<unknown>): Promise<Response> {
  const { result, offsets } = await reading(call, work)
  return jsonAnswer(call.deps, result, offsets)
}

/** The headers of an answer that stands for these offsets. */
export function positionHeaders(deps: QueryDeps, offsets: Offsets): Record<string, string> {
  return { 'Stepstore-Position': formatPosition(deps.log.id, offsets), 'Cache-Control': 'no-store' }
}

export function jsonAnswer(deps: QueryDeps, body: unknown, offsets: Offsets, status = 200): Response {
  return new Response(jsonText(body), {
    status,
    headers: { 'Content-Type': 'application/json; charset=utf-8', ...positionHeaders(deps, offsets) },
  })
}

/** A double for JSON, which has no word for those that are not finite: they go as the strings they are sent as. */
export function anyReal(value: number | null): number | 'NaN' | 'Infinity' | '-Infinity' | null {
  if (value === null || Number.isFinite(value)) return value
  return Number.isNaN(value) ? 'NaN' : value > 0 ? 'Infinity' : '-Infinity'
}

/** `total` as SQL: count and sum give bigint and numeric, which drivers hand over as text. */
export const asNumber = (expression: ReturnType<typeof sql>) => sql<number>`(${expression})::double precision`
