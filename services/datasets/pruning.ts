/** Which files of the lake a request need not read, by what the catalog says of their columns. What is not said excludes nothing. */
import type { TABLES_READ } from './compile.ts'
import { byBytes, type ColumnStats, type LakeFile } from './files.ts'
import type { Condition, FilterName, FilterValue } from './filters.ts'
import type { DatasetRequest } from './request.ts'
import { asksPassRate } from './scopes.ts'

/** The files of each table that datasets read. */
export type TableFiles = { readonly [Table in (typeof TABLES_READ)[number]]: readonly LakeFile[] }

/** Filters on columns of trajectories that have statistics: what fails one of them is not selected, however it is counted. */
const OF_TRAJECTORIES = [
  'run',
  'item',
  'group',
  'policy_version',
  'train_step',
  'status',
] as const satisfies readonly FilterName[]

const COLUMN: Readonly<Record<(typeof OF_TRAJECTORIES)[number], string>> = {
  run: 'run_id',
  item: 'item_id',
  group: 'group_id',
  policy_version: 'policy_version',
  train_step: 'train_step',
  status: 'status',
}

type Bound = string | number

/** The order of two values of one column; undefined where they cannot be compared. */
function order(left: unknown, right: unknown): number | undefined {
  if (typeof left === 'string' && typeof right === 'string') return byBytes(left, right)
  return typeof left === 'number' && typeof right === 'number' ? left - right : undefined
}

/** Whether a value between the two fits a condition. */
function fitsBetween(min: Bound, max: Bound, { any, ne, gte, gt, lte, lt }: Condition<FilterValue>): boolean {
  const below = (value: FilterValue | undefined, isSame: boolean) => {
    const found = value === undefined ? undefined : order(value, max)
    return found === undefined || found < 0 || (isSame && found === 0)
  }
  const above = (value: FilterValue | undefined, isSame: boolean) => {
    const found = value === undefined ? undefined : order(value, min)
    return found === undefined || found > 0 || (isSame && found === 0)
  }
  return (
    (any.length === 0 || any.some((value) => below(value, true) && above(value, true))) &&
    !(min === max && ne.includes(min)) &&
    below(gte, true) &&
    below(gt, false) &&
    above(lte, true) &&
    above(lt, false)
  )
}

/** The least and the greatest value of a column; undefined where they are not known. */
function boundsOf({ min, max }: ColumnStats = {}): readonly [Bound, Bound] | undefined {
  if (typeof min === 'string' && typeof max === 'string') return [min, max]
  return typeof min === 'number' && typeof max === 'number' ? [min, max] : undefined
}

/** Whether a file can hold a row whose column fits a condition. */
export function canHold(file: LakeFile, column: string, condition: Condition<FilterValue> | undefined): boolean {
  const bounds = boundsOf(file.stats[column])
  return condition === undefined || bounds === undefined || fitsBetween(...bounds, condition)
}

const oneOf = (values: readonly FilterValue[]): Condition<FilterValue> => ({ any: values, ne: [] })

/** Whether a file can hold a trajectory of one of these files. Files of trajectories that say nothing can have any. */
function sharesIds(file: LakeFile, trajectories: readonly LakeFile[]): boolean {
  const own = boundsOf(file.stats['trajectory_id'])
  if (own === undefined) return true
  return trajectories.some((other) => {
    const bounds = boundsOf(other.stats['trajectory_id'])
    if (bounds === undefined) return true
    const [below, above] = [order(own[0], bounds[1]), order(bounds[0], own[1])]
    return below === undefined || above === undefined || (below <= 0 && above <= 0)
  })
}

/** Whether trajectories that are not selected are looked into: those of a whole group, or of all rollouts of an item. */
const looksBeyond = (request: DatasetRequest): boolean =>
  request.recipe === 'grpo' ||
  request.recipe === 'preference' ||
  request.shaping?.since !== undefined ||
  asksPassRate(request)

/** Whether a request looks at trajectories of these runs alone. Leaks are looked for in all eval runs. */
export function staysInRuns(request: DatasetRequest, runs: readonly string[]): boolean {
  const { leaks, passRateRun } = request.shaping ?? {}
  return leaks === undefined && (passRateRun === undefined || runs.includes(passRateRun))
}

/**
 * The files that a request reads. `runs` are those that it stays in, or undefined. Trajectories and events are left out by
 * run alone, the first filter: the others decide only once it is known which trajectories have no finish.
 */
export function neededFiles(
  request: DatasetRequest,
  files: TableFiles,
  runs: readonly string[] | undefined,
): TableFiles {
  const { conditions, include } = request
  const ofRuns = runs === undefined ? undefined : oneOf(runs)
  const ofRun = (file: LakeFile) => canHold(file, 'run_id', ofRuns)
  const trajectories = files.trajectories.filter(ofRun)
  const wanted = trajectories.filter((file) =>
    OF_TRAJECTORIES.every((name) => name === 'run' || canHold(file, COLUMN[name], conditions[name])),
  )
  // Trajectories without a finish lie in no file of trajectories.
  const isUnfinishedTaken = include.includes('unfinished')
  const hasSelected = (file: LakeFile) => isUnfinishedTaken || sharesIds(file, wanted)
  const hasJudged = (file: LakeFile) =>
    isUnfinishedTaken || sharesIds(file, looksBeyond(request) ? trajectories : wanted)
  return {
    ...files,
    trajectories,
    runs: files.runs.filter(ofRun),
    // Who sent something else about a trajectory may have named another run.
    events: files.events.filter((file) => ofRun(file) || canHold(file, 'verdict', oneOf(['conflict']))),
    steps: files.steps.filter((file) => ofRun(file) && hasSelected(file)),
    scores: files.scores.filter(hasJudged),
  }
}
