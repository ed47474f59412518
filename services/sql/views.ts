/**
 * The views that queries see, over Parquet files of one snapshot. Their names and columns are a promise. Those with the
 * name of a lake table are that table and nothing more, so that a query means the same here and in whatever else reads
 * the lake; `groups` and `rollouts` come by joins.
 */
import { lakeColumns, type LakeTableName } from '#schemas/lake.ts'
import { CORRECT_THRESHOLD, CORRECT_TOLERANCE, DEFAULT_REWARD_VERSION } from '#services/core/correct.ts'

export const SQL_VIEWS = [
  'runs',
  'items',
  'groups',
  'trajectories',
  'scores',
  'steps',
  'tool_calls',
  'metrics',
  'annotations',
  'events',
  'rollouts',
] as const
export type SqlView = (typeof SQL_VIEWS)[number]

export const isSqlView = (name: string): name is SqlView => (SQL_VIEWS as readonly string[]).includes(name)

/** The lake tables that a view reads. */
export function tablesOf(view: SqlView): readonly LakeTableName[] {
  if (view === 'groups') return ['trajectories', 'scores', 'runs']
  return view === 'rollouts' ? ['trajectories', 'scores', 'runs', 'items'] : [view]
}

/** The paths of the files of each table; a table that is not named has none. */
export type TablePaths = { readonly [Table in LakeTableName]?: readonly string[] }

const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`

/** A lake table as a relation. Without files it is empty and has the same types. */
function table(name: LakeTableName, paths: TablePaths): string {
  const columns = Object.entries(lakeColumns(name))
  const files = paths[name] ?? []
  if (files.length === 0)
    return `(SELECT ${columns.map(([column, type]) => `NULL::${type} AS "${column}"`).join(', ')} WHERE false)`
  const list = columns.map(([column]) => `"${column}"`).join(', ')
  return `(SELECT ${list} FROM read_parquet([${files.map(quoted).join(', ')}], union_by_name = true, hive_partitioning = false))`
}

/** DuckDB takes NaN for greater than everything; here it reaches nothing. */
const reaches = (value: string, threshold: string): string =>
  `(NOT isnan(${value}) AND ${value} >= ${threshold} - ${CORRECT_TOLERANCE}::DOUBLE)`

/** The rule of core/correct.ts over a score `s` of run `r`. */
const CORRECT = `CASE WHEN s.answer_match IS NOT NULL THEN s.answer_match
  WHEN s.r_correct IS NOT NULL THEN ${reaches('s.r_correct', '1')}
  WHEN s.reward IS NOT NULL THEN ${reaches('s.reward', `coalesce(r.correct_threshold, ${CORRECT_THRESHOLD})`)} END`

const RUN_VERSION = `coalesce(r.reward_version, ${quoted(DEFAULT_REWARD_VERSION)})`

/** The score that reads use, at most one for each trajectory: under the run's version, the first in the log. */
function usedScores(paths: TablePaths): string {
  return `(SELECT s.trajectory_id, ${RUN_VERSION} AS reward_version, s.reward, s.parts, s.answer_match, s.format_ok, ${CORRECT} AS correct
  FROM ${table('scores', paths)} s
  JOIN ${table('trajectories', paths)} t ON t.trajectory_id = s.trajectory_id
  LEFT JOIN ${table('runs', paths)} r ON r.run_id = t.run_id
  WHERE coalesce(nullif(s.reward_version, ''), ${RUN_VERSION}) = ${RUN_VERSION}
  QUALIFY row_number() OVER (PARTITION BY s.trajectory_id ORDER BY s."offset") = 1)`
}

/** Trajectories with the score that reads use and what is known of their item. */
function rollouts(paths: TablePaths): string {
  return `SELECT t.*, i.dataset, i.family, i.split, u.reward_version, u.reward, u.parts, u.answer_match, u.format_ok, u.correct
  FROM ${table('trajectories', paths)} t
  LEFT JOIN ${usedScores(paths)} u ON u.trajectory_id = t.trajectory_id
  LEFT JOIN ${table('items', paths)} i ON i.item_id = t.item_id`
}

/** The rules of core/group.ts. A group shows in the lake when its first member is finished. */
function groups(paths: TablePaths): string {
  const first = (column: string): string =>
    `first(${column} ORDER BY first_offset, "partition") FILTER (${column} IS NOT NULL)`
  const deviation = (kind: string): string =>
    `CASE WHEN min(value) = max(value) AND count(value) > ${kind === 'samp' ? 1 : 0} THEN 0::DOUBLE ELSE stddev_${kind}(value) END`
  return `WITH candidate AS (
    SELECT t.*, r.group_size AS run_group_size, u.reward, u.correct,
      t.status IN ('completed', 'truncated') AND u.reward IS NOT NULL AND isfinite(u.reward) AS can_count
    FROM ${table('trajectories', paths)} t
    LEFT JOIN ${usedScores(paths)} u ON u.trajectory_id = t.trajectory_id
    LEFT JOIN ${table('runs', paths)} r ON r.run_id = t.run_id
    WHERE t.group_id IS NOT NULL
  ), placed AS (
    SELECT *, rollout_index IS NULL OR row_number() OVER (
      PARTITION BY run_id, group_id, rollout_index
      ORDER BY coalesce(can_count, false) DESC, first_offset, "partition", trajectory_id) = 1 AS stands
    FROM candidate
  ), valued AS (
    SELECT *, CASE WHEN stands AND can_count THEN reward END AS value FROM placed
  ), summed AS (
    SELECT run_id, group_id, ${first('item_id')} AS item_id, ${first('train_step')} AS train_step,
      ${first('policy_version')} AS policy_version,
      coalesce(${first('group_size')}, ${first('run_group_size')}) AS expected_size,
      count(value) AS size, count(*) AS n_members,
      count(*) FILTER (value IS NOT NULL AND correct) AS n_correct,
      count(*) FILTER (value IS NOT NULL AND correct = false) AS n_wrong,
      avg(value) AS reward_mean, min(value) AS reward_min, max(value) AS reward_max,
      ${deviation('samp')} AS reward_std, ${deviation('pop')} AS reward_std_population
    FROM valued GROUP BY run_id, group_id
  )
  SELECT group_id, run_id, item_id, train_step, policy_version, expected_size, size, n_members, n_correct,
    size >= expected_size AS complete, reward_mean, reward_min, reward_max, reward_std, reward_std_population,
    size >= 2 AND reward_min = reward_max AS zero_variance,
    CASE WHEN NOT (size >= 2 AND reward_min = reward_max) THEN NULL
      WHEN n_correct = size THEN 'all_pass' WHEN n_wrong = size THEN 'all_fail' ELSE 'uniform_other' END AS zero_variance_kind
  FROM summed`
}

/** The query behind a view. */
export function viewQuery(view: SqlView, paths: TablePaths): string {
  if (view === 'groups') return groups(paths)
  return view === 'rollouts' ? rollouts(paths) : `SELECT * FROM ${table(view, paths)}`
}
