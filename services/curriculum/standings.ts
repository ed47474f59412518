/** How all items of a run stand at a state of it: what a draw is made from. Counts alone, so that the order of rollouts is nothing. */
import { at } from '#services/analytics/columns.ts'
import type { Selection } from '#services/analytics/select.ts'
import { StepCounts } from './progress.ts'

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

/** The standings of a selection, item by item and version by version as they first come. */
function standingsOf({ frame, rows, scores }: Selection): Standing[] {
  const { items } = frame
  const { codes } = frame.item
  const { values: versions } = frame.policyVersion
  const { values: finished } = frame.finished
  const { values: correct } = scores.correct
  // Units are found by item and then by version, of which an item has few: the newest of each, and the one before each.
  const newest = new Int32Array(items.ids.size).fill(-1)
  const before: number[] = []
  const found = { item: [] as number[], version: [] as number[], n: [] as number[], passed: [] as number[] }
  const unitOf = (item: number, version: number): number => {
    const last = newest[item] ?? -1
    for (let unit = last; unit >= 0; unit = before[unit] ?? -1) if (Object.is(found.version[unit], version)) return unit
    before.push(last)
    found.item.push(item)
    found.version.push(version)
    found.n.push(0)
    found.passed.push(0)
    return (newest[item] = before.length - 1)
  }
  // Neighbours are mostly of one group: then nothing is looked up.
  let [unit, hereItem, hereVersion] = [-1, -1, 0]
  for (let index = 0; index < rows.length; index++) {
    const row = rows[index] ?? 0
    const item = codes[row] ?? -1
    const right = correct[row] ?? -1
    if (item < 0 || right < 0 || finished[row] !== 1) continue
    const version = at(versions, row)
    if (item !== hereItem || version !== hereVersion) {
      unit = unitOf(item, version)
      hereItem = item
      hereVersion = version
    }
    found.n[unit] = (found.n[unit] ?? 0) + 1
    found.passed[unit] = (found.passed[unit] ?? 0) + right
  }
  const words: ItemWords[] = []
  return found.item.map((item, index) => {
    const version = found.version[index] ?? Number.NaN
    return {
      item_id: items.ids.text(item) ?? '',
      item: (words[item] ??= {
        dataset: items.dataset.get(item),
        family: items.family.get(item),
        split: items.split.get(item),
      }),
      policy_version: Number.isNaN(version) ? null : version,
      n: found.n[index] ?? 0,
      passed: found.passed[index] ?? 0,
    }
  })
}

const nameOf = ({ item_id: itemId, policy_version: version }: Standing): string => JSON.stringify([version, itemId])

/** Counts standings over selections, of which no two have the same rollout. The first one is to be the large one. */
export class StandingCounts {
  #all: Standing[] = []
  readonly #steps = new StepCounts()

  add(selection: Selection): void {
    this.#steps.add(selection)
    const added = standingsOf(selection)
    if (this.#all.length === 0) {
      this.#all = added
      return
    }
    const items = new Set(added.map(({ item_id: itemId }) => itemId))
    const places = new Map<string, number>()
    for (const [place, known] of this.#all.entries()) if (items.has(known.item_id)) places.set(nameOf(known), place)
    for (const one of added) {
      const place = places.get(nameOf(one)) ?? this.#all.length
      const known = this.#all[place]
      this.#all[place] = known === undefined ? one : { ...known, n: known.n + one.n, passed: known.passed + one.passed }
    }
  }

  /** What was counted. Items that were registered later stand without their words. */
  standings(registeredLater: ReadonlySet<string> = new Set()): Standings {
    const asThen = (one: Standing): Standing =>
      registeredLater.has(one.item_id) ? { ...one, item: UNREGISTERED } : one
    return { all: registeredLater.size === 0 ? this.#all : this.#all.map(asThen), shares: this.#steps.shares() }
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
