/** Groups that a consumer has not had yet: those that changed since its last search, looked at in order of time. */
import { type Kysely, sql } from 'kysely'
import type { Database, Row } from '#schemas/tables.ts'
import { parseOffsets } from '#services/position.ts'
import { allOf, conditions, scoredTrajectories, type TrajectoryFilters } from './scored.ts'
import { type GroupKey, type JoinedGroup, loadGroups } from './group-rows.ts'

/** What of the completed groups a consumer takes. */
export interface Wish {
  readonly consumer: string
  readonly filters: TrajectoryFilters
  /** Leaves out groups in which all rewards are equal. */
  readonly zeroVariance: boolean | undefined
  /** The most groups. */
  readonly max: number
  /** Groups that were sampled by a version so much older than the newest are left out. */
  readonly maxStaleness: number | undefined
  /** The newest policy version, where the trainer says it; else what the run published or sampled with. */
  readonly policyVersion: number | undefined
  /** Groups whose last member finished longer ago are left out. */
  readonly maxAgeMs: number | undefined
  readonly nowMs: number
}

export interface Found {
  readonly groups: readonly JoinedGroup[]
  /** Groups that were too old or stale. */
  readonly skipped: number
  /** Whether everything that was there was looked at. */
  readonly exhausted: boolean
}

/** Groups looked at by one query. */
const PAGE = 200

interface Candidate extends GroupKey {
  readonly finished_at: string
}

/** Groups of finished trajectories that changed at or after the offsets and that the consumer was not given. */
async function candidates(
  db: Kysely<Database>,
  { consumer, filters }: Wish,
  position: string,
  after: Candidate | undefined,
): Promise<Candidate[]> {
  const from = [...parseOffsets(position)]
  // A partition that is not named begins at 0.
  const changed =
    from.length === 0
      ? sql<boolean>`t.lake_offset is not null`
      : sql<boolean>`(${sql.join(
          [
            ...from.map(([partition, offset]) => sql`(t.partition = ${partition} and t.lake_offset >= ${offset})`),
            sql`(t.partition not in (${sql.join(from.map(([partition]) => partition))}) and t.lake_offset is not null)`,
          ],
          sql` or `,
        )})`
  const given = sql<boolean>`not exists (select 1 from consumer_groups c where c.consumer = ${consumer}::text and c.run_id = coalesce(t.run_id, '') and c.group_id = t.group_id)`
  const rows = await scoredTrajectories(db, filters.reward_version)
    .where('t.group_id', 'is not', null)
    .where(changed)
    .where(given)
    .where(allOf(conditions(filters)))
    .select(['t.run_id', sql<string>`t.group_id`.as('group_id'), sql<string>`max(t.finished_at)`.as('finished_at')])
    .groupBy(['t.run_id', 't.group_id'])
    .having(
      after === undefined
        ? sql<boolean>`true`
        : sql<boolean>`(max(t.finished_at), coalesce(t.run_id, ''), t.group_id) > (${after.finished_at}::text, ${after.run_id ?? ''}::text, ${after.group_id}::text)`,
    )
    .orderBy(sql`max(t.finished_at)`)
    .orderBy(sql`coalesce(t.run_id, '')`)
    .orderBy('t.group_id')
    .limit(PAGE)
    .execute()
  return rows
}

/** The newest policy version of runs, asked once for each. */
function newestVersions(db: Kysely<Database>): (runId: string | null) => Promise<number> {
  const known = new Map<string | null, number>()
  return async (runId) => {
    const before = known.get(runId)
    if (before !== undefined) return before
    const one = async (table: 'policies' | 'trajectories'): Promise<number> => {
      const row = await db
        .selectFrom(table)
        .select(sql<number | string | null>`max(policy_version)`.as('newest'))
        .where(runId === null ? sql<boolean>`run_id is null` : sql<boolean>`run_id = ${runId}::text`)
        .executeTakeFirst()
      return Number(row?.newest ?? 0)
    }
    const newest = Math.max(await one('policies'), await one('trajectories'))
    known.set(runId, newest)
    return newest
  }
}

/** A complete group; one with a member in conflict is not to be trained on. */
function isWanted({ summary }: JoinedGroup, { zeroVariance }: Wish): boolean {
  return (
    summary.complete === true &&
    summary.members.every(({ extra, candidate }) => extra || candidate.n_conflicts === 0) &&
    (zeroVariance === undefined || summary.zero_variance === zeroVariance)
  )
}

/** Looks for groups from a position on. All in one transaction. */
export async function findGroups(db: Kysely<Database>, wish: Wish, position: string): Promise<Found> {
  const newest = newestVersions(db)
  const groups: JoinedGroup[] = []
  let skipped = 0
  for (let after: Candidate | undefined; ;) {
    const keys = await candidates(db, wish, position, after)
    const joined = await loadGroups(db, keys, wish.filters.reward_version, 'verl')
    for (const [index, group] of joined.entries()) {
      if (!isWanted(group, wish)) continue
      const age = wish.nowMs - Date.parse(keys[index]?.finished_at ?? '')
      const version = wish.maxStaleness === undefined ? 0 : (wish.policyVersion ?? (await newest(group.run_id)))
      const isStale = version - (group.policy_version ?? version) > (wish.maxStaleness ?? 0)
      if ((wish.maxAgeMs !== undefined && age > wish.maxAgeMs) || (wish.maxStaleness !== undefined && isStale)) {
        skipped += 1
        continue
      }
      if (groups.length === wish.max) return { groups, skipped, exhausted: false }
      groups.push(group)
    }
    after = keys.at(-1)
    if (keys.length < PAGE) return { groups, skipped, exhausted: true }
  }
}

/** A consumer, or undefined before its first lease. */
export function consumerRow(db: Kysely<Database>, consumer: string): Promise<Row<'consumers'> | undefined> {
  return db.selectFrom('consumers').selectAll().where('consumer', '=', consumer).executeTakeFirst()
}
