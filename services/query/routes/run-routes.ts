/** /v1/runs: what ran, with counts. */
import { type Kysely, sql } from 'kysely'
import { RUN_COUNTS, type Database } from '#schemas/tables.ts'
import { RunRow, RunWhole, listOf } from '#schemas/http.ts'
import { CORRECT_THRESHOLD, DEFAULT_REWARD_VERSION } from '#services/core/correct.ts'
import { Problem } from '#services/problem.ts'
import { LIST_PARAMETERS, page, parseCursor } from '#services/query/cursor.ts'
import { text, word } from '#services/query/parameters.ts'
import { asNumber, jsonAnswer, readJson, reading } from '#services/query/reading.ts'
import { dataAt } from '#services/query/rows/records.ts'
import { READ_PARAMETERS, type Route, route } from '#services/query/route.ts'

const LIST = 'runs'
const tag = 'Runs'
const STATES = ['implied', 'running', 'finished'] as const

/** Every run that an event named, with its counts added over partitions; a query to narrow and order. */
function runs(db: Kysely<Database>) {
  const named = db.selectFrom('runs').select('run_id').union(db.selectFrom('run_totals').select('run_id'))
  const sums = db
    .selectFrom('run_totals')
    .groupBy('run_id')
    .select('run_id as totals_run_id')
    .select(RUN_COUNTS.map((name) => asNumber(sql`sum(${sql.ref(name)})`).as(name)))
    .select([
      sql<string | null>`min(first_event_at)`.as('first_event_at'),
      sql<string | null>`max(last_event_at)`.as('last_event_at'),
    ])
  const misrouted = db
    .selectFrom('verdicts')
    .where('verdict', '=', 'misrouted')
    .groupBy('run_id')
    .select(['run_id as misrouted_run_id', asNumber(sql`count(*)`).as('n_misrouted')])
  return db
    .selectFrom(named.as('n'))
    .leftJoin('runs as r', 'r.run_id', 'n.run_id')
    .leftJoin(sums.as('t'), 't.totals_run_id', 'n.run_id')
    .leftJoin(misrouted.as('m'), 'm.misrouted_run_id', 'n.run_id')
    .select([
      'n.run_id',
      'r.kind',
      'r.algorithm',
      'r.base_model',
      'r.parent_run_id',
      'r.resumed_at_train_step',
      'r.reward_version',
      'r.correct_threshold',
      'r.group_size',
      'r.status',
      'r.partition',
      'r.started_offset',
      'r.finished_offset',
      'r.started_at',
      'r.finished_at',
      'r.n_duplicates as own_duplicates',
      'r.n_conflicts as own_conflicts',
      't.first_event_at',
      't.last_event_at',
      'm.n_misrouted',
      ...RUN_COUNTS.map((name) => `t.${name}` as const),
    ])
}

type FoundRun = Awaited<ReturnType<ReturnType<typeof runs>['execute']>>[number]

/** The earliest or latest of instants, which sort as text. */
const extreme = (which: 'first' | 'last', ...instants: (string | null | undefined)[]): string | null => {
  const sorted = instants.filter((instant) => typeof instant === 'string').sort()
  return (which === 'first' ? sorted[0] : sorted.at(-1)) ?? null
}

function runRow(run: FoundRun): Record<string, unknown> {
  return {
    run_id: run.run_id,
    state: run.finished_offset !== null ? 'finished' : run.started_offset !== null ? 'running' : 'implied',
    kind: run.kind,
    algorithm: run.algorithm,
    base_model: run.base_model,
    parent_run_id: run.parent_run_id,
    resumed_at_train_step: run.resumed_at_train_step,
    reward_version: run.reward_version ?? DEFAULT_REWARD_VERSION,
    correct_threshold: run.correct_threshold ?? CORRECT_THRESHOLD,
    group_size: run.group_size,
    status: run.status,
    started_at: run.started_at,
    finished_at: run.finished_at,
    first_event_at: extreme('first', run.first_event_at, run.started_at, run.finished_at),
    last_event_at: extreme('last', run.last_event_at, run.started_at, run.finished_at),
    ...Object.fromEntries(RUN_COUNTS.map((name) => [name, run[name] ?? 0])),
    n_duplicates: (run.n_duplicates ?? 0) + (run.own_duplicates ?? 0),
    n_conflicts: (run.n_conflicts ?? 0) + (run.own_conflicts ?? 0),
    n_misrouted: run.n_misrouted ?? 0,
  }
}

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
      return { rows: found.rows.map(runRow), next: found.next }
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
    return jsonAnswer(call.deps, { ...runRow(run), ...rest, settings }, offsets)
  },
})

export const RUN_ROUTES: readonly Route[] = [listRoute, oneRoute]
