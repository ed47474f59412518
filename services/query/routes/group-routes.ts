/** /v1/groups: rollouts side by side, with their advantages. */
import { sql } from 'kysely'
import { Group, listOf } from '#schemas/http.ts'
import { ADVANTAGES } from '#services/core/advantage.ts'
import { ZERO_VARIANCE_KINDS } from '#services/core/group.ts'
import { Problem } from '#services/problem.ts'
import { LIST_PARAMETERS, formatCursor, parseCursor } from '#services/query/cursor.ts'
import { type GroupKey, type JoinedGroup, groupAnswer, groupKeys, loadGroups } from '#services/query/rows/group-rows.ts'
import { flag, many, text, withDefault, word } from '#services/query/parameters.ts'
import { readJson } from '#services/query/reading.ts'
import { READ_PARAMETERS, type Route, route } from '#services/query/route.ts'
import { TRAJECTORY_FILTERS, type TrajectoryFilters } from '#services/query/rows/scored.ts'

const LIST = 'groups'
const tag = 'Groups'
/** Groups looked at for one page at most; a page that found fewer than its limit by then goes on with `next`. */
const SCANNED_MAX = 5000

const advantage = {
  advantage: withDefault(
    word(
      ADVANTAGES,
      'How advantages are computed: verl divides by the sample deviation + 1e-6, population by the population deviation, dr_grpo does not divide, rloo takes the mean of the others away.',
    ),
    'verl',
  ),
}

const { run, item, policy_version, train_step, dataset, family, reward_version } = TRAJECTORY_FILTERS

const GROUP_FILTERS = {
  run,
  item,
  policy_version,
  train_step,
  dataset,
  family,
  reward_version,
  complete: flag('Whether it has its expected size.'),
  zero_variance: flag('Whether all members that count have the same reward.'),
  zero_variance_kind: many(word(ZERO_VARIANCE_KINDS, 'The kind of zero variance.')),
}

const NO_COMPARISON = { any: [], ne: [], gte: undefined, lte: undefined, gt: undefined, lt: undefined }

/** Filters on trajectories of which only these are set. */
export function onlyFilters(some: Partial<TrajectoryFilters>): TrajectoryFilters {
  return {
    run: [],
    item: [],
    group: [],
    status: [],
    end_reason: [],
    actor_model: [],
    dataset: [],
    family: [],
    split: [],
    policy_version: NO_COMPARISON,
    train_step: NO_COMPARISON,
    reward: NO_COMPARISON,
    n_steps: NO_COMPARISON,
    n_tool_calls: NO_COMPARISON,
    correct: undefined,
    answer_match: undefined,
    format_ok: undefined,
    reward_version: undefined,
    ...some,
  }
}

function oneVersion(version: string | undefined): string | undefined {
  if (version === '*')
    throw new Problem('invalid_parameter', 'a group is read with one reward version', {
      hint: 'name the version, or leave it out for that of the run',
      details: { parameter: 'reward_version' },
    })
  return version
}

const listRoute = route({
  path: '/v1/groups',
  tag,
  summary: 'List groups',
  detail:
    'In order of (run_id, group_id). A page may hold fewer rows than its limit and still have a `next`: it stops after 5,000 groups that were looked at.',
  parameters: { ...LIST_PARAMETERS, ...GROUP_FILTERS, ...advantage },
  answers: [{ status: 200, description: 'A page of groups.', schema: listOf(Group) }],
  handle: async (call) => {
    const { query } = call
    const version = oneVersion(query.reward_version)
    const fits = ({ summary }: JoinedGroup) =>
      (query.complete === undefined || (summary.complete ?? false) === query.complete) &&
      (query.zero_variance === undefined || summary.zero_variance === query.zero_variance) &&
      (query.zero_variance_kind.length === 0 ||
        (summary.zero_variance_kind !== null && query.zero_variance_kind.includes(summary.zero_variance_kind)))
    const filters = onlyFilters({
      run: query.run,
      item: query.item,
      dataset: query.dataset,
      family: query.family,
      policy_version: query.policy_version,
      train_step: query.train_step,
      reward_version: version,
    })
    const key = parseCursor(LIST, 2, query.cursor)
    return readJson(call, async (db) => {
      const found: JoinedGroup[] = []
      const isFiltered =
        query.complete !== undefined || query.zero_variance !== undefined || query.zero_variance_kind.length > 0
      const atOnce = isFiltered ? 500 : query.limit
      let after: GroupKey | undefined =
        key === undefined ? undefined : { run_id: key[0] === null ? null : String(key[0]), group_id: String(key[1]) }
      for (let scanned = 0; scanned < SCANNED_MAX;) {
        const keys = await groupKeys(db, filters, after, atOnce)
        for (const group of await loadGroups(db, keys, version, query.advantage)) {
          after = group
          if (fits(group)) found.push(group)
          if (found.length === query.limit) break
        }
        scanned += keys.length
        if (found.length === query.limit) break
        if (keys.length < atOnce) return { rows: found.map(groupAnswer), next: null }
      }
      const more = await groupKeys(db, filters, after, 1)
      return {
        rows: found.map(groupAnswer),
        next: more.length === 0 || after === undefined ? null : formatCursor(LIST, [after.run_id, after.group_id]),
      }
    })
  },
})

const oneRoute = route({
  path: '/v1/groups/{group_id}',
  tag,
  summary: 'Read a group with its members and their advantages',
  detail: 'Where the same group id occurs in several runs, `run` says which is meant.',
  pathParameters: { group_id: 'The group, URL-encoded.' },
  parameters: { ...READ_PARAMETERS, run: text('The run that the group is of.'), reward_version, ...advantage },
  answers: [{ status: 200, description: 'The group.', schema: Group }],
  problems: ['not_found'],
  handle: async (call) => {
    const groupId = call.path('group_id')
    const { query } = call
    const version = oneVersion(query.reward_version)
    return readJson(call, async (db) => {
      const runs = await db
        .selectFrom('trajectories')
        .select('run_id')
        .distinct()
        .where('group_id', '=', groupId)
        .where(query.run === undefined ? sql<boolean>`true` : sql<boolean>`run_id = ${query.run}::text`)
        .orderBy('run_id')
        .limit(20)
        .execute()
      if (runs.length > 1) {
        const names = runs.map((row) => row.run_id ?? '(none)')
        throw new Problem(
          'invalid_parameter',
          `group ${JSON.stringify(groupId.slice(0, 80))} occurs in ${names.length} runs: ${names.join(', ')}`,
          { hint: `add run=${names[0]}`, details: { parameter: 'run', runs: names } },
        )
      }
      const groups = await loadGroups(
        db,
        runs.map((row) => ({ run_id: row.run_id, group_id: groupId })),
        version,
        query.advantage,
      )
      if (groups[0] === undefined)
        throw new Problem(
          'not_found',
          `there is no group ${JSON.stringify(groupId.slice(0, 80))}${query.run === undefined ? '' : ` in run ${query.run}`}`,
          { hint: 'list them: /v1/groups' },
        )
      return groupAnswer(groups[0])
    })
  },
})

export const GROUP_ROUTES: readonly Route[] = [listRoute, oneRoute]
