/** The events of an episode, its item and its run. */
import type { EventData } from '#schemas/events.ts'
import type { GymItem } from '#services/gym/items/generated.ts'
import type { RecordedImage } from '#services/gym/publish/recorder.ts'
import type { Picture } from '#services/gym/picture/render.ts'
import type { Tools } from '#services/gym/tools/tools.ts'
import type { Episode } from './episode.ts'
import { gymEvent, instant, type GymEvent } from './event.ts'
import type { EndReason } from './gym.ts'
import type { RewardVersion } from './reward-versions.ts'
import type { Score } from './reward.ts'

/** What is known of an item before it is played, and its picture. */
export function itemEvents(item: GymItem, timeMs: number): { events: GymEvent[]; images: RecordedImage[] } {
  const { key, request, picture } = item
  const registered = gymEvent('item.registered', timeMs, {
    item_id: item.item_id,
    dataset: item.dataset,
    family: item.family,
    split: request.split,
    distribution: request.style === 'unseen' ? 'ood' : 'id',
    question: item.question,
    question_type: item.kind,
    answer: [...key.answer],
    answer_type: key.answer_type,
    choices: [...(key.choices ?? [])],
    image_ids: [picture.sha256],
    metadata: {
      kind: item.kind,
      ...request,
      parameters: item.parameters,
      ...(key.unit === undefined ? {} : { unit: key.unit }),
      ...(key.tolerance === undefined ? {} : { tolerance: key.tolerance }),
      ...(key.ordered === undefined ? {} : { ordered: key.ordered }),
      evidence: item.evidence,
      scene: item.scene,
    },
  })
  return {
    events: [imageEvent(picture, 'question', null, timeMs), registered],
    images: [{ image_id: picture.sha256, bytes: picture.bytes }],
  }
}

/** What is known of a picture. `parent` is the one that it was made from. */
export function imageEvent(picture: Picture, role: string, parent: string | null, timeMs: number): GymEvent {
  return gymEvent('image.registered', timeMs, {
    image_id: picture.sha256,
    media_type: 'image/png',
    width: picture.width,
    height: picture.height,
    bytes: picture.bytes.length,
    role,
    ...(parent === null ? {} : { parent_image_id: parent }),
  })
}

export function startedEvent(episode: Episode, tools: Tools['schemas']): GymEvent {
  const { settings, item, messages } = episode
  const { recorded } = settings
  return gymEvent('trajectory.started', episode.started_ms, {
    trajectory_id: episode.id,
    run_id: settings.run_id,
    item_id: item.item_id,
    policy_version: settings.policy_version,
    ...recorded,
    ...(recorded.derived_from_trajectory_id === undefined ? {} : { derivation: 'replayed' }),
    prompt: [...messages],
    tools: [...tools],
    max_turns: settings.turns_max,
    started_at: instant(episode.started_ms),
  })
}

export type Status = EventData<'trajectory.finished'>['status']

/** The end of an episode, with its score where it has one. */
export function finishedEvent(
  episode: Episode,
  end: { readonly reason: EndReason; readonly status: Status; readonly score: Score | null },
): GymEvent {
  const { totals, clock, started_ms } = episode
  const now = clock.now()
  return gymEvent('trajectory.finished', now, {
    trajectory_id: episode.id,
    run_id: episode.settings.run_id,
    status: end.status,
    end_reason: end.reason,
    n_steps: episode.turns.length,
    ...(end.score === null ? {} : scoreFields(end.score)),
    prompt_tokens: totals.prompt_tokens,
    response_tokens: totals.response_tokens,
    think_tokens: totals.think_tokens,
    obs_tokens: totals.obs_tokens,
    loss_masked_tokens: totals.obs_tokens,
    overlong: end.reason === 'max_tokens',
    wall_ms: Math.max(0, Math.round(now - started_ms)),
    ended_at: instant(now),
  })
}

function scoreFields(score: Score) {
  return {
    reward: score.reward,
    parts: { ...score.parts },
    answer_match: score.answer_match,
    format_ok: score.format_ok,
    format_violations: [...score.format_violations],
    match_method: score.match_method,
    prediction_raw: score.prediction_raw,
    prediction_norm: score.prediction_norm,
  }
}

/** What a run is, for those who read it later. `config` is not compared: what differs from one part of a run to another goes there. */
export type RunFacts = {
  readonly run_id: string
  readonly kind: EventData<'run.started'>['kind']
  readonly reward: RewardVersion
  readonly needs_tool_call: boolean
  readonly format: string
  readonly max_turns: number
  readonly group_size?: number
  readonly seed?: number
  readonly tool_set: readonly string[]
  readonly config: Readonly<Record<string, unknown>>
}

export function runStartedEvent(facts: RunFacts, timeMs: number): GymEvent {
  const { reward } = facts
  return gymEvent('run.started', timeMs, {
    run_id: facts.run_id,
    kind: facts.kind,
    mode: 'tools_reasoning',
    algorithm: 'none',
    reward_version: reward.name,
    reward_config: { formula: reward.formula, needs_tool_call: facts.needs_tool_call, format: facts.format },
    correct_threshold: reward.correct_threshold,
    tool_set: [...facts.tool_set],
    max_turns: facts.max_turns,
    ...(facts.group_size === undefined ? {} : { group_size: facts.group_size }),
    ...(facts.seed === undefined ? {} : { seed: facts.seed }),
    started_at: instant(timeMs),
    config: facts.config,
  })
}
