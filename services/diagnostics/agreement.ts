/** How far those who label agree: Krippendorff's alpha for two values, with any number of raters for each unit. */

/** A unit: how many raters looked at it, and how many of them set the code. */
export interface Rated {
  readonly raters: number
  readonly set: number
}

export interface Agreement {
  /** Units with at least two raters. */
  readonly n_units: number
  /** The share of pairs of raters that agree, each rater's pairs weighing the same. Null of no units. */
  readonly agreement: number | null
  /** 1: always. 0: as often as by chance. Null of no units, and where all say the same of all. */
  readonly alpha: number | null
}

/** Agreement over units; those with one rater say nothing of it. */
export function agreementOf(units: readonly Rated[]): Agreement {
  const rated = units.filter(({ raters }) => raters >= 2)
  let values = 0
  let ones = 0
  let disagreement = 0
  for (const { raters, set } of rated) {
    values += raters
    ones += set
    // Ordered pairs of unequal values, of which there are raters (raters - 1) in all.
    disagreement += (2 * set * (raters - set)) / (raters - 1)
  }
  if (values === 0) return { n_units: 0, agreement: null, alpha: null }
  const observed = disagreement / values
  const expected = (2 * ones * (values - ones)) / (values * (values - 1))
  return { n_units: rated.length, agreement: 1 - observed, alpha: expected === 0 ? null : 1 - observed / expected }
}
