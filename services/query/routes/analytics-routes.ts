/** /v1/analytics: statistics over the trajectories of a run. */
import { sql } from 'kysely'
import { GroupStatistics, PassAtK, listOf } from '#schemas/http.ts'
import { mean } from '#services/core/advantage.ts'
import { type PassCount, passEstimates } from '#services/core/pass-at-k.ts'
import { Problem } from '#services/problem.ts'
import { LIST_PARAMETERS, page, parseCursor } from '#services/query/cursor.ts'
import { type JoinedGroup, groupCandidates, joinGroups } from '#services/query/rows/group-rows.ts'
import { commas, integer, many, required, text, withDefault, word } from '#services/query/parameters.ts'
import { asNumber, readJson } from '#services/query/reading.ts'
import { READ_PARAMETERS, type Route, route } from '#services/query/route.ts'
import { TRAJECTORY_FILTERS, allOf, conditions, scoredTrajectories } from '#services/query/rows/scored.ts'
import { onlyFilters } from './group-routes.ts'

const tag = 'Analytics'
const { policy_version, train_step, dataset, family, split, status, reward_version } = TRAJECTORY_FILTERS

const ANALYTICS_FILTERS = {
  run: required(text('The run.')),
  policy_version,
  train_step,
  dataset,
  family,
  split,
  status,
  reward_version,
  include: many(
    word(
      ['conflicted'],
      'conflicted: count trajectories, too, of which events came again with other content. They are left out otherwise.',
    ),
  ),
}

/** The largest k that pass@k is computed for. */
const K_MAX = 10_000

type Filters = Parameters<typeof onlyFilters>[0] & { readonly include: readonly string[] }

function filtered(filters: Filters) {
  if (filters.reward_version === '*')
    throw new Problem('invalid_parameter', 'statistics are over one reward version', {
      hint: 'name the version, or leave it out for that of the run',
      details: { parameter: 'reward_version' },
    })
  const {
    policy_version: policyVersion,
    train_step: trainStep,
    dataset: datasets = [],
    family: families = [],
    split: splits = [],
    status: statuses = [],
    run = [],
  } = filters
  const none = onlyFilters({})
  const found = conditions(
    onlyFilters({
      run,
      dataset: datasets,
      family: families,
      split: splits,
      status: statuses,
      policy_version: policyVersion ?? none.policy_version,
      train_step: trainStep ?? none.train_step,
    }),
  )
  return allOf([...found, ...(filters.include.includes('conflicted') ? [] : [sql<boolean>`t.n_conflicts = 0`])])
}

const passAtK = route({
  path: '/v1/analytics/pass-at-k',
  tag,
  summary: 'pass@k and pass^k, without bias',
  detail:
    'Over finished trajectories with a score that match. The unit is (item, policy_version): of n rollouts with c right, pass@k is 1 - C(n-c, k)/C(n, k) and pass^k is C(c, k)/C(n, k), and units count equally. Units with fewer than k rollouts are left out of that k and counted.',
  parameters: {
    ...READ_PARAMETERS,
    ...ANALYTICS_FILTERS,
    k: withDefault(
      commas(integer('How many rollouts are drawn; several with commas between.', { minimum: 1, maximum: K_MAX }), 32),
      [1, 2, 4, 8],
    ),
  },
  answers: [{ status: 200, description: 'One estimate for each k.', schema: PassAtK }],
  handle: async (call) => {
    const { query } = call
    const condition = filtered({ ...query, run: [query.run] })
    return readJson(call, async (db) => {
      const units = scoredTrajectories(db, query.reward_version)
        .where(condition)
        .where('t.finished_offset', 'is not', null)
        .where('t.item_id', 'is not', null)
        .where('score.correct', 'is not', null)
        .select([asNumber(sql`count(*)`).as('n'), asNumber(sql`count(*) filter (where score.correct)`).as('passed')])
        .groupBy(['t.item_id', 't.policy_version'])
      // Units with equal counts have equal estimates: few rows come back, however many items there are.
      const counts: PassCount[] = await db
        .selectFrom(units.as('u'))
        .select(['u.n', 'u.passed', asNumber(sql`count(*)`).as('items')])
        .groupBy(['u.n', 'u.passed'])
        .execute()
      return { estimates: passEstimates(counts, query.k) }
    })
  },
})

function statistics(trainStep: number | null, groups: readonly JoinedGroup[]): Record<string, unknown> {
  const count = (test: (group: JoinedGroup) => boolean) => groups.filter(test).length
  const deviations = (of: (group: JoinedGroup) => number | null) => mean(groups.flatMap((group) => of(group) ?? []))
  return {
    train_step: trainStep,
    groups: groups.length,
    complete: count(({ summary }) => summary.complete === true),
    all_pass: count(({ summary }) => summary.zero_variance_kind === 'all_pass'),
    all_fail: count(({ summary }) => summary.zero_variance_kind === 'all_fail'),
    zero_variance: count(({ summary }) => summary.zero_variance),
    mean_std: deviations(({ summary }) => summary.reward_std),
    mean_std_population: deviations(({ summary }) => summary.reward_std_population),
    effective_share:
      groups.length === 0 ? 0 : count(({ summary }) => summary.size >= 2 && !summary.zero_variance) / groups.length,
  }
}

const LIST = 'analytics groups'
/** Trajectories held at a time. */
const TRAJECTORIES_AT_ONCE = 50_000

/** Neighbouring train steps put together, so that few queries are made and few trajectories are held: [from, to], both included. */
function chunks(steps: readonly { readonly train_step: number; readonly n: number }[]): { from: number; to: number }[] {
  const found: { from: number; to: number; n: number }[] = []
  for (const { train_step: at, n } of steps) {
    const last = found.at(-1)
    if (last !== undefined && last.n + n <= TRAJECTORIES_AT_ONCE) {
      last.to = at
      last.n += n
    } else found.push({ from: at, to: at, n })
  }
  return found
}

const groups = route({
  path: '/v1/analytics/groups',
  tag,
  summary: 'Groups by train step',
  detail:
    'How many groups are complete, how many have equal rewards and so give no gradient, and how far rewards lie apart.',
  parameters: { ...LIST_PARAMETERS, ...ANALYTICS_FILTERS },
  answers: [
    {
      status: 200,
      description: 'A row for each train step; groups without one come last.',
      schema: listOf(GroupStatistics),
    },
  ],
  handle: async (call) => {
    const { query } = call
    const key = parseCursor(LIST, 1, query.cursor)
    const condition = filtered({ ...query, run: [query.run] })
    return readJson(call, async (db) => {
      const order = (value: number | null) => value ?? Number.MAX_SAFE_INTEGER
      const after = key === undefined ? -1 : order(key[0] === null ? null : Number(key[0]))
      const step = sql<number>`coalesce(t.train_step, ${sql.lit(Number.MAX_SAFE_INTEGER)})`
      const later = sql<boolean>`${step} > ${after}::bigint`
      const steps = await scoredTrajectories(db, query.reward_version)
        .where('t.group_id', 'is not', null)
        .where(condition)
        .where(later)
        .select([step.as('train_step'), asNumber(sql`count(*)`).as('n')])
        .groupBy(step)
        .orderBy(step)
        .limit(query.limit + 1)
        .execute()
      const rows: { train_step: number | null }[] = []
      for (const { from, to } of chunks(steps.slice(0, query.limit))) {
        const candidates = await groupCandidates(
          db,
          query.reward_version,
          allOf([condition, sql<boolean>`${step} between ${from}::bigint and ${to}::bigint`]),
          false,
        )
        for (const [at, here] of [...Map.groupBy(candidates, (candidate) => order(candidate.train_step))].sort(
          ([left], [right]) => left - right,
        )) {
          const trainStep = at === Number.MAX_SAFE_INTEGER ? null : at
          const ids = [...new Set(here.map((candidate) => candidate.group_id))].sort()
          const joined = joinGroups(
            ids.map((groupId) => ({ run_id: query.run, group_id: groupId })),
            here,
            'none',
          )
          rows.push({ ...statistics(trainStep, joined), train_step: trainStep })
        }
      }
      const more = steps.length > query.limit ? [{ train_step: null }] : []
      return page(LIST, [...rows, ...more], query.limit, (row) => [row.train_step])
    })
  },
})

export const ANALYTICS_ROUTES: readonly Route[] = [passAtK, groups]
