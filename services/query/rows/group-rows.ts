/** Groups, joined at read: keys from the store in order, then their members, then the sums of core/group.ts. */
import { type Kysely, type RawBuilder, sql } from 'kysely'
import type { Database } from '#schemas/tables.ts'
import type { Advantage } from '#services/core/advantage.ts'
import { type Candidate, type GroupSummary, summariseGroup } from '#services/core/group.ts'
import { anyReal } from '#services/query/reading.ts'
import { type TrajectoryFilters, allOf, conditions, scoredTrajectories } from './scored.ts'

/** A trajectory as its group needs it. */
export interface GroupCandidate extends Candidate {
  readonly run_id: string | null
  readonly group_id: string
  readonly item_id: string | null
  readonly train_step: number | null
  readonly policy_version: number | null
  readonly group_size: number | null
  readonly run_group_size: number | null
  readonly parts: Record<string, unknown> | null
  readonly format_ok: boolean | null
  readonly n_steps: number
  readonly n_conflicts: number
}

/** What identifies a group: ids of groups may repeat over runs. */
export interface GroupKey {
  readonly run_id: string | null
  readonly group_id: string
}

export interface JoinedGroup extends GroupKey {
  readonly item_id: string | null
  readonly train_step: number | null
  readonly policy_version: number | null
  readonly expected_size: number | null
  readonly summary: GroupSummary<GroupCandidate>
}

/** Keys of groups that have a trajectory that matches, after `after`, in order of (run_id, group_id); no run comes last. */
export async function groupKeys(
  db: Kysely<Database>,
  filters: TrajectoryFilters,
  after: GroupKey | undefined,
  limit: number,
): Promise<GroupKey[]> {
  const keys = (further: RawBuilder<boolean>, most: number) =>
    scoredTrajectories(db, filters.reward_version)
      .where('t.group_id', 'is not', null)
      .where(allOf([...conditions(filters), further]))
      .select(['t.run_id', sql<string>`t.group_id`.as('group_id')])
      .groupBy(['t.run_id', 't.group_id'])
      .orderBy('t.run_id')
      .orderBy('t.group_id')
      .limit(most)
      .execute()
  const ofRuns =
    after?.run_id === null
      ? []
      : await keys(
          after === undefined
            ? sql`t.run_id is not null`
            : sql`(t.run_id, t.group_id) > (${after.run_id}::text, ${after.group_id}::text)`,
          limit,
        )
  if (ofRuns.length === limit) return ofRuns
  const ofNone = await keys(
    after?.run_id === null ? sql`t.run_id is null and t.group_id > ${after.group_id}::text` : sql`t.run_id is null`,
    limit - ofRuns.length,
  )
  return [...ofRuns, ...ofNone]
}

/** What a candidate is made of, in the order of its list. */
const COLUMNS = [
  't.trajectory_id',
  't.partition',
  't.first_offset',
  't.rollout_index',
  't.status',
  'score.reward',
  'score.correct',
  't.run_id',
  't.group_id',
  't.item_id',
  't.train_step',
  't.policy_version',
  't.group_size',
  'r.group_size',
  't.n_conflicts',
].map((name) => sql.ref(name))
/** What only an answer with members shows. */
const SHOWN = [sql`score.parts`, sql`score.format_ok`, sql`coalesce(t.n_steps, t.n_steps_seen)`]

type Listed = readonly [
  string,
  number,
  number,
  number | null,
  string | null,
  number | string | null,
  boolean | null,
  string | null,
  string,
  string | null,
  number | null,
  number | null,
  number | null,
  number | null,
  number,
  (Record<string, unknown> | null)?,
  (boolean | null)?,
  number?,
]

/** JSON has no word for NaN and infinities: Postgres writes them as text. */
function candidateOf([
  id,
  partition,
  offset,
  index,
  status,
  reward,
  correct,
  run,
  group,
  item,
  step,
  policy,
  size,
  runSize,
  conflicts,
  parts,
  formatOk,
  steps,
]: Listed): GroupCandidate {
  return {
    trajectory_id: id,
    partition,
    first_offset: offset,
    rollout_index: index,
    status,
    reward: reward === null ? null : Number(reward),
    correct,
    run_id: run,
    group_id: group,
    item_id: item,
    train_step: step,
    policy_version: policy,
    group_size: size,
    run_group_size: runSize,
    n_conflicts: conflicts,
    parts: parts ?? null,
    format_ok: formatOk ?? null,
    n_steps: steps ?? 0,
  }
}

/**
 * The trajectories that fit the condition and have a group; with `shown`, all that an answer shows of them. They come
 * as one JSON text: 100,000 of them as rows through the driver took 15 s on a busy machine, and 3 s so.
 */
export async function groupCandidates(
  db: Kysely<Database>,
  version: string | undefined,
  condition: RawBuilder<boolean>,
  shown = true,
): Promise<GroupCandidate[]> {
  const found = await scoredTrajectories(db, version)
    .where('t.group_id', 'is not', null)
    .where(condition)
    .select(
      sql<Listed[] | null>`json_agg(json_build_array(${sql.join(shown ? [...COLUMNS, ...SHOWN] : COLUMNS)}))`.as(
        'candidates',
      ),
    )
    .executeTakeFirst()
  return (found?.candidates ?? []).map(candidateOf)
}

/** The first value that is there, in log order: what the group says of itself. */
function first<Value>(
  candidates: readonly GroupCandidate[],
  of: (candidate: GroupCandidate) => Value | null,
): Value | null {
  for (const candidate of candidates) {
    const value = of(candidate)
    if (value !== null) return value
  }
  return null
}

/** Joins candidates into groups, in the order of `keys`. */
export function joinGroups(
  keys: readonly GroupKey[],
  candidates: readonly GroupCandidate[],
  advantage: Advantage,
): JoinedGroup[] {
  const byGroup = new Map<string, GroupCandidate[]>()
  const name = ({ run_id: runId, group_id: groupId }: GroupKey) => JSON.stringify([runId, groupId])
  for (const candidate of candidates) {
    const members = byGroup.get(name(candidate))
    if (members === undefined) byGroup.set(name(candidate), [candidate])
    else members.push(candidate)
  }
  return keys.map((key) => {
    const members = [...(byGroup.get(name(key)) ?? [])].sort(
      (left, right) => left.first_offset - right.first_offset || left.partition - right.partition,
    )
    const expected = first(members, (member) => member.group_size) ?? first(members, (member) => member.run_group_size)
    return {
      run_id: key.run_id,
      group_id: key.group_id,
      item_id: first(members, (member) => member.item_id),
      train_step: first(members, (member) => member.train_step),
      policy_version: first(members, (member) => member.policy_version),
      expected_size: expected,
      summary: summariseGroup(members, expected, advantage),
    }
  })
}

/** The groups of these keys with all of their members. */
export async function loadGroups(
  db: Kysely<Database>,
  keys: readonly GroupKey[],
  version: string | undefined,
  advantage: Advantage,
): Promise<JoinedGroup[]> {
  if (keys.length === 0) return []
  const pairs = keys
    .map(({ run_id: runId, group_id: groupId }) =>
      runId === null ? sql<boolean>`(t.run_id is null and t.group_id = ${groupId}::text)` : undefined,
    )
    .filter((pair) => pair !== undefined)
  const named = keys.filter(({ run_id: runId }) => runId !== null)
  const byRun =
    named.length === 0
      ? []
      : [
          sql<boolean>`(t.run_id, t.group_id) in (${sql.join(named.map((key) => sql`(${key.run_id}::text, ${key.group_id}::text)`))})`,
        ]
  const candidates = await groupCandidates(db, version, sql`(${sql.join([...byRun, ...pairs], sql` or `)})`)
  return joinGroups(keys, candidates, advantage)
}

/** A group as the API shows it. */
export function groupAnswer(group: JoinedGroup): Record<string, unknown> {
  const { summary } = group
  return {
    group_id: group.group_id,
    run_id: group.run_id,
    item_id: group.item_id,
    train_step: group.train_step,
    policy_version: group.policy_version,
    expected_size: group.expected_size,
    size: summary.size,
    complete: summary.complete,
    reward_mean: summary.reward_mean,
    reward_std: summary.reward_std,
    reward_std_population: summary.reward_std_population,
    zero_variance: summary.zero_variance,
    zero_variance_kind: summary.zero_variance_kind,
    members: summary.members.map(({ candidate, extra, advantage }) => ({
      trajectory_id: candidate.trajectory_id,
      rollout_index: candidate.rollout_index,
      reward: anyReal(candidate.reward),
      parts: candidate.parts,
      correct: candidate.correct,
      format_ok: candidate.format_ok,
      advantage,
      n_steps: candidate.n_steps,
      status: candidate.status,
      extra,
      n_conflicts: candidate.n_conflicts,
    })),
  }
}
