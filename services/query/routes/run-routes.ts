/** /v1/runs: what ran, with counts. */
import { sql } from 'kysely'
import { RunRow, RunWhole, listOf } from '#schemas/http.ts'
import { Problem } from '#services/problem.ts'
import { LIST_PARAMETERS, page, parseCursor } from '#services/query/cursor.ts'
import { text, word } from '#services/query/parameters.ts'
import { asNumber, jsonAnswer, readJson, reading } from '#services/query/reading.ts'
import { dataAt } from '#services/query/rows/records.ts'
import { runRow, runs } from '#services/query/rows/run-rows.ts'
import { READ_PARAMETERS, type Route, route } from '#services/query/route.ts'

const LIST = 'runs'
const tag = 'Runs'
const STATES = ['implied', 'running', 'finished'] as const

const listRoute = route({
  path: '/v1/runs',
  tag,
  summary: 'List runs',
  detail: 'In order of run_id. A run that no run.started told of, but that other events name, is listed as `implied`.',
  parameters: { ...LIST_PARAMETERS, state: word(STATES, 'The state of the run.'), kind: text('The kind of the run.') },
  answers: [{ status: 200, description: 'A page of runs.', schema: listOf(RunRow) }],
  handle: async (call) => {
    const { query } = call
    const key = parseCursor(LIST, 1, query.cursor)
    const state = {
      implied: sql<boolean>`r.started_offset is null and r.finished_offset is null`,
      running: sql<boolean>`r.started_offset is not null and r.finished_offset is null`,
      finished: sql<boolean>`r.finished_offset is not null`,
    }
    return readJson(call, async (db) => {
      const rows = await runs(db)
        .where(key === undefined ? sql<boolean>`true` : sql<boolean>`n.run_id > ${key[0]}::text`)
        .where(query.state === undefined ? sql<boolean>`true` : state[query.state])
        .where(query.kind === undefined ? sql<boolean>`true` : sql<boolean>`r.kind = ${query.kind}::text`)
        .orderBy('n.run_id')
        .limit(query.limit + 1)
        .execute()
      const found = page(LIST, rows, query.limit, (row) => [row.run_id])
      return { rows: found.rows.map((run) => runRow(run, call.deps.publicUrl)), next: found.next }
    })
  },
})

const oneRoute = route({
  path: '/v1/runs/{run_id}',
  tag,
  summary: 'Read a run',
  detail: 'Counts, settings and the checkpoints that were published.',
  pathParameters: { run_id: 'The run, URL-encoded.' },
  parameters: READ_PARAMETERS,
  answers: [{ status: 200, description: 'The run.', schema: RunWhole }],
  problems: ['not_found'],
  handle: async (call) => {
    const runId = call.path('run_id')
    const { result, offsets } = await reading(call, async (db) => {
      const run = await runs(db).where('n.run_id', '=', runId).executeTakeFirst()
      if (run === undefined)
        throw new Problem('not_found', `there is no run ${JSON.stringify(runId.slice(0, 80))}`, {
          hint: 'list them: /v1/runs',
        })
      const policies = await db
        .selectFrom('policies')
        .select(['policy_version', 'train_step', 'published_at', 'data'])
        .where('run_id', '=', runId)
        .orderBy('policy_version')
        .limit(1000)
        .execute()
      const distinct = await db
        .selectFrom('trajectories')
        .where('run_id', '=', runId)
        .select([
          asNumber(sql`count(distinct group_id)`).as('n_groups'),
          asNumber(sql`count(distinct item_id)`).as('n_items'),
        ])
        .executeTakeFirst()
      return { run, policies, n_groups: distinct?.n_groups ?? 0, n_items: distinct?.n_items ?? 0 }
    })
    const { run, ...rest } = result
    const settings = run.partition === null ? null : await dataAt(call.deps, run.partition, run.started_offset)
    return jsonAnswer(call.deps, { ...runRow(run, call.deps.publicUrl), ...rest, settings }, offsets)
  },
})

export const RUN_ROUTES: readonly Route[] = [listRoute, oneRoute]
