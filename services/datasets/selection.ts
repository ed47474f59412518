/**
 * What is taken of the candidates that passed all filters, as statements over `candidates`: each marks what it leaves
 * out in `left_out`, in a fixed order, so that the counts of explain=counts and of a build are the same.
 */
import { BY_UNIT, drawn, heldOut, limitCut, ORDER, perItemCut, shardCut, type Cut } from './cuts.ts'
import { relation, type LakeFiles } from './files.ts'
import { STEP_COLUMNS } from './messages.ts'
import type { RecipeName } from './recipes.ts'
import type { DatasetRequest, MixPart, Shaping } from './request.ts'
import { sqlProblem } from './sql-problem.ts'
import { sqlText } from './sql.ts'

const IN = 'left_out IS NULL'

/** What a recipe counts by: limit and shard keep it whole. */
type Unit = 'trajectory' | 'group' | 'item'

function unitOf(recipe: RecipeName, of: 'limit' | 'shard'): Unit {
  const name: string = recipe
  if (name === 'items') return 'item'
  if (name === 'preference') return 'group'
  // Every row of grpo stands by itself, so a limit counts rows; but whoever trains on a shard wants its groups whole.
  return name === 'grpo' && of === 'shard' ? 'group' : 'trajectory'
}

/** The key of a unit; a trajectory without group or item stands for itself. */
function unitKey(unit: Unit): string {
  switch (unit) {
    case 'trajectory':
      return 'trajectory_id'
    case 'group':
      return `CASE WHEN group_id IS NULL THEN trajectory_id ELSE json_array(run_id, group_id)::VARCHAR END`
    case 'item':
      return `coalesce(item_id, trajectory_id)`
  }
}

/** An item may be of several runs. */
const orderOf = (unit: Unit): string => (unit === 'item' ? 'unit' : BY_UNIT)

const mark = (why: string, where: string): string =>
  `UPDATE candidates SET left_out = ${sqlText(`filter:${why}`)} WHERE ${IN} AND ${where}`

/** Marks the trajectories that a query over `candidates` names. */
const markThose = (why: string, query: string): string =>
  mark(why, `trajectory_id IN (SELECT trajectory_id FROM (${query}))`)

function leakStatements(leaks: NonNullable<Shaping['leaks']>): string[] {
  const leaking = 'item_id IN (SELECT item_id FROM unseen)'
  switch (leaks) {
    case 'count':
      return []
    case 'drop':
      return [mark('leaks', leaking)]
    case 'refuse': {
      const problem = sqlProblem(
        'leaks',
        'the dataset has trajectories on items of a test split or a benchmark',
        'see how many with explain=counts&leaks=count; leave them out with leaks=drop',
      )
      return [
        `CREATE TEMP TABLE leak_check AS SELECT CASE WHEN count(*) > 0 THEN error(${problem}) END AS ok FROM candidates WHERE ${IN} AND ${leaking}`,
      ]
    }
  }
}

const said = (messages: string) =>
  `list_transform(coalesce(${messages}, []), lambda m: {role: m.role, content: m.content, images: m.images})`

/**
 * What a trajectory says, hashed: its prompt, and of each step what was written, called and observed. Ids of calls are
 * made up anew by every rollout, so they do not count.
 */
function dedupeStatements(files: LakeFiles): string[] {
  const step = `md5(to_json({raw: s.raw_output, content: s.content, think: s.think_text, answer: s.answer_text, images: s.images,
      calls: list_transform(coalesce(s.tool_calls, []), lambda c: {"name": c."name", arguments: c.arguments}), observed: ${said('s.observation')}})::VARCHAR)`
  const prompts = `(SELECT trajectory_id, prompt FROM ${relation('trajectories', files, ['trajectory_id', 'prompt'])} UNION ALL SELECT trajectory_id, prompt FROM unfinished_starts)`
  return [
    `CREATE TEMP TABLE contents AS
    WITH chosen AS (SELECT trajectory_id FROM candidates WHERE ${IN}),
    told AS (
      SELECT s.trajectory_id, string_agg(${step}, ',' ORDER BY s.step_index) AS steps
      FROM ${relation('steps', files, STEP_COLUMNS)} s JOIN chosen c ON c.trajectory_id = s.trajectory_id GROUP BY s.trajectory_id
    ),
    asked AS (
      SELECT p.trajectory_id, md5(to_json(${said('p.prompt')})::VARCHAR) AS prompt FROM ${prompts} p JOIN chosen c ON c.trajectory_id = p.trajectory_id
    )
    SELECT c.trajectory_id, md5(concat_ws(';', coalesce(asked.prompt, ''), coalesce(told.steps, ''))) AS content
    FROM chosen c LEFT JOIN asked ON asked.trajectory_id = c.trajectory_id LEFT JOIN told ON told.trajectory_id = c.trajectory_id`,
    markThose(
      'dedupe',
      `SELECT c.trajectory_id FROM candidates c JOIN contents k ON k.trajectory_id = c.trajectory_id WHERE c.left_out IS NULL
        QUALIFY row_number() OVER (PARTITION BY k.content ORDER BY c.run_id NULLS LAST, c.trajectory_id) > 1`,
    ),
  ]
}

/** Marks what a cut leaves out, of units that a key tells apart. */
const cutStatement = ({ why, among, each, order, leavesOut }: Cut, key: string): string =>
  markThose(
    why,
    `SELECT trajectory_id FROM (SELECT trajectory_id, run_id, item_id, ${key} AS unit FROM candidates WHERE ${IN} AND ${among})
      QUALIFY ${leavesOut(`dense_rank() OVER (${each === undefined ? '' : `PARTITION BY ${each} `}ORDER BY ${order})`)}`,
  )

/** The tool that was called most, of equally frequent ones the first by name; none where no tool was. */
const MOST_CALLED = `list_first(list_sort(list_transform(coalesce(json_keys(tools_called), []),
    lambda k: {n: -coalesce(TRY_CAST(json_value(tools_called, '$."' || k || '"') AS BIGINT), 0), "name": k}))).name`

const classOf = (balance: NonNullable<Shaping['balance']>): string => (balance === 'tool' ? MOST_CALLED : balance)

/** Every class is cut down to the size of the smallest; what has no value is a class of its own. */
function balanceStatement(balance: NonNullable<Shaping['balance']>, seed: number | undefined): string {
  return markThose(
    'balance',
    `SELECT trajectory_id FROM (
      SELECT trajectory_id, row_number() OVER (PARTITION BY class ORDER BY ${drawn(seed ?? 0, 'trajectory_id', ORDER)}) AS nth, count(*) OVER (PARTITION BY class) AS size
      FROM (SELECT trajectory_id, run_id, ${classOf(balance)} AS class FROM candidates WHERE ${IN})
    ) QUALIFY nth > min(size) OVER ()`,
  )
}

/**
 * As many trajectories as the parts can give in these shares, none of them twice: the part that has the least for its
 * weight sets the size.
 */
function mixStatements(mix: readonly MixPart[], { limit, seed }: DatasetRequest): string[] {
  const total = mix.reduce((sum, { weight }) => sum + weight, 0)
  const shares = mix.map(({ weight }, index) => `(${index + 1}, '${weight / total}'::DOUBLE)`).join(', ')
  const bound = limit === undefined ? '' : `least(${limit}, `
  return [
    mark('mix', 'mix_part IS NULL'),
    `CREATE TEMP TABLE mixture AS
    WITH shares(part, share) AS (VALUES ${shares}),
    sizes AS (SELECT part, share, (SELECT count(*) FROM candidates c WHERE c.left_out IS NULL AND c.mix_part = part) AS size FROM shares),
    whole AS (SELECT ${bound}floor(min(size / share) + 1e-9)${bound === '' ? '' : ')'} AS total FROM sizes)
    SELECT part, CAST(floor(share * total + 1e-9) AS BIGINT) AS n FROM sizes, whole`,
    markThose(
      'mix',
      `SELECT c.trajectory_id FROM (
        SELECT trajectory_id, mix_part, row_number() OVER (PARTITION BY mix_part ORDER BY ${drawn(seed, 'trajectory_id', ORDER)}) AS nth FROM candidates WHERE ${IN}
      ) c JOIN mixture m ON m.part = c.mix_part WHERE c.nth > m.n`,
    ),
  ]
}

/** Units beyond the limit. With balance the classes take turns, so that they stay even. */
function limitStatement(limit: number, { recipe, seed, shaping = {} }: DatasetRequest): string {
  const unit = unitOf(recipe, 'limit')
  const key = unitKey(unit)
  if (shaping.balance !== undefined && unit === 'trajectory') {
    const hashed = drawn(seed ?? 0, 'trajectory_id', ORDER)
    return markThose(
      'limit',
      `SELECT trajectory_id FROM (
        SELECT trajectory_id, class, row_number() OVER (PARTITION BY class ORDER BY ${hashed}) AS nth
        FROM (SELECT trajectory_id, run_id, ${classOf(shaping.balance)} AS class FROM candidates WHERE ${IN})
      ) QUALIFY row_number() OVER (ORDER BY nth, class NULLS LAST) > ${limit}`,
    )
  }
  // What has no item or group gives no row of such a recipe, so it must not take the place of one.
  const among = unit === 'trajectory' ? 'true' : `${unit}_id IS NOT NULL`
  return cutStatement({ ...limitCut(limit, seed, orderOf(unit)), among }, key)
}

/** The statements that leave out of `candidates` what the shaping of the request does not take. */
export function selectionStatements(request: DatasetRequest, files: LakeFiles): string[] {
  const { recipe, limit, seed, shaping = {} } = request
  const { leaks, holdout, part, dedupe, perItem, balance, mix = [], shard } = shaping
  return [
    ...(leaks === undefined ? [] : leakStatements(leaks)),
    ...(holdout === undefined || part === undefined ? [] : [mark('holdout', heldOut(holdout, part))]),
    ...(dedupe === undefined ? [] : dedupeStatements(files)),
    ...(perItem === undefined ? [] : [cutStatement(perItemCut(perItem, seed), 'trajectory_id')]),
    ...(balance === undefined ? [] : [balanceStatement(balance, seed)]),
    ...(mix.length === 0 ? [] : mixStatements(mix, request)),
    ...(limit === undefined ? [] : [limitStatement(limit, request)]),
    ...(shard === undefined
      ? []
      : [cutStatement(shardCut(shard, orderOf(unitOf(recipe, 'shard'))), unitKey(unitOf(recipe, 'shard')))]),
  ]
}

/** What counts of leaks are marked with; no reason or filter has this name. */
export const LEAKS = 'leaks:'

/** A query that gives (left_out, n): null for the selected trajectories, and apart from these how many of them leak. */
export function countsQuery({ shaping = {} }: DatasetRequest, { scope }: LakeFiles): string {
  const leaking = `UNION ALL SELECT ${sqlText(LEAKS)}, count(*) FROM candidates WHERE ${IN} AND item_id IN (SELECT item_id FROM unseen)`
  // Finished trajectories of other runs were not read, and are counted by their files.
  const others = `SELECT 'filter:run', ${scope?.finished ?? 0} - count(*) FROM known WHERE NOT unfinished`
  const candidates =
    scope === undefined
      ? 'SELECT left_out, count(*) AS n FROM candidates GROUP BY left_out'
      : `SELECT left_out, sum(n)::BIGINT AS n FROM (SELECT left_out, count(*) AS n FROM candidates GROUP BY left_out UNION ALL ${others}) GROUP BY left_out HAVING sum(n) > 0`
  return `${candidates} ${shaping.leaks === 'count' ? leaking : ''}`
}
