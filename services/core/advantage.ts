/** Advantages of the members of a group, by the formulas that trainers use. */

/** The ways to turn the rewards of a group into advantages. */
export const ADVANTAGES = ['verl', 'population', 'dr_grpo', 'rloo', 'none'] as const
export type Advantage = (typeof ADVANTAGES)[number]

/** What verl adds to the standard deviation before it divides by it. */
const EPSILON = 1e-6

/** The sum from the first to the last: the order of the list fixes every bit of it. */
export function sum(values: readonly number[]): number {
  let total = 0
  for (const value of values) total += value
  return total
}

/** The mean, or null of nothing. */
export function mean(values: readonly number[]): number | null {
  return values.length === 0 ? null : sum(values) / values.length
}

/**
 * The standard deviation with `ddof` degrees of freedom taken off (1: of a sample, 0: of a population), or null where
 * none is left. Exactly 0 where all values are equal, which rounding in the mean would otherwise spoil.
 */
export function deviation(values: readonly number[], ddof: 0 | 1): number | null {
  const average = mean(values)
  if (average === null || values.length <= ddof) return null
  if (values.every((value) => value === values[0])) return 0
  return Math.sqrt(sum(values.map((value) => (value - average) ** 2)) / (values.length - ddof))
}

/**
 * The advantage of each of `rewards` (finite, of one group, in a fixed order), or null for each with `none`.
 * - verl: (reward - mean) / (sample deviation + 1e-6); a single member has mean 0 and deviation 1.
 * - population: the same with the population's deviation.
 * - dr_grpo: reward - mean; a single member has mean 0.
 * - rloo: reward - mean of the others; a single member keeps its reward.
 */
export function advantages(rewards: readonly number[], kind: Advantage): (number | null)[] {
  if (kind === 'none') return rewards.map(() => null)
  const single = rewards.length === 1
  const average = single ? 0 : (mean(rewards) ?? 0)
  if (rewards.every((reward) => reward === rewards[0]) && !single) return rewards.map(() => 0)
  switch (kind) {
    case 'verl':
    case 'population': {
      const spread = single ? 1 : (deviation(rewards, kind === 'verl' ? 1 : 0) ?? 1)
      return rewards.map((reward) => (reward - average) / (spread + EPSILON))
    }
    case 'dr_grpo':
      return rewards.map((reward) => reward - average)
    case 'rloo': {
      const total = sum(rewards)
      return rewards.map((reward) => (single ? reward : reward - (total - reward) / (rewards.length - 1)))
    }
  }
}
