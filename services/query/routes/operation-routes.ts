/** Positions, health and readiness: what the API says about itself. */
import { sql } from 'kysely'
import { Health, PositionAnswer, Readiness } from '#schemas/http-operations.ts'
import { type Offsets, formatOffsets, formatPosition } from '#services/position.ts'
import { PROBLEMS } from '#schemas/problems.ts'
import { jsonText } from '#services/json-text.ts'
import { asProblem } from '#services/problem.ts'
import type { QueryDeps } from '#services/query/deps.ts'
import { jsonAnswer, reading } from '#services/query/reading.ts'
import { READ_PARAMETERS, type Route, route } from '#services/query/route.ts'

const tag = 'Operations'
const JSON_HEADERS = { 'Content-Type': 'application/json; charset=utf-8', 'Cache-Control': 'no-store' }
/** PGlite computes on the thread that reads, and a heavy read may keep it for a second or two: that is no hang. */
const ANSWER_MS_MAX = 4_000
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
  handle: async () => new Response(jsonText({ status: 'ok' }), { headers: JSON_HEADERS }),
})

interface Reason {
  readonly code: string
  readonly detail: string
  readonly done?: number
  readonly of?: number
}

/** How far what is read is behind the log, in records. */
interface Lag {
  readonly folding: number
  readonly archiving: number
}

const behindBy = (end: Offsets, have: Offsets): number =>
  [...end].reduce((sum, [partition, offset]) => sum + Math.max(0, offset - (have.get(partition) ?? 0)), 0)

/** Why reads are of less use now than they will be, if so; the lag where the log tells its end. */
async function stateOf(deps: QueryDeps, answering: Answering): Promise<{ reasons: Reason[]; lag?: Lag }> {
  const { project, archive } = deps
  const reasons: Reason[] = []
  const store = await answering('the store', () => sql`select 1`.execute(deps.store.db))
  if (typeof store === 'string') reasons.push({ code: 'not_answering', detail: store })
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
  const end = await answering('the log', () => logEnd(deps))
  if (typeof end === 'string') return { reasons: [...reasons, { code: 'not_answering', detail: end }] }
  const lag = { folding: behindBy(end, project.offsets), archiving: behindBy(end, archive.newest?.cut ?? new Map()) }
  if (lag.folding > LAG_MAX && project.rebuilding === undefined)
    reasons.push({ code: 'lag', detail: `${lag.folding} records are not folded yet` })
  return { reasons, lag }
}

type Answering = <Result>(name: string, ask: () => Promise<Result>) => Promise<Result | string>

/**
 * Asks something that may hang or fail: its answer, or a sentence that says that none came. One question to each is under way at
 * a time, however often readiness is asked for.
 */
function askedInTime(msMax: number): Answering {
  const underWay = new Map<string, Promise<unknown>>()
  return async <Result>(name: string, ask: () => Promise<Result>): Promise<Result | string> => {
    const asked = (underWay.get(name) as Promise<Result> | undefined) ?? ask().finally(() => underWay.delete(name))
    underWay.set(name, asked)
    const timer = Promise.withResolvers<string>()
    const timeout = setTimeout(() => timer.resolve(`${name} has not answered for ${msMax / 1000} s`), msMax)
    try {
      return await Promise.race([asked, timer.promise])
    } catch (error) {
      return `${name} cannot be read: ${asProblem(error).message}`
    } finally {
      clearTimeout(timeout)
    }
  }
}

/** Readiness; a store or log that is silent for `answerMsMax` makes it false. */
function readyRoute(answerMsMax: number): Route {
  const answering = askedInTime(answerMsMax)
  return route({
    path: '/readyz',
    tag,
    summary: 'Whether reads are of use now',
    detail:
      'Not while the store is rebuilt from the log, or far behind it (the answer says how far it is), nor while store, log or the thread that reads do not answer.',
    parameters: {},
    answers: [
      { status: 200, description: 'They are.', schema: Readiness },
      { status: 503, description: 'They are not yet.', schema: Readiness },
    ],
    handle: async ({ deps }) => {
      const { reasons, lag } = await stateOf(deps, answering)
      const isReady = reasons.length === 0
      const headers = { ...JSON_HEADERS, ...(isReady ? {} : { 'Retry-After': '1' }) }
      return new Response(jsonText({ ready: isReady, reasons, ...(lag === undefined ? {} : { lag }) }), {
        status: isReady ? 200 : PROBLEMS.behind.status,
        headers,
      })
    },
  })
}

/** The routes; each call makes its own, since readiness remembers what it waits for. */
export const operationRoutes = (answerMsMax = ANSWER_MS_MAX): readonly Route[] => [
  position,
  health,
  readyRoute(answerMsMax),
]
