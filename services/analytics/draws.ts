/**
 * What k rollouts drawn from the n of a unit come to, without bias: expectations over all ways to draw k of n without
 * putting back. Nothing is sampled.
 */

/** C(m, k) / C(n, k) for m <= n, factor by factor: binomials leave the range of doubles near n = 1030. */
function shareAmong(m: number, n: number, k: number): number {
  if (m < k) return 0
  let share = 1
  for (let drawn = 0; drawn < k; drawn++) share *= (m - drawn) / (n - drawn)
  return share
}

/** For each of n places, from the least, the chance that the greatest of k drawn lies there. Needs n >= k. */
export function bestWeights(n: number, k: number): Float64Array {
  const weights = new Float64Array(n)
  // The greatest is at place i (from 1) or below in C(i, k) of C(n, k) draws.
  let below = 0
  for (let place = k; place <= n; place++) {
    const upTo = shareAmong(place, n, k)
    weights[place - 1] = upTo - below
    below = upTo
  }
  return weights
}

/** How often an answer was given, and how often a rollout that gave it was right. */
export interface Votes {
  readonly n: number
  readonly right: number
}

/**
 * The chance that the majority of k drawn answers is right; among equally frequent answers one is taken by lot. Answers
 * that are equal are right in the same share of rollouts as in the unit. Needs at least k votes in all.
 */
export function majorityOf(answers: readonly Votes[], k: number): number {
  const total = answers.reduce((sum, { n }) => sum + n, 0)
  let chance = 0
  for (const [winner, answer] of answers.entries()) {
    if (answer.right === 0) continue
    const others = answers.filter((_, index) => index !== winner)
    for (let votes = 1; votes <= Math.min(answer.n, k); votes++)
      chance += (answer.right / answer.n) * choose(answer.n, votes) * drawsBelow(others, k - votes, votes)
  }
  return chance / choose(total, k)
}

function choose(n: number, k: number): number {
  let ways = 1
  for (let drawn = 0; drawn < k; drawn++) ways = (ways * (n - drawn)) / (drawn + 1)
  return Math.round(ways)
}

/** Ways to draw `k` among these with at most `votes` of each, each way divided by 1 + how many have exactly `votes`. */
function drawsBelow(others: readonly Votes[], k: number, votes: number): number {
  const tiesMax = Math.floor(k / votes)
  // ways[t][d]: t answers have exactly `votes`, d are drawn in all.
  let ways = Array.from({ length: tiesMax + 1 }, () => new Float64Array(k + 1))
  const start = ways[0]
  if (start !== undefined) start[0] = 1
  for (const { n } of others) {
    const next = Array.from({ length: tiesMax + 1 }, () => new Float64Array(k + 1))
    for (const [ties, row] of ways.entries())
      for (let drawn = 0; drawn <= k; drawn++) {
        const before = row[drawn] ?? 0
        if (before === 0) continue
        for (let taken = 0; taken <= Math.min(n, votes, k - drawn); taken++) {
          const into = next[ties + (taken === votes ? 1 : 0)]
          if (into !== undefined) into[drawn + taken] = (into[drawn + taken] ?? 0) + before * choose(n, taken)
        }
      }
    ways = next
  }
  return ways.reduce((sum, row, ties) => sum + (row[k] ?? 0) / (ties + 1), 0)
}
