import type { Family } from '#services/gym/items/item.ts'
import type { Expert, ExpertMove, Policy } from './policy.ts'

/** Which rollout a policy is wanted for. */
export type RolloutFacts = {
  readonly seed: number
  readonly item_id: string
  readonly family: Family
  readonly policy_version: number
  readonly rollout_index: number
  /** The trajectory_id of the rollout's first try. */
  readonly first_id: string
}

/** Where the policies of a run come from: one for each rollout, so that none remembers another. */
export type PolicySource = {
  /** For the record: actor_model. */
  readonly actor_model: string
  /** For the record: sampling. */
  readonly sampling: Readonly<Record<string, unknown>>
  policy(rollout: RolloutFacts): Policy
}

/** The experts by family. */
export type Experts = Readonly<Partial<Record<Family, Expert>>>

/** The text of a turn that makes this move. */
export function writtenMove(move: ExpertMove): string {
  return turnText(move.think, 'answer' in move ? { answer: move.answer } : { call: callOf(move) })
}

/** The call of a move, in the second of the four shapes. */
export function callOf(move: Extract<ExpertMove, { tool: string }>): Readonly<Record<string, unknown>> {
  return { tool: move.tool, task: move.task, arguments: move.arguments }
}

/** A turn of good form. A call that is a text stands as it is. */
export function turnText(
  think: string,
  action: { readonly answer: string } | { readonly call: Readonly<Record<string, unknown>> | string },
): string {
  const thought = `<think>${think}</think>`
  if ('answer' in action) return `${thought}<answer>${action.answer}</answer>`
  const call = typeof action.call === 'string' ? action.call : JSON.stringify(action.call)
  return `${thought}<tool_call>${call}</tool_call>`
}
