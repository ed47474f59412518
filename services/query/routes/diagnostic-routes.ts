/** /v1/analytics: what went wrong. Tools, error codes, two policies compared, and why rollouts were not trained on. */
import {
  ErrorChangeRow,
  ErrorChanges,
  ErrorRow,
  Errors,
  ToolRow,
  Tools,
  UntrainedRow,
  UntrainedTrajectoryRow,
} from '#schemas/http-diagnostics.ts'
import { listOf } from '#schemas/http.ts'
import { type Bucket, DIMENSIONS, type Dimension, bucketsOf } from '#services/analytics/buckets.ts'
import type { Frame } from '#services/analytics/frame.ts'
import { type Selection, rowsWhere, select } from '#services/analytics/select.ts'
import { comparison } from '#services/diagnostics/comparison.ts'
import { errorSeries } from '#services/diagnostics/error-series.ts'
import { toolSeries } from '#services/diagnostics/tool-series.ts'
import { type Explained, REASONS, type Reason, explained } from '#services/diagnostics/untrained.ts'
import { callsOfCall } from '#services/query/calls-call.ts'
import type { KeyPart } from '#services/query/cursor.ts'
import { FRAME_PARAMETERS, frameFilter, frameOfCall, linker, selectionOf } from '#services/query/frame-call.ts'
import { commas, integer, many, required, text, withDefault, word } from '#services/query/parameters.ts'
import { type Route, route } from '#services/query/route.ts'
import { TABLE_PARAMETERS, TABLE_TYPES, tableAnswer } from '#services/query/table-answer.ts'

const tag = 'Analytics'
const problems = ['not_found', 'snapshot_expired', 'behind', 'too_large', 'unavailable'] as const

const BY = withDefault(
  commas(
    word(DIMENSIONS, 'What rows are put apart by; several with commas between. Nothing unless said.'),
    DIMENSIONS.length,
  ),
  [],
)

const unique = (by: readonly Dimension[]): readonly Dimension[] => [...new Set(by)]

const keyOf =
  (by: readonly Dimension[], ...more: readonly string[]) =>
  (row: Readonly<Record<string, unknown>>): KeyPart[] =>
    [...by, ...more].map((name) => (row[name] ?? null) as KeyPart)

/** What names a bucket in a link; null where no filter can. */
function bucketFilters(frame: Frame, { by }: Bucket): Record<string, string | number | null> {
  const { substep, ...rest } = by
  const runs = frame.runs.length === 1 ? { run: frame.runs[0]?.run_id ?? null } : { run: by.run ?? null }
  return { ...rest, ...runs, ...(substep === undefined ? {} : { substep: null }) }
}

const tools = route({
  path: '/v1/analytics/tools',
  tag,
  summary: 'How tools did',
  detail:
    'Over the calls of finished trajectories: how often each tool was called, how many calls were valid, failed or were retries, and how long they took. Calls are read from the newest snapshot of the lake; what is finished and not in it yet is counted in `n_not_in_lake`, and `after=latest` waits for it.',
  parameters: { ...FRAME_PARAMETERS, ...TABLE_PARAMETERS, by: BY, tool: many(text('The tool.')) },
  answers: [{ status: 200, description: 'A row for each tool.', schema: Tools, types: TABLE_TYPES }],
  problems,
  handle: async (call) => {
    const { query } = call
    const { at, table, selection, source } = await callsOfCall(call)
    const by = unique(query.by)
    const link = linker(call)
    const rows = toolSeries(selection, table, by)
      .filter(({ statistics }) => query.tool.length === 0 || query.tool.includes(statistics.tool))
      .map(({ bucket, statistics }) => ({
        ...bucket.by,
        ...statistics,
        trajectories_url: link('/v1/trajectories', bucketFilters(at.frame, bucket)),
      }))
    const shown = { name: 'tools', row: ToolRow, rows, key: keyOf(by, 'tool'), more: source }
    return tableAnswer(call, shown, at.offsets)
  },
})

const ERROR_FILTERS = {
  method: many(text('Who says so: rule (from calls, or annotated by a rule), human, llm or another; all unless said.')),
  round: many(text('The round of annotation. Codes of calls are of no round.')),
  annotator: many(text('The annotator.')),
}

const RULES =
  'By rule: E1 a call that cannot be read, or lacks a required argument; E2 an argument that the tool does not have; E3 an argument of the wrong type, form or range; E5 an output that does not fit the output schema. WRONG_TOOL and INFRA (time-outs, servers that are gone) stand outside. Codes that the environment sent with a call stand as they are; where it sent none, calls are held against the schemas in `tools` of the trajectory. E4 and E6 take judgement: they come from annotations (human, llm, rule). A trajectory may have several codes.'

const errors = route({
  path: '/v1/analytics/errors',
  tag,
  summary: 'Error codes E1 to E6 and others',
  detail: RULES,
  parameters: { ...FRAME_PARAMETERS, ...TABLE_PARAMETERS, by: BY, ...ERROR_FILTERS },
  answers: [{ status: 200, description: 'A row for each code.', schema: Errors, types: TABLE_TYPES }],
  problems,
  handle: async (call) => {
    const { query } = call
    const { at, table, selection, source } = await callsOfCall(call)
    const by = unique(query.by)
    const link = linker(call)
    const filter = { methods: query.method, rounds: query.round, annotators: query.annotator }
    const rows = errorSeries(selection, table, by, filter).map(({ bucket, statistics }) => ({
      ...bucket.by,
      ...statistics,
      trajectories_url: link('/v1/trajectories', bucketFilters(at.frame, bucket)),
    }))
    return tableAnswer(call, { name: 'errors', row: ErrorRow, rows, key: keyOf(by, 'code'), more: source }, at.offsets)
  },
})

const changes = route({
  path: '/v1/analytics/errors/changes',
  tag,
  summary: 'Errors before and after, on the same items',
  detail: `Joins the rollouts of two policy versions by item: of the items that had a code before, how many are solved after. An item has a code where any of its rollouts has. ${RULES}`,
  parameters: {
    ...FRAME_PARAMETERS,
    ...TABLE_PARAMETERS,
    from: required(integer('The policy version before.')),
    to: required(integer('The policy version after.')),
    ...ERROR_FILTERS,
  },
  answers: [{ status: 200, description: 'A row for each code.', schema: ErrorChanges, types: TABLE_TYPES }],
  problems,
  handle: async (call) => {
    const { query } = call
    const { at, table, selection, source } = await callsOfCall(call)
    const of = (version: number): Selection =>
      rowsWhere(selection, (row) => at.frame.policyVersion.get(row) === version)
    const filter = { methods: query.method, rounds: query.round, annotators: query.annotator }
    const { codes, ...sums } = comparison(of(query.from), of(query.to), table, filter)
    const more = { ...source, from: query.from, to: query.to, ...sums }
    const shown = {
      name: 'error-changes',
      row: ErrorChangeRow,
      rows: codes.map((code) => ({ ...code })),
      key: keyOf([], 'code'),
      more,
    }
    return tableAnswer(call, shown, at.offsets)
  },
})

type Reasoned = Pick<Explained, 'reason' | 'detail'>

/** Rollouts by reason and detail, in the order in which reasons are looked at. */
function byReason(found: readonly Explained[]): { readonly of: Reasoned; readonly rows: readonly number[] }[] {
  const order = Object.keys(REASONS)
  return [...Map.groupBy(found, ({ reason }) => reason).values()]
    .flatMap((ofReason) => [...Map.groupBy(ofReason, ({ detail }) => detail ?? '').values()])
    .flatMap((here) => {
      const [first] = here
      return first === undefined ? [] : [{ of: first, rows: here.map(({ row }) => row) }]
    })
    .sort(
      (left, right) =>
        order.indexOf(left.of.reason) - order.indexOf(right.of.reason) ||
        ((left.of.detail ?? '') < (right.of.detail ?? '') ? -1 : 1),
    )
}

const EXAMPLES = 5

const REASONS_TOLD = Object.entries(REASONS)
  .map(([name, meaning]) => `\`${name}\`: ${meaning}`)
  .join(' ')

const untrained = route({
  path: '/v1/analytics/untrained',
  tag,
  summary: 'Why rollouts gave no training row',
  detail: `Every rollout has one reason, the first that holds: what the trainer said (trajectory.trained), then what is wrong with it, then with its group. ${REASONS_TOLD} /v1/analytics/untrained/trajectories names them one by one.`,
  parameters: { ...FRAME_PARAMETERS, ...TABLE_PARAMETERS, by: BY },
  answers: [
    { status: 200, description: 'A row for each reason and detail.', schema: listOf(UntrainedRow), types: TABLE_TYPES },
  ],
  problems,
  handle: async (call) => {
    const { query } = call
    const at = await frameOfCall(call, [query.run])
    const counted = selectionOf(at, query)
    const all = select(at.frame, { ...frameFilter(query), conflicted: true }, query.reward_version)
    const found: Explained[] = []
    for (const one of explained(all, counted)) found[one.row] = one
    const by = unique(query.by)
    const order = Object.keys(REASONS)
    const rows = bucketsOf(all, by).flatMap((bucket) =>
      byReason(Array.from(bucket.rows, (row) => found[row]).filter((one) => one !== undefined)).map(
        ({ of: { reason, detail }, rows: here }) => ({
          ...bucket.by,
          reason,
          detail,
          meaning: REASONS[reason],
          n: here.length,
          share: here.length / bucket.rows.length,
          examples: here.slice(0, EXAMPLES).map((row) => at.frame.trajectoryIds[row] ?? ''),
        }),
      ),
    )
    const key = (row: Readonly<Record<string, unknown>>): KeyPart[] => [
      ...keyOf(by)(row),
      order.indexOf(String(row['reason'])),
      (row['detail'] ?? '') as string,
    ]
    return tableAnswer(call, { name: 'untrained', row: UntrainedRow, rows, key }, at.offsets)
  },
})

const untrainedTrajectories = route({
  path: '/v1/analytics/untrained/trajectories',
  tag,
  summary: 'Why each rollout gave a training row or none',
  detail: `In order of (run_id, trajectory_id). ${REASONS_TOLD}`,
  parameters: {
    ...FRAME_PARAMETERS,
    ...TABLE_PARAMETERS,
    reason: many(word(Object.keys(REASONS) as Reason[], 'The reason; all of them unless said.')),
    trajectory: many(text('The trajectory.')),
  },
  answers: [
    { status: 200, description: 'A row for each rollout.', schema: listOf(UntrainedTrajectoryRow), types: TABLE_TYPES },
  ],
  problems,
  handle: async (call) => {
    const { deps, query } = call
    const at = await frameOfCall(call, [query.run])
    const { frame } = at
    const counted = selectionOf(at, query)
    const all = select(frame, { ...frameFilter(query), conflicted: true }, query.reward_version)
    const wanted = new Set(query.trajectory.map((id) => frame.rowOf(id)))
    const found = explained(all, counted).filter(
      ({ row, reason }) =>
        (query.reason.length === 0 || query.reason.includes(reason)) && (wanted.size === 0 || wanted.has(row)),
    )
    const rowOf = ({ row, reason, detail }: Explained) => ({
      trajectory_id: frame.trajectoryIds[row] ?? '',
      run_id: frame.runs[frame.run.get(row) ?? 0]?.run_id ?? '',
      group_id: frame.groups.ids[frame.group.code(row)] ?? null,
      train_step: frame.trainStep.get(row),
      reason,
      detail,
      meaning: REASONS[reason],
      trajectory_url: `${deps.publicUrl}/v1/trajectories/${encodeURIComponent(frame.trajectoryIds[row] ?? '')}`,
    })
    // Made only as far as they are shown.
    const rows = {
      length: found.length,
      at: (index: number) => {
        const one = found[index]
        return one === undefined ? undefined : rowOf(one)
      },
    }
    const shown = {
      name: 'untrained-trajectories',
      row: UntrainedTrajectoryRow,
      rows,
      key: keyOf([], 'run_id', 'trajectory_id'),
    }
    return tableAnswer(call, shown, at.offsets)
  },
})

export const DIAGNOSTIC_ROUTES: readonly Route[] = [tools, errors, changes, untrained, untrainedTrajectories]
