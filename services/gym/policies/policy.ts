import type { Family } from '#services/gym/items/item.ts'
import type { EventData } from '#schemas/events.ts'

export type Message = NonNullable<EventData<'trajectory.started'>['prompt']>[number]

/** What a policy sees of the item. */
export type Seen = {
  readonly family: Family
  readonly question: string
  readonly choices: readonly string[]
  readonly image_ids: readonly string[]
  /** The whole conversation until now, the prompt first. */
  readonly messages: readonly Message[]
  /** How many turns are left, this one included. */
  readonly turns_left: number
  /** What the tools said in this rollout, in order: the same as in the messages, for policies that read no chat. */
  readonly heard: readonly Heard[]
}

/** What a tool said. `tool` and `task` as resolved, empty where the call named none that there is. */
export type Heard = { readonly tool: string; readonly task: string; readonly text: string; readonly ok: boolean }

/** A turn as a policy wrote it; tokens and log probabilities where the policy knows them. */
export type WrittenTurn = {
  readonly raw: string
  readonly finish_reason?: string
  readonly prompt_tokens?: number
  readonly completion_tokens?: number
  readonly prompt_token_ids?: readonly number[]
  readonly completion_token_ids?: readonly number[]
  readonly logprobs?: readonly number[]
  readonly gen_ms?: number
  /** The policy's own word on faults that it made on purpose: ground truth for E4, E6 and WRONG_TOOL. */
  readonly injected?: readonly string[]
}

/** One rollout's policy. */
export type Policy = { turn(seen: Seen, signal: AbortSignal): Promise<WrittenTurn> }

/** What a tool said to an expert: the words of the observation, and whether the call was carried out. */
export type ExpertHeard = { readonly tool: string; readonly task: string; readonly text: string; readonly ok: boolean }

/** What an expert does next: one call, or the answer. Both come with the thought. */
export type ExpertMove =
  | {
      readonly think: string
      readonly tool: string
      readonly task: string
      readonly arguments: Record<string, unknown>
    }
  | { readonly think: string; readonly answer: string }

/**
 * Solves the questions of a family by tools: a pure function of the question's words and of what the tools said in
 * this rollout. It never sees the scene. At most two calls before it answers; it answers with its best guess when
 * a tool fails or says nothing of use.
 */
export type Expert = (question: string, choices: readonly string[], heard: readonly ExpertHeard[]) => ExpertMove
