/** The gym as its faces see it: episodes that are reset, stepped, looked at and closed. */
import type { Heard, Message, WrittenTurn } from '#services/gym/policies/policy.ts'
import type { Family, Split, Style } from '#services/gym/items/item.ts'
import type { Picture } from '#services/gym/picture/render.ts'
import type { ToolOffer } from '#services/gym/tools/offered.ts'
import type { ToolDefinition } from '#services/gym/tools/tool.ts'
import type { Score } from './reward.ts'
import type { FormatRule } from './turn-grammar.ts'

/**
 * What `max_turns` counts. `turns`: every turn, the answer included (the paper). `tool_turns`: turns before a last one
 * that may only answer (the released loop, which generates max_turns + 1 times).
 */
export type TurnLimit = 'turns' | 'tool_turns'

/**
 * What an episode is about. Every field may be left out; an unknown one is refused.
 *
 * Which item: `item_id` alone, or `kind` or `family` (neither: any) with `seed`, `split`, `index`, `level` and `style`.
 */
export type ResetOptions = {
  /** Such as `chart/yes-no/test/7/0003-l1`; then seed, split, kind, family, index, level and style are left out. */
  readonly item_id?: string
  /** A kind of question, such as `chart/yes-no`. */
  readonly kind?: string
  readonly family?: Family
  /** A whole number from 0. Default 0. */
  readonly seed?: number
  /** Default `train`. */
  readonly split?: Split
  /** Which item of the stream, from 0. Default 0. A stream over several kinds takes them in turn. */
  readonly index?: number
  /** 0 is the easiest. Left out: each kind's levels in turn. */
  readonly level?: number
  /** Default `ordinary`. */
  readonly style?: Style

  /** The run that the episode counts for. Default: that of the gym. */
  readonly run_id?: string
  /** Default 0. */
  readonly policy_version?: number
  readonly group_id?: string
  readonly group_size?: number
  readonly rollout_index?: number
  readonly train_step?: number
  /** Default: the run, a slash, a random id. */
  readonly trajectory_id?: string
  /** The model that acts, for the record. */
  readonly actor_model?: string
  /** Sampling settings, for the record. */
  readonly sampling?: Readonly<Record<string, unknown>>
  /** The trajectory that is played again. */
  readonly derived_from_trajectory_id?: string

  /** 1 to 32. Default 3, as in the paper. */
  readonly max_turns?: number
  /** Default `turns`. */
  readonly turn_limit?: TurnLimit
  /** Default `strict`. */
  readonly format?: FormatRule
  /** Whether a rollout that answers without a tool call is malformed. The paper leaves it open. Default false. */
  readonly needs_tool_call?: boolean
  /** Which tools the prompt names: those for the item's `family`, or `all`. Whichever it names, all can be called. Default `family`. */
  readonly tools?: ToolOffer
  /** The most letters of an observation, 64 to 65,536. Default 8,192. */
  readonly observation_chars_max?: number
  /** Which side of a longer one is cut off. Default `end`. */
  readonly observation_cut?: 'start' | 'end'
  /** The reward that is paid. Default `vista-1`. */
  readonly reward_version?: string
}

/** What the policy is told: at reset the question, after a turn what came of it. */
export type Observation = {
  /** The words: the question with its choices, what a tool said, or what was wrong with the turn. Empty after an answer. */
  readonly text: string
  /** Pictures that came with it, by SHA-256; `Gym.image` has their bytes. */
  readonly image_ids: readonly string[]
  /** The same as chat messages, in order: the system prompt and question at reset, then what the tools said (role `function`). */
  readonly messages: readonly Message[]
  /** How many turns are left. */
  readonly turns_left: number
  /** Whether the text was cut. */
  readonly truncated: boolean
  /** Whether it tells of an error. */
  readonly is_error: boolean
}

/** An episode that has begun. */
export type Reset = {
  /** Also the trajectory_id. */
  readonly episode_id: string
  readonly run_id: string
  readonly item_id: string
  readonly family: Family
  readonly kind: string
  readonly question: string
  readonly choices: readonly string[]
  readonly observation: Observation
}

/** Why an episode ended. */
export type EndReason = 'answer' | 'max_turns' | 'max_tokens' | 'time_limit' | 'error' | 'user_stop'

/** Why somebody else ends an episode. `max_turns`: by a limit of the trainer's own; the episode is paid as it stands. */
export type StopReason = 'user_stop' | 'error' | 'time_limit' | 'max_turns'

/** What came of one turn. */
export type StepResult = {
  readonly episode_id: string
  /** The place of the turn, from 0. */
  readonly step_index: number
  readonly action_kind: 'tool_call' | 'answer' | 'invalid'
  readonly observation: Observation
  /** The reward of the episode, when it has ended; null before. */
  readonly reward: number | null
  /** Whether the episode has ended. */
  readonly done: boolean
  /** Whether it ended for a limit, not for an answer. */
  readonly truncated: boolean
  /** Whether the action could be carried out: an answer, or a call that a tool answered. */
  readonly valid: boolean
  /** What was wrong: violations of the grammar, and codes of calls (E1, E2, E3, E5, INFRA, NO_TOOL). */
  readonly codes: readonly string[]
  /** What the tool said, for policies that read no chat; null where none was called. */
  readonly heard: Heard | null
  /** What the released environment would pay for this step. Apart from the reward. */
  readonly env_step_reward: number
  /** The reward with its parts and reasons, when the episode has ended; null before. */
  readonly score: (Score & { readonly reward_version: string }) | null
  /** Null before the end. */
  readonly end_reason: EndReason | null
}

/** An episode as it stands. */
export type EpisodeState = {
  readonly episode_id: string
  readonly run_id: string
  readonly item_id: string
  readonly family: Family
  readonly kind: string
  readonly step_count: number
  readonly max_turns: number
  readonly turns_left: number
  readonly done: boolean
  readonly reward: number | null
  readonly end_reason: EndReason | null
  /** The whole conversation; empty once the episode has ended. */
  readonly messages: readonly Message[]
}

/** What the gym holds, for health pages. */
export type GymCounts = {
  readonly episodes_open: number
  readonly episodes_max: number
  readonly episodes_started: number
  readonly episodes_ended: number
  readonly steps: number
}

/**
 * Episodes in flight. All methods may be called at the same time for different episodes; two steps of one episode at the
 * same time are refused with `conflict`.
 */
export type Gym = {
  /**
   * Begins an episode. Throws `invalid` for an option that is unknown (naming the nearest known one) or out of range,
   * `too_many` when `episodes_max` are open, and `conflict` for a trajectory_id that is open already.
   */
  reset(options?: Readonly<Record<string, unknown>>): Promise<Reset>
  /**
   * Takes one turn: the raw text that the policy wrote, or that with its token ids, log probabilities and times. Never
   * throws for what is in the text. Throws `episode_unknown`, `episode_over`, and `conflict` while a step is under way.
   */
  step(episodeId: string, action: string | WrittenTurn): Promise<StepResult>
  /** Throws `episode_unknown`. An ended episode is known for a while. */
  state(episodeId: string): EpisodeState
  /**
   * Ends an episode: one that is open counts as aborted and gets no reward, or, for `max_turns`, as truncated and is paid.
   * Answers the reward. Nothing happens for one that has ended or is not known.
   */
  end(episodeId: string, reason?: StopReason): Promise<number | null>
  /** The picture of that hash, of an open episode; undefined where there is none. */
  image(imageId: string): Picture | undefined
  counts(): GymCounts
  /** Tool schemas as a policy is shown them, in the shape that chat templates take. */
  readonly tools: readonly Readonly<Record<string, unknown>>[]
  /** All tools that are known, those without an address included. */
  readonly definitions: readonly ToolDefinition[]
  /** Ends all episodes (aborted, `user_stop`) and takes no more. */
  close(): Promise<void>
}
