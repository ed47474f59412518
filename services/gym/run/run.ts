/** Plays a run: rollouts by policies, several episodes at a time. */
import type { Gym, StepResult } from '#services/gym/loop/gym.ts'
import type { Heard, Message } from '#services/gym/policies/policy.ts'
import type { PolicySource } from '#services/gym/policies/source.ts'
import type { KnownRollouts, Planned } from './plan.ts'

export type RunOptions = {
  readonly gym: Gym
  readonly source: PolicySource
  readonly plan: Iterable<Planned>
  /** How many rollouts the plan has. */
  readonly total: number
  readonly run_id: string
  readonly seed: number
  readonly group_size: number
  readonly policy_version: number
  /** Reset options for every episode, such as max_turns. */
  readonly reset: Readonly<Record<string, unknown>>
  /** How many episodes at once. */
  readonly concurrency: number
  readonly known: KnownRollouts
  readonly onRollout: (rollout: PlayedRollout, progress: { readonly done: number; readonly total: number }) => void
  readonly signal: AbortSignal
}

export type PlayedRollout = {
  readonly planned: Planned
  readonly trajectory_id: string
  readonly question: string
  /** The last step. */
  readonly result: StepResult
}

/** How many were played, and how many were there already. */
export type RunTally = { readonly played: number; readonly known: number }

/**
 * Plays what is missing of a run. Ids follow from the plan, so that playing again meets what is there. Throws what a
 * policy throws: rollouts under way then end as aborted, and playing again gives them another try.
 */
export async function playedRun(options: RunOptions): Promise<RunTally> {
  const { total, known } = options
  const stop = new AbortController()
  const signal = AbortSignal.any([options.signal, stop.signal])
  const rollouts = options.plan[Symbol.iterator]()
  let played = 0
  let found = 0
  let failure: Error | undefined
  const worker = async (): Promise<void> => {
    for (let next = rollouts.next(); next.done !== true && !signal.aborted; next = rollouts.next()) {
      if (known.ended(next.value.first_id)) {
        found++
        continue
      }
      try {
        const rollout = await playedRollout(options, next.value, signal)
        played++
        options.onRollout(rollout, { done: played + found, total })
      } catch (error) {
        failure ??= error instanceof Error ? error : new Error(String(error))
        stop.abort(error)
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(options.concurrency, total) }, worker))
  if (failure !== undefined) throw failure
  options.signal.throwIfAborted()
  return { played, known: found }
}

async function playedRollout(options: RunOptions, planned: Planned, signal: AbortSignal): Promise<PlayedRollout> {
  const { gym, source, run_id, policy_version, group_size, known, seed } = options
  const { item_id, group_id, rollout_index, first_id } = planned
  const tries = known.tries(first_id)
  const trajectory_id = tries === 0 ? first_id : `${first_id}.${tries}`
  const begun = await gym.reset({
    ...options.reset,
    item_id,
    run_id,
    policy_version,
    train_step: policy_version,
    group_id,
    group_size,
    rollout_index,
    trajectory_id,
    actor_model: source.actor_model,
    sampling: source.sampling,
    ...planned.reset,
  })
  const { family, question, choices } = begun
  const policy = source.policy({ seed, item_id, family, policy_version, rollout_index, first_id })
  const heard: Heard[] = []
  let messages: readonly Message[] = begun.observation.messages
  let turns_left = begun.observation.turns_left
  try {
    for (;;) {
      const image_ids = messages.flatMap(({ images }) => images ?? [])
      const turn = await policy.turn({ family, question, choices, image_ids, messages, turns_left, heard }, signal)
      const result = await gym.step(trajectory_id, turn)
      if (result.done) return { planned, trajectory_id, question, result }
      messages = gym.state(trajectory_id).messages
      turns_left = result.observation.turns_left
      if (result.heard !== null) heard.push(result.heard)
    }
  } catch (error) {
    await gym.end(trajectory_id, 'error').catch(() => {})
    throw error
  }
}
