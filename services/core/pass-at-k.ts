/** pass@k and pass^k without bias, from how many of n rollouts of an item were right. */

/** A number of items of which `n` rollouts each were judged and `passed` were right. */
export interface PassCount {
  readonly n: number
  readonly passed: number
  readonly items: number
}

/** The estimates for one k. Both are null where no item has k rollouts. */
export interface PassEstimate {
  readonly k: number
  /** The mean chance that at least one of k rollouts is right. */
  readonly pass_at_k: number | null
  /** The mean chance that all of k rollouts are right. */
  readonly pass_hat_k: number | null
  /** Items with at least k rollouts. */
  readonly n_items: number
  /** Items with fewer. */
  readonly n_items_left_out: number
}

/** C(m, k) / C(n, k) for m <= n: the chance that k of n, drawn without putting back, all lie among m given ones. */
function allAmong(m: number, n: number, k: number): number {
  if (m < k) return 0
  let share = 1
  // Factor by factor: the binomials themselves leave the range of doubles near n = 1030.
  for (let drawn = 0; drawn < k; drawn++) share *= (m - drawn) / (n - drawn)
  return share
}

/** 1 - C(n-c, k) / C(n, k): the chance that at least one of k out of n rollouts is right, `passed` of them being right. Needs n >= k. */
export function passAtK(n: number, passed: number, k: number): number {
  return 1 - allAmong(n - passed, n, k)
}

/** C(c, k) / C(n, k): the chance that all of k out of n rollouts are right. Needs n >= k. */
export function passHatK(n: number, passed: number, k: number): number {
  return allAmong(passed, n, k)
}

/** The estimates for each k over all items, each item counting the same. Equal counts may come in several entries. */
export function passEstimates(counts: readonly PassCount[], ks: readonly number[]): PassEstimate[] {
  const ordered = [...counts].sort((left, right) => left.n - right.n || left.passed - right.passed)
  return ks.map((k) => {
    let items = 0
    let leftOut = 0
    let atLeastOne = 0
    let all = 0
    for (const { n, passed, items: here } of ordered) {
      if (n < k) {
        leftOut += here
        continue
      }
      items += here
      atLeastOne += here * passAtK(n, passed, k)
      all += here * passHatK(n, passed, k)
    }
    return {
      k,
      pass_at_k: items === 0 ? null : atLeastOne / items,
      pass_hat_k: items === 0 ? null : all / items,
      n_items: items,
      n_items_left_out: leftOut,
    }
  })
}
