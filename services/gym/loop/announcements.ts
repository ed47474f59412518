/** What is told once: a run when its first episode begins, an item when it is met first. */
import { Problem } from '#services/problem.ts'
import type { RecordedImage } from '#services/gym/publish/recorder.ts'
import { nameOf } from '#services/gym/tools/offered.ts'
import type { Episode } from './episode.ts'
import { itemEvents, runStartedEvent } from './episode-events.ts'
import type { GymOptions } from './episodes.ts'
import type { GymEvent } from './event.ts'
import { forgetOldest } from './forget-oldest.ts'
import type { Settings } from './reset-options.ts'
import { tokenRule } from './tokens.ts'

export type Announcements = {
  /** Throws `invalid` where an episode is to be paid otherwise than its run. */
  check(settings: Settings): void
  /** What has to be told before an episode begins. */
  of(episode: Episode): { readonly events: readonly GymEvent[]; readonly images: readonly RecordedImage[] }
}

/** What was announced already is remembered up to this many names; what is announced again counts once by its key. */
const announcedMax = 50_000

/** The announcements of a gym. */
export function announcements(options: Pick<GymOptions, 'announces_runs' | 'clock' | 'tools'>): Announcements {
  const announced = new Set<string>()
  /** The reward version of each run: what its rewards are filed under. */
  const paidBy = new Map<string, string>()
  const isNew = (name: string): boolean => {
    if (announced.has(name)) return false
    announced.add(name)
    forgetOldest(announced, announcedMax)
    return true
  }
  return {
    check: ({ run_id, reward }) => {
      const known = paidBy.get(run_id) ?? reward.name
      if (known !== reward.name) {
        throw new Problem('invalid', `the run ${run_id} is paid by ${known}, and not by ${reward.name}`, {
          hint: 'give another run_id, or play by that one and rescore: stepstore gym rescore',
        })
      }
      paidBy.set(run_id, known)
      forgetOldest(paidBy, announcedMax)
    },
    of: ({ settings, item }) => {
      const now = options.clock.now()
      const isNewRun = options.announces_runs !== false && isNew(`run ${settings.run_id}`)
      const known = isNew(item.item_id) ? itemEvents(item, now) : { events: [], images: [] }
      return {
        events: [...(isNewRun ? [runStartedEvent(runOf(settings, options), now)] : []), ...known.events],
        images: known.images,
      }
    },
  }
}

function runOf(settings: Settings, { tools, clock }: Pick<GymOptions, 'clock' | 'tools'>) {
  return {
    run_id: settings.run_id,
    kind: 'rl',
    reward: settings.reward,
    needs_tool_call: settings.needs_tool_call,
    format: settings.format,
    max_turns: settings.turns_max,
    tool_set: tools.schemas.map(nameOf),
    config: { tokens: tokenRule, clock: clock.kind, turn_limit: settings.turn_limit, tools: settings.tools },
  } as const
}
