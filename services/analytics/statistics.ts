/** Statistics of numbers in a fixed order: the order of the list fixes every bit of a sum. */

/** What is said of a list of numbers. All are null of nothing. */
export interface Summary {
  readonly mean: number | null
  /** Of a sample (ddof 1); null for fewer than two. */
  readonly std: number | null
  readonly min: number | null
  readonly max: number | null
  readonly p10: number | null
  readonly p50: number | null
  readonly p90: number | null
}

const NOTHING: Summary = { mean: null, std: null, min: null, max: null, p10: null, p50: null, p90: null }

/** The sum from the first to the last, of [from, to). Ranges and not views: a view of eight values costs more than their sum. */
export function sumOf(values: Float64Array, from = 0, to = values.length): number {
  let total = 0
  for (let index = from; index < to; index++) total += values[index] ?? 0
  return total
}

/** The mean from the first to the last, or null of nothing. */
export function meanOf(values: Float64Array, from = 0, to = values.length): number | null {
  return to <= from ? null : sumOf(values, from, to) / (to - from)
}

/** The standard deviation with `ddof` taken off, by two passes; exactly 0 where all values are equal. Null where none is left. */
export function deviationOf(values: Float64Array, ddof: 0 | 1, from = 0, to = values.length): number | null {
  const n = to - from
  if (n <= ddof) return null
  const mean = sumOf(values, from, to) / n
  let total = 0
  let equal = true
  const first = values[from] ?? 0
  for (let index = from; index < to; index++) {
    const value = values[index] ?? 0
    if (value !== first) equal = false
    total += (value - mean) ** 2
  }
  return equal ? 0 : Math.sqrt(total / (n - ddof))
}

/** The quantile of sorted values, between neighbours by straight line (NumPy's default, "linear"). Null of nothing. */
export function quantile(sorted: Float64Array, share: number): number | null {
  if (sorted.length === 0) return null
  const place = share * (sorted.length - 1)
  const below = Math.floor(place)
  const low = sorted[below] ?? 0
  const high = sorted[Math.min(below + 1, sorted.length - 1)] ?? 0
  return low + (high - low) * (place - below)
}

/** Mean, deviation, extremes and quantiles of finite values. */
export function summary(values: Float64Array): Summary {
  if (values.length === 0) return NOTHING
  const sorted = values.slice().sort()
  return {
    mean: meanOf(values),
    std: deviationOf(values, 1),
    min: sorted[0] ?? null,
    max: sorted[sorted.length - 1] ?? null,
    p10: quantile(sorted, 0.1),
    p50: quantile(sorted, 0.5),
    p90: quantile(sorted, 0.9),
  }
}

/** A share, or null of nothing. */
export const share = (part: number, whole: number): number | null => (whole === 0 ? null : part / whole)

/** Numbers put into one array as they come. */
export class Gathered {
  #values: Float64Array<ArrayBuffer>
  #size = 0

  /** `expected` is how many there may be; more are taken, too. */
  constructor(expected = 64) {
    this.#values = new Float64Array(Math.max(expected, 1))
  }

  add(value: number): void {
    if (this.#size === this.#values.length) {
      const grown = new Float64Array(this.#size * 2)
      grown.set(this.#values)
      this.#values = grown
    }
    this.#values[this.#size++] = value
  }

  /** Takes everything out again, so that the memory is used once more. Ends what `values` gave. */
  clear(): void {
    this.#size = 0
  }

  get size(): number {
    return this.#size
  }

  /** What was added, in order; shares memory with this. */
  get values(): Float64Array {
    return this.#values.subarray(0, this.#size)
  }
}
