/**
 * The temporary table `candidates`: every trajectory of the snapshot with its narrow columns and, in `left_out`, why it
 * is not in the dataset: `filter:<name>`, a reason, or null where it is in. The first that applies counts it: filters
 * that are known at the start, then the reasons, then filters of the outcome, then what selection.ts leaves out.
 */
import { lakeColumns } from '#schemas/lake.ts'
import { relation, type LakeFiles } from './files.ts'
import { FILTER_NAMES, FILTERS, REASON_NAMES, type FilterName, type Reason } from './filters.ts'
import { fitsFilter } from './predicates.ts'
import type { DatasetRequest, MixPart } from './request.ts'
import { asksPassRate, OF_COMPLETED, OF_LINEAGE, OF_RUNS_OF_LINEAGE, scopeStatements } from './scopes.ts'
import { DUCKDB, type Dialect } from './dialect.ts'
import { bestScores } from './scores.ts'
import { STEP_IMAGES } from './messages.ts'
import { sqlName } from './sql.ts'
import { unfinishedStatements } from './unfinished.ts'

/** Columns of the lake's trajectories that are kept per candidate. */
export const NARROW = [
  'run_id',
  'trajectory_id',
  'item_id',
  'group_id',
  'policy_version',
  'train_step',
  'status',
  'end_reason',
  'group_size',
  'rollout_index',
  'substep',
  'actor_model',
  'n_steps',
  'n_steps_seen',
  'step_index_max',
  'n_tool_calls',
  'n_invalid_tool_calls',
  'tools_called',
  'error_codes',
  'partition',
  'first_offset',
  'finished_offset',
  'prompt_tokens',
  'response_tokens',
  'obs_tokens',
  'step_prompt_tokens_max',
  'step_completion_tokens',
  'step_obs_tokens',
  'n_conflicts',
  'image_ids',
  'prediction_raw',
  'prediction_norm',
  'advantage',
  'started_at',
  'finished_at',
]
/** Those that trajectory.started says. */
const STARTED = new Set([
  'item_id',
  'group_id',
  'policy_version',
  'train_step',
  'group_size',
  'rollout_index',
  'substep',
  'actor_model',
])

/** What makes each reason hold of a trajectory `t`. */
export const TESTS: Readonly<Record<Reason, string>> = {
  unfinished: 't.unfinished',
  gap: 't.n_steps_seen <> coalesce(t.n_steps, t.n_steps_seen) OR coalesce(t.step_index_max, -1) <> coalesce(t.n_steps, t.n_steps_seen) - 1',
  conflicted: 't.n_conflicts > 0',
  missing_image: 't.trajectory_id IN (SELECT trajectory_id FROM lacking)',
}

/** An unfinished trajectory with the columns of a finished one. */
function unfinishedSelect(narrow: readonly string[]): string {
  const types = lakeColumns('trajectories')
  const columns = narrow.map((column) => {
    if (column === 'run_id' || column === 'trajectory_id' || column === 'n_conflicts') return `u.${column}`
    if (STARTED.has(column)) return `s.${column}`
    if (column === 'n_steps_seen') return 'coalesce(w.n_steps_seen, 0) AS n_steps_seen'
    if (column === 'step_index_max') return 'w.step_index_max'
    if (column === 'image_ids') return 'list_concat(coalesce(s.image_ids, []), coalesce(w.image_ids, [])) AS image_ids'
    return `NULL::${types[column] ?? 'VARCHAR'} AS ${sqlName(column)}`
  })
  return `SELECT ${columns.join(', ')}, true AS unfinished FROM unfinished u
    LEFT JOIN unfinished_starts s ON s.trajectory_id = u.trajectory_id
    LEFT JOIN unfinished_steps w ON w.trajectory_id = u.trajectory_id`
}

/** What the trajectory fails of the request, as SQL over t, i, b and p; null for nothing. */
export function leftOut(
  { conditions, include, shaping = {} }: DatasetRequest,
  tests: Readonly<Record<Reason, string>> = TESTS,
  dialect: Dialect = DUCKDB,
): string {
  const unless = (fits: string, name: string) => `WHEN NOT ${fits} THEN ${dialect.text(`filter:${name}`)}`
  const filter = (name: FilterName) => {
    if (conditions[name] === undefined) return []
    return [
      unless(name === 'run' && shaping.lineage === true ? OF_LINEAGE : fitsFilter(name, conditions, dialect), name),
    ]
  }
  const known = (when: 'start' | 'outcome') => FILTER_NAMES.filter((name) => FILTERS[name].known === when)
  const reasons = REASON_NAMES.filter((reason) => !include.includes(reason)).map(
    (reason) => `WHEN ${tests[reason]} THEN ${dialect.text(reason)}`,
  )
  const cases = [
    ...known('start').flatMap(filter),
    ...reasons,
    ...known('outcome').flatMap(filter),
    ...(shaping.since === undefined ? [] : [unless(OF_COMPLETED, 'since')]),
  ]
  return cases.length === 0 ? dialect.noText : `CASE ${cases.join(' ')} END`
}

/** The first part of the mixture that the trajectory fits, from 1 on. */
function mixPart(mix: readonly MixPart[]): string {
  if (mix.length === 0) return 'NULL::INTEGER'
  const cases = mix.map(({ conditions }, index) => {
    const all = FILTER_NAMES.filter((name) => conditions[name] !== undefined).map((name) =>
      fitsFilter(name, conditions),
    )
    return `WHEN ${all.length === 0 ? 'true' : all.join(' AND ')} THEN ${index + 1}`
  })
  return `CASE ${cases.join(' ')} END`
}

/** Steps of trajectories without a finish matter only where these are taken: what is unfinished is left out before anything else is looked at. */
const filesOfUnfinished = ({ include }: DatasetRequest, files: LakeFiles): LakeFiles =>
  include.includes('unfinished') ? files : {}

/** Trajectories of other runs are counted where they are finished; of the others, which are found by their runs, it is not asked. */
export function isCounted({ conditions, shaping = {} }: DatasetRequest, dialect: Dialect = DUCKDB): string {
  if (conditions.run === undefined) return 'true'
  const ofRuns = shaping.lineage === true ? OF_RUNS_OF_LINEAGE : fitsFilter('run', conditions, dialect)
  return `NOT t.unfinished OR ${ofRuns}`
}

/** The columns of NARROW that the text names. */
const namedIn = (text: string): string[] => NARROW.filter((column) => new RegExp(`\\b${column}\\b`).test(text))

/** What every statement needs, beside the columns that are named. */
const ALWAYS = 'run_id trajectory_id item_id group_id n_conflicts image_ids n_steps_seen'

/** What is asked of `candidates`: the statements over it and what is made of it; no others are run. */
export interface Asking {
  readonly statements: readonly string[]
  /** Whether they change it. */
  readonly change: boolean
}

/** The statements that make `candidates`, with those columns of NARROW that are asked for. */
export function candidateStatements(request: DatasetRequest, files: LakeFiles, asking: Asking): string[] {
  const judged = [leftOut(request), mixPart(request.shaping?.mix ?? []), ...scopeStatements(request, files)]
  const narrow = namedIn([ALWAYS, ...asking.statements, ...judged].join(' '))
  return [
    ...unfinishedStatements(files),
    `CREATE TEMP TABLE unfinished_steps AS
    SELECT trajectory_id, count(*) AS n_steps_seen, max(step_index) AS step_index_max, flatten(list(${STEP_IMAGES})) AS image_ids
    FROM ${relation('steps', filesOfUnfinished(request, files), ['trajectory_id', 'step_index', 'images', 'observation'])} s WHERE trajectory_id IN (SELECT trajectory_id FROM unfinished) GROUP BY trajectory_id`,
    `CREATE TEMP TABLE known AS
    SELECT ${narrow.map(sqlName).join(', ')}, false AS unfinished FROM ${relation('trajectories', files, narrow)}
    UNION ALL ${unfinishedSelect(narrow)}`,
    `CREATE TEMP TABLE lacking AS
    SELECT DISTINCT trajectory_id FROM (SELECT trajectory_id, unnest(image_ids) AS image_id FROM known) w
    WHERE NOT EXISTS (SELECT 1 FROM ${relation('images', files, ['image_id', 'stored'])} h WHERE h.stored AND h.image_id = w.image_id)`,
    `CREATE TEMP TABLE best AS ${bestScores((table, columns) => relation(table, files, columns), 'known', request.rewardVersion)}`,
    ...scopeStatements(request, files),
    // To be counted once it need not be kept.
    `CREATE TEMP ${!asking.change ? 'VIEW' : 'TABLE'} candidates AS
    SELECT t.* EXCLUDE (image_ids), b.reward, b.correct, b.reward_version, b.parts, b.answer_match, b.format_ok, i.dataset, i.family, i.split,
      ${mixPart(request.shaping?.mix ?? [])} AS mix_part, ${leftOut(request)} AS left_out
    FROM known t
    LEFT JOIN best b ON b.trajectory_id = t.trajectory_id
    LEFT JOIN ${relation('items', files, ['item_id', 'dataset', 'family', 'split'])} i ON i.item_id = t.item_id
    ${asksPassRate(request) ? 'LEFT JOIN pass_rates p ON p.item_id = t.item_id' : ''}
    WHERE ${isCounted(request)}`,
  ]
}
