/** How all items of a run stand at a state of it: what a draw is made from. Counts alone, so that the order of rollouts is nothing. */
import type { Selection } from '#services/analytics/select.ts'
import { StepCounts } from './progress.ts'
import { tallies } from './tally.ts'

/** An item as it was registered; nulls where it was not. */
export interface ItemWords {
  readonly dataset: string | null
  readonly family: string | null
  readonly split: string | null
}

/** The finished and scored rollouts of one item by one policy version. */
export interface Standing {
  readonly item_id: string
  readonly item: ItemWords
  /** Null where no rollout names one. */
  readonly policy_version: number | null
  readonly n: number
  readonly passed: number
}

export interface Standings {
  readonly all: readonly Standing[]
  /** The share of right rollouts at each train step, in order. */
  readonly shares: readonly number[]
}

export const UNREGISTERED: ItemWords = { dataset: null, family: null, split: null }

/** Counts standings over selections, of which no two have the same rollout. */
export class StandingCounts {
  readonly #found = new Map<string, Map<number | null, Standing>>()
  readonly #steps = new StepCounts()

  add(selection: Selection): void {
    this.#steps.add(selection)
    const { items } = selection.frame
    for (const { item: code, policy_version: version, n, passed } of tallies(selection)) {
      const itemId = items.ids.text(code) ?? ''
      let versions = this.#found.get(itemId)
      if (versions === undefined) this.#found.set(itemId, (versions = new Map()))
      const known = versions.get(version)
      const words = { dataset: items.dataset.get(code), family: items.family.get(code), split: items.split.get(code) }
      versions.set(version, {
        item_id: itemId,
        item: known?.item ?? words,
        policy_version: version,
        n: n + (known?.n ?? 0),
        passed: passed + (known?.passed ?? 0),
      })
    }
  }

  /** What was counted. Items of which `isRegistered` does not hold stand without their words. */
  standings(isRegistered: (itemId: string) => boolean): Standings {
    const all = [...this.#found.values()].flatMap((versions) => [...versions.values()])
    return {
      all: all.map((one) => (isRegistered(one.item_id) ? one : { ...one, item: UNREGISTERED })),
      shares: this.#steps.shares(),
    }
  }
}

/** What a draw is over. Empty lists and absent conditions take everything. */
export interface StandingFilter {
  readonly policy_version?: number | undefined
  readonly dataset?: readonly string[] | undefined
  readonly family?: readonly string[] | undefined
  readonly split?: readonly string[] | undefined
}

/** Of each item the standing by its newest policy version of those that fit; rollouts that name none are older than all. */
export function newestStandings({ all }: Standings, filter: StandingFilter): Map<string, Standing> {
  const newest = new Map<string, Standing>()
  const isAny = (wanted: readonly string[] | undefined, word: string | null): boolean =>
    wanted === undefined || wanted.length === 0 || (word !== null && wanted.includes(word))
  for (const standing of all) {
    const { item, policy_version: version } = standing
    if (filter.policy_version !== undefined && filter.policy_version !== version) continue
    if (!isAny(filter.dataset, item.dataset) || !isAny(filter.family, item.family) || !isAny(filter.split, item.split))
      continue
    const known = newest.get(standing.item_id)
    if (known === undefined || (version ?? -1) > (known.policy_version ?? -1)) newest.set(standing.item_id, standing)
  }
  return newest
}
