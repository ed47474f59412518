/** /v1/curriculum: how items fare, how they move, and which to roll out next. */
import { Migration, MigrationRow, PassRateRow, Slice } from '#schemas/http-curriculum.ts'
import { listOf } from '#schemas/http.ts'
import type { Frame } from '#services/analytics/frame.ts'
import { betweenTest, parseShare } from '#services/curriculum/fraction.ts'
import { wilson } from '#services/curriculum/interval.ts'
import { CHANGES, migration as migrate } from '#services/curriculum/migration.ts'
import { type Tally, newestTallies, tallies } from '#services/curriculum/tally.ts'
import { FRAME_PARAMETERS, frameOfCall, linker, selectionOf } from '#services/query/frame-call.ts'
import { integer, required, text, withDefault } from '#services/query/parameters.ts'
import { type Route, route } from '#services/query/route.ts'
import { type RowList, TABLE_PARAMETERS, TABLE_TYPES, tableAnswer } from '#services/query/table-answer.ts'
import { NEXT_ROUTE } from './curriculum-next.ts'

const tag = 'Curriculum'
const problems = ['not_found', 'snapshot_expired', 'behind', 'too_large'] as const
const IDS_SHOWN = 1000

/** The place of each item in the order of ids, worked out once for each state of a frame. */
const ranks = new WeakMap<Frame, { readonly size: number; readonly rank: Int32Array }>()

function rankOf(frame: Frame): Int32Array {
  const { ids } = frame.items
  const known = ranks.get(frame)
  // Ids are only ever added.
  if (known?.size === ids.size) return known.rank
  const order = ids.texts.map((id, code) => ({ id, code })).sort((left, right) => (left.id < right.id ? -1 : 1))
  const rank = new Int32Array(order.length)
  for (const [place, { code }] of order.entries()) rank[code] = place
  ranks.set(frame, { size: ids.size, rank })
  return rank
}

/** Tallies in order of (item_id, policy_version), rollouts that name no version last. */
function inOrder(frame: Frame, all: readonly Tally[]): Tally[] {
  const rank = rankOf(frame)
  return [...all].sort(
    (left, right) =>
      (rank[left.item] ?? 0) - (rank[right.item] ?? 0) ||
      (left.policy_version ?? Number.MAX_SAFE_INTEGER) - (right.policy_version ?? Number.MAX_SAFE_INTEGER),
  )
}

type Link = ReturnType<typeof linker>

function passRateRow(frame: Frame, tally: Tally, link: Link): Record<string, unknown> {
  const { items, runs } = frame
  const itemId = items.ids.text(tally.item) ?? ''
  const { low, high } = wilson(tally.passed, tally.n)
  return {
    item_id: itemId,
    dataset: items.dataset.get(tally.item),
    family: items.family.get(tally.item),
    policy_version: tally.policy_version,
    n_rollouts: tally.n,
    n_pass: tally.passed,
    pass_rate: tally.passed / tally.n,
    pass_rate_low: low,
    pass_rate_high: high,
    n_format_ok: tally.format_ok,
    n_nonfinite: tally.nonfinite,
    reward_mean: tally.reward_mean,
    reward_std: tally.reward_std,
    first_train_step: tally.first_train_step,
    last_train_step: tally.last_train_step,
    trajectories_url: link('/v1/trajectories', {
      run: runs.length === 1 ? runs[0]?.run_id : null,
      item: itemId,
      policy_version: tally.policy_version,
    }),
  }
}

const rowKey = (row: Readonly<Record<string, unknown>>) => [
  row['item_id'] as string,
  row['policy_version'] as number | null,
]

/** Rows that are made only as far as they are shown. */
const rowsOf = (frame: Frame, sorted: readonly Tally[], link: Link): RowList => ({
  length: sorted.length,
  at: (index) => {
    const tally = sorted[index]
    return tally === undefined ? undefined : passRateRow(frame, tally, link)
  },
})

const passRates = route({
  path: '/v1/curriculum/pass-rates',
  tag,
  summary: 'Pass rates of items, by policy version',
  detail:
    'A row for each item and policy version, in that order: with `item=` its history. What counts is finished and has a score; right is as `correct` of a trajectory says.',
  parameters: { ...FRAME_PARAMETERS, ...TABLE_PARAMETERS },
  answers: [{ status: 200, description: 'The items.', schema: listOf(PassRateRow), types: TABLE_TYPES }],
  problems,
  handle: async (call) => {
    const at = await frameOfCall(call, [call.query.run])
    const name = 'pass-rates'
    const sorted = inOrder(at.frame, tallies(selectionOf(at, call.query)))
    const rows = rowsOf(at.frame, sorted, linker(call))
    return tableAnswer(call, { name, row: PassRateRow, rows, key: rowKey }, at.offsets)
  },
})

const share = (description: string, otherwise: string) => withDefault(text(description), otherwise)

const MIN_N = 8
const minN = withDefault(integer('Items with fewer rollouts are left out.', { minimum: 1 }), MIN_N)

const slice = route({
  path: '/v1/curriculum/slice',
  tag,
  summary: 'The Tail-Patch slice: items by pass rate',
  detail:
    'Items whose pass rate lies from `pass_lo` to `pass_hi`, both in it, decided by integer counts: 1 of 8 and 3 of 8 are in the slice of 0.125 to 0.375. Bounds are decimals, taken as they are written, or quotients such as 1/3. Of each item the newest policy version counts; `policy_version=` names one.',
  parameters: {
    ...FRAME_PARAMETERS,
    ...TABLE_PARAMETERS,
    pass_lo: share('The lowest pass rate.', '0.125'),
    pass_hi: share('The highest pass rate.', '0.375'),
    min_n: minN,
  },
  answers: [{ status: 200, description: 'The items.', schema: Slice, types: TABLE_TYPES }],
  problems,
  handle: async (call) => {
    const { query } = call
    const fits = betweenTest(parseShare(query.pass_lo, 'pass_lo'), parseShare(query.pass_hi, 'pass_hi'))
    const at = await frameOfCall(call, [query.run])
    const name = 'slice'
    const all = newestTallies(tallies(selectionOf(at, query)))
    const known = all.filter(({ n }) => n >= query.min_n)
    const inside = known.filter(({ passed, n }) => fits(passed, n))
    const rows = rowsOf(at.frame, inOrder(at.frame, inside), linker(call))
    const more = { n_items: inside.length, n_items_known: all.length, n_items_left_out: all.length - known.length }
    return tableAnswer(call, { name, row: PassRateRow, rows, key: rowKey, more }, at.offsets)
  },
})

const migration = route({
  path: '/v1/curriculum/migration',
  tag,
  summary: 'How items moved between two policy versions',
  detail:
    'The matrix from bucket to bucket (cells without items are left out), and the items that were forgotten, newly solved, never and always right. CSV and Parquet have the matrix.',
  parameters: {
    ...FRAME_PARAMETERS,
    ...TABLE_PARAMETERS,
    from: required(integer('The policy version before.')),
    to: required(integer('The policy version after.')),
    min_n: withDefault(integer('Items with fewer rollouts at one of them are left out.', { minimum: 1 }), 1),
  },
  answers: [{ status: 200, description: 'The matrix.', schema: Migration, types: TABLE_TYPES }],
  problems,
  handle: async (call) => {
    const { query } = call
    const at = await frameOfCall(call, [query.run])
    const all = tallies(selectionOf(at, query))
    const of = (version: number) => all.filter(({ policy_version: here }) => here === version)
    const rank = rankOf(at.frame)
    const found = migrate(
      of(query.from),
      of(query.to),
      query.min_n,
      (left, right) => (rank[left] ?? 0) - (rank[right] ?? 0),
    )
    const { matrix, changes, ...sums } = found
    const lists = Object.fromEntries(
      CHANGES.map((change) => [
        change,
        {
          n_items: changes[change].length,
          items: changes[change].slice(0, IDS_SHOWN).map((code) => at.frame.items.ids.text(code) ?? ''),
        },
      ]),
    )
    const table = {
      name: 'migration',
      row: MigrationRow,
      rows: matrix,
      key: (row: Readonly<Record<string, unknown>>) => [String(row['from_bucket']), String(row['to_bucket'])],
      more: { from: query.from, to: query.to, ...sums, ...lists },
    }
    return tableAnswer(call, table, at.offsets)
  },
})

export const CURRICULUM_ROUTES: readonly Route[] = [passRates, slice, migration, NEXT_ROUTE]
