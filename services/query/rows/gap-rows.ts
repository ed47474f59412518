/** What is missing, one query for each kind, each in the order of its own key so that pages can go on. */
import { type Kysely, type RawBuilder, sql } from 'kysely'
import { type GAP_KINDS } from '#schemas/http-operations.ts'
import type { Database } from '#schemas/tables.ts'
import type { KeyPart } from '#services/query/cursor.ts'
import { type GroupKey, loadGroups } from './group-rows.ts'
import { asNumber } from '#services/query/reading.ts'
import { scoredTrajectories } from './scored.ts'
import { holes, missingSteps } from './trajectory-rows.ts'

export type GapKind = (typeof GAP_KINDS)[number]

/** What is asked for. */
export interface GapQuery {
  readonly runs: readonly string[]
  /** Trajectories whose last event is before this instant and that have no finish are unfinished. */
  readonly idleBefore: string
}

/** A gap with the key after which the next page goes on. */
export interface FoundGap {
  readonly key: readonly KeyPart[]
  readonly row: Readonly<Record<string, unknown>>
}

type Source = (
  db: Kysely<Database>,
  query: GapQuery,
  after: readonly KeyPart[] | undefined,
  limit: number,
) => Promise<FoundGap[]>

const BLANK = {
  run_id: null,
  trajectory_id: null,
  group_id: null,
  item_id: null,
  image_id: null,
  count: 0,
  step_indexes: [],
  partition: null,
  offset: null,
  last_event_at: null,
}

const inRuns = (column: string, runs: readonly string[]): RawBuilder<boolean> =>
  runs.length === 0 ? sql`true` : sql`${sql.ref(column)} in (${sql.join(runs.map((run) => sql`${run}::text`))})`

/** Trajectories by id that fit, after the last one given. */
function trajectories(
  db: Kysely<Database>,
  query: GapQuery,
  after: readonly KeyPart[] | undefined,
  limit: number,
  fits: RawBuilder<boolean>,
) {
  return db
    .selectFrom('trajectories as t')
    .selectAll()
    .where(inRuns('t.run_id', query.runs))
    .where(fits)
    .where(after === undefined ? sql<boolean>`true` : sql<boolean>`t.trajectory_id > ${after[0]}::text`)
    .orderBy('t.trajectory_id')
    .limit(limit)
    .execute()
}

const steps = (count: number) => `${count} ${count === 1 ? 'step' : 'steps'}`

const missing: Source = async (db, query, after, limit) => {
  const fits = sql<boolean>`(t.n_steps_seen <> coalesce(t.step_index_max + 1, 0) or (t.finished_offset is not null and t.n_steps <> t.n_steps_seen))`
  const rows = await trajectories(db, query, after, limit, fits)
  const found = await holes(
    db,
    rows.map((row) => row.trajectory_id),
  )
  return rows.map((row) => {
    const { count, shown } = missingSteps(found.get(row.trajectory_id) ?? [])
    const detail =
      count > 0
        ? `${steps(count)} missing, ${row.n_steps_seen} here`
        : `the finish says ${row.n_steps}, and ${row.n_steps_seen} are here`
    return {
      key: [row.trajectory_id],
      row: {
        ...BLANK,
        run_id: row.run_id,
        trajectory_id: row.trajectory_id,
        group_id: row.group_id,
        item_id: row.item_id,
        count,
        step_indexes: shown,
        last_event_at: row.last_event_at,
        detail,
      },
    }
  })
}

const conflict: Source = async (db, query, after, limit) => {
  const rows = await db
    .selectFrom('verdicts as v')
    .selectAll()
    .where('v.verdict', '=', 'conflict')
    .where(inRuns('v.run_id', query.runs))
    .where(
      after === undefined
        ? sql<boolean>`true`
        : sql<boolean>`(v.partition, v."offset") > (${after[0]}::bigint, ${after[1]}::bigint)`,
    )
    .orderBy('v.partition')
    .orderBy('v.offset')
    .limit(limit)
    .execute()
  return rows.map((row) => {
    const detail = `${row.code ?? 'conflict'}: ${row.message ?? 'the same key came with other content'}${row.first_offset === null ? '' : `; the first is at ${row.partition}:${row.first_offset}`}`
    return {
      key: [row.partition, row.offset],
      row: {
        ...BLANK,
        run_id: row.run_id,
        trajectory_id: row.trajectory_id,
        count: 1,
        partition: row.partition,
        offset: row.offset,
        detail,
      },
    }
  })
}

const unfinished: Source = async (db, query, after, limit) => {
  const rows = await trajectories(
    db,
    query,
    after,
    limit,
    sql`t.finished_offset is null and t.last_event_at < ${query.idleBefore}::text`,
  )
  return rows.map((row) => ({
    key: [row.trajectory_id],
    row: {
      ...BLANK,
      run_id: row.run_id,
      trajectory_id: row.trajectory_id,
      group_id: row.group_id,
      item_id: row.item_id,
      count: 1,
      last_event_at: row.last_event_at,
      detail: `no trajectory.finished, and no event since ${row.last_event_at}`,
    },
  }))
}

const incompleteGroup: Source = async (db, query, after, limit) => {
  const [runId, groupId] = after ?? []
  const further =
    after === undefined
      ? sql<boolean>`true`
      : runId === null
        ? sql<boolean>`t.run_id is null and t.group_id > ${groupId}::text`
        : sql<boolean>`((t.run_id, t.group_id) > (${runId}::text, ${groupId}::text) or t.run_id is null)`
  // The rule of core/group.ts in SQL: only groups that fall short come back.
  const size = sql<number>`count(distinct coalesce('i' || t.rollout_index::text, 't' || t.trajectory_id)) filter (where t.status in ('completed', 'truncated') and score.reward <> 'NaN' and abs(score.reward) <> 'Infinity')`
  const keys: GroupKey[] = await scoredTrajectories(db, undefined)
    .where('t.group_id', 'is not', null)
    .where(inRuns('t.run_id', query.runs))
    .where(further)
    .select(['t.run_id', sql<string>`t.group_id`.as('group_id')])
    .groupBy(['t.run_id', 't.group_id'])
    .having(sql<boolean>`${size} < max(coalesce(t.group_size, r.group_size))`)
    .orderBy('t.run_id')
    .orderBy('t.group_id')
    .limit(limit)
    .execute()
  return (await loadGroups(db, keys, undefined, 'none')).map((group) => {
    const { size: counted } = group.summary
    const row = {
      ...BLANK,
      run_id: group.run_id,
      group_id: group.group_id,
      item_id: group.item_id,
      count: Math.max(0, (group.expected_size ?? 0) - counted),
      detail: `${counted} of ${group.expected_size} rollouts count`,
    }
    return { key: [group.run_id, group.group_id], row }
  })
}

const missingImage: Source = async (db, query, after, limit) => {
  const trajectoryRefs = sql`select ref.value as image_id, t.trajectory_id, t.run_id, t.item_id from trajectories t cross join lateral json_array_elements_text(t.image_ids) ref where ${inRuns('t.run_id', query.runs)}`
  const rolledOut =
    query.runs.length === 0
      ? sql`true`
      : sql`exists (select from trajectories t where t.item_id = i.item_id and ${inRuns('t.run_id', query.runs)})`
  const itemRefs = sql`select ref.value, null, null, i.item_id from items i cross join lateral json_array_elements_text(i.image_ids) ref where ${rolledOut}`
  const described =
    query.runs.length === 0
      ? sql`union all select m.image_id, null, null, null from images m where not m.stored`
      : sql``
  const { rows } = await sql<{
    image_id: string
    trajectory_id: string | null
    run_id: string | null
    item_id: string | null
    n: number
  }>`
    select refs.image_id, min(refs.trajectory_id) as trajectory_id, min(refs.run_id) as run_id, min(refs.item_id) as item_id, ${asNumber(sql`count(coalesce(refs.trajectory_id, refs.item_id))`)} as n
    from (${trajectoryRefs} union all ${itemRefs} ${described}) refs
    where not exists (select from images m where m.image_id = refs.image_id and m.stored)
      and ${after === undefined ? sql`true` : sql`refs.image_id > ${after[0]}::text`}
    group by refs.image_id order by refs.image_id limit ${limit}`.execute(db)
  return rows.map((row) => ({
    key: [row.image_id],
    row: {
      ...BLANK,
      image_id: row.image_id,
      trajectory_id: row.trajectory_id,
      run_id: row.run_id,
      item_id: row.item_id,
      count: row.n,
      detail: `the bytes never came; named by ${row.n} trajectories and items`,
    },
  }))
}

const late: Source = async (db, query, after, limit) => {
  const rows = await trajectories(db, query, after, limit, sql`t.n_late > 0`)
  return rows.map((row) => ({
    key: [row.trajectory_id],
    row: {
      ...BLANK,
      run_id: row.run_id,
      trajectory_id: row.trajectory_id,
      group_id: row.group_id,
      item_id: row.item_id,
      count: row.n_late,
      last_event_at: row.last_event_at,
      detail: `${steps(row.n_late)} came after trajectory.finished`,
    },
  }))
}

/** Where each kind of gap is found, and how many parts its key has. */
export const GAP_SOURCES: Readonly<Record<GapKind, { readonly find: Source; readonly keyLength: number }>> = {
  missing_steps: { find: missing, keyLength: 1 },
  conflict: { find: conflict, keyLength: 2 },
  unfinished: { find: unfinished, keyLength: 1 },
  incomplete_group: { find: incompleteGroup, keyLength: 2 },
  missing_image: { find: missingImage, keyLength: 1 },
  late: { find: late, keyLength: 1 },
}
