import { nearest } from '#services/core/nearest.ts'
import { Problem } from '#services/problem.ts'
import { vistaRewardVersion, type RewardParts, type Score } from './reward.ts'

/** A way to pay a rollout, worked out of the parts of its reward. */
export type RewardVersion = {
  readonly name: string
  readonly description: string
  readonly formula: string
  /** From this reward on a rollout counts as right where nothing else says so. */
  readonly correct_threshold: number
  /** Whether it needs the mean reward of the rollout's group, so that it can only be paid when that is complete. */
  readonly needs_group: boolean
  paid(parts: RewardParts, groupMean: number): number
}

const base = ({ rep, format, correct }: RewardParts): number => rep + format + correct
const clamp = (value: number): number => Math.min(1, Math.max(0, value))

/** The reward of the paper (5.2), and the three that it tried beside it (6.3); R_f and R_c as stored, withheld ones 0. */
export const rewardVersions: readonly RewardVersion[] = [
  {
    name: vistaRewardVersion,
    description: 'repetition, form and answer, as in the paper',
    formula: 'rep + format + correct',
    correct_threshold: 2,
    needs_group: false,
    paid: base,
  },
  {
    name: `${vistaRewardVersion}-dense`,
    description: 'the dense reward of the ablation',
    formula: '-1 + 0.5 * format + 0.5 * correct + format * correct',
    correct_threshold: 1,
    needs_group: false,
    paid: ({ format, correct }) => -1 + 0.5 * format + 0.5 * correct + format * correct,
  },
  {
    name: `${vistaRewardVersion}-sparse`,
    description: 'the sparse reward of the ablation: 1 for a well-formed right answer, else 0',
    formula: 'format * correct',
    correct_threshold: 1,
    needs_group: false,
    paid: ({ format, correct }) => format * correct,
  },
  {
    name: `${vistaRewardVersion}-difficulty`,
    description: 'the reward of the paper, weighed by how hard the item was for the group',
    formula: '(rep + format + correct) * (clamp(2 - group_mean, 0, 1) * 0.5 + 0.5)',
    correct_threshold: 1,
    needs_group: true,
    paid: (parts, groupMean) => base(parts) * (clamp(2 - groupMean) * 0.5 + 0.5),
  },
]

/** The version of that name. Throws `invalid`, naming the nearest known one. */
export function rewardVersionNamed(name: string): RewardVersion {
  const found = rewardVersions.find((version) => version.name === name)
  if (found !== undefined) return found
  const known = rewardVersions.map((version) => version.name)
  const near = nearest(name, known)
  throw new Problem('invalid', `there is no reward version ${JSON.stringify(name.slice(0, 80))}`, {
    hint: `${near === undefined ? '' : `did you mean ${near}? `}The versions are ${known.join(', ')}`,
  })
}

/** A score with the reward of that version, which needs no group. */
export function paidBy(version: RewardVersion, score: Score): Score & { readonly reward_version: string } {
  return { ...score, reward: version.paid(score.parts, Number.NaN), reward_version: version.name }
}
