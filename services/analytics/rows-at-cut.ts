/** What the store's rows were at a cut of the log that lies behind it: a snapshot's, while events come in. */
import { type Kysely, sql } from 'kysely'
import type { Database } from '#schemas/tables.ts'
import type { Offsets } from '#services/position.ts'
import type { StoredRun } from './chain.ts'
import type { TrajectoryRow } from './frame-rows.ts'
import { storedRun, trajectoriesById } from './store-rows.ts'

/** The next offset of each partition that is not 0, as a relation v("partition", cut). */
const cutsAs = (cut: Offsets) =>
  sql`(values ${sql.join(
    [[-1, 0] as const, ...cut].map(
      ([partition, next]) => sql`(${sql.lit(partition)}::smallint, ${sql.lit(next)}::bigint)`,
    ),
  )}) as v("partition", cut)`

const isBelow = (cut: Offsets, partition: number, offset: number | null | undefined): boolean =>
  offset !== null && offset !== undefined && Number(offset) < (cut.get(partition) ?? 0)

/** A run as it was at the cut, or undefined where nothing was known of it. */
export async function runAtCut(db: Kysely<Database>, runId: string, cut: Offsets): Promise<StoredRun | undefined> {
  const run = await storedRun(db, runId)
  if (run === undefined) return undefined
  const places = await db
    .selectFrom('runs')
    .select(['partition', 'first_offset', 'started_offset'])
    .where('run_id', '=', runId)
    .executeTakeFirst()
  if (places === undefined || !isBelow(cut, places.partition, places.first_offset)) return undefined
  // All that a frame knows of a run came with run.started, and a row that was loaded without one holds what it held.
  if (places.started_offset === null || isBelow(cut, places.partition, places.started_offset)) return run
  return {
    run_id: runId,
    kind: null,
    reward_version: null,
    correct_threshold: null,
    group_size: null,
    parent_run_id: null,
    resumed_at_train_step: null,
  }
}

/**
 * The trajectories of these runs that were started and finished below the cut and changed since, as they were: what
 * started and finished them, scores, trainings and conflicts. What steps add to (counts of steps, calls and tokens) is as
 * it is now. Undefined for more than `rowsMax`, and where the store does not include the cut.
 */
export async function changedAfterCut(
  db: Kysely<Database>,
  runIds: readonly string[],
  cut: Offsets,
  rowsMax: number,
): Promise<TrajectoryRow[] | undefined> {
  const behind = await sql`select 1 from ${cutsAs(cut)} where v.cut > coalesce((select max(c.next_offset) from cursors c
    where c.projection = 'project' and c."partition" = v."partition"), 0)`.execute(db)
  if (behind.rows.length > 0) return undefined
  const { rows } = await sql<{ trajectory_id: string; conflicts: number }>`select t.trajectory_id,
      case when t.n_conflicts = 0 then 0 else (select count(*) from verdicts x where x.verdict = 'conflict'
        and x."partition" = t."partition" and x."offset" >= v.cut and x.trajectory_id = t.trajectory_id) end::int as conflicts
    from ${cutsAs(cut)} join trajectories t on t."partition" = v."partition" and t.lake_offset >= v.cut
    where t.finished_offset < v.cut and t.started_offset < v.cut
      and t.run_id in (${sql.join(runIds.map((runId) => sql`${runId}::text`))})
    limit ${sql.lit(rowsMax + 1)}`.execute(db)
  if (rows.length > rowsMax) return undefined
  const later = new Map(rows.map(({ trajectory_id: id, conflicts }) => [id, conflicts]))
  const found = await trajectoriesById(db, [...later.keys()])
  return found.map((row) => ({
    ...row,
    n_conflicts: row.n_conflicts - (later.get(row.trajectory_id) ?? 0),
    scores: row.scores.filter(({ offset }) => isBelow(cut, row.partition, offset)),
    trainings: row.trainings.filter(({ offset }) => isBelow(cut, row.partition, offset)),
  }))
}

/** The items that were registered at or above the cut. */
export async function itemsAfterCut(db: Kysely<Database>, cut: Offsets): Promise<ReadonlySet<string>> {
  const { rows } = await sql<{ item_id: string }>`select i.item_id from items i left join ${cutsAs(cut)}
    on v."partition" = i."partition" where i."offset" >= coalesce(v.cut, 0)`.execute(db)
  return new Set(rows.map(({ item_id: id }) => id))
}
