/** What the store knows of the calls of finished trajectories: where their events lie in the log, and what was said of them. */
import { type Kysely, sql } from 'kysely'
import type { Database } from '#schemas/tables.ts'
import { atOrAbove, movedFrom } from '#services/analytics/store-rows.ts'
import type { Offsets } from '#services/position.ts'
import type { AnnotationRow } from './call-table.ts'

/** A finished trajectory. */
export interface CallFacts {
  readonly trajectory_id: string
  readonly partition: number
  /** The offset of trajectory.started. */
  readonly started: number | null
  /** The offsets of its steps, in their order; none where it made no calls. */
  readonly steps: readonly number[]
  /** In log order. */
  readonly annotations: readonly AnnotationRow[]
}

/** The ids of finished trajectories of these runs that events at or after `from` changed; a partition that it does not name counts from 0. */
export async function finishedSince(
  db: Kysely<Database>,
  runIds: readonly string[],
  from: Offsets,
  to: Offsets,
): Promise<string[]> {
  const moved = movedFrom(from, to)
  if (moved.size === 0 || runIds.length === 0) return []
  const { rows } = await sql<{ ids: string[] | null }>`select json_agg(t.trajectory_id) as ids from trajectories t
    where ${atOrAbove('t', 'lake_offset', moved)}
      and t.run_id in (${sql.join(runIds.map((runId) => sql`${runId}::text`))})`.execute(db)
  return rows[0]?.ids ?? []
}

const ANNOTATION = ['codes', 'annotator', 'method', 'round', 'outcome'] as const

/** What is known of the trajectories with these ids. */
export async function callFacts(db: Kysely<Database>, ids: readonly string[]): Promise<CallFacts[]> {
  if (ids.length === 0) return []
  const said = sql.join(ANNOTATION.flatMap((name) => [sql.lit(name), sql.ref(`a.${name}`)]))
  const { rows } = await sql<{ found: CallFacts[] | null }>`select json_agg(json_build_object(
      'trajectory_id', t.trajectory_id, 'partition', t."partition", 'started', t.started_offset,
      'steps', coalesce((select json_agg(s."offset" order by s.step_index) from steps s
        where t.n_tool_calls > 0 and s.trajectory_id = t.trajectory_id), '[]'::json),
      'annotations', coalesce((select json_agg(json_build_object(${said}) order by a."offset", a.annotation_id)
        from annotations a where t.n_annotations > 0 and a.trajectory_id = t.trajectory_id), '[]'::json))) as found
    from (select value as trajectory_id from json_array_elements_text(${JSON.stringify(ids)}::json)) w
    join trajectories t on t.trajectory_id = w.trajectory_id`.execute(db)
  return rows[0]?.found ?? []
}
