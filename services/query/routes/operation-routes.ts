/** Positions, health and readiness: what the API says about itself. */
import { Health, PositionAnswer, Readiness } from '#schemas/http-operations.ts'
import { type Offsets, formatOffsets, formatPosition } from '#services/position.ts'
import { PROBLEMS } from '#schemas/problems.ts'
import type { QueryDeps } from '#services/query/deps.ts'
import { jsonAnswer, reading } from '#services/query/reading.ts'
import { READ_PARAMETERS, type Route, route } from '#services/query/route.ts'

const tag = 'Operations'
/** Reads count as behind when this many records wait to be folded: about a second of full load. */
const LAG_MAX = 20_000

async function logEnd(deps: QueryDeps): Promise<Offsets> {
  return new Map((await deps.log.bounds()).map(({ end }, partition) => [partition, end]))
}

const position = route({
  path: '/v1/position',
  tag,
  summary: 'How far reads are',
  detail: 'The position that reads include now, and the one at which the log ends.',
  parameters: READ_PARAMETERS,
  answers: [{ status: 200, description: 'The positions.', schema: PositionAnswer }],
  handle: async (call) => {
    const { deps } = call
    const { offsets } = await reading(call, async () => undefined)
    const end = await logEnd(deps)
    const body = {
      position: formatPosition(deps.log.id, offsets),
      offsets: formatOffsets(offsets),
      log_end: formatPosition(deps.log.id, end),
      log_end_offsets: formatOffsets(end),
      log_id: deps.log.id,
      partitions: deps.log.partitions,
    }
    return jsonAnswer(deps, body, offsets)
  },
})

const health = route({
  path: '/healthz',
  tag,
  summary: 'Whether the process answers',
  parameters: {},
  answers: [{ status: 200, description: 'It does.', schema: Health }],
  handle: async () => Response.json({ status: 'ok' }, { headers: { 'Cache-Control': 'no-store' } }),
})

interface Reason {
  readonly code: string
  readonly detail: string
  readonly done?: number
  readonly of?: number
}

/** Why reads are of less use now than they will be, if so. */
export async function notReady(deps: QueryDeps): Promise<Reason[]> {
  const { project, archive } = deps
  const reasons: Reason[] = []
  if (project.failing !== undefined)
    reasons.push({ code: 'failing', detail: `project cannot go on: ${project.failing}` })
  if (archive.failing !== undefined)
    reasons.push({ code: 'failing', detail: `archive cannot go on: ${archive.failing}` })
  if (project.rebuilding !== undefined) {
    const { reason, folded, total } = project.rebuilding
    reasons.push({
      code: 'rebuilding',
      detail: `the store is folded again from the log: ${reason}`,
      done: folded,
      of: total,
    })
  }
  const end = await logEnd(deps)
  const waiting = [...end].reduce(
    (sum, [partition, offset]) => sum + Math.max(0, offset - (project.offsets.get(partition) ?? 0)),
    0,
  )
  if (waiting > LAG_MAX && project.rebuilding === undefined)
    reasons.push({ code: 'lag', detail: `${waiting} records are not folded yet` })
  return reasons
}

const ready = route({
  path: '/readyz',
  tag,
  summary: 'Whether reads are of use now',
  detail: 'Not while the store is rebuilt from the log, or far behind it; the answer says how far it is.',
  parameters: {},
  answers: [
    { status: 200, description: 'They are.', schema: Readiness },
    { status: 503, description: 'They are not yet.', schema: Readiness },
  ],
  handle: async ({ deps }) => {
    const reasons = await notReady(deps)
    const isReady = reasons.length === 0
    const headers = { 'Cache-Control': 'no-store', ...(isReady ? {} : { 'Retry-After': '1' }) }
    return Response.json({ ready: isReady, reasons }, { status: isReady ? 200 : PROBLEMS.behind.status, headers })
  },
})

export const OPERATION_ROUTES: readonly Route[] = [position, health, ready]
