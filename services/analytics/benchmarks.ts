/** Accuracy by data set, with ID, OOD and All as plain means over data sets. */
import { bucketsOf, compareValues } from './buckets.ts'
import { at } from './columns.ts'
import { statisticsOfBuckets } from './kept-buckets.ts'
import type { Selection } from './select.ts'
import { share } from './statistics.ts'

/** The accuracy of a data set, or a mean over data sets. */
export interface BenchmarkRow {
  readonly run: number
  readonly policy_version: number | null
  readonly kind: 'dataset' | 'mean'
  /** The data set, or ID, OOD or All. Null for items that are not registered. */
  readonly dataset: string | null
  /** id, ood or null, as items say it. A data set of both has a row for each. */
  readonly distribution: string | null
  readonly n_datasets: number
  readonly n_items: number
  readonly n_trajectories: number
  readonly n_correct: number
  /** Finished trajectories without a score: in no accuracy. */
  readonly n_unscored: number
  /** From 0 to 1: the mean over items of the share of their rollouts that are right. */
  readonly accuracy: number | null
}

interface Tally {
  n: number
  right: number
}

interface Part {
  readonly run: number
  readonly version: number
  readonly dataset: number
  readonly distribution: number
  readonly items: Map<number, Tally>
  unscored: number
}

/** The mean of what is there. */
function meanOfRows(rows: readonly BenchmarkRow[]): number | null {
  let [total, n] = [0, 0]
  for (const { accuracy } of rows) {
    if (accuracy === null) continue
    total += accuracy
    n += 1
  }
  return share(total, n)
}

function meanRow(name: string, distribution: string | null, rows: readonly BenchmarkRow[]): BenchmarkRow | undefined {
  const [first] = rows
  if (first === undefined) return undefined
  const sum = (of: (row: BenchmarkRow) => number) => rows.reduce((total, row) => total + of(row), 0)
  return {
    run: first.run,
    policy_version: first.policy_version,
    kind: 'mean',
    dataset: name,
    distribution,
    n_datasets: rows.length,
    n_items: sum((row) => row.n_items),
    n_trajectories: sum((row) => row.n_trajectories),
    n_correct: sum((row) => row.n_correct),
    n_unscored: sum((row) => row.n_unscored),
    accuracy: meanOfRows(rows),
  }
}

function partsOf({ frame, rows, scores }: Selection): Part[] {
  const parts = new Map<string, Part>()
  const partOf = (run: number, version: number, item: number): Part => {
    const dataset = frame.items.dataset.code(item)
    const distribution = frame.items.distribution.code(item)
    const key = `${run} ${version} ${dataset} ${distribution}`
    let part = parts.get(key)
    if (part === undefined)
      parts.set(key, (part = { run, version, dataset, distribution, items: new Map(), unscored: 0 }))
    return part
  }
  // Neighbours are mostly of one group: then nothing is looked up.
  let here: { run: number; version: number; item: number; part: Part; tally: Tally | undefined } | undefined
  for (let index = 0; index < rows.length; index++) {
    const row = rows[index] ?? 0
    const item = frame.item.codes[row] ?? -1
    if (frame.finished.values[row] !== 1 || item < 0) continue
    const run = at(frame.run.values, row)
    const version = at(frame.policyVersion.values, row)
    if (here === undefined || here.item !== item || here.version !== version || here.run !== run) {
      const part = partOf(run, version, item)
      here = { run, version, item, part, tally: part.items.get(item) }
    }
    const correct = scores.correct.values[row] ?? -1
    if (correct < 0) {
      here.part.unscored += 1
      continue
    }
    if (here.tally === undefined) here.part.items.set(item, (here.tally = { n: 0, right: 0 }))
    here.tally.n += 1
    here.tally.right += correct
  }
  return [...parts.values()]
}

function datasetRow({ frame }: Selection, part: Part): BenchmarkRow {
  // In order of item ids, whatever order the rows came in.
  const items = [...part.items].sort(([left], [right]) =>
    compareValues(frame.items.ids.text(left), frame.items.ids.text(right)),
  )
  let [total, n, right] = [0, 0, 0]
  for (const [, tally] of items) {
    total += tally.right / tally.n
    n += tally.n
    right += tally.right
  }
  return {
    run: part.run,
    policy_version: Number.isNaN(part.version) ? null : part.version,
    kind: 'dataset',
    dataset: frame.items.dataset.dictionary.text(part.dataset),
    distribution: frame.items.distribution.dictionary.text(part.distribution),
    n_datasets: 1,
    n_items: items.length,
    n_trajectories: n,
    n_correct: right,
    n_unscored: part.unscored,
    accuracy: share(total, items.length),
  }
}

/** The table of rows of one run and policy version. */
function tableOf(selection: Selection): BenchmarkRow[] {
  const rows = partsOf(selection)
    .map((part) => datasetRow(selection, part))
    .sort(
      (left, right) =>
        compareValues(left.dataset, right.dataset) || compareValues(left.distribution, right.distribution),
    )
  // Items that nobody registered are of no data set, so they are in no mean.
  const known = rows.filter(({ dataset }) => dataset !== null)
  const of = (distribution: string) => known.filter((row) => row.distribution === distribution)
  const means = [meanRow('ID', 'id', of('id')), meanRow('OOD', 'ood', of('ood')), meanRow('All', null, known)]
  return [...rows, ...means.filter((row) => row !== undefined)]
}

/** What a row of a table takes in memory, roughly. */
const ROW_BYTES = 200

/** For each run and policy version: the data sets by name, then ID, OOD and All. Tables whose rows and items did not change are kept. */
export function benchmarkTable(selection: Selection): BenchmarkRow[] {
  const { frame } = selection
  const buckets = bucketsOf(selection, frame.runs.length > 1 ? ['run', 'policy_version'] : ['policy_version'])
  const tables = statisticsOfBuckets(
    selection,
    `benchmarks ${frame.items.version}`,
    buckets,
    (changed) => changed.map(({ rows }) => tableOf({ ...selection, rows })),
    (rows) => rows.length * ROW_BYTES,
  ).map(({ statistics }) => statistics)
  // Buckets are in the order of run ids and versions, and runs have an order of their own.
  return tables.sort((left, right) => (left[0]?.run ?? 0) - (right[0]?.run ?? 0)).flat()
}
