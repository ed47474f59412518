/** What trainers did with trajectories, by the train step and sub-step at which they did it. */
import { compareValues } from './buckets.ts'
import { at } from './columns.ts'
import { derived } from './derived.ts'
import type { Selection } from './select.ts'
import { type Summary, meanOf, share, summary } from './statistics.ts'

/** Facts of trainers and the rows that they are about, in order of (run_id, trajectory_id), then log. */
export interface Facts {
  readonly facts: Uint32Array
  /** The row of each fact. */
  readonly rows: Uint32Array
}

/** The facts of a (train_step, substep). */
export interface TrainedStep extends Facts {
  readonly train_step: number
  /** Its own integer: as a fraction, sub-step 10 would be sub-step 1. */
  readonly substep: number
}

/** What trainers said of the rows of a selection, by (train_step, substep). */
export function trainedSteps(selection: Selection): readonly TrainedStep[] {
  return derived(selection, 'trained steps', () => stepsOf(selection))
}

function stepsOf({ frame, rows }: Selection): TrainedStep[] {
  const { trainings } = frame
  const [facts, about] = [new Uint32Array(trainings.size), new Uint32Array(trainings.size)]
  const places = new Map<number, Map<number, number>>()
  const sizes: number[] = []
  const placeOf = new Uint32Array(trainings.size)
  // Neighbours are mostly of one step: then nothing is looked up.
  let here = { step: Number.NaN, substep: Number.NaN, place: 0 }
  let n = 0
  for (let index = 0; index < rows.length; index++) {
    const row = rows[index] ?? 0
    for (let fact = trainings.first(row); fact >= 0; fact = trainings.next(fact)) {
      const step = at(trainings.trainStep.values, fact)
      const substep = at(trainings.substep.values, fact)
      if (step !== here.step || substep !== here.substep) {
        const substeps = places.get(step) ?? new Map<number, number>()
        places.set(step, substeps)
        const place = substeps.get(substep) ?? sizes.push(0) - 1
        substeps.set(substep, place)
        here = { step, substep, place }
      }
      const { place } = here
      sizes[place] = (sizes[place] ?? 0) + 1
      placeOf[n] = place
      facts[n] = fact
      about[n] = row
      n += 1
    }
  }
  const parts = sizes.map((size) => ({ facts: new Uint32Array(size), rows: new Uint32Array(size) }))
  const filled = new Uint32Array(sizes.length)
  for (let index = 0; index < n; index++) {
    const place = placeOf[index] ?? 0
    const part = parts[place]
    const to = filled[place] ?? 0
    if (part !== undefined) {
      part.facts[to] = facts[index] ?? 0
      part.rows[to] = about[index] ?? 0
    }
    filled[place] = to + 1
  }
  const none: Facts = { facts: new Uint32Array(0), rows: new Uint32Array(0) }
  return [...places]
    .flatMap(([step, substeps]) =>
      [...substeps].map(([substep, place]) => ({ train_step: step, substep, ...(parts[place] ?? none) })),
    )
    .sort((left, right) => left.train_step - right.train_step || left.substep - right.substep)
}

/** How many versions of the policy lie between a rollout and its training. */
export interface Staleness {
  readonly n: number
  /** Facts whose rollout has no policy version: in no other number here. */
  readonly n_unknown: number
  readonly staleness: Summary
  /** How many facts have which staleness, the least first. */
  readonly counts: readonly { readonly staleness: number; readonly n: number }[]
}

/** Train minus rollout policy version, of the facts of a step of which both are known. */
function staleValues({ frame }: Selection, { facts, rows }: Facts): Float64Array {
  const found = new Float64Array(facts.length)
  let n = 0
  for (let index = 0; index < facts.length; index++) {
    const trained = at(frame.trainings.policyVersion.values, facts[index] ?? 0)
    const stale = trained - at(frame.policyVersion.values, rows[index] ?? 0)
    if (!Number.isNaN(stale)) found[n++] = stale
  }
  return found.subarray(0, n)
}

/** How stale the facts of a step are. */
export function stalenessOf(selection: Selection, step: Facts): Staleness {
  const found = staleValues(selection, step)
  const counts = new Map<number, number>()
  for (const stale of found) counts.set(stale, (counts.get(stale) ?? 0) + 1)
  return {
    n: found.length,
    n_unknown: step.facts.length - found.length,
    staleness: summary(found),
    counts: [...counts].sort(([left], [right]) => left - right).map(([staleness, n]) => ({ staleness, n })),
  }
}

/** The mean and the greatest of what `stalenessOf` tells. */
export function meanStaleness(selection: Selection, step: Facts): Pick<Summary, 'mean' | 'max'> {
  const found = staleValues(selection, step)
  let max = Number.NEGATIVE_INFINITY
  for (let index = 0; index < found.length; index++) max = Math.max(max, found[index] ?? max)
  return { mean: meanOf(found), max: found.length === 0 ? null : max }
}

/** What a trainer kept at a step, and why it dropped the rest. */
export interface Kept {
  readonly n: number
  readonly n_kept: number
  readonly n_dropped: number
  /** Facts that do not say. */
  readonly n_unsaid: number
  readonly kept_share: number | null
  /** Dropped, by reason; those without one under `unsaid`. Sorted by name. */
  readonly drop_reasons: Readonly<Record<string, number>>
}

/** What was kept of the facts of a step. */
export function keptOf({ frame }: Selection, { facts }: Facts): Kept {
  const reasons = new Map<string, number>()
  let [kept, dropped] = [0, 0]
  for (const fact of facts) {
    const said = frame.trainings.kept.get(fact)
    if (said === true) kept += 1
    if (said !== false) continue
    dropped += 1
    const reason = frame.trainings.dropReason.get(fact) ?? 'unsaid'
    reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
  }
  return {
    n: facts.length,
    n_kept: kept,
    n_dropped: dropped,
    n_unsaid: facts.length - kept - dropped,
    kept_share: share(kept, kept + dropped),
    drop_reasons: Object.fromEntries([...reasons].sort(([left], [right]) => compareValues(left, right))),
  }
}
