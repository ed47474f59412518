/**
 * The units of pass@k as columns: the rollouts of an item by a policy version, how many were right, their rewards, and
 * how they voted.
 */
import { at } from './columns.ts'
import type { Votes } from './draws.ts'
import type { Selection } from './select.ts'

/** Votes of one unit at most: a unit with more rollouts votes with its first ones. What a vote costs grows with the fourth power. */
export const VOTES_MAX = 64

/** Units in the order of their first rows. */
export interface Units {
  readonly size: number
  /** The code of the item of each unit. */
  readonly items: Uint32Array
  /** The first row of each unit. */
  readonly firsts: Uint32Array
  readonly n: Uint32Array
  readonly right: Uint32Array
  /** The finite rewards of unit u are `rewards[rewardStarts[u]]` to before `rewards[rewardStarts[u + 1]]`, from the least. */
  readonly rewardStarts: Uint32Array
  readonly rewards: Float64Array
  /** The number in `patterns` of how each unit voted. */
  readonly pattern: Uint32Array
  /** Votes from the fewest; units that voted alike share a pattern. */
  readonly patterns: readonly (readonly Votes[])[]
}

/** Which of the columns are wanted; the others are empty. */
export interface UnitsWanted {
  readonly rewards: boolean
  readonly votes: boolean
}

/** The rows of unit u are `rows[starts[u]]` to before `rows[starts[u + 1]]`, in the order of the selection. */
interface UnitRows {
  readonly items: Uint32Array
  readonly starts: Uint32Array
  readonly rows: Uint32Array
}

function unitRows({ frame, rows, scores }: Selection): UnitRows {
  const versions = new Map<number, number>()
  const places = new Map<number, number>()
  // Columns are taken out of their objects before loops over all rows: that halves what a row costs.
  const [itemCodes, isFinished, correct] = [frame.item.codes, frame.finished.values, scores.correct.values]
  const versionOf = frame.policyVersion.values
  const items: number[] = []
  const sizes: number[] = []
  const placeOf = new Int32Array(rows.length).fill(-1)
  let [lastKey, lastPlace] = [-1, -1]
  for (let index = 0; index < rows.length; index++) {
    const row = rows[index] ?? 0
    const item = itemCodes[row] ?? -1
    if (item < 0 || isFinished[row] !== 1 || (correct[row] ?? -1) < 0) continue
    // No policy version is one of its own; NaN is a key like any other to a Map.
    const value = at(versionOf, row)
    let version = versions.get(value)
    if (version === undefined) versions.set(value, (version = versions.size))
    const key = version * frame.items.ids.size + item
    // Rollouts of a unit mostly stand side by side.
    let place = key === lastKey ? lastPlace : places.get(key)
    if (place === undefined) {
      place = items.length
      places.set(key, place)
      items.push(item)
      sizes.push(0)
    }
    lastKey = key
    lastPlace = place
    placeOf[index] = place
    sizes[place] = (sizes[place] ?? 0) + 1
  }
  const starts = new Uint32Array(items.length + 1)
  for (let unit = 0; unit < items.length; unit++) starts[unit + 1] = (starts[unit] ?? 0) + (sizes[unit] ?? 0)
  const filled = starts.slice()
  const found = new Uint32Array(starts[items.length] ?? 0)
  for (let index = 0; index < rows.length; index++) {
    const place = placeOf[index] ?? -1
    if (place < 0) continue
    found[filled[place] ?? 0] = rows[index] ?? 0
    filled[place] = (filled[place] ?? 0) + 1
  }
  return { items: Uint32Array.from(items), starts, rows: found }
}

/** Ranges of more values than this are sorted by the engine's sort; insertion is faster for the few that units have. */
const FEW = 64

function sortRange(values: Float64Array | Int32Array, from: number, to: number): void {
  if (to - from > FEW) {
    values.subarray(from, to).sort()
    return
  }
  for (let next = from + 1; next < to; next++) {
    const value = values[next] ?? 0
    let place = next
    while (place > from && (values[place - 1] ?? 0) > value) {
      values[place] = values[place - 1] ?? 0
      place -= 1
    }
    values[place] = value
  }
}

function sortedRewards({ scores }: Selection, { starts, rows }: UnitRows): Pick<Units, 'rewards' | 'rewardStarts'> {
  const sent = scores.reward.values
  const rewards = new Float64Array(rows.length)
  const rewardStarts = new Uint32Array(starts.length)
  let n = 0
  for (let unit = 0; unit + 1 < starts.length; unit++) {
    const from = n
    for (let place = starts[unit] ?? 0; place < (starts[unit + 1] ?? 0); place++) {
      const value = at(sent, rows[place] ?? 0)
      if (Number.isFinite(value)) rewards[n++] = value
    }
    sortRange(rewards, from, n)
    rewardStarts[unit + 1] = n
  }
  return { rewards, rewardStarts }
}

/** Answers are compared trimmed, without case, any white space as one space. */
const normal = (answer: string) => answer.trim().toLowerCase().replaceAll(/\s+/g, ' ')

/** The number of the answer of each row: equal for equal answers, 0 for none. */
function answerNumbers({ frame }: Selection): (row: number) => number {
  const { dictionary } = frame.prediction
  const byCode = new Int32Array(dictionary.size)
  const byText = new Map<string, number>()
  return (row) => {
    const code = frame.prediction.code(row)
    if (code < 0) return 0
    const known = byCode[code] ?? 0
    if (known > 0) return known
    const text = normal(dictionary.text(code) ?? '')
    const number = byText.get(text) ?? byText.size + 1
    byText.set(text, number)
    byCode[code] = number
    return number
  }
}

/** More than any code of a vote: its answers, at most VOTES_MAX, and as many right ones. */
const CODES = (VOTES_MAX + 1) ** 2

/** Ways to vote as a tree, a vote at a time: units that voted alike end at one node, with no text made to compare them. */
class Patterns {
  readonly found: (readonly Votes[])[] = []
  readonly #nodes = new Map<number, number>()
  readonly #patternAt = new Map<number, number>()

  /** The number of the way to vote that the first `size` codes tell. */
  numberOf(codes: Int32Array, size: number): number {
    let node = 0
    for (let index = 0; index < size; index++) {
      const step = node * CODES + (codes[index] ?? 0)
      let next = this.#nodes.get(step)
      if (next === undefined) this.#nodes.set(step, (next = this.#nodes.size + 1))
      node = next
    }
    let number = this.#patternAt.get(node)
    if (number === undefined) {
      const votes = [...codes.subarray(0, size)].map((code) => ({
        n: Math.floor(code / (VOTES_MAX + 1)),
        right: code % (VOTES_MAX + 1),
      }))
      number = this.found.push(votes) - 1
      this.#patternAt.set(node, number)
    }
    return number
  }
}

/** How each unit voted. A rollout without an answer votes for none, which is never right. */
function votes(selection: Selection, { starts, rows }: UnitRows): Pick<Units, 'pattern' | 'patterns'> {
  const correct = selection.scores.correct.values
  const answerOf = answerNumbers(selection)
  const patterns = new Patterns()
  const pattern = new Uint32Array(starts.length - 1)
  // Of one unit, used again for the next: its answers, and for each how often it was given and how often it was right.
  const answers = new Int32Array(VOTES_MAX)
  const codes = new Int32Array(VOTES_MAX)
  for (let unit = 0; unit < pattern.length; unit++) {
    const from = starts[unit] ?? 0
    const to = Math.min(starts[unit + 1] ?? 0, from + VOTES_MAX)
    let size = 0
    for (let place = from; place < to; place++) {
      const row = rows[place] ?? 0
      const answer = answerOf(row)
      let which = 0
      while (which < size && answers[which] !== answer) which++
      if (which === size) {
        answers[size] = answer
        codes[size++] = 0
      }
      codes[which] = (codes[which] ?? 0) + VOTES_MAX + 1 + (answer > 0 && correct[row] === 1 ? 1 : 0)
    }
    sortRange(codes, 0, size)
    pattern[unit] = patterns.numberOf(codes, size)
  }
  return { pattern, patterns: patterns.found }
}

/** The units of a selection: finished trajectories with an item and a score, by (item, policy_version). */
export function unitsOf(selection: Selection, wanted: UnitsWanted): Units {
  const found = unitRows(selection)
  const { items, starts, rows } = found
  const size = items.length
  const [firsts, n, right] = [new Uint32Array(size), new Uint32Array(size), new Uint32Array(size)]
  const correct = selection.scores.correct.values
  for (let unit = 0; unit < size; unit++) {
    const [from, to] = [starts[unit] ?? 0, starts[unit + 1] ?? 0]
    let passed = 0
    for (let place = from; place < to; place++) if (correct[rows[place] ?? 0] === 1) passed += 1
    firsts[unit] = rows[from] ?? 0
    n[unit] = to - from
    right[unit] = passed
  }
  const noRewards = { rewards: new Float64Array(0), rewardStarts: new Uint32Array(size + 1) }
  const noVotes = { pattern: new Uint32Array(0), patterns: [] }
  return {
    size,
    items,
    firsts,
    n,
    right,
    ...(wanted.rewards ? sortedRewards(selection, found) : noRewards),
    ...(wanted.votes ? votes(selection, found) : noVotes),
  }
}
