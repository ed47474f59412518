/**
 * Groups of the trajectories that were selected, each with all of its members, selected or not: an advantage is relative
 * to everything that was played. The SQL twin of core/group.ts and core/advantage.ts, equal to the last bit: the same
 * operations in the same order.
 */
import type { Advantage } from '#services/core/advantage.ts'
import { relation } from '#services/datasets/files.ts'
import type { RecipeContext } from './recipe.ts'

/** The sum from the first to the last of a list of doubles. */
const sum = (list: string) => `list_reduce(${list}, lambda total, one: total + one, 0::DOUBLE)`

const EPSILON = `'1e-6'::DOUBLE`

const deviation = (ddof: 0 | 1) => `CASE WHEN n <= ${ddof} THEN NULL WHEN uniform THEN 0::DOUBLE
  ELSE sqrt(${sum('list_transform(rewards, lambda one: (one - reward_mean) * (one - reward_mean))')} / (n - ${ddof})) END`

/** The advantage of `reward` in a group with `n`, `uniform`, `total`, `reward_mean` and the deviations. */
function advantageSql(kind: Advantage): string {
  const spread = (std: string) => `(reward - ${'reward_mean'}) / (${std} + ${EPSILON})`
  const single: Record<Advantage, string> = {
    verl: `reward / (1::DOUBLE + ${EPSILON})`,
    population: `reward / (1::DOUBLE + ${EPSILON})`,
    dr_grpo: 'reward',
    rloo: 'reward',
    none: 'NULL::DOUBLE',
  }
  const several: Record<Advantage, string> = {
    verl: spread('reward_std'),
    population: spread('reward_std_population'),
    dr_grpo: 'reward - reward_mean',
    rloo: 'reward - (total - reward) / (n - 1)',
    none: 'NULL::DOUBLE',
  }
  if (kind === 'none') return 'NULL::DOUBLE'
  return `CASE WHEN n = 1 THEN ${single[kind]} WHEN uniform THEN 0::DOUBLE ELSE ${several[kind]} END`
}

/** What a group says of itself, by column, with types. */
export const GROUP_COLUMNS = {
  rollout_index: 'BIGINT',
  extra: 'BOOLEAN',
  advantage: 'DOUBLE',
  group_size: 'BIGINT',
  group_expected_size: 'BIGINT',
  group_complete: 'BOOLEAN',
  group_reward_mean: 'DOUBLE',
  group_reward_std: 'DOUBLE',
  group_reward_std_population: 'DOUBLE',
  group_zero_variance: 'BOOLEAN',
} as const

const MEMBER_COLUMNS = [
  'run_id',
  'trajectory_id',
  'group_id',
  'group_size',
  'rollout_index',
  'status',
  'partition',
  'first_offset',
  'n_conflicts',
]

/**
 * Statements that make `group_members`: one row for each member of a group that has a selected trajectory, with `place` (its
 * place in the group), `counts` (whether it counts) and GROUP_COLUMNS. Members with conflicts stay out unless they are
 * included, as in the analytics.
 */
export function groupStatements({ files, include, advantage = 'verl' }: RecipeContext): string[] {
  const trajectories = relation('trajectories', files, MEMBER_COLUMNS)
  const conflicts = include.includes('conflicted') ? 'true' : 't.n_conflicts = 0'
  const log = 'first_offset, "partition", trajectory_id'
  return [
    `CREATE TEMP TABLE group_attempts AS
    SELECT t.*, b.reward, coalesce(t.status IN ('completed', 'truncated') AND isfinite(b.reward), false) AS fit
    FROM ${trajectories} t
    JOIN (SELECT DISTINCT run_id, group_id FROM kept WHERE group_id IS NOT NULL) g ON g.group_id = t.group_id AND g.run_id IS NOT DISTINCT FROM t.run_id
    LEFT JOIN best b ON b.trajectory_id = t.trajectory_id
    WHERE ${conflicts}`,
    `CREATE TEMP TABLE group_ranked AS
    SELECT *, stands AND fit AS counts, row_number() OVER (PARTITION BY run_id, group_id ORDER BY rollout_index NULLS LAST, ${log}) AS place
    FROM (SELECT *, rollout_index IS NULL OR row_number() OVER (PARTITION BY run_id, group_id, rollout_index ORDER BY fit DESC, ${log}) = 1 AS stands FROM group_attempts)`,
    `CREATE TEMP TABLE group_members AS
    WITH listed AS (
      SELECT run_id, group_id, coalesce(list(reward ORDER BY place) FILTER (counts), []) AS rewards, first(group_size ORDER BY ${log}) FILTER (group_size IS NOT NULL) AS expected
      FROM group_ranked GROUP BY run_id, group_id
    ),
    counted AS (
      SELECT l.*, len(rewards) AS n, list_min(rewards) = list_max(rewards) AS uniform, ${sum('rewards')} AS total, r.group_size AS run_expected
      FROM listed l LEFT JOIN ${relation('runs', files, ['run_id', 'group_size'])} r ON r.run_id = l.run_id
    ),
    averaged AS (SELECT *, CASE WHEN n > 0 THEN total / n END AS reward_mean FROM counted),
    summed AS (SELECT *, ${deviation(1)} AS reward_std, ${deviation(0)} AS reward_std_population FROM averaged)
    SELECT m.run_id, m.group_id, m.trajectory_id, m.reward, m.place, m.counts, m.rollout_index, NOT m.stands AS extra,
      CASE WHEN m.counts THEN ${advantageSql(advantage)} END AS advantage, CAST(n AS BIGINT) AS group_size,
      coalesce(s.expected, s.run_expected) AS group_expected_size, n >= coalesce(s.expected, s.run_expected) AS group_complete,
      reward_mean AS group_reward_mean, reward_std AS group_reward_std, reward_std_population AS group_reward_std_population,
      n >= 2 AND coalesce(uniform, false) AS group_zero_variance
    FROM group_ranked m JOIN summed s ON s.group_id = m.group_id AND s.run_id IS NOT DISTINCT FROM m.run_id`,
  ]
}
