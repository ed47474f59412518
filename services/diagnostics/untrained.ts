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

/** A reason, and what more there is to say. */
export interface Explanation {
  readonly reason: Reason
  readonly detail: string | null
}

/** The reasons of the rows of a selection. */
export interface Explained {
  /** The place in `found` of each row of the frame; -1 for rows that are not in the selection. */
  readonly codes: Int32Array
  /** What rows have, each once. */
  readonly found: readonly Explanation[]
}

/** Explanations by number: few differ, and an object for each of 300,000 rows took most of the time. */
class Explanations {
  readonly found: Explanation[] = []
  readonly #byReason = new Map<Reason, Map<string | null, number>>()

  of(reason: Reason, detail: string | null = null): number {
    let details = this.#byReason.get(reason)
    if (details === undefined) this.#byReason.set(reason, (details = new Map<string | null, number>()))
    let code = details.get(detail)
    if (code === undefined) {
      code = this.found.push({ reason, detail }) - 1
      details.set(detail, code)
    }
    return code
  }
}

/** What the trainer said of a row, its last word; -1 for nothing. */
function wordOf({ frame }: Selection, row: number, explanations: Explanations): number {
  let fact = -1
  for (let next = frame.trainings.first(row); next >= 0; next = frame.trainings.next(next)) fact = next
  if (fact < 0) return -1
  if (frame.trainings.kept.values[fact] === 0) return explanations.of('dropped', frame.trainings.dropReason.get(fact))
  return explanations.of('trained')
}

/** What is wrong with a rollout itself; -1 for nothing. */
function ownReason({ frame, scores }: Selection, row: number, explanations: Explanations): number {
  if (frame.finished.values[row] !== 1) return explanations.of('unfinished')
  if (at(frame.nConflicts.values, row) > 0) return explanations.of('conflicted')
  const status = frame.status.get(row)
  if (status !== 'completed' && status !== 'truncated') return explanations.of('broken', status)
  if (frame.nSteps.get(row) !== frame.nStepsSeen.get(row)) return explanations.of('gap')
  if (scores.reward.present[row] !== 1) return explanations.of('unscored')
  return Number.isFinite(at(scores.reward.values, row)) ? -1 : explanations.of('nonfinite')
}

/** What is wrong with the group of each row that is in one, by row of the frame; -1 for nothing. */
function groupReasons(selection: Selection, explanations: Explanations): Int32Array {
  const found = new Int32Array(selection.frame.size).fill(-1)
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
      if (!isStanding) found[row] = explanations.of('replaced')
      else if (groups.complete[group] === 0) found[row] = explanations.of('incomplete_group')
      else if (groups.zeroVariance[group] === 1)
        found[row] = explanations.of('zero_variance', outcome === 'mixed' ? 'uniform_other' : (outcome ?? null))
    }
  }
  return found
}

/**
 * The reason of each row. `all` has conflicted rows, too; `counted` is the same without them, from which groups are
 * joined.
 */
export function explained(all: Selection, counted: Selection): Explained {
  const explanations = new Explanations()
  const codes = new Int32Array(all.frame.size).fill(-1)
  const ofGroups = groupReasons(counted, explanations)
  const nothing = explanations.of(all.frame.trainings.size > 0 ? 'unmentioned' : 'ready')
  for (let index = 0; index < all.rows.length; index++) {
    const row = all.rows[index] ?? 0
    let code = wordOf(all, row, explanations)
    if (code < 0) code = ownReason(all, row, explanations)
    if (code < 0) code = ofGroups[row] ?? -1
    codes[row] = code < 0 ? nothing : code
  }
  return { codes, found: explanations.found }
}
