/** What the store's rows were at a cut of the log that lies behind it: a snapshot's, while events come in. */
import { type Kysely, sql } from 'kysely'
import type { Database } from '#schemas/tables.ts'
import { type Offsets, includes } from '#services/position.ts'
import type { StoredRun } from './chain.ts'
import type { TrajectoryRow } from './frame-rows.ts'
import { atOrAbove, storedRun, trajectoriesById } from './store-rows.ts'

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
  const cursors = await db
    .selectFrom('cursors')
    .select(['partition', 'next_offset'])
    .where('projection', '=', 'project')
    .execute()
  const now = new Map(cursors.map(({ partition, next_offset: next }) => [partition, Number(next)]))
  if (!includes(now, cut)) return undefined
  const cases = [...cut].map(([partition, next]) => sql`when ${sql.lit(partition)} then ${sql.lit(next)}::bigint`)
  if (cases.length === 0) return []
  const cutOf = sql`case t."partition" ${sql.join(cases, sql` `)} end`
  const { rows } = await sql<{ trajectory_id: string; conflicts: number }>`select t.trajectory_id,
      case when t.n_conflicts = 0 then 0 else (select count(*) from verdicts x where x.verdict = 'conflict'
        and x."partition" = t."partition" and x."offset" >= ${cutOf} and x.trajectory_id = t.trajectory_id) end::int as conflicts
    from trajectories t where ${atOrAbove('t', 'lake_offset', cut)} and t.finished_offset < ${cutOf} and t.started_offset < ${cutOf}
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
  const others =
    cut.size === 0
      ? sql`true`
      : sql`i."partition" not in (${sql.join([...cut.keys()].map((partition) => sql.lit(partition)))})`
  const { rows } = await sql<{ item_id: string }>`select i.item_id from items i
    where ${others} or ${atOrAbove('i', 'offset', cut)}`.execute(db)
  return new Set(rows.map(({ item_id: id }) => id))
}
