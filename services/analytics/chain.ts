/** The runs of a frame: those that were asked for, or with them the runs that they resume. */
import type { FrameRun } from './frame-rows.ts'

/** A run as it is stored, with what says which run it resumes. */
export interface StoredRun extends Omit<FrameRun, 'before_train_step'> {
  readonly parent_run_id: string | null
  readonly resumed_at_train_step: number | null
}

/** Runs of a chain at most; more is a mistake of whoever wrote parent_run_id. */
const CHAIN_MAX = 100

const frameRun = (run: StoredRun, before: number | null): FrameRun => ({
  run_id: run.run_id,
  kind: run.kind,
  reward_version: run.reward_version,
  correct_threshold: run.correct_threshold,
  group_size: run.group_size === null ? null : Number(run.group_size),
  before_train_step: before,
})

/** A run of which nothing is known but its trajectories, if any. */
const unknownRun = (runId: string): StoredRun => ({
  run_id: runId,
  kind: null,
  reward_version: null,
  correct_threshold: null,
  group_size: null,
  parent_run_id: null,
  resumed_at_train_step: null,
})

/**
 * The runs of a frame. With `lineage`, a run comes with those that it resumes, each cut where the next began, the
 * oldest first. A parent without the step at which it was resumed ends the chain: it is what the run was made from
 * (an SFT run, say), not what it goes on with.
 */
export async function chainOf(
  find: (runId: string) => Promise<StoredRun | undefined>,
  runIds: readonly string[],
  lineage: boolean,
): Promise<FrameRun[]> {
  const found = new Map<string, FrameRun>()
  for (const runId of runIds) {
    let run = (await find(runId)) ?? unknownRun(runId)
    const chain = [frameRun(run, null)]
    let cut = Number.POSITIVE_INFINITY
    while (lineage && run.parent_run_id !== null && run.resumed_at_train_step !== null && chain.length < CHAIN_MAX) {
      const parent = run.parent_run_id
      if (chain.some(({ run_id: seen }) => seen === parent)) break
      // A run may be resumed from before the place where it was resumed itself: no ancestor goes past a later cut.
      cut = Math.min(cut, Number(run.resumed_at_train_step))
      run = (await find(parent)) ?? unknownRun(parent)
      chain.unshift(frameRun(run, cut))
    }
    for (const one of chain) if (!found.has(one.run_id)) found.set(one.run_id, one)
  }
  return [...found.values()]
}
