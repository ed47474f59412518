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
import type { FrameAt } from '#services/analytics/frames.ts'
import { type Selection, rowsWhere } from '#services/analytics/select.ts'
import { comparison } from '#services/diagnostics/comparison.ts'
import { errorSeries } from '#services/diagnostics/error-series.ts'
import { toolSeries } from '#services/diagnostics/tool-series.ts'
import { type Explained, type Explanation, REASONS, type Reason, explained } from '#services/diagnostics/untrained.ts'
import { callsOfCall } from '#services/query/calls-call.ts'
import type { KeyPart } from '#services/query/cursor.ts'
import {
  FRAME_PARAMETERS,
  frameFilter,
  frameOfCall,
  linker,
  remembered,
  selected,
  selectionOf,
} from '#services/query/frame-call.ts'
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
    'Over the calls of finished trajectories: how often each tool was called, how many calls were valid, failed or were retries, and how long they took. A call counts as soon as its trajectory is finished.',
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
    return tableAnswer(call, { name: 'tools', row: ToolRow, rows, key: keyOf(by, 'tool'), more: source }, at.offsets)
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

const EXAMPLES = 5

/** Rollouts by reason and detail, in the order in which reasons are looked at, with the first of each. */
function byReason(
  { codes, found }: Explained,
  rows: Uint32Array,
): { readonly of: Explanation; readonly n: number; readonly examples: readonly number[] }[] {
  const order = Object.keys(REASONS)
  const counts = new Uint32Array(found.length)
  const examples = found.map((): number[] => [])
  for (let index = 0; index < rows.length; index++) {
    const row = rows[index] ?? 0
    const code = codes[row] ?? -1
    if (code < 0) continue
    counts[code] = (counts[code] ?? 0) + 1
    if ((counts[code] ?? 0) <= EXAMPLES) examples[code]?.push(row)
  }
  return found
    .map((of, code) => ({ of, n: counts[code] ?? 0, examples: examples[code] ?? [] }))
    .filter(({ n }) => n > 0)
    .sort(
      (left, right) =>
        order.indexOf(left.of.reason) - order.indexOf(right.of.reason) ||
        ((left.of.detail ?? '') < (right.of.detail ?? '') ? -1 : 1),
    )
}

/** The reasons of the rows that a call means, and those rows. */
function explainedOf(
  at: FrameAt,
  query: Parameters<typeof selectionOf>[1],
): { readonly all: Selection; readonly reasons: Explained } {
  const counted = selectionOf(at, query)
  const all = selected(at.frame, { ...frameFilter(query), conflicted: true }, query.reward_version)
  return { all, reasons: remembered(at, query, 'explained', [], () => explained(all, counted)) }
}

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
    const { all, reasons } = explainedOf(at, query)
    const by = unique(query.by)
    const order = Object.keys(REASONS)
    const rows = remembered(at, query, 'untrained', by, () =>
      bucketsOf(all, by).flatMap((bucket) =>
        byReason(reasons, bucket.rows).map(({ of: { reason, detail }, n, examples }) => ({
          ...bucket.by,
          reason,
          detail,
          meaning: REASONS[reason],
          n,
          share: n / bucket.rows.length,
          examples: examples.map((row) => at.frame.trajectoryIds[row] ?? ''),
        })),
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
    const { all, reasons } = explainedOf(at, query)
    const wanted = new Set(query.trajectory.map((id) => frame.rowOf(id)))
    const isWanted = reasons.found.map(({ reason }) => query.reason.length === 0 || query.reason.includes(reason))
    const found = rowsWhere(
      all,
      (row) => isWanted[reasons.codes[row] ?? -1] === true && (wanted.size === 0 || wanted.has(row)),
    ).rows
    const rowOf = (row: number, { reason, detail }: Explanation) => ({
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
        const row = found[index]
        const one = reasons.found[reasons.codes[row ?? -1] ?? -1]
        return row === undefined || one === undefined ? undefined : rowOf(row, one)
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
