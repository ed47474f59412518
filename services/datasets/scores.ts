/** The one score of each trajectory that a request reads, and whether it was right. The SQL twin of core/correct.ts. */
import { CORRECT_THRESHOLD, CORRECT_TOLERANCE, DEFAULT_REWARD_VERSION } from '#services/core/correct.ts'
import { DUCKDB, type Dialect, type Tables } from './dialect.ts'

const COLUMNS = [
  'trajectory_id',
  'reward_version',
  'offset',
  'reward',
  'parts',
  'r_correct',
  'answer_match',
  'format_ok',
]

/** Engines take NaN for greater than everything; here it reaches nothing. */
const reaches = (value: string, threshold: string) =>
  `(NOT isnan(${value}) AND ${value} >= ${threshold} - CAST(${CORRECT_TOLERANCE} AS DOUBLE))`

/**
 * A query that gives (trajectory_id, reward_version, score_offset, reward, parts, answer_match, format_ok, correct), at most one row
 * a trajectory, for the trajectories of `trajectories` (a relation with trajectory_id and run_id). `version` undefined
 * reads each run's own. A score without a version has that of its run; of two with one version the earlier counts.
 */
export function bestScores(
  tables: Tables,
  trajectories: string,
  version: string | undefined,
  { text, name }: Dialect = DUCKDB,
): string {
  const ofRun = `coalesce(r.reward_version, ${text(DEFAULT_REWARD_VERSION)})`
  const columns = [
    'trajectory_id',
    'reward_version',
    'score_offset',
    'reward',
    'parts',
    'answer_match',
    'format_ok',
    'correct',
  ]
  const wanted = version === undefined ? ofRun : text(version)
  return `SELECT ${columns.join(', ')} FROM (SELECT s.trajectory_id, ${wanted} AS reward_version, s.${name('offset')} AS score_offset, s.reward, s.parts, s.answer_match, s.format_ok,
    CASE WHEN s.answer_match IS NOT NULL THEN s.answer_match
      WHEN s.r_correct IS NOT NULL THEN ${reaches('s.r_correct', '1')}
      WHEN s.reward IS NOT NULL THEN ${reaches('s.reward', `coalesce(r.correct_threshold, ${CORRECT_THRESHOLD})`)}
    END AS correct, row_number() OVER (PARTITION BY s.trajectory_id ORDER BY s.${name('offset')}) AS nth
  FROM ${tables('scores', COLUMNS)} s
  JOIN ${trajectories} t ON t.trajectory_id = s.trajectory_id
  LEFT JOIN ${tables('runs', ['run_id', 'reward_version', 'correct_threshold'])} r ON r.run_id = t.run_id
  WHERE coalesce(nullif(s.reward_version, ''), ${ofRun}) = ${wanted}) s WHERE nth = 1`
}
