/** /v1/trajectories: the list, one whole, and its steps in pages. */
import { type RawBuilder, sql } from 'kysely'
import { Step, TrajectoryRow, TrajectoryWhole, listOf } from '#schemas/http.ts'
import { LIST_PARAMETERS, formatCursor, page, parseCursor } from '#services/query/cursor.ts'
import { text } from '#services/query/parameters.ts'
import { jsonAnswer, mustInclude, positionHeaders, reached, readJson, reading } from '#services/query/reading.ts'
import { READ_PARAMETERS, type Route, route } from '#services/query/route.ts'
import { TRAJECTORY_FILTERS, allOf, conditions } from '#services/query/rows/scored.ts'
import { type ScoredRow, trajectoryRow, wholeRows } from '#services/query/rows/trajectory-rows.ts'
import {
  findTrajectory,
  stepAnswer,
  stepBodies,
  stepPlaces,
  trajectoryFacts,
  trajectoryText,
} from '#services/query/rows/trajectory-whole.ts'

/** Longer trajectories are streamed instead of being put together first. */
const STEPS_AT_ONCE_MAX = 128
/** A page of steps ends early once it has this many bytes. */
const PAGE_BYTES_MAX = 16 * 1024 * 1024

const LIST = 'trajectories'
const tag = 'Trajectories'
const pathParameters = { trajectory_id: 'The trajectory, URL-encoded.' }
const rewardVersion = { reward_version: text('The reward version to read with, instead of that of the run.') }

/** Rows after the cursor in order of (run_id, trajectory_id); those without a run come last. */
function afterKey(key: readonly (string | number | null)[] | undefined, oneRun: boolean): RawBuilder<boolean> {
  if (key === undefined) return sql`true`
  const [runId, trajectoryId, version] = key
  const here = runId === null ? sql<boolean>`t.run_id is null` : sql<boolean>`t.run_id = ${runId}::text`
  const further = runId === null ? sql<boolean>`false` : sql<boolean>`(t.run_id > ${runId}::text or t.run_id is null)`
  const later = sql<boolean>`(t.trajectory_id > ${trajectoryId}::text or (t.trajectory_id = ${trajectoryId}::text and coalesce(score.version, '') > ${version}::text))`
  // Inside one run the plain comparison lets the index begin where the last page ended.
  return oneRun
    ? sql`(t.trajectory_id >= ${trajectoryId}::text and ${later})`
    : sql`((${here} and ${later}) or ${further})`
}

const listRoute = route({
  path: '/v1/trajectories',
  tag,
  summary: 'List trajectories',
  detail:
    'In order of (run_id, trajectory_id). One row for each trajectory, with its score under the reward version of its run; with `reward_version=*` one for each of its scores.',
  parameters: { ...LIST_PARAMETERS, ...TRAJECTORY_FILTERS },
  answers: [{ status: 200, description: 'A page of trajectories.', schema: listOf(TrajectoryRow) }],
  handle: async (call) => {
    const key = parseCursor(LIST, 3, call.query.cursor)
    return readJson(call, async (db) => {
      const rows = await wholeRows(db, call.query.reward_version)
        .where(allOf([...conditions(call.query), afterKey(key, call.query.run.length === 1)]))
        .orderBy('t.run_id')
        .orderBy('t.trajectory_id')
        .orderBy(sql`coalesce(score.version, '')`)
        .limit(call.query.limit + 1)
        .execute()
      const found = page<ScoredRow>(LIST, rows, call.query.limit, (row) => [
        row.run_id,
        row.trajectory_id,
        row.version ?? '',
      ])
      return { rows: found.rows.map(trajectoryRow), next: found.next }
    })
  },
})

const wholeRoute = route({
  path: '/v1/trajectories/{trajectory_id}',
  tag,
  summary: 'Read one trajectory, whole',
  detail:
    'Steps with their bodies, tool calls, images, scores, annotations and places in the log, and `messages`: the conversation as one list.',
  pathParameters,
  parameters: { ...READ_PARAMETERS, ...rewardVersion },
  answers: [{ status: 200, description: 'The trajectory.', schema: TrajectoryWhole }],
  problems: ['not_found'],
  handle: async (call) => {
    const { deps, query } = call
    const want = await reached(call)
    const facts = await trajectoryFacts(deps.store.db, call.path('trajectory_id'), query.reward_version, deps)
    mustInclude(facts.offsets, want)
    const pieces = trajectoryText(deps, facts)
    const headers = { 'Content-Type': 'application/json; charset=utf-8', ...positionHeaders(deps, facts.offsets) }
    if (facts.steps.length > STEPS_AT_ONCE_MAX) return new Response(streamOf(pieces), { headers })
    let whole = ''
    for await (const piece of pieces) whole += piece
    return new Response(whole, { headers })
  },
})

/** A stream that asks for the next piece when the reader has taken the last one. */
function streamOf(pieces: AsyncGenerator<string>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  return new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      const { done, value } = await pieces.next()
      if (done === true) controller.close()
      else controller.enqueue(encoder.encode(value))
    },
    cancel: async () => {
      await pieces.return(undefined)
    },
  })
}

const stepsRoute = route({
  path: '/v1/trajectories/{trajectory_id}/steps',
  tag,
  summary: 'Read the steps of a trajectory in pages',
  detail: 'In order of step_index. A page also ends, with `next`, once it has 16 MiB.',
  pathParameters,
  parameters: LIST_PARAMETERS,
  answers: [{ status: 200, description: 'A page of steps.', schema: listOf(Step) }],
  problems: ['not_found'],
  handle: async (call) => {
    const { deps, query } = call
    const trajectoryId = call.path('trajectory_id')
    const list = `steps ${trajectoryId}`
    const [after = -1] = parseCursor(list, 1, query.cursor) ?? []
    const { result, offsets } = await reading(call, async (db) => {
      const { partition } = await findTrajectory(db, trajectoryId, undefined)
      return { partition, places: await stepPlaces(db, trajectoryId, Number(after), query.limit) }
    })
    const shown = result.places.slice(0, query.limit)
    const texts: string[] = []
    let bytes = 0
    for await (const [place, body] of stepBodies(deps, result.partition, shown)) {
      const written = JSON.stringify(stepAnswer(place, result.partition, body))
      if (texts.length > 0 && bytes + written.length > PAGE_BYTES_MAX) break
      texts.push(written)
      bytes += written.length
    }
    const last = shown[texts.length - 1]
    const next =
      texts.length < result.places.length && last !== undefined ? formatCursor(list, [last.step_index]) : null
    const answer = jsonAnswer(deps, null, offsets)
    return new Response(`{"rows":[${texts.join(',')}],"next":${JSON.stringify(next)}}\n`, { headers: answer.headers })
  },
})

export const TRAJECTORY_ROUTES: readonly Route[] = [listRoute, wholeRoute, stepsRoute]
