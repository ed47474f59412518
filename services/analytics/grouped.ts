/**
 * The groups of a selection, by the rules of core/group.ts over columns: a member counts when it is finished as completed
 * or truncated with a finite reward, and for each rollout_index the first in the log that counts stands. Columns again,
 * not objects: of 300,000 trajectories in groups of 8 this takes a tenth of the time.
 */
import { type Reals, at } from './columns.ts'
import { derived } from './derived.ts'
import type { Frame } from './frame.ts'
import type { Selection } from './select.ts'

/** Which rows are of which group, whatever their rewards. */
export interface GroupLayout {
  readonly size: number
  /** The code of each group in the frame. Groups are in the order of their first row in the selection. */
  readonly codes: Uint32Array
  /** The rows of group g are `rows[starts[g]]` to before `rows[starts[g + 1]]`, in order of (rollout_index, log). */
  readonly starts: Uint32Array
  readonly rows: Uint32Array
  /** The rollout_index of each of them; NaN where it has none. */
  readonly places: Float64Array
  /** 1 for those whose status lets them count. */
  readonly ended: Uint8Array
  /** NaN where no row says it. */
  readonly trainStep: Float64Array
  /** NaN where nobody said how many there should be. */
  readonly expectedSize: Float64Array
}

/** What all members that count have in common. */
export const OUTCOMES = ['none', 'all_pass', 'all_fail', 'mixed'] as const

/** The groups with their members that count. Numbers that are not there are NaN. */
export interface Groups extends GroupLayout {
  /** The members of group g are `members[memberStarts[g]]` to before `members[memberStarts[g + 1]]`. */
  readonly memberStarts: Uint32Array
  readonly members: Uint32Array
  /** Their rewards, in the same places. */
  readonly rewards: Float64Array
  /** 1 complete, 0 incomplete, -1 unknown. */
  readonly complete: Int8Array
  /** The sum of the rewards. */
  readonly total: Float64Array
  readonly mean: Float64Array
  /** ddof 1. */
  readonly std: Float64Array
  readonly stdPopulation: Float64Array
  /** 1 where two or more members count and all have the same reward. */
  readonly zeroVariance: Uint8Array
  /** By `correct`, whatever the rewards: an index of OUTCOMES. */
  readonly outcome: Uint8Array
}

function inLogOrder(frame: Frame, left: number, right: number): number {
  return (
    at(frame.firstOffset.values, left) - at(frame.firstOffset.values, right) ||
    at(frame.partition.values, left) - at(frame.partition.values, right) ||
    ((frame.trajectoryIds[left] ?? '') < (frame.trajectoryIds[right] ?? '') ? -1 : 1)
  )
}

/** Rows without a rollout_index come last. */
const placeOf = (frame: Frame, row: number): number => {
  const index = at(frame.rolloutIndex.values, row)
  return Number.isNaN(index) ? Number.POSITIVE_INFINITY : index
}

/** Whether `left` stands before `right`. */
function isBefore(frame: Frame, left: number, right: number): boolean {
  const leftPlace = placeOf(frame, left)
  const rightPlace = placeOf(frame, right)
  return leftPlace === rightPlace ? inLogOrder(frame, left, right) < 0 : leftPlace < rightPlace
}

/** Groups of more rows than this are sorted by the engine's sort; insertion is faster for the few that groups have. */
const FEW = 64

/** Sorts rows in [from, to). */
function sortPlaces(frame: Frame, rows: Uint32Array, from: number, to: number): void {
  if (to - from > FEW) {
    rows.subarray(from, to).sort((left, right) => (isBefore(frame, left, right) ? -1 : 1))
    return
  }
  for (let next = from + 1; next < to; next++) {
    const row = rows[next] ?? 0
    let place = next
    while (place > from && isBefore(frame, row, rows[place - 1] ?? 0)) {
      rows[place] = rows[place - 1] ?? 0
      place -= 1
    }
    rows[place] = row
  }
}

/** The first value that is there, in log order: what a group says of itself. */
function firstValue(frame: Frame, rows: Uint32Array, from: number, to: number, values: Float64Array): number {
  let found = -1
  for (let index = from; index < to; index++) {
    const row = rows[index] ?? 0
    if (Number.isNaN(at(values, row))) continue
    if (found < 0 || inLogOrder(frame, row, found) < 0) found = row
  }
  return found < 0 ? Number.NaN : at(values, found)
}

/** Numbers by group code: an array, or a map where few of the frame's groups are wanted (one step of 300, say). */
function placesFor(
  groups: number,
  rows: number,
): { get(code: number): number; set(code: number, place: number): void } {
  if (rows * 4 > groups) {
    const places = new Int32Array(groups).fill(-1)
    return { get: (code) => places[code] ?? -1, set: (code, place) => void (places[code] = place) }
  }
  const places = new Map<number, number>()
  return { get: (code) => places.get(code) ?? -1, set: (code, place) => void places.set(code, place) }
}

/** Puts the rows of a selection into their groups. Rows without a group are in none. */
export const groupLayout = (selection: Selection): GroupLayout =>
  derived(selection, 'layout', () => groupLayouts(selection.frame, [selection.rows]).layout)

/**
 * The groups of several lists of rows, one list after the other, in one layout: a group with rows in two lists is two
 * groups. Those of list l are `firsts[l]` to before `firsts[l + 1]`.
 */
export function groupLayouts(
  frame: Frame,
  lists: readonly Uint32Array[],
): { readonly layout: GroupLayout; readonly firsts: Uint32Array } {
  const total = lists.reduce((sum, { length }) => sum + length, 0)
  const places = placesFor(frame.groups.size, total)
  const codes: number[] = []
  const sizes: number[] = []
  const firsts = new Uint32Array(lists.length + 1)
  const placeOf = new Int32Array(total).fill(-1)
  let n = 0
  for (const [list, rows] of lists.entries()) {
    const first = codes.length
    firsts[list] = first
    for (let index = 0; index < rows.length; index++, n++) {
      const code = frame.group.codes[rows[index] ?? 0] ?? -1
      if (code < 0) continue
      let place = places.get(code)
      // What an earlier list put there is another group.
      if (place < first) {
        place = codes.length
        places.set(code, place)
        codes.push(code)
        sizes.push(0)
      }
      placeOf[n] = place
      sizes[place] = (sizes[place] ?? 0) + 1
    }
  }
  const size = codes.length
  firsts[lists.length] = size
  const starts = new Uint32Array(size + 1)
  for (let group = 0; group < size; group++) starts[group + 1] = (starts[group] ?? 0) + (sizes[group] ?? 0)
  const grouped = new Uint32Array(starts[size] ?? 0)
  const filled = starts.slice()
  n = 0
  for (const rows of lists)
    for (let index = 0; index < rows.length; index++) {
      const place = placeOf[n++] ?? -1
      if (place < 0) continue
      grouped[filled[place] ?? 0] = rows[index] ?? 0
      filled[place] = (filled[place] ?? 0) + 1
    }
  return { layout: saidOf(frame, { size, codes: Uint32Array.from(codes), starts, rows: grouped }), firsts }
}

/** Whether no group has rows in two of these lists. */
export function groupsStayApart({ group, groups }: Frame, lists: readonly Uint32Array[]): boolean {
  const listOf = new Int32Array(groups.size).fill(-1)
  const isApart = (rows: Uint32Array, list: number): boolean => {
    for (let index = 0; index < rows.length; index++) {
      const code = group.codes[rows[index] ?? 0] ?? -1
      if (code < 0) continue
      const before = listOf[code] ?? -1
      if (before !== list && before >= 0) return false
      listOf[code] = list
    }
    return true
  }
  return lists.every(isApart)
}

/** Puts the rows of each group in order, and gathers what they say of it. */
function saidOf(frame: Frame, layout: Pick<GroupLayout, 'size' | 'codes' | 'starts' | 'rows'>): GroupLayout {
  const { size, codes, starts, rows } = layout
  const [trainStep, expectedSize] = [new Float64Array(size), new Float64Array(size)]
  for (let group = 0; group < size; group++) {
    const [from, to] = [starts[group] ?? 0, starts[group + 1] ?? 0]
    sortPlaces(frame, rows, from, to)
    trainStep[group] = firstValue(frame, rows, from, to, frame.trainStep.values)
    const said = firstValue(frame, rows, from, to, frame.groupSize.values)
    const run = frame.runs[frame.groups.runs[codes[group] ?? 0] ?? 0]
    expectedSize[group] = Number.isNaN(said) ? (run?.group_size ?? Number.NaN) : said
  }
  const completed = frame.status.dictionary.codeOf('completed') ?? -2
  const truncated = frame.status.dictionary.codeOf('truncated') ?? -2
  const [places, ended] = [new Float64Array(rows.length), new Uint8Array(rows.length)]
  for (let index = 0; index < rows.length; index++) {
    const row = rows[index] ?? 0
    const status = frame.status.codes[row]
    ended[index] = status === completed || status === truncated ? 1 : 0
    places[index] = at(frame.rolloutIndex.values, row)
  }
  return { ...layout, places, ended, trainStep, expectedSize }
}

/** The sum of the squares about a mean, from the first to the last. */
function squaresOf(values: Float64Array, mean: number, from: number, to: number): number {
  let total = 0
  for (let index = from; index < to; index++) total += ((values[index] ?? 0) - mean) ** 2
  return total
}

/** An index of OUTCOMES. */
const outcomeOf = (members: number, right: number): number =>
  members === 0 ? 0 : right === members ? 1 : right === 0 ? 2 : 3

/**
 * Fills in a group whose members begin at `from`, and gives where they end. All in one loop over the rows: with a function
 * for each sum, this took three times as long.
 */
function fillGroup(
  groups: Groups,
  group: number,
  from: number,
  { present, values }: Reals,
  correct: Int8Array,
): number {
  const { rows, places, ended, members, rewards } = groups
  const end = groups.starts[group + 1] ?? 0
  let n = from
  // NaN is equal to nothing: rows without a place all stand.
  let [standing, sum, first, right, isEqual] = [Number.NaN, 0, 0, 0, true]
  for (let index = groups.starts[group] ?? 0; index < end; index++) {
    const row = rows[index] ?? 0
    const value = values[row] ?? 0
    const place = places[index] ?? 0
    // Of a value that is not finite, itself taken off gives NaN.
    if (ended[index] !== 1 || present[row] !== 1 || value - value !== 0 || place === standing) continue
    standing = place
    if (n === from) first = value
    else if (value !== first) isEqual = false
    members[n] = row
    rewards[n] = value
    sum += value
    if (correct[row] === 1) right += 1
    n += 1
  }
  const count = n - from
  groups.memberStarts[group + 1] = n
  const expected = at(groups.expectedSize, group)
  if (!Number.isNaN(expected)) groups.complete[group] = count >= expected ? 1 : 0
  // Both deviations are of one sum of squares, and exactly 0 where all rewards are equal.
  const squares = isEqual ? 0 : squaresOf(rewards, sum / count, from, n)
  groups.total[group] = sum
  groups.mean[group] = count === 0 ? Number.NaN : sum / count
  groups.std[group] = count < 2 ? Number.NaN : Math.sqrt(squares / (count - 1))
  groups.stdPopulation[group] = count === 0 ? Number.NaN : Math.sqrt(squares / count)
  groups.zeroVariance[group] = count >= 2 && isEqual ? 1 : 0
  groups.outcome[group] = outcomeOf(count, right)
  return n
}

/** The groups of a layout with these rewards, which may be others than those of the selection. */
export function groupsWith({ scores }: Pick<Selection, 'scores'>, layout: GroupLayout, reward: Reals): Groups {
  const { size, rows } = layout
  const groups: Groups = {
    ...layout,
    memberStarts: new Uint32Array(size + 1),
    members: new Uint32Array(rows.length),
    rewards: new Float64Array(rows.length),
    complete: new Int8Array(size).fill(-1),
    total: new Float64Array(size),
    mean: new Float64Array(size),
    std: new Float64Array(size),
    stdPopulation: new Float64Array(size),
    zeroVariance: new Uint8Array(size),
    outcome: new Uint8Array(size),
  }
  let n = 0
  for (let group = 0; group < size; group++) n = fillGroup(groups, group, n, reward, scores.correct.values)
  return groups
}

/** The groups that rows of a selection are of, with its rewards. */
export const groupsOf = (selection: Selection): Groups =>
  derived(selection, 'groups', () => groupsWith(selection, groupLayout(selection), selection.scores.reward))

/** How many members of a group count. */
export const membersIn = ({ memberStarts }: Groups, group: number): number =>
  (memberStarts[group + 1] ?? 0) - (memberStarts[group] ?? 0)
