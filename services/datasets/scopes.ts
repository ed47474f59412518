/**
 * The temporary tables that some filters look into: which runs a lineage reaches, what rate each item was passed at,
 * which groups were completed, and whose answers are to stay unseen. Each is made only where a request needs it.
 */
import { parseOffsets } from '#services/position.ts'
import { relation, type LakeFiles } from './files.ts'
import type { Conditions } from './filters.ts'
import type { DatasetRequest } from './request.ts'
import { sqlProblem } from './sql-problem.ts'
import { sqlTexts, sqlValue } from './sql.ts'

const texts = (values: readonly unknown[]): string => sqlTexts(values.map(String))

/**
 * `lineage` (run_id, below): the runs asked for and those that they resumed, each ancestor up to the train step at which
 * it was left. A null `below` is no bound. UNION, so that runs which name each other as parents come to an end.
 */
export function lineageStatement({ conditions }: DatasetRequest, files: LakeFiles): string {
  const runs = relation('runs', files, ['run_id', 'parent_run_id', 'resumed_at_train_step'])
  return `CREATE TEMP TABLE lineage AS
    WITH RECURSIVE chain(run_id, below) AS (
      SELECT unnest(${texts(conditions.run?.any ?? [])}), NULL::BIGINT
      UNION
      SELECT r.parent_run_id, least(c.below, r.resumed_at_train_step) FROM chain c JOIN ${runs} r ON r.run_id = c.run_id WHERE r.parent_run_id IS NOT NULL
    )
    SELECT run_id, CASE WHEN bool_or(below IS NULL) THEN NULL ELSE max(below) END AS below FROM chain GROUP BY run_id`
}

/** Whether trajectory `t` is of a run of the lineage. */
export const OF_LINEAGE = `EXISTS (SELECT 1 FROM lineage l WHERE l.run_id = t.run_id AND (l.below IS NULL OR t.train_step < l.below))`

/** Whether trajectory `t` is of one of the runs of the lineage, before or after it was left. */
export const OF_RUNS_OF_LINEAGE = `coalesce(t.run_id IN (SELECT run_id FROM lineage), false)`

const asksRate = (conditions: Conditions): boolean => conditions.item_pass_rate !== undefined

/** Whether some filter of the request looks at pass rates. */
export function asksPassRate({ conditions, shaping }: DatasetRequest): boolean {
  return asksRate(conditions) || (shaping?.mix ?? []).some((part) => asksRate(part.conditions))
}

/**
 * `pass_rates` (item_id, pass_rate) over the finished rollouts of one policy version of one run that are right or wrong
 * without conflict. The statement fails as `invalid_parameter` where more than one of these pairs is meant.
 */
function passRateStatements({ conditions, shaping = {} }: DatasetRequest): string[] {
  const runs = shaping.passRateRun === undefined ? (conditions.run?.any ?? []) : [shaping.passRateRun]
  const versions =
    shaping.passRatePolicyVersion === undefined
      ? (conditions.policy_version?.any ?? [])
      : [shaping.passRatePolicyVersion]
  const among = (column: string, values: readonly (string | number | boolean)[]) =>
    values.length === 0 ? [] : [`${column} IN (${values.map(sqlValue).join(', ')})`]
  const scope = [
    'NOT t.unfinished AND t.n_conflicts = 0 AND t.item_id IS NOT NULL AND b.correct IS NOT NULL',
    ...among('t.run_id', runs),
    ...among('t.policy_version', versions),
  ].join(' AND ')
  const rolled = `known t JOIN best b ON b.trajectory_id = t.trajectory_id WHERE ${scope}`
  const problem = sqlProblem(
    'item_pass_rate',
    'item_pass_rate is ambiguous: its rollouts are of several runs or policy versions',
    'add pass_rate_run=… and pass_rate_policy_version=…',
  )
  return [
    `CREATE TEMP TABLE pass_rate_check AS
    SELECT CASE WHEN n > 1 THEN error(${problem}) END AS ok FROM (SELECT count(*) AS n FROM (SELECT DISTINCT t.run_id, t.policy_version FROM ${rolled}))`,
    `CREATE TEMP TABLE pass_rates AS
    SELECT t.item_id, count(*) FILTER (b.correct)::DOUBLE / count(*) AS pass_rate FROM ${rolled} GROUP BY t.item_id`,
  ]
}

/** `offset` reaches the position in the partition of the row. */
function reaches(since: string, offset: string): string {
  const cases = [...parseOffsets(since)].map(([partition, from]) => `WHEN ${partition} THEN ${offset} >= ${from}`)
  return cases.length === 0 ? 'true' : `CASE "partition" ${cases.join(' ')} ELSE true END`
}

/**
 * `completed` (run_id, group_id): groups that have their size, and a member that counts whose finish or score lies at or
 * after the position. The SQL twin of core/group.ts.
 */
function completedStatement(since: string, files: LakeFiles): string {
  const place = `(first_offset, "partition")`
  return `CREATE TEMP TABLE completed AS
    WITH members AS (
      SELECT t.run_id, t.group_id, t.trajectory_id, t.rollout_index, t.group_size, r.group_size AS run_group_size, t."partition", t.first_offset,
        greatest(t.finished_offset, b.score_offset) AS done_offset,
        coalesce(NOT t.unfinished AND t.status IN ('completed', 'truncated') AND isfinite(b.reward), false) AS counts
      FROM known t LEFT JOIN best b ON b.trajectory_id = t.trajectory_id
      LEFT JOIN ${relation('runs', files, ['run_id', 'group_size'])} r ON r.run_id = t.run_id
      WHERE t.group_id IS NOT NULL
    ),
    standing AS (
      SELECT * FROM members WHERE counts
      QUALIFY rollout_index IS NULL OR row_number() OVER (PARTITION BY run_id, group_id, rollout_index ORDER BY first_offset, "partition", trajectory_id) = 1
    ),
    sizes AS (SELECT run_id, group_id, count(*) AS size, bool_or(${reaches(since, 'done_offset')}) AS newer FROM standing GROUP BY run_id, group_id),
    expected AS (
      SELECT run_id, group_id, coalesce(arg_min(group_size, ${place}) FILTER (group_size IS NOT NULL), max(run_group_size)) AS size FROM members GROUP BY run_id, group_id
    )
    SELECT s.run_id, s.group_id FROM sizes s JOIN expected e ON e.run_id IS NOT DISTINCT FROM s.run_id AND e.group_id = s.group_id
    WHERE s.newer AND s.size >= e.size`
}

/** Whether trajectory `t` is of a completed group. */
export const OF_COMPLETED = `EXISTS (SELECT 1 FROM completed g WHERE g.run_id IS NOT DISTINCT FROM t.run_id AND g.group_id = t.group_id)`

/** An item's question without regard to case and spacing, and its images: the same question under another id is the same. */
const ITEM_CONTENT = `md5(lower(regexp_replace(trim(i.question), '\\s+', ' ', 'g')) || chr(10) || coalesce(array_to_string(i.image_ids, ','), ''))`

/**
 * `unseen` (item_id): items of a test split, of a benchmark (they have a distribution) or that an eval run rolled out,
 * and items with the same question and images as one of them.
 */
function unseenStatements(files: LakeFiles): string[] {
  const items = relation('items', files, ['item_id', 'split', 'distribution', 'question', 'image_ids'])
  const evals = `SELECT t.item_id FROM known t JOIN ${relation('runs', files, ['run_id', 'kind'])} r ON r.run_id = t.run_id WHERE r.kind = 'eval' AND t.item_id IS NOT NULL`
  return [
    `CREATE TEMP TABLE item_contents AS
    SELECT i.item_id, ${ITEM_CONTENT} AS content, coalesce(lower(i.split) LIKE 'test%', false) OR i.distribution IS NOT NULL OR i.item_id IN (${evals}) AS held
    FROM ${items} i`,
    `CREATE TEMP TABLE unseen AS
    SELECT item_id FROM item_contents WHERE content IN (SELECT content FROM item_contents WHERE held) UNION ${evals}`,
  ]
}

/** The statements that make the tables that the request needs; `known` and `best` are there. */
export function scopeStatements(request: DatasetRequest, files: LakeFiles): string[] {
  const { lineage, since, leaks } = request.shaping ?? {}
  return [
    ...(lineage === true ? [lineageStatement(request, files)] : []),
    ...(asksPassRate(request) ? passRateStatements(request) : []),
    ...(since === undefined ? [] : [completedStatement(since, files)]),
    ...(leaks === undefined ? [] : unseenStatements(files)),
  ]
}
