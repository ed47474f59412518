/** Pays stored trajectories by another reward version, out of the parts that they were scored with. */
import { gymEvent } from '#services/gym/loop/event.ts'
import type { RewardVersion } from '#services/gym/loop/reward-versions.ts'

/** A trajectory as the platform has it. A part is null where the stored score does not say it. */
export type StoredScore = {
  readonly trajectory_id: string
  readonly run_id: string
  readonly group_id: string | null
  readonly parts: { readonly rep: number | null; readonly format: number | null; readonly correct: number | null }
  readonly answer_match: boolean | null
  readonly format_ok: boolean | null
}

type Parts = { readonly rep: number; readonly format: number; readonly correct: number }

/**
 * One trajectory.scored for each trajectory whose parts are known; `unscored` counts the others. The mean of a group is
 * that of its scored members' rep + format + correct; a trajectory of no group is a group of its own.
 */
export function rescored(stored: readonly StoredScore[], version: RewardVersion, timeMs: number) {
  const known = stored.flatMap((one) => {
    const { rep, format, correct } = one.parts
    return rep === null || format === null || correct === null ? [] : [{ ...one, parts: { rep, format, correct } }]
  })
  const groups = new Map<string, { sum: number; n: number }>()
  const groupOf = ({ group_id, trajectory_id }: { group_id: string | null; trajectory_id: string }): string =>
    group_id === null ? `alone ${trajectory_id}` : `group ${group_id}`
  for (const one of known) {
    const group = groups.get(groupOf(one)) ?? { sum: 0, n: 0 }
    groups.set(groupOf(one), { sum: group.sum + base(one.parts), n: group.n + 1 })
  }
  const events = known.map((one) => {
    const { sum, n } = groups.get(groupOf(one)) ?? { sum: 0, n: 1 }
    return gymEvent('trajectory.scored', timeMs, {
      trajectory_id: one.trajectory_id,
      run_id: one.run_id,
      reward_version: version.name,
      reward: version.paid(one.parts, sum / n),
      parts: one.parts,
      ...(one.answer_match === null ? {} : { answer_match: one.answer_match }),
      ...(one.format_ok === null ? {} : { format_ok: one.format_ok }),
    })
  })
  return { events, unscored: stored.length - known.length }
}

const base = ({ rep, format, correct }: Parts): number => rep + format + correct
