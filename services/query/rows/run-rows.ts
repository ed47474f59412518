/** The rows of /v1/runs: what the store knows of a run, with its counts. */
import { type Kysely, sql } from 'kysely'
import { RUN_COUNTS, type Database } from '#schemas/tables.ts'
import { CORRECT_THRESHOLD, DEFAULT_REWARD_VERSION } from '#services/core/correct.ts'
import { asNumber } from '#services/query/reading.ts'

/** Every run that an event named, with its counts added over partitions; a query to narrow and order. */
export function runs(db: Kysely<Database>) {
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

export type FoundRun = Awaited<ReturnType<ReturnType<typeof runs>['execute']>>[number]

/** The earliest or latest of instants, which sort as text. */
const extreme = (which: 'first' | 'last', ...instants: (string | null | undefined)[]): string | null => {
  const sorted = instants.filter((instant) => typeof instant === 'string').sort()
  return (which === 'first' ? sorted[0] : sorted.at(-1)) ?? null
}

/** A run as the API shows it. Its counts are of the run's own events and of those of its trajectories, together. */
export function runRow(run: FoundRun, publicUrl: string): Record<string, unknown> {
  const conflicts = (run.n_conflicts ?? 0) + (run.own_conflicts ?? 0)
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
    n_conflicts: conflicts,
    n_misrouted: run.n_misrouted ?? 0,
    conflicts_url: conflicts === 0 ? null : `${publicUrl}/v1/gaps?kind=conflict&run=${encodeURIComponent(run.run_id)}`,
  }
}
