/** What a run plays: which rollouts of which items, under which ids. */
import { random } from '#services/gym/random.ts'
import type { Difficulty } from '#services/gym/items/difficulty.ts'
import type { ItemKind } from '#services/gym/items/item.ts'
import { chosenInStream, itemId, type Chosen, type StreamChoice } from '#services/gym/items/kinds.ts'

/** One rollout to be played. */
export type Planned = {
  readonly chosen: Chosen
  readonly item_id: string
  readonly group_id: string
  readonly rollout_index: number
  /** The trajectory_id of its first try; a further one bears a point and its number. */
  readonly first_id: string
  /** Further reset options, for this rollout. */
  readonly reset?: Readonly<Record<string, unknown>>
}

/** What an earlier, broken-off playing left. */
export type KnownRollouts = {
  /** Whether this rollout ended, in any of its tries. */
  ended(firstId: string): boolean
  /** How often it was begun. */
  tries(firstId: string): number
  /** Whether anything of this group is known. */
  group(groupId: string): boolean
}

export const nothingKnown: KnownRollouts = { ended: () => false, tries: () => 0, group: () => false }

/** Known rollouts from ids such as `first` and `first.2`. */
export function knownRollouts(
  found: Iterable<{ readonly trajectory_id: string; readonly group_id: string; readonly ended: boolean }>,
): KnownRollouts {
  const ended = new Set<string>()
  const tries = new Map<string, number>()
  const groups = new Set<string>()
  for (const { trajectory_id, group_id, ended: isEnded } of found) {
    const first = trajectory_id.replace(/(\/\d+)\.\d+$/, '$1')
    if (isEnded) ended.add(first)
    tries.set(first, (tries.get(first) ?? 0) + 1)
    groups.add(group_id)
  }
  return { ended: (id) => ended.has(id), tries: (id) => tries.get(id) ?? 0, group: (id) => groups.has(id) }
}

export type StreamPlan = {
  readonly kinds: readonly ItemKind[]
  readonly stream: StreamChoice
  readonly items: number
  readonly group_size: number
  readonly run_id: string
  readonly policy_version: number
  /** Where levels come from that rise with the pass rate; left out, the stream says the level. */
  readonly rising?: { readonly difficulty: Difficulty; readonly known: KnownRollouts }
}

/** The items of a stream in their order, the rollouts of a group side by side. Ids follow from the plan alone. */
export function* planned(plan: StreamPlan): Generator<Planned> {
  const { run_id, policy_version, group_size, items } = plan
  for (let index = 0; index < items; index++) {
    const chosen = chosenFor(plan, index)
    const item_id = itemId(chosen.kind, chosen.request)
    const group_id = groupId(run_id, policy_version, item_id)
    for (let rollout_index = 0; rollout_index < group_size; rollout_index++) {
      yield { chosen, item_id, group_id, rollout_index, first_id: `${group_id}/${rollout_index}` }
    }
  }
}

const groupId = (run: string, version: number, item: string): string => `${run}/v${version}/${item}`

/** The item at a place; where levels rise, one that an earlier playing met at this place comes again. */
function chosenFor({ kinds, stream, rising, run_id, policy_version }: StreamPlan, index: number): Chosen {
  if (rising === undefined) return chosenInStream(kinds, stream, index)
  const { kind, request } = chosenInStream(kinds, { ...stream, level: 0 }, index)
  const at = (level: number): Chosen => ({ kind, request: { ...request, level } })
  const idOf = ({ request: of }: Chosen): string => groupId(run_id, policy_version, itemId(kind, of))
  const met = kind.levels.findIndex((_, level) => rising.known.group(idOf(at(level))))
  return at(met >= 0 ? met : rising.difficulty.level(kind, random(stream.seed, 'level', kind.kind, request.index)))
}
