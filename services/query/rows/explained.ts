/** What became of a thing, in the words of somebody who wonders: the facts of /v1/explain. */
import { type Kysely, sql } from 'kysely'
import type { Database } from '#schemas/tables.ts'
import { parseOffsets } from '#services/position.ts'
import { holes, isDense, missingSteps, type ScoredRow } from './trajectory-rows.ts'
import type { runRow } from './run-rows.ts'

/** One line of an explanation. */
export interface ToldFact {
  readonly name: string
  readonly says: string
}

export interface LakeFile {
  readonly table: string
  readonly path: string
  readonly snapshot: number
}

/** Where a record is in the lake. */
export interface InLake {
  readonly says: string
  readonly files: readonly LakeFile[]
}

export const fact = (name: string, says: string | number): ToldFact => ({ name, says: String(says) })

const several = (count: number, one: string): string => `${count} ${count === 1 ? one : `${one}s`}`

/** The newest published snapshot and its files of `tables` that hold the record at a place. */
export async function inLake(
  db: Kysely<Database>,
  place: { readonly partition: number; readonly offset: number },
  tables: readonly string[],
): Promise<InLake> {
  const newest = await db
    .selectFrom('snapshots')
    .select(['snapshot_id', 'cut'])
    .where('published', '=', true)
    .orderBy('snapshot_id', 'desc')
    .limit(1)
    .executeTakeFirst()
  if (newest === undefined) return { says: 'not yet: the lake has no snapshot', files: [] }
  const snapshot = Number(newest.snapshot_id)
  if ((parseOffsets(newest.cut).get(place.partition) ?? 0) <= place.offset)
    return { says: `not yet: snapshot ${snapshot}, the newest, was taken before it`, files: [] }
  const files = await db
    .selectFrom('data_files')
    .select(['table_name', 'path', 'from_offsets', 'to_offsets'])
    .where('table_name', 'in', tables)
    .where('begin_snapshot', '<=', snapshot)
    .where(sql<boolean>`(end_snapshot is null or end_snapshot > ${snapshot})`)
    .orderBy('path')
    .execute()
  const holds = (file: { from_offsets: string; to_offsets: string }): boolean =>
    (parseOffsets(file.from_offsets).get(place.partition) ?? 0) <= place.offset &&
    place.offset < (parseOffsets(file.to_offsets).get(place.partition) ?? 0)
  return {
    says: `in snapshot ${snapshot}, the newest`,
    files: files.filter(holds).map(({ table_name, path }) => ({ table: table_name, path, snapshot })),
  }
}

/** Images that a trajectory names and whose bytes never came. */
async function missingImages(db: Kysely<Database>, trajectoryId: string): Promise<number> {
  const { rows } = await sql<{ n: number }>`
    select count(*)::int as n from trajectories t cross join lateral json_array_elements_text(t.image_ids) ref
    where t.trajectory_id = ${trajectoryId} and not exists (select from images m where m.image_id = ref.value and m.stored)`.execute(
    db,
  )
  return rows[0]?.n ?? 0
}

/** Everything that one wants to know of a rollout: how it ended, what it is worth, what is missing, and whether datasets have it. */
export async function trajectoryTold(db: Kysely<Database>, row: ScoredRow, lake: InLake): Promise<ToldFact[]> {
  const isFinished = row.finished_offset !== null
  const found = missingSteps((await holes(db, [row.trajectory_id])).get(row.trajectory_id) ?? [])
  const images = await missingImages(db, row.trajectory_id)
  const missing = [
    ...(isFinished ? [] : ['trajectory.finished']),
    ...(row.started_offset === null ? ['trajectory.started'] : []),
    ...(found.count === 0 ? [] : [`${several(found.count, 'step')} (${found.shown.slice(0, 10).join(', ')})`]),
    ...(images === 0 ? [] : [several(images, 'image')]),
  ]
  // The rule of datasets: without a finish, the steps up to the highest must be here.
  const hasGap = isFinished ? !isDense(row) : (row.step_index_max ?? -1) !== row.n_steps_seen - 1
  const reasons = [
    ...(isFinished ? [] : ['unfinished']),
    ...(hasGap ? ['gap'] : []),
    ...(row.n_conflicts > 0 ? ['conflicted'] : []),
    ...(images > 0 ? ['missing_image'] : []),
  ]
  const group = row.group_id === null ? 'none' : `${row.group_id}, rollout ${row.rollout_index ?? '?'}`
  const size = row.group_size === null ? '' : ` of ${row.group_size}`
  return [
    fact('run', row.run_id ?? 'not known: no event named it'),
    fact('item', row.item_id ?? 'not known: trajectory.started has not come'),
    fact('group', `${group}${row.group_id === null ? '' : size}`),
    fact('policy version', row.policy_version ?? 'not known'),
    fact('status', isFinished ? `${row.status ?? '?'} (${row.end_reason ?? '?'})` : 'unfinished'),
    fact('reward', row.reward === null ? 'none yet' : `${row.reward} (reward version ${row.version ?? '?'})`),
    fact('correct', row.correct === null ? 'not known without a reward' : row.correct ? 'yes' : 'no'),
    fact('steps', `${row.n_steps_seen} here${row.n_steps === null ? '' : `, ${row.n_steps} by its finish`}`),
    fact('missing', missing.length === 0 ? 'nothing' : missing.join(', ')),
    fact(
      'verdict',
      row.n_duplicates + row.n_conflicts === 0
        ? 'every event counted'
        : `${several(row.n_duplicates, 'duplicate')} (counted once), ${several(row.n_conflicts, 'conflict')} (set aside)`,
    ),
    fact('place in the log', `${row.partition}:${row.first_offset} to ${row.partition}:${row.last_offset}`),
    fact('lake', lake.says),
    fact(
      'datasets',
      reasons.length === 0
        ? 'have it wherever their filters fit it'
        : `leave it out: ${reasons.join(', ')} (${reasons.map((reason) => `include=${reason}`).join('&')} takes it in)`,
    ),
  ]
}

/** The counts of a run as /v1/runs shows them. */
export function runTold(run: ReturnType<typeof runRow>, lake: InLake): ToldFact[] {
  const said = (name: string): string => {
    const value = run[name]
    return typeof value === 'string' || typeof value === 'number' ? String(value) : '?'
  }
  return [
    fact('state', `${said('state')}${run['status'] === null ? '' : ` (${said('status')})`}`),
    fact('kind', said('kind')),
    fact('trajectories', `${said('n_trajectories')}, ${said('n_finished')} finished`),
    fact('steps', `${said('n_steps')}, with ${said('n_tool_calls')} tool calls`),
    fact(
      'verdict',
      `${several(Number(run['n_duplicates']), 'duplicate')}, ${several(Number(run['n_conflicts']), 'conflict')}, of it and its trajectories`,
    ),
    fact('last event', said('last_event_at')),
    fact('lake', lake.says),
  ]
}
