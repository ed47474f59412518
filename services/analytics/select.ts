/** The part of a frame that a statistic is over: rows in their fixed order, with the scores that they are read with. */
import { type NumberCondition, asksNothing, meets } from '#services/number-condition.ts'
import { at } from './columns.ts'
import type { Frame } from './frame.ts'
import type { Scores } from './scores.ts'

/** What a statistic is over. Empty lists and absent conditions take everything. */
export interface FrameFilter {
  readonly runs?: readonly string[]
  readonly items?: readonly string[]
  readonly datasets?: readonly string[]
  readonly families?: readonly string[]
  readonly splits?: readonly string[]
  readonly statuses?: readonly string[]
  readonly policyVersion?: NumberCondition
  readonly trainStep?: NumberCondition
  /** Also trajectories of which events came again with other content. */
  readonly conflicted?: boolean
}

/** Rows of a frame and their scores. */
export interface Selection {
  readonly frame: Frame
  /** In order of (run_id, trajectory_id). */
  readonly rows: Uint32Array
  readonly scores: Scores
}

type Test = (row: number) => boolean

function numberTest(values: ArrayLike<number>, condition: NumberCondition | undefined): Test | undefined {
  if (condition === undefined || asksNothing(condition)) return undefined
  const { any, ne, gte, lte, gt, lt } = condition
  const isOne = any.length === 1 && ne.length === 0 && [gte, lte, gt, lt].every((bound) => bound === undefined)
  const [one] = any
  return isOne ? (row) => values[row] === one : (row) => meets(condition, at(values, row))
}

/** A test of codes: whether the text of a code is one of the wanted. */
function codeTest(
  codeOf: (row: number) => number,
  dictionary: { codeOf(text: string): number | undefined; readonly size: number },
  wanted: readonly string[] | undefined,
): Test | undefined {
  if (wanted === undefined || wanted.length === 0) return undefined
  const accepted = new Uint8Array(dictionary.size)
  for (const text of wanted) {
    const code = dictionary.codeOf(text)
    if (code !== undefined) accepted[code] = 1
  }
  return (row) => accepted[codeOf(row)] === 1
}

/** In a lineage, an ancestor's rows from where the next run began, and those of which it is not known, are not of the chain. */
function cutTest(frame: Frame): Test | undefined {
  const cuts = frame.runs.map(({ before_train_step: before }) => before)
  if (cuts.every((cut) => cut === null)) return undefined
  const { run, trainStep } = frame
  return (row) => {
    const cut = cuts[at(run.values, row)] ?? null
    return cut === null || at(trainStep.values, row) < cut
  }
}

/** The rows that fit, with their scores under a reward version (undefined: that of each run). */
export function select(frame: Frame, filter: FrameFilter, version: string | undefined): Selection {
  const itemOf = (row: number) => frame.item.code(row)
  const ofItem = (codes: { code(index: number): number }) => (row: number) => codes.code(itemOf(row))
  const { items, run } = frame
  const runs = filter.runs === undefined || filter.runs.length === 0 ? undefined : new Set(filter.runs)
  const tests = [
    cutTest(frame),
    runs === undefined ? undefined : (row: number) => runs.has(frame.runs[at(run.values, row)]?.run_id ?? ''),
    filter.conflicted === true ? undefined : (row: number) => frame.nConflicts.values[row] === 0,
    numberTest(frame.policyVersion.values, filter.policyVersion),
    numberTest(frame.trainStep.values, filter.trainStep),
    codeTest((row) => frame.status.code(row), frame.status.dictionary, filter.statuses),
    codeTest(itemOf, items.ids, filter.items),
    codeTest(ofItem(items.dataset), items.dataset.dictionary, filter.datasets),
    codeTest(ofItem(items.family), items.family.dictionary, filter.families),
    codeTest(ofItem(items.split), items.split.dictionary, filter.splits),
  ].filter((test) => test !== undefined)
  const { order } = frame
  const rows = new Uint32Array(order.length)
  let size = 0
  for (let place = 0; place < order.length; place++) {
    const row = order[place] ?? 0
    let fits = true
    for (const test of tests) {
      if (test(row)) continue
      fits = false
      break
    }
    if (fits) rows[size++] = row
  }
  return { frame, rows: rows.subarray(0, size), scores: frame.scores(version) }
}

/** The rows of which `test` holds, in the same order. */
export function rowsWhere(selection: Selection, test: (row: number) => boolean): Selection {
  const { rows } = selection
  const found = new Uint32Array(rows.length)
  let size = 0
  // The `filter` of typed arrays takes five times as long.
  for (let index = 0; index < rows.length; index++) {
    const row = rows[index] ?? 0
    if (test(row)) found[size++] = row
  }
  return { ...selection, rows: found.subarray(0, size) }
}
