/** /v1/analytics: what trainers said, beside what is computed here. */
import { MetricRow, StalenessRow, TrainingRow } from '#schemas/http-analytics.ts'
import { listOf } from '#schemas/http.ts'
import { type AdvantageTable, advantageTable } from '#services/analytics/advantage-table.ts'
import type { Metric } from '#services/analytics/metric-rows.ts'
import { meanRewards } from '#services/analytics/rewards.ts'
import type { Selection } from '#services/analytics/select.ts'
import { type TrainedStep, keptOf, meanStaleness, stalenessOf, trainedSteps } from '#services/analytics/trained.ts'
import { ADVANTAGES } from '#services/core/advantage.ts'
import { meets } from '#services/number-condition.ts'
import {
  FRAME_PARAMETERS,
  advantagesOf,
  frameOfCall,
  linker,
  metricsOfCall,
  remembered,
  selectionOf,
} from '#services/query/frame-call.ts'
import { real, severalTexts, withDefault, word } from '#services/query/parameters.ts'
import { anyReal } from '#services/query/reading.ts'
import { type Route, route } from '#services/query/route.ts'
import { TABLE_PARAMETERS, TABLE_TYPES, tableAnswer } from '#services/query/table-answer.ts'

const tag = 'Analytics'
const problems = ['not_found', 'snapshot_expired', 'behind', 'too_large'] as const

const stepKey = (row: Readonly<Record<string, unknown>>) => [Number(row['train_step']), Number(row['substep'])]

const staleness = route({
  path: '/v1/analytics/staleness',
  tag,
  summary: 'How stale rollouts were when they were trained on',
  detail:
    'The policy version that was trained (trajectory.trained) less the one that played the rollout, by the train step and sub-step of the training. Sub-steps are whole numbers of their own.',
  parameters: { ...FRAME_PARAMETERS, ...TABLE_PARAMETERS },
  answers: [
    {
      status: 200,
      description: 'A row for each train step and sub-step at which a trainer spoke.',
      schema: listOf(StalenessRow),
      types: TABLE_TYPES,
    },
  ],
  problems,
  handle: async (call) => {
    const { query } = call
    const at = await frameOfCall(call, [query.run])
    const selection = selectionOf(at, query)
    const link = linker(call)
    const rows = remembered(at, query, 'staleness', [], () =>
      trainedSteps(selection).map((step) => ({
        train_step: step.train_step,
        substep: step.substep,
        ...stalenessOf(selection, step),
      })),
    ).map((row) => ({
      ...row,
      trajectories_url: link('/v1/trajectories', { run: query.run, train_step: row.train_step }),
    }))
    return tableAnswer(call, { name: 'staleness', row: StalenessRow, rows, key: stepKey }, at.offsets)
  },
})

/** Advantages of ours beside the trainer's, of the facts of a step. */
function compared({ frame }: Selection, step: TrainedStep, table: AdvantageTable) {
  let [n, different] = [0, 0]
  let farthest: number | null = null
  for (let index = 0; index < step.facts.length; index++) {
    const row = step.rows[index] ?? 0
    const fact = step.facts[index] ?? 0
    const differs = table.differs[row] ?? -1
    if (table.fact[row] !== fact || differs < 0) continue
    n += 1
    different += differs
    const difference = Math.abs((frame.trainings.advantage.get(fact) ?? 0) - (table.advantage[row] ?? 0))
    if (Number.isFinite(difference)) farthest = Math.max(farthest ?? 0, difference)
  }
  return { n_compared: n, n_different: different, max_abs_difference: farthest }
}

/** Metrics by "train_step substep". */
function byStep(metrics: readonly Metric[]): Map<string, Record<string, number | string | null>> {
  const found = new Map<string, Record<string, number | string | null>>()
  for (const { train_step, substep, name, value } of metrics) {
    const key = `${train_step} ${substep}`
    const known = found.get(key)
    if (known === undefined) found.set(key, { [name]: anyReal(value) })
    else known[name] = anyReal(value)
  }
  return found
}

/** Rows without those that stand beside an equal one: a trajectory that is named several times at one step counts once. */
function distinct(rows: Uint32Array): Uint32Array {
  const found = new Uint32Array(rows.length)
  let n = 0
  for (let index = 0; index < rows.length; index++)
    if (index === 0 || rows[index] !== rows[index - 1]) found[n++] = rows[index] ?? 0
  return found.subarray(0, n)
}

function trainingRow(selection: Selection, step: TrainedStep, table: AdvantageTable) {
  const stale = meanStaleness(selection, step)
  return {
    train_step: step.train_step,
    substep: step.substep,
    ...keptOf(selection, step),
    staleness_mean: stale.mean,
    staleness_max: stale.max,
    ...compared(selection, step, table),
    ...meanRewards(selection, distinct(step.rows)),
  }
}

const training = route({
  path: '/v1/analytics/training',
  tag,
  summary: 'What the trainer said of each step, beside what is computed here',
  detail:
    'By train step and sub-step: what it kept and dropped and why, how stale that was, its advantages beside ours, and what it logged (metric.logged). A step with metrics alone is a row, too.',
  parameters: {
    ...FRAME_PARAMETERS,
    ...TABLE_PARAMETERS,
    advantage: withDefault(word(ADVANTAGES, 'How our advantages are computed.'), 'verl'),
    tolerance: withDefault(real("How far the trainer's may lie from ours.", { minimum: 0 }), 1e-4),
    name: severalTexts('A metric; all of them where none is named.'),
  },
  answers: [
    {
      status: 200,
      description: 'A row for each train step and sub-step.',
      schema: listOf(TrainingRow),
      types: TABLE_TYPES,
    },
  ],
  problems,
  handle: async (call) => {
    const { query } = call
    const at = await frameOfCall(call, [query.run])
    const metrics = byStep(await metricsOfCall(call, at, query.name))
    const selection = selectionOf(at, query)
    const incomplete = query.include.includes('incomplete')
    const { advantage, tolerance } = query
    const rowOf = (step: TrainedStep, table: AdvantageTable) => trainingRow(selection, step, table)
    const spoken = remembered(at, query, 'training', [advantage, tolerance], () => {
      const table = advantagesOf(at, query)
      return trainedSteps(selection).map((step) => rowOf(step, table))
    })
    const isSpoken = new Set(spoken.map(({ train_step, substep }) => `${train_step} ${substep}`))
    const nobody: Selection = { ...selection, rows: new Uint32Array(0) }
    const nothing = advantageTable(nobody, 'none', { incomplete, tolerance })
    const logged = [...metrics.keys()]
      .filter((key) => !isSpoken.has(key))
      .map((key) => {
        const [train_step = 0, substep = 0] = key.split(' ').map(Number)
        return rowOf({ train_step, substep, facts: new Uint32Array(0), rows: new Uint32Array(0) }, nothing)
      })
    const link = linker(call)
    const rows = [...spoken, ...logged]
      .sort((left, right) => left.train_step - right.train_step || left.substep - right.substep)
      .map((row) => ({
        ...row,
        metrics: metrics.get(`${row.train_step} ${row.substep}`) ?? {},
        trajectories_url: link('/v1/trajectories', { run: query.run, train_step: row.train_step }),
      }))
    return tableAnswer(call, { name: 'training', row: TrainingRow, rows, key: stepKey }, at.offsets)
  },
})

const metrics = route({
  path: '/v1/analytics/metrics',
  tag,
  summary: 'What trainers logged',
  detail:
    'KL, clip fraction, entropy and whatever else came as metric.logged, in order of (train_step, substep, name). With `lineage=true` each ancestor is cut where the next run began.',
  parameters: {
    ...FRAME_PARAMETERS,
    ...TABLE_PARAMETERS,
    name: severalTexts('A metric; all of them where none is named.'),
  },
  answers: [{ status: 200, description: 'A row for each value.', schema: listOf(MetricRow), types: TABLE_TYPES }],
  problems,
  handle: async (call) => {
    const { query } = call
    const at = await frameOfCall(call, [query.run])
    const found = await metricsOfCall(call, at, query.name)
    const rows = found
      .filter(({ train_step: step }) => meets(query.train_step, step))
      .map((metric) => ({ ...metric, value: anyReal(metric.value) }))
    const key = (row: Readonly<Record<string, unknown>>) => [
      ...stepKey(row),
      String(row['name']),
      String(row['run_id']),
    ]
    return tableAnswer(call, { name: 'metrics', row: MetricRow, rows, key }, at.offsets)
  },
})

export const TRAINING_ROUTES: readonly Route[] = [staleness, training, metrics]
