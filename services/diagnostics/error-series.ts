/** Error codes of trajectories: by rule from their calls, and as people, models and rules annotated them. */
import { type Bucket, type Dimension, bucketsOf, compareValues } from '#services/analytics/buckets.ts'
import type { Selection } from '#services/analytics/select.ts'
import { type Agreement, type Rated, agreementOf } from './agreement.ts'
import type { AnnotationRow, CallTable } from './call-table.ts'

/** Codes that have a row even where nothing has them. */
const TAXONOMY = ['E1', 'E2', 'E3', 'E4', 'E5', 'E6'] as const

/** Which words count. Empty lists take all. */
export interface ErrorFilter {
  /** rule (calls by rule, and annotations of this method), human, llm or another. */
  readonly methods: readonly string[]
  readonly rounds: readonly string[]
  readonly annotators: readonly string[]
}

export interface ErrorStatistics {
  readonly code: string
  /** Trajectories that have it, whoever says so. One may have several codes: shares do not add up to 1. */
  readonly n_trajectories: number
  /** Of all trajectories in the bucket. */
  readonly share: number
  /** Of those with any code: as tables of error types have it. */
  readonly share_of_errors: number | null
  /** Of those that somebody annotated. */
  readonly share_of_annotated: number | null
  /** Trajectories that have it, by method. */
  readonly by_method: Readonly<Record<string, number>>
  /** Calls that have it by rule. */
  readonly n_calls: number
  readonly n_finished: number
  readonly n_with_errors: number
  readonly n_annotated: number
  readonly agreement: Agreement
}

/** What is said of one trajectory. */
export interface Said {
  /** Methods by code. */
  readonly codes: ReadonlyMap<string, ReadonlySet<string>>
  /** Calls by code. */
  readonly calls: ReadonlyMap<string, number>
  /** The annotations that count. */
  readonly annotations: readonly AnnotationRow[]
}

function takes(wanted: readonly string[], value: string | null): boolean {
  return wanted.length === 0 || (value !== null && wanted.includes(value))
}

const methodOf = ({ method }: AnnotationRow): string => method ?? 'unsaid'

const countsFor = (one: AnnotationRow, { methods, rounds, annotators }: ErrorFilter): boolean =>
  takes(methods, methodOf(one)) && takes(rounds, one.round) && takes(annotators, one.annotator)

/** What is said of the trajectory of a row, as far as it counts. */
function saidOf({ frame }: Selection, table: CallTable, row: number, filter: ErrorFilter): Said {
  const { from, to } = table.spans(frame)
  const annotations = table.annotationsOf(frame.trajectoryIds[row] ?? '').filter((one) => countsFor(one, filter))
  const byRule = takes(filter.methods, 'rule') && filter.rounds.length === 0 && filter.annotators.length === 0
  const codes = new Map<string, Set<string>>()
  const calls = new Map<string, number>()
  const add = (code: string, method: string): void => {
    const known = codes.get(code)
    if (known === undefined) codes.set(code, new Set([method]))
    else known.add(method)
  }
  for (let call = from[row] ?? -1; byRule && call < (to[row] ?? -1); call++) {
    for (const code of table.codesOf(call)) {
      calls.set(code, (calls.get(code) ?? 0) + 1)
      add(code, 'rule')
    }
  }
  for (const annotation of annotations) for (const code of annotation.codes) add(code, methodOf(annotation))
  return { codes, calls, annotations }
}

/** Calls `visit` for each row of which anything is said that counts, in order. */
export function eachSaid(
  selection: Selection,
  table: CallTable,
  rows: Uint32Array,
  filter: ErrorFilter,
  visit: (row: number, said: Said) => void,
): void {
  const { said } = table.spans(selection.frame)
  for (let index = 0; index < rows.length; index++) {
    const row = rows[index] ?? 0
    if (said[row] === 1) visit(row, saidOf(selection, table, row, filter))
  }
}

/** What each rater of a round said of a trajectory: the codes that they set, in however many annotations. */
function ratings(annotations: readonly AnnotationRow[]): readonly ReadonlyMap<string, ReadonlySet<string>>[] {
  const rounds = new Map<string, Map<string, Set<string>>>()
  for (const { annotator, round, codes } of annotations) {
    if (annotator === null) continue
    const key = round ?? ''
    const raters = rounds.get(key) ?? new Map<string, Set<string>>()
    rounds.set(key, raters)
    const set = raters.get(annotator) ?? new Set<string>()
    raters.set(annotator, set)
    for (const code of codes) set.add(code)
  }
  return [...rounds.values()]
}

class Code {
  trajectories = 0
  calls = 0
  readonly byMethod = new Map<string, number>()
  readonly rated: Rated[] = []
}

function rate(codes: Map<string, Code>, annotations: readonly AnnotationRow[]): void {
  if (annotations.length < 2) return
  for (const raters of ratings(annotations)) {
    if (raters.size < 2) continue
    for (const [name, code] of codes) {
      let set = 0
      for (const said of raters.values()) if (said.has(name)) set += 1
      code.rated.push({ raters: raters.size, set })
    }
  }
}

function codesOf(selection: Selection, table: CallTable, rows: Uint32Array, filter: ErrorFilter): ErrorStatistics[] {
  const codes = new Map<string, Code>(TAXONOMY.map((code) => [code, new Code()]))
  const all: Said[] = []
  eachSaid(selection, table, rows, filter, (_, said) => void all.push(said))
  for (const said of all) for (const code of said.codes.keys()) if (!codes.has(code)) codes.set(code, new Code())
  let withErrors = 0
  let annotated = 0
  for (const said of all) {
    if (said.codes.size > 0) withErrors += 1
    if (said.annotations.length > 0) annotated += 1
    for (const [name, methods] of said.codes) {
      const code = codes.get(name)
      if (code === undefined) continue
      code.trajectories += 1
      code.calls += said.calls.get(name) ?? 0
      for (const method of methods) code.byMethod.set(method, (code.byMethod.get(method) ?? 0) + 1)
    }
    rate(codes, said.annotations)
  }
  const share = (part: number, whole: number): number | null => (whole === 0 ? null : part / whole)
  return [...codes]
    .sort(([left], [right]) => compareValues(left, right))
    .map(([name, code]) => ({
      code: name,
      n_trajectories: code.trajectories,
      share: code.trajectories / rows.length,
      share_of_errors: share(code.trajectories, withErrors),
      share_of_annotated: share(code.trajectories, annotated),
      by_method: Object.fromEntries([...code.byMethod].sort(([left], [right]) => compareValues(left, right))),
      n_calls: code.calls,
      n_finished: rows.length,
      n_with_errors: withErrors,
      n_annotated: annotated,
      agreement: agreementOf(code.rated),
    }))
}

/** Codes by bucket. */
export function errorSeries(
  selection: Selection,
  table: CallTable,
  by: readonly Dimension[],
  filter: ErrorFilter,
): { readonly bucket: Bucket; readonly statistics: ErrorStatistics }[] {
  return bucketsOf(selection, by).flatMap((bucket) =>
    codesOf(selection, table, bucket.rows, filter).map((statistics) => ({ bucket, statistics })),
  )
}
