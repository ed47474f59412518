/** Whether a rollout was right, from what was sent with its score. */

/** How far below a threshold still counts as reaching it: rewards are sums of parts, and such sums are off in the last bits. */
export const CORRECT_TOLERANCE = 1e-6

/** The reward from which a trajectory is correct where the run does not say. */
export const CORRECT_THRESHOLD = 1

/** The reward version of a run that names none. */
export const DEFAULT_REWARD_VERSION = 'default'

/** What decides whether a scored trajectory is correct. */
export interface Scored {
  readonly reward: number
  readonly answer_match: boolean | null
  /** The parts of the reward by name; non-finite ones as the strings they were sent as. */
  readonly parts: Readonly<Record<string, unknown>> | null
}

/**
 * `answer_match` where it was sent, else whether the part `correct` reaches 1, else whether the reward reaches the
 * threshold; both to 1e-6. NaN reaches nothing.
 */
export function isCorrect(score: Scored, threshold: number = CORRECT_THRESHOLD): boolean {
  if (score.answer_match !== null) return score.answer_match
  const part = score.parts?.['correct']
  if (part !== undefined && part !== null) return Number(part) >= 1 - CORRECT_TOLERANCE
  return score.reward >= threshold - CORRECT_TOLERANCE
}
