/** /v1/analytics: groups by train step, advantages beside the trainer's own, pass@k. */
import { Advantages, AdvantageRow, GroupSeriesRow, PassEstimateRow, PassEstimates } from '#schemas/http-analytics.ts'
import { listOf } from '#schemas/http.ts'
import { type AdvantageTable, advantageValues, histogram } from '#services/analytics/advantage-table.ts'
import { membersIn } from '#services/analytics/grouped.ts'
import { groupSeries } from '#services/analytics/group-series.ts'
import { ESTIMATORS, type Estimate, MAJORITY_K_MAX, passTable } from '#services/analytics/pass.ts'
import { VOTES_MAX } from '#services/analytics/pass-units.ts'
import type { Selection } from '#services/analytics/select.ts'
import { deviationOf, meanOf } from '#services/analytics/statistics.ts'
import { ADVANTAGES } from '#services/core/advantage.ts'
import { Problem } from '#services/problem.ts'
import {
  FRAME_PARAMETERS,
  advantagesOf,
  frameOfCall,
  linker,
  remembered,
  selectionOf,
} from '#services/query/frame-call.ts'
import { commas, flag, integer, real, withDefault, word } from '#services/query/parameters.ts'
import { anyReal, jsonAnswer } from '#services/query/reading.ts'
import { type Route, route } from '#services/query/route.ts'
import { type RowList, TABLE_PARAMETERS, TABLE_TYPES, tableAnswer } from '#services/query/table-answer.ts'

const tag = 'Analytics'
const problems = ['not_found', 'snapshot_expired', 'behind', 'too_large'] as const

/** The runs of a frame as a link names them: one, or none where a chain has several. */
const onlyRun = ({ frame }: Selection): string | null =>
  frame.runs.length === 1 ? (frame.runs[0]?.run_id ?? null) : null

const groups = route({
  path: '/v1/analytics/groups',
  tag,
  summary: 'Groups by train step',
  detail:
    'How many groups are complete, how many have equal rewards and so give no gradient, how far rewards lie apart, and what filters would keep. Zero variance is told by reward and by outcome: with shaped rewards, groups whose members are all wrong may differ in reward, and a filter on the deviation keeps them. Groups known to have fewer members than expected are counted as `incomplete` and are in no other number; `include=incomplete` lets them count.',
  parameters: { ...FRAME_PARAMETERS, ...TABLE_PARAMETERS },
  answers: [
    {
      status: 200,
      description: 'A row for each train step; groups without one come last.',
      schema: listOf(GroupSeriesRow),
      types: TABLE_TYPES,
    },
  ],
  problems,
  handle: async (call) => {
    const { query } = call
    const at = await frameOfCall(call, [query.run])
    const selection = selectionOf(at, query)
    const link = linker(call)
    const run = onlyRun(selection)
    const rows = remembered(at, query, 'groups', [], () =>
      groupSeries(selection, query.include.includes('incomplete')),
    ).map((row) => ({
      ...row,
      groups_url: link('/v1/groups', { run, train_step: row.train_step }),
      incomplete_url: link('/v1/groups', { run, train_step: row.train_step, complete: false }),
    }))
    const key = (row: Readonly<Record<string, unknown>>) => [row['train_step'] as number | null]
    return tableAnswer(call, { name: 'groups', row: GroupSeriesRow, rows, key }, at.offsets)
  },
})

/** Rows of a table as they are answered, made when they are looked at. */
function advantageRows(selection: Selection, table: AdvantageTable, rows: Uint32Array, publicUrl: string): RowList {
  const { frame, scores } = selection
  const { trainings } = frame
  const { groups } = table
  const show = (row: number) => {
    const group = table.group[row] ?? 0
    const fact = table.fact[row] ?? -1
    const said = fact >= 0
    const ours = numberOf(table.advantage, row)
    const trainer = said ? trainings.advantage.get(fact) : null
    const difference = trainer === null || ours === null ? null : trainer - ours
    const differs = table.differs[row] ?? -1
    const runId = frame.runs[frame.run.get(row) ?? 0]?.run_id ?? ''
    const groupId = frame.groups.ids[groups.codes[group] ?? 0] ?? ''
    return {
      trajectory_id: frame.trajectoryIds[row] ?? '',
      run_id: runId,
      group_id: groupId,
      train_step: frame.trainStep.get(row),
      rollout_index: frame.rolloutIndex.get(row),
      reward: anyReal(scores.reward.get(row)),
      correct: scores.correct.get(row),
      group_mean: numberOf(groups.mean, group),
      group_std: numberOf(groups.std, group),
      group_size: membersIn(groups, group),
      advantage: ours,
      trainer_advantage: anyReal(trainer),
      trainer_train_step: said ? trainings.trainStep.get(fact) : null,
      trainer_substep: said ? trainings.substep.get(fact) : null,
      kept: said ? trainings.kept.get(fact) : null,
      drop_reason: said ? trainings.dropReason.get(fact) : null,
      difference: difference !== null && Number.isFinite(difference) ? difference : null,
      differs: differs < 0 ? null : differs === 1,
      group_url: `${publicUrl}/v1/groups/${encodeURIComponent(groupId)}?run=${encodeURIComponent(runId)}`,
    }
  }
  return { length: rows.length, at: (index) => (index < rows.length ? show(rows[index] ?? 0) : undefined) }
}

const numberOf = (values: Float64Array, index: number): number | null => {
  const value = values[index] ?? Number.NaN
  return Number.isNaN(value) ? null : value
}

const advantages = route({
  path: '/v1/analytics/advantages',
  tag,
  summary: "Advantages, beside the trainer's own",
  detail:
    'A row for each trajectory that counts in its group, in order of (run_id, trajectory_id), and a histogram over all of them. `differs=true` lists those whose advantage the trainer gave otherwise; `agreement` says how many each formula gives, so it tells which one the trainer uses. Members that do not count (unfinished, aborted, without a finite reward, a second one for a rollout_index) and members of incomplete groups are left out and counted.',
  parameters: {
    ...FRAME_PARAMETERS,
    ...TABLE_PARAMETERS,
    advantage: withDefault(
      word(
        ADVANTAGES,
        'How advantages are computed: verl divides by the sample deviation + 1e-6, population by the population deviation + 1e-6, dr_grpo does not divide, rloo takes the mean of the others away.',
      ),
      'verl',
    ),
    differs: flag('Only trajectories whose advantage differs from that of the trainer, or does not.'),
    tolerance: withDefault(
      real(
        "How far the trainer's may lie from ours: absolute up to 1, relative beyond. Trainers compute with 32 bits.",
        {
          minimum: 0,
        },
      ),
      1e-4,
    ),
    bars: withDefault(integer('Bars of the histogram.', { minimum: 1, maximum: 500 }), 20),
  },
  answers: [
    { status: 200, description: 'A page of trajectories, and the histogram.', schema: Advantages, types: TABLE_TYPES },
  ],
  problems,
  handle: async (call) => {
    const { query } = call
    const at = await frameOfCall(call, [query.run])
    const selection = selectionOf(at, query)
    const { table, bars, n, mean, std } = remembered(
      at,
      query,
      'advantages',
      [query.advantage, query.tolerance, query.bars],
      () => {
        const found = advantagesOf(at, query)
        const values = advantageValues(found)
        const said = { n: values.length, mean: meanOf(values), std: deviationOf(values, 1) }
        return { table: found, bars: histogram(values, query.bars), ...said }
      },
    )
    const wanted = query.differs === true ? 1 : 0
    const shown = query.differs === undefined ? table.rows : table.rows.filter((row) => table.differs[row] === wanted)
    const key = (row: Readonly<Record<string, unknown>>) => [String(row['run_id']), String(row['trajectory_id'])]
    return tableAnswer(
      call,
      {
        name: 'advantages',
        row: AdvantageRow,
        rows: advantageRows(selection, table, shown, call.deps.publicUrl),
        key,
        more: { histogram: bars, n, mean, std, ...table.said },
      },
      at.offsets,
    )
  },
})

/** The largest k that pass@k is computed for. */
const K_MAX = 10_000

const ALSO = ['best', 'worst', 'maj'] as const

function estimateRow(k: number, of: Readonly<Partial<Record<(typeof ESTIMATORS)[number], Estimate | undefined>>>) {
  const { pass, pass_hat: hat } = of
  const some = (pass?.n ?? 0) > 0
  const also = ALSO.flatMap((name) => {
    const estimate = of[name]
    if (estimate === undefined) return []
    const { value, low, high, n, leftOut } = estimate
    return [[name, { value, low, high, n_items: n, n_items_left_out: leftOut }] as const]
  })
  return {
    k,
    pass_at_k: pass?.value ?? null,
    pass_hat_k: hat?.value ?? null,
    n_items: pass?.n ?? 0,
    n_items_left_out: pass?.leftOut ?? 0,
    ...(some
      ? {
          pass_at_k_low: pass?.low ?? null,
          pass_at_k_high: pass?.high ?? null,
          pass_hat_k_low: hat?.low ?? null,
          pass_hat_k_high: hat?.high ?? null,
        }
      : {}),
    ...Object.fromEntries(also),
  }
}

const passAtK = route({
  path: '/v1/analytics/pass-at-k',
  tag,
  summary: 'pass@k and pass^k, without bias; best, worst and majority of k',
  detail: `Over finished trajectories with a score that match. The unit is (item, policy_version): of n rollouts with c right, pass@k is 1 - C(n-c, k)/C(n, k) and pass^k is C(c, k)/C(n, k), and units count equally. Units with fewer than k rollouts are left out of that k and counted. \`also=best,worst\`: the expected greatest and least reward of k, over finite rewards. \`also=maj\`: the chance that the most frequent answer of k is right, ties by lot; answers are what was sent as prediction_raw, their first 280 characters, compared without case and outer space and with any white space as one space (prediction_norm plays no part), a rollout without an answer votes for none, and of more than ${VOTES_MAX} rollouts of a unit the first by id vote. Intervals: items are drawn again with their units (percentile bootstrap), repeatable by \`seed\`.`,
  parameters: {
    ...FRAME_PARAMETERS,
    k: withDefault(
      commas(integer('How many rollouts are drawn; several with commas between.', { minimum: 1, maximum: K_MAX }), 32),
      [1, 2, 4, 8],
    ),
    also: withDefault(commas(word(ALSO, 'What else is estimated; several with commas between.'), ALSO.length), []),
    confidence: withDefault(real('The share of intervals.', { minimum: 0.5, maximum: 0.999 }), 0.95),
    resamples: withDefault(integer('How often items are drawn again; 0 for no intervals.', { maximum: 10_000 }), 1000),
    seed: withDefault(integer('The seed of the drawing.'), 0),
    format: TABLE_PARAMETERS.format,
  },
  answers: [{ status: 200, description: 'One estimate for each k.', schema: PassEstimates, types: TABLE_TYPES }],
  problems,
  handle: async (call) => {
    const { query, deps } = call
    if (query.also.includes('maj') && query.k.some((k) => k > MAJORITY_K_MAX))
      throw new Problem('invalid_parameter', `maj is computed for k up to ${MAJORITY_K_MAX}`, {
        hint: 'ask for a smaller k, or leave also=maj out',
        details: { parameter: 'k' },
      })
    const at = await frameOfCall(call, [query.run])
    const selection = selectionOf(at, query)
    const options = {
      ks: query.k,
      estimators: ESTIMATORS.filter((name) => name === 'pass' || name === 'pass_hat' || query.also.includes(name)),
      confidence: query.confidence,
      resamples: query.resamples,
      seed: query.seed,
    }
    const table = remembered(at, query, 'pass', options, () => passTable(selection, options))
    const estimates = table.estimates.map(({ k, of }) => estimateRow(k, of))
    if (query.format !== 'json')
      return tableAnswer(
        { deps, query: { format: query.format, limit: undefined, cursor: undefined } },
        { name: 'pass-at-k', row: PassEstimateRow, rows: estimates, key: (row) => [row['k'] as number] },
        at.offsets,
      )
    const { items, resamples } = table
    const { confidence, seed } = query
    const answer = {
      estimates,
      resampling: { items, resamples, confidence, seed },
      trajectories_url: linker(call)('/v1/trajectories', { run: onlyRun(selection) }),
    }
    return jsonAnswer(deps, answer, at.offsets)
  },
})

export const GROUP_STATISTICS_ROUTES: readonly Route[] = [groups, advantages, passAtK]
