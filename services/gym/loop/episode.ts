import type { Heard, Message, WrittenTurn } from '#services/gym/policies/policy.ts'
import type { GymItem } from '#services/gym/items/generated.ts'
import type { Picture } from '#services/gym/picture/render.ts'
import type { ToolImage } from '#services/gym/tools/tools.ts'
import type { EpisodeClock } from './clock.ts'
import type { EndReason, EpisodeState } from './gym.ts'
import { repetitionLevel } from './repetition.ts'
import type { TurnFacts } from './reward.ts'
import type { Settings } from './reset-options.ts'
import { estimatedTokens } from './tokens.ts'
import type { TakenTurn } from './turn.ts'

/** What a whole rollout may write: the 26,780 tokens of the paper, at 4 letters each. */
export const responseCharsMax = 26_780 * 4

/** An episode in flight. Its size is bounded: the prompt, `responseCharsMax`, the observations of 33 turns, their pictures. */
export type Episode = {
  readonly id: string
  readonly settings: Settings
  readonly item: GymItem
  readonly clock: EpisodeClock
  readonly started_ms: number
  readonly messages: Message[]
  /** In the order in which the policy saw them. */
  readonly images: Map<string, Picture>
  readonly heard: Heard[]
  readonly turns: TurnFacts[]
  readonly totals: Totals
  /** Whether a step is under way. */
  busy: boolean
  /** When it was heard of last, by the gym's monotonic clock. */
  touched_ms: number
}

/** Sums over the turns of an episode. */
export type Totals = {
  response_chars: number
  prompt_tokens: number
  response_tokens: number
  think_tokens: number
  obs_tokens: number
  calls: number
}

export function noTotals(promptTokens: number): Totals {
  return {
    response_chars: 0,
    prompt_tokens: promptTokens,
    response_tokens: 0,
    think_tokens: 0,
    obs_tokens: 0,
    calls: 0,
  }
}

export function turnsLeft({ settings, turns }: Pick<Episode, 'settings' | 'turns'>): number {
  return settings.turns_max - turns.length
}

/** Enters a turn: what it was, what was said, and what it cost. */
export function enter(
  episode: Episode,
  written: WrittenTurn,
  { turn, call, data, message, text, violations }: TakenTurn,
): void {
  const { totals } = episode
  const raw = data.raw_output ?? ''
  episode.turns.push({
    action_kind: turn.action_kind,
    answer_text: turn.answer_text,
    violations,
    rep_level: repetitionLevel(raw),
  })
  episode.messages.push({ role: 'assistant', content: raw.slice(0, turn.stopped_at) })
  if (message !== null) episode.messages.push(message)
  if (call !== null) {
    totals.calls++
    episode.heard.push({ tool: call.tool ?? '', task: call.task ?? '', text, ok: call.status === 'ok' })
  }
  totals.response_chars += raw.length
  totals.response_tokens += data.completion_tokens ?? 0
  totals.think_tokens += estimatedTokens(turn.think_text ?? '')
  totals.obs_tokens += data.obs_tokens ?? 0
  if (episode.turns.length === 1 && written.prompt_tokens !== undefined) totals.prompt_tokens = written.prompt_tokens
}

/** The pictures that a tool gave, entered into the episode. */
export function imagesOf(episode: Episode, given: readonly ToolImage[]) {
  return given.flatMap(({ image_id, bytes }) => {
    if (episode.images.has(image_id)) return []
    const { width, height } = pngSize(bytes)
    const picture = { bytes, sha256: image_id, width, height }
    episode.images.set(image_id, picture)
    return [picture]
  })
}

export function endOf(episode: Episode, { turn, too_long: tooLong }: TakenTurn): EndReason | null {
  if (tooLong) return 'max_tokens'
  if (turn.action_kind === 'answer') return 'answer'
  return turnsLeft(episode) <= 0 ? 'max_turns' : null
}

export function stateOf(episode: Episode): EpisodeState {
  const { id, settings, item, turns, messages } = episode
  return {
    episode_id: id,
    run_id: settings.run_id,
    item_id: item.item_id,
    family: item.family,
    kind: item.kind,
    step_count: turns.length,
    max_turns: settings.max_turns,
    turns_left: turnsLeft(episode),
    done: false,
    reward: null,
    end_reason: null,
    messages: [...messages],
  }
}

/** The size of a PNG, which its first chunk says. 1 by 1 for bytes that are none, so that a broken tool breaks nothing else. */
function pngSize(bytes: Uint8Array): { width: number; height: number } {
  if (bytes.length < 24) return { width: 1, height: 1 }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return { width: Math.max(1, view.getUint32(16)), height: Math.max(1, view.getUint32(20)) }
}
