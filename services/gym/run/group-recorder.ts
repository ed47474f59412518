/** A recorder that keeps the events of each group apart, for playing groups side by side and telling them one by one. */
import type { GymEvent } from '#services/gym/loop/event.ts'
import type { RecordedImage, Recorder } from '#services/gym/publish/recorder.ts'
import type { Outcome } from './metrics.ts'

export type GroupRecorder = Recorder & {
  /** Everything of a group until now, in the order of its times; a picture that was told of before is left out. */
  take(groupId: string): { readonly events: readonly GymEvent[]; readonly images: readonly RecordedImage[] }
}

type Kept = { readonly of: string; readonly event: GymEvent }

/** Keeps what it is given in memory. The trajectory_id of a rollout is its group_id, a slash and a number. */
export function groupRecorder(): GroupRecorder {
  const groups = new Map<string, { readonly events: Kept[]; readonly images: RecordedImage[] }>()
  const told = new Set<string>()
  return {
    add: async (events, images = []) => {
      const of = trajectoryOf(events)
      const group = of.replace(/\/\d+$/, '')
      const kept = groups.get(group) ?? { events: [], images: [] }
      groups.set(group, kept)
      kept.events.push(...events.map((event) => ({ of, event })))
      kept.images.push(...images)
    },
    take: (groupId) => {
      const { events, images } = groups.get(groupId) ?? { events: [], images: [] }
      groups.delete(groupId)
      const isNew = ({ event: { type, data } }: Kept): boolean => {
        if (type !== 'image.registered') return true
        const known = told.has(data.image_id)
        told.add(data.image_id)
        return !known
      }
      const kept = events.toSorted(byTime).filter(isNew)
      const fresh = new Set(
        kept.flatMap(({ event: { type, data } }) => (type === 'image.registered' ? data.image_id : [])),
      )
      const pictures = new Map(
        images.filter(({ image_id }) => fresh.has(image_id)).map((each) => [each.image_id, each]),
      )
      return { events: kept.map(({ event }) => event), images: [...pictures.values()] }
    },
  }
}

/** Stable: what happens to one rollout at the same instant stays in its order, and that of two never depends on luck. */
function byTime(left: Kept, right: Kept): number {
  const [before, after] = [Date.parse(left.event.time), Date.parse(right.event.time)]
  if (before !== after) return before - after
  return left.of < right.of ? -1 : left.of > right.of ? 1 : 0
}

/** What is told at once is of one rollout. */
function trajectoryOf(events: readonly GymEvent[]): string {
  for (const { data } of events) if ('trajectory_id' in data) return data.trajectory_id
  return ''
}

/** The outcomes of the finished rollouts among events. */
export function outcomesOf(events: readonly GymEvent[]): Outcome[] {
  const calls = new Map<string, { n: number; invalid: number; codes: Record<string, number> }>()
  for (const { type, data } of events) {
    if (type !== 'step.recorded') continue
    const of = calls.get(data.trajectory_id) ?? { n: 0, invalid: 0, codes: {} }
    calls.set(data.trajectory_id, of)
    for (const { valid, error_codes: codes } of data.tool_calls ?? []) {
      of.n++
      if (valid !== true) of.invalid++
      for (const code of codes ?? []) of.codes[code] = (of.codes[code] ?? 0) + 1
    }
  }
  return events.flatMap(({ type, data }) => {
    if (type !== 'trajectory.finished') return []
    const { trajectory_id, status, reward, answer_match, format_ok, response_tokens } = data
    const { n, invalid, codes } = calls.get(trajectory_id) ?? { n: 0, invalid: 0, codes: {} }
    return {
      trajectory_id,
      status,
      reward: typeof reward === 'number' ? reward : null,
      correct: answer_match === true,
      format_ok: format_ok === true,
      n_tool_calls: n,
      n_invalid_tool_calls: invalid,
      response_tokens: response_tokens ?? 0,
      error_codes: codes,
    }
  })
}
