/** /v1/analytics: rewards, lengths, counterfactual rewards and benchmarks. */
import { BenchmarkRow, CounterfactualRow, LengthRow, RewardRow } from '#schemas/http-analytics.ts'
import { listOf } from '#schemas/http.ts'
import { benchmarkTable } from '#services/analytics/benchmarks.ts'
import { type Bucket, DIMENSIONS, type Dimension } from '#services/analytics/buckets.ts'
import {
  FORMULAS,
  FORMULA_NAMES,
  type FormulaName,
  counterfactualSeries,
  formulasOf,
} from '#services/analytics/counterfactual.ts'
import type { Frame } from '#services/analytics/frame.ts'
import { lengthSeries } from '#services/analytics/lengths.ts'
import { rewardSeries } from '#services/analytics/rewards.ts'
import { select } from '#services/analytics/select.ts'
import { DEFAULT_REWARD_VERSION } from '#services/core/correct.ts'
import { Problem } from '#services/problem.ts'
import {
  FRAME_PARAMETERS,
  frameFilter,
  frameOfCall,
  linker,
  remembered,
  selectionOf,
} from '#services/query/frame-call.ts'
import { commas, integer, many, required, text, withDefault, word } from '#services/query/parameters.ts'
import { type Route, route } from '#services/query/route.ts'
import { TABLE_PARAMETERS, TABLE_TYPES, rowsOf, tableAnswer } from '#services/query/table-answer.ts'

const tag = 'Analytics'
const problems = ['not_found', 'snapshot_expired', 'behind', 'too_large'] as const

/** What rows are put apart by. */
const BY = withDefault(
  commas(word(DIMENSIONS, 'What rows are put apart by; several with commas between.'), DIMENSIONS.length),
  ['train_step'] as const,
)

/** Names of dimensions as links have them. */
const LINK_NAMES: Readonly<Partial<Record<Dimension, string>>> = {
  train_step: 'train_step',
  policy_version: 'policy_version',
  run: 'run',
  dataset: 'dataset',
  family: 'family',
  split: 'split',
  actor_model: 'actor_model',
  status: 'status',
}

/** The filters that name a bucket. In a lineage, the runs that its rows are of. A substep cannot be asked for. */
function bucketFilters(frame: Frame, { by, rows }: Bucket): Record<string, string | number | null> {
  const found: Record<string, string | number | null> = {}
  const runs = new Set<number>()
  for (let index = 0; index < rows.length && runs.size < frame.runs.length; index++)
    runs.add(frame.run.values[rows[index] ?? 0] ?? 0)
  const [only] = runs
  found['run'] = runs.size === 1 ? (frame.runs[only ?? 0]?.run_id ?? null) : null
  for (const [dimension, value] of Object.entries(by)) {
    const name = LINK_NAMES[dimension as Dimension]
    if (name === undefined) continue
    found[name] = value ?? null
  }
  return found
}

/** The order of rows: as `by` has it, then what else tells them apart. */
const bucketKey =
  (by: readonly Dimension[], ...more: readonly string[]) =>
  (row: Readonly<Record<string, unknown>>) =>
    [...by, ...more].map((name) => (row[name] ?? null) as string | number | null)

function unique(by: readonly Dimension[]): readonly Dimension[] {
  return [...new Set(by)]
}

/** The version that rows without one are read with, as it is shown. */
function versionName(frame: Frame, version: string | undefined): string {
  if (version !== undefined) return version
  return [...new Set(frame.runs.map((run) => run.reward_version ?? DEFAULT_REWARD_VERSION))].join(', ')
}

const rewards = route({
  path: '/v1/analytics/rewards',
  tag,
  summary: 'Rewards and their parts',
  detail:
    'Over finished trajectories with a score. Parts stay apart, and the outcome (correct_share) apart from the shaped reward. NaN and infinite rewards are counted and left out. `reward_version=*` has a row for each version, side by side.',
  parameters: { ...FRAME_PARAMETERS, ...TABLE_PARAMETERS, by: BY },
  answers: [{ status: 200, description: 'A row for each train step.', schema: listOf(RewardRow), types: TABLE_TYPES }],
  problems,
  handle: async (call) => {
    const { query } = call
    const at = await frameOfCall(call, [query.run])
    const { frame } = at
    const by = unique(query.by)
    const link = linker(call)
    const versions = query.reward_version === '*' ? frame.rewardVersions : [query.reward_version]
    const found = versions.flatMap((version) =>
      remembered(at, query, 'rewards', [by, version], () =>
        rewardSeries(select(frame, frameFilter(query), version), by),
      ).map((row) => ({ ...row, version })),
    )
    const rows = rowsOf(found, ({ bucket, statistics, version }) => ({
      ...bucket.by,
      reward_version: versionName(frame, version),
      ...statistics,
      trajectories_url: link('/v1/trajectories', { ...bucketFilters(frame, bucket), reward_version: version }),
    }))
    return tableAnswer(
      call,
      { name: 'rewards', row: RewardRow, rows, key: bucketKey(by, 'reward_version') },
      at.offsets,
    )
  },
})

const lengths = route({
  path: '/v1/analytics/lengths',
  tag,
  summary: 'Lengths, right against wrong',
  detail:
    'Tokens written (as trajectory.finished says, else added over steps), steps and tool calls of rollouts that were right and of those that were wrong, and how many ran out of room.',
  parameters: {
    ...FRAME_PARAMETERS,
    ...TABLE_PARAMETERS,
    by: BY,
    tokens_max: integer('From how many tokens a rollout is overlong, besides those that ended by max_tokens.', {
      minimum: 1,
    }),
  },
  answers: [{ status: 200, description: 'A row for each train step.', schema: listOf(LengthRow), types: TABLE_TYPES }],
  problems,
  handle: async (call) => {
    const { query } = call
    const at = await frameOfCall(call, [query.run])
    const by = unique(query.by)
    const link = linker(call)
    const found = remembered(at, query, 'lengths', [by, query.tokens_max], () =>
      lengthSeries(selectionOf(at, query), by, query.tokens_max),
    )
    const rows = rowsOf(found, ({ bucket, statistics }) => ({
      ...bucket.by,
      ...statistics,
      trajectories_url: link('/v1/trajectories', bucketFilters(at.frame, bucket)),
    }))
    return tableAnswer(call, { name: 'lengths', row: LengthRow, rows, key: bucketKey(by) }, at.offsets)
  },
})

const names = Object.entries(FORMULAS)
  .map(([name, text]) => `\`${name}\` = \`${text}\``)
  .join(', ')
const known = Object.entries(FORMULA_NAMES)
  .map(([name, meaning]) => `\`${name}\` (${meaning})`)
  .join(', ')

const counterfactual = route({
  path: '/v1/analytics/counterfactual',
  tag,
  summary: 'Rewards by other formulas over what is stored',
  detail: `Formulas: ${names}. Own ones with \`expression=\`: numbers, + - * / ^, < <= > >= == !=, and, or, not, min, max, clamp(x, low, high), abs, sqrt, exp, log, floor, ceil, sign, if(condition, then, else), over the parts of the reward by name and ${known}. A trajectory that lacks what a formula needs is counted and left out.`,
  parameters: {
    ...FRAME_PARAMETERS,
    ...TABLE_PARAMETERS,
    by: BY,
    formula: withDefault(
      commas(word(Object.keys(FORMULAS) as FormulaName[], 'Formulas by name, with commas between.'), 6),
      ['stored', 'dense', 'sparse', 'difficulty_adaptive'] as const,
    ),
    expression: many(text('A formula of your own, such as 2*correct - 0.01*n_steps. May repeat, up to 8 times.')),
  },
  answers: [
    {
      status: 200,
      description: 'A row for each train step and formula.',
      schema: listOf(CounterfactualRow),
      types: TABLE_TYPES,
    },
  ],
  problems,
  handle: async (call) => {
    const { query } = call
    if (query.expression.length > 8)
      throw new Problem(
        'invalid_parameter',
        `${query.expression.length} expressions, and at most 8 are taken at once`,
        {
          details: { parameter: 'expression' },
        },
      )
    const at = await frameOfCall(call, [query.run])
    const selection = selectionOf(at, query)
    const by = unique(query.by)
    const link = linker(call)
    const formulas = formulasOf(selection, query.formula, query.expression)
    const found = remembered(at, query, 'counterfactual', [by, formulas.map(({ name }) => name)], () =>
      counterfactualSeries(selection, by, formulas, query.include.includes('incomplete')),
    )
    const rows = rowsOf(found, ({ bucket, statistics }) => {
      const filters = bucketFilters(at.frame, bucket)
      const { split, status, actor_model: actor, ...ofGroups } = filters
      const isOfGroups = split === undefined && status === undefined && actor === undefined
      return {
        ...bucket.by,
        ...statistics,
        trajectories_url: link('/v1/trajectories', filters),
        groups_url: isOfGroups ? link('/v1/groups', ofGroups) : null,
      }
    })
    const place = new Map(formulas.map(({ name }, index) => [name, index]))
    const key = bucketKey(by)
    return tableAnswer(
      call,
      {
        name: 'counterfactual',
        row: CounterfactualRow,
        rows,
        key: (row) => [...key(row), place.get(String(row['formula'])) ?? null],
      },
      at.offsets,
    )
  },
})

/** At least one run. */
const RUNS = required({
  ...many(text('The run. Repeat for several, one table after the other.')),
  assemble: (given: ReadonlyMap<string, readonly unknown[]>, name: string) => {
    const runs = (given.get('') ?? []) as readonly string[]
    if (runs.length > 20)
      throw new Problem('invalid_parameter', `${name} is given ${runs.length} times, and may come 20 times`, {
        details: { parameter: name },
      })
    return runs.length === 0 ? undefined : [...new Set(runs)]
  },
})

const benchmarks = route({
  path: '/v1/analytics/benchmarks',
  tag,
  summary: 'Accuracy by data set, with ID, OOD and All',
  detail:
    'Over finished trajectories with a score, for each run and policy version. The accuracy on a data set is the mean over items of the share of their rollouts that are right; ID, OOD and All are plain means over data sets, not over items. Items that are not registered are in no mean.',
  parameters: { ...FRAME_PARAMETERS, ...TABLE_PARAMETERS, run: RUNS },
  answers: [
    {
      status: 200,
      description: 'The data sets by name, then ID, OOD and All.',
      schema: listOf(BenchmarkRow),
      types: TABLE_TYPES,
    },
  ],
  problems,
  handle: async (call) => {
    const { query } = call
    const at = await frameOfCall(call, query.run)
    const link = linker(call)
    const runOf = (run: number) => at.frame.runs[run]?.run_id ?? ''
    const found = remembered(at, query, 'benchmarks', [], () => benchmarkTable(selectionOf(at, query)))
    const rows = rowsOf(found, ({ run, ...row }) => ({
      run_id: runOf(run),
      ...row,
      trajectories_url: link('/v1/trajectories', {
        run: runOf(run),
        policy_version: row.policy_version ?? undefined,
        dataset: row.kind === 'dataset' ? row.dataset : undefined,
      }),
    }))
    return tableAnswer(
      call,
      {
        name: 'benchmarks',
        row: BenchmarkRow,
        rows,
        key: (row) => [
          String(row['run_id']),
          row['policy_version'] as number | null,
          row['kind'] === 'mean' ? 1 : 0,
          row['dataset'] as string | null,
          row['distribution'] as string | null,
        ],
      },
      at.offsets,
    )
  },
})

export const REWARD_ROUTES: readonly Route[] = [rewards, lengths, counterfactual, benchmarks]
