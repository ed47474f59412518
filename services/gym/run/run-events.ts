/** The events around a run's episodes. */
import { gymEvent, type GymEvent } from '#services/gym/loop/event.ts'
import { runStartedEvent, type RunFacts } from '#services/gym/loop/episode-events.ts'

/** The beginning of a run and its policy version; the same again when a run is gone on with. */
export function startedEvents(facts: RunFacts, policyVersion: number, timeMs: number): GymEvent[] {
  return [runStartedEvent(facts, timeMs), policyPublishedEvent(facts.run_id, policyVersion, timeMs)]
}

/** A policy version; its train step has the same number. */
export function policyPublishedEvent(run_id: string, policyVersion: number, timeMs: number): GymEvent {
  return gymEvent('policy.published', timeMs, {
    run_id,
    policy_version: policyVersion,
    train_step: policyVersion,
    substep: 0,
  })
}

/** The end of a run. It names no time in its data, so that a further policy version may end the run again. */
export function endedEvents(run_id: string, timeMs: number): GymEvent[] {
  return [gymEvent('run.finished', timeMs, { run_id, status: 'completed' })]
}

/** The end of rollouts that a crash left open. */
export function abortedEvents(
  run_id: string,
  open: readonly { readonly trajectory_id: string; readonly n_steps: number }[],
  timeMs: number,
): GymEvent[] {
  return open.map(({ trajectory_id, n_steps }) =>
    gymEvent('trajectory.finished', timeMs, { trajectory_id, run_id, status: 'aborted', end_reason: 'error', n_steps }),
  )
}
