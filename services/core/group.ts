/** A group: the rollouts of one item at one train step, joined at read. */
import { type Advantage, advantages, deviation, mean } from './advantage.ts'

/** A rollout as its group sees it. */
export interface Candidate {
  readonly trajectory_id: string
  readonly partition: number
  /** The offset of its first event, which orders members. */
  readonly first_offset: number
  readonly rollout_index: number | null
  /** Null where it is not finished. */
  readonly status: string | null
  /** Null where it has no score; may be NaN or infinite. */
  readonly reward: number | null
  /** Null where it has no score. */
  readonly correct: boolean | null
}

/** Why all rewards of a group are equal. */
export const ZERO_VARIANCE_KINDS = ['all_pass', 'all_fail', 'uniform_other'] as const
export type ZeroVarianceKind = (typeof ZERO_VARIANCE_KINDS)[number]

/** A member with its place in the group. */
export interface Member<Given extends Candidate> {
  readonly candidate: Given
  /** Whether another member stands for its rollout_index. */
  readonly extra: boolean
  /** Null for members that do not count, and with `none`. */
  readonly advantage: number | null
}

/** What a group comes to. */
export interface GroupSummary<Given extends Candidate> {
  /** In order of rollout_index (those without one last), then log order. */
  readonly members: readonly Member<Given>[]
  /** Members that count: finished as completed or truncated with a finite reward, one for each rollout_index. */
  readonly size: number
  /** Whether it has the expected size; null where that is unknown. */
  readonly complete: boolean | null
  readonly reward_mean: number | null
  /** Of a sample (ddof 1); null for fewer than two. */
  readonly reward_std: number | null
  readonly reward_std_population: number | null
  /** Whether two or more members count and all have the same reward: then no advantage differs from 0. */
  readonly zero_variance: boolean
  readonly zero_variance_kind: ZeroVarianceKind | null
}

function counts(candidate: Candidate): boolean {
  return (
    (candidate.status === 'completed' || candidate.status === 'truncated') &&
    candidate.reward !== null &&
    Number.isFinite(candidate.reward)
  )
}

const byText = (left: string, right: string) => (left < right ? -1 : left > right ? 1 : 0)

/** Log order; offsets of several partitions are only made to agree with themselves. */
function inLogOrder(left: Candidate, right: Candidate): number {
  return (
    left.first_offset - right.first_offset ||
    left.partition - right.partition ||
    byText(left.trajectory_id, right.trajectory_id)
  )
}

function byPlace(left: Candidate, right: Candidate): number {
  const [leftIndex, rightIndex] = [left.rollout_index ?? Infinity, right.rollout_index ?? Infinity]
  return leftIndex === rightIndex ? inLogOrder(left, right) : leftIndex - rightIndex
}

/**
 * The members that stand for their rollout_index: the first in log order that can count, else the first at all (so
 * that a retry counts where the first attempt broke). Members without an index stand for themselves.
 */
function standing<Given extends Candidate>(candidates: readonly Given[]): Set<Given> {
  const chosen = new Map<number, Given>()
  const standing = new Set<Given>()
  for (const candidate of [...candidates].sort(inLogOrder)) {
    const index = candidate.rollout_index
    if (index === null) {
      standing.add(candidate)
      continue
    }
    const before = chosen.get(index)
    if (before === undefined || (!counts(before) && counts(candidate))) chosen.set(index, candidate)
  }
  for (const candidate of chosen.values()) standing.add(candidate)
  return standing
}

/** Sums up the rollouts of a group. `expectedSize` is null where nobody said how many there should be. */
export function summariseGroup<Given extends Candidate>(
  candidates: readonly Given[],
  expectedSize: number | null,
  kind: Advantage,
): GroupSummary<Given> {
  const ordered = [...candidates].sort(byPlace)
  const stands = standing(ordered)
  const counted = ordered.filter((candidate) => stands.has(candidate) && counts(candidate))
  const rewards = counted.map(({ reward }) => reward ?? 0)
  const found = new Map(advantages(rewards, kind).map((advantage, index) => [counted[index], advantage]))
  const zeroVariance = rewards.length >= 2 && rewards.every((reward) => reward === rewards[0])
  return {
    members: ordered.map((candidate) => ({
      candidate,
      extra: !stands.has(candidate),
      advantage: found.get(candidate) ?? null,
    })),
    size: counted.length,
    complete: expectedSize === null ? null : counted.length >= expectedSize,
    reward_mean: mean(rewards),
    reward_std: deviation(rewards, 1),
    reward_std_population: deviation(rewards, 0),
    zero_variance: zeroVariance,
    zero_variance_kind: zeroVariance ? uniformKind(counted) : null,
  }
}

function uniformKind(counted: readonly Candidate[]): ZeroVarianceKind {
  if (counted.every(({ correct }) => correct === true)) return 'all_pass'
  return counted.every(({ correct }) => correct === false) ? 'all_fail' : 'uniform_other'
}
