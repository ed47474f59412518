/** Means over items that are drawn again and again, for intervals: a percentile bootstrap. */
import { Chance } from './chance.ts'

/** Values of units as resampling sees them: their sum for each item, and how many they are. */
export interface ItemColumn {
  readonly sums: Float64Array
  /** Whole numbers, as doubles so that they are added up in the same loop. */
  readonly counts: Float64Array
  /** The sum over all items, added up unit by unit, and how many units that is. */
  readonly total: number
  readonly n: number
}

/** The values of each item: resampling draws items, with all of their units. NaN is no value. */
export function byItems(values: Float64Array, places: Uint32Array, items: number): ItemColumn {
  const sums = new Float64Array(items)
  const counts = new Float64Array(items)
  let [total, n] = [0, 0]
  for (let unit = 0; unit < values.length; unit++) {
    const value = values[unit] ?? Number.NaN
    if (Number.isNaN(value)) continue
    const place = places[unit] ?? 0
    sums[place] = (sums[place] ?? 0) + value
    counts[place] = (counts[place] ?? 0) + 1
    total += value
    n += 1
  }
  return { sums, counts, total, n }
}

/** Columns that are added up in one loop. */
const ABREAST = 4

/**
 * Puts the sums over items, each as often as it is drawn, of four columns into `sums`, from `first` on. Four chains of
 * additions that do not wait for one another take little longer than one.
 */
function drawnSums(
  drawn: Uint16Array,
  columns: readonly [Float64Array, Float64Array, Float64Array, Float64Array],
  sums: Float64Array,
  first: number,
): void {
  const [one, two, three, four] = columns
  let [sumOne, sumTwo, sumThree, sumFour] = [0, 0, 0, 0]
  for (let item = 0; item < drawn.length; item++) {
    const times = drawn[item] ?? 0
    sumOne += times * (one[item] ?? 0)
    sumTwo += times * (two[item] ?? 0)
    sumThree += times * (three[item] ?? 0)
    sumFour += times * (four[item] ?? 0)
  }
  sums[first] = sumOne
  sums[first + 1] = sumTwo
  sums[first + 2] = sumThree
  sums[first + 3] = sumFour
}

const areEqual = (left: Float64Array, right: Float64Array): boolean => {
  for (let index = 0; index < left.length; index++) if (left[index] !== right[index]) return false
  return true
}

/** The place of each column's counts in a list that has equal ones once. Only neighbours are compared: those of one k. */
function sharedCounts(columns: readonly ItemColumn[]): { places: number[]; counts: Float64Array[] } {
  const counts: Float64Array[] = []
  const places = columns.map((column) => {
    const last = counts.at(-1)
    if (last === undefined || !areEqual(last, column.counts)) counts.push(column.counts)
    return counts.length - 1
  })
  return { places, counts }
}

/**
 * For each column its means over items drawn again and again, NaN where what was drawn has no value; all columns see the
 * same draws.
 */
export function resampled(
  columns: readonly ItemColumn[],
  items: number,
  resamples: number,
  seed: number,
): Float64Array[] {
  const means = columns.map(() => new Float64Array(resamples))
  const { places, counts } = sharedCounts(columns)
  const added = [...columns.map(({ sums }) => sums), ...counts]
  const none = new Float64Array(items)
  const blocks = Array.from({ length: Math.ceil(added.length / ABREAST) }, (_, block) => {
    const column = (index: number) => added[block * ABREAST + index] ?? none
    return [column(0), column(1), column(2), column(3)] as const
  })
  const sums = new Float64Array(blocks.length * ABREAST)
  const chance = new Chance(seed)
  const drawn = new Uint16Array(items)
  for (let round = 0; round < resamples; round++) {
    chance.drawInto(drawn)
    for (const [block, four] of blocks.entries()) drawnSums(drawn, four, sums, block * ABREAST)
    for (const [column, values] of means.entries()) {
      const n = sums[columns.length + (places[column] ?? 0)] ?? 0
      values[round] = n === 0 ? Number.NaN : (sums[column] ?? 0) / n
    }
  }
  return means
}
