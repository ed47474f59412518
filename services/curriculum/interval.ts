/** What a share of a few rollouts says of the chance behind it. */

/** The standard normal quantile of 0.975. */
const Z_95 = 1.959963984540054

export interface Interval {
  readonly low: number
  readonly high: number
}

/** Wilson's score interval at 95 % for `passed` of `n`: sound also at 0 and 1, where the plain one has no width. Needs n > 0. */
export function wilson(passed: number, n: number): Interval {
  const share = passed / n
  const scale = Z_95 ** 2 / n
  const middle = (share + scale / 2) / (1 + scale)
  const half = (Z_95 * Math.sqrt((share * (1 - share)) / n + scale / (4 * n))) / (1 + scale)
  // At the ends the bound is the end itself; rounding would put it a little beside it.
  return { low: passed === 0 ? 0 : middle - half, high: passed === n ? 1 : middle + half }
}
