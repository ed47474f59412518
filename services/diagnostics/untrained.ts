/** Why rollouts gave no training row. Each has one reason, the first that holds in the order in which they stand here. */
import { at } from '#services/analytics/columns.ts'
import { OUTCOMES, groupsOf } from '#services/analytics/grouped.ts'
import type { Selection } from '#services/analytics/select.ts'

export const REASONS = {
  trained: 'The trainer said that it used it.',
  dropped: 'The trainer said that it left it out; the detail is its reason.',
  unfinished: 'It is not finished.',
  conflicted: 'Events about it came again with other content.',
  broken: 'It ended as aborted or infra_error; the detail says which.',
  gap: 'Steps of it are missing.',
  unscored: 'It has no score under the reward version.',
  nonfinite: 'Its reward is NaN or infinite.',
  replaced: 'Another rollout stands for its place in the group.',
  incomplete_group: 'Its group has fewer members than it is meant to have.',
  zero_variance:
    'All rewards of its group are equal, so that no advantage differs from 0; the detail says of which kind.',
  unmentioned: 'Nothing speaks against it, and the trainer spoke of others and not of it.',
  ready: 'Nothing speaks against it, and no trainer spoke of this run.',
} as const
export type Reason = keyof typeof REASONS

export interface Explained {
  readonly row: number
  readonly reason: Reason
  readonly detail: string | null
}

/** What the trainer said of a row, its last word. */
function wordOf({ frame }: Selection, row: number): Omit<Explained, 'row'> | undefined {
  let fact = -1
  for (let next = frame.trainings.first(row); next >= 0; next = frame.trainings.next(next)) fact = next
  if (fact < 0) return undefined
  if (frame.trainings.kept.get(fact) === false)
    return { reason: 'dropped', detail: frame.trainings.dropReason.get(fact) }
  return { reason: 'trained', detail: null }
}

/** What is wrong with a rollout itself. */
function ownReason({ frame, scores }: Selection, row: number): Omit<Explained, 'row'> | undefined {
  if (frame.finished.get(row) !== true) return { reason: 'unfinished', detail: null }
  if (at(frame.nConflicts.values, row) > 0) return { reason: 'conflicted', detail: null }
  const status = frame.status.get(row)
  if (status !== 'completed' && status !== 'truncated') return { reason: 'broken', detail: status }
  if (frame.nSteps.get(row) !== frame.nStepsSeen.get(row)) return { reason: 'gap', detail: null }
  const reward = scores.reward.get(row)
  if (reward === null) return { reason: 'unscored', detail: null }
  return Number.isFinite(reward) ? undefined : { reason: 'nonfinite', detail: null }
}

/** What is wrong with the group of each row that is in one, by row. */
function groupReasons(selection: Selection): (Omit<Explained, 'row'> | undefined)[] {
  const found = Array.from<undefined, Omit<Explained, 'row'> | undefined>(
    { length: selection.frame.size },
    () => undefined,
  )
  const groups = groupsOf(selection)
  for (let group = 0; group < groups.size; group++) {
    const outcome = OUTCOMES[groups.outcome[group] ?? 0]
    const last = groups.memberStarts[group + 1] ?? 0
    let member = groups.memberStarts[group] ?? 0
    for (let place = groups.starts[group] ?? 0; place < (groups.starts[group + 1] ?? 0); place++) {
      const row = groups.rows[place] ?? 0
      // Members stand in the order of the rows.
      const isStanding = member < last && groups.members[member] === row
      if (isStanding) member += 1
      if (!isStanding) found[row] = { reason: 'replaced', detail: null }
      else if (groups.complete[group] === 0) found[row] = { reason: 'incomplete_group', detail: null }
      else if (groups.zeroVariance[group] === 1)
        found[row] = { reason: 'zero_variance', detail: outcome === 'mixed' ? 'uniform_other' : (outcome ?? null) }
    }
  }
  return found
}

/**
 * The reason of each row. `all` has conflicted rows, too; `counted` is the same without them, from which groups are
 * joined.
 */
export function explained(all: Selection, counted: Selection): Explained[] {
  const spoke = all.frame.trainings.size > 0
  const ofGroups = groupReasons(counted)
  return Array.from(all.rows, (row) => {
    const found = wordOf(all, row) ??
      ownReason(all, row) ??
      ofGroups[row] ?? { reason: spoke ? ('unmentioned' as const) : ('ready' as const), detail: null }
    return { row, ...found }
  })
}
