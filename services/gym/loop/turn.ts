import type { EventData } from '#schemas/events.ts'
import type { Message, WrittenTurn } from '#services/gym/policies/policy.ts'
import type { CallContext, CallResult } from '#services/gym/tools/tools.ts'
import { cutText, retryNotice, toolMessage } from './conversation.ts'
import { responseCharsMax, type Episode } from './episode.ts'
import { instant } from './event.ts'
import { envStepReward } from './step-rewards.ts'
import { estimatedTokens } from './tokens.ts'
import { readTurn, type FormatViolation, type Turn } from './turn-grammar.ts'
import { checkedAnswer } from './answer-check.ts'

type StepData = EventData<'step.recorded'>
type CallData = NonNullable<StepData['tool_calls']>[number]

/** What one turn came to. */
export type TakenTurn = {
  readonly turn: Turn
  readonly call: CallResult | null
  readonly data: StepData
  readonly violations: readonly FormatViolation[]
  readonly env_step_reward: number
  /** What the policy hears after it; null after an answer. */
  readonly message: Message | null
  readonly text: string
  readonly observation_cut: boolean
  readonly is_error: boolean
  /** Whether the policy wrote more than it may. */
  readonly too_long: boolean
  readonly ended_ms: number
}

/** Carries out the call that stood between the tags. */
export type CallTool = (raw: string, context: CallContext) => Promise<CallResult>

/** Calls are kept as written, but no longer than this: models paste pictures as base64 into them. */
const callCharsMax = 4096

/** Reads a turn, carries out the call in it, and writes both down. Changes the episode's clock only. */
export async function takenTurn(episode: Episode, written: WrittenTurn, callTool: CallTool): Promise<TakenTurn> {
  const { settings, item, clock, totals } = episode
  const room = Math.max(0, responseCharsMax - totals.response_chars)
  const isCut = written.raw.length > room
  const raw = isCut ? written.raw.slice(0, room).toWellFormed() : written.raw.toWellFormed()
  const turn = readTurn(raw, settings.format)
  const tooLong = isCut || (written.finish_reason === 'length' && turn.action_kind === 'invalid')
  const violations = [...turn.violations, ...(isCut ? (['turn_too_long'] as const) : [])]
  const completionTokens = written.completion_tokens ?? written.completion_token_ids?.length ?? estimatedTokens(raw)
  const gen_ms = clock.wrote(completionTokens, written.gen_ms)
  const started_ms = clock.now() - gen_ms
  const call = turn.call === null || tooLong ? null : await calledTool(episode, turn.call.raw, callTool)
  const latency_ms = call === null ? 0 : clock.called(call.latency_ms)
  const heard = heardAfter(episode, turn, call, violations)
  const correct = turn.action_kind === 'answer' ? checkedAnswer(turn.answer_text, item.key).answer_match : null
  const env_step_reward = envStepReward({ correct, call })
  const ended_ms = clock.now()
  const is_error = heard.message !== null && call?.status !== 'ok'
  const data: StepData = {
    trajectory_id: episode.id,
    step_index: episode.turns.length,
    run_id: settings.run_id,
    action_kind: turn.action_kind,
    raw_output: raw,
    think_text: turn.think_text,
    ...(turn.answer_text === null ? {} : { answer_text: turn.answer_text }),
    tool_calls: call === null || turn.call === null ? [] : [callData(call, turn.call.raw, episode, latency_ms)],
    observation: heard.message === null ? [] : [heard.message],
    images: call === null ? [] : call.output_images.map(({ image_id }) => image_id),
    turn_format_ok: violations.length === 0,
    violation_codes: violations,
    obs_truncated: heard.cut,
    obs_is_error: is_error,
    env_step_reward,
    done: turn.action_kind === 'answer',
    truncated: tooLong,
    prompt_tokens: written.prompt_tokens ?? contextTokens(episode),
    completion_tokens: completionTokens,
    obs_tokens: estimatedTokens(heard.text, call?.output_images.length ?? 0),
    ...tokenArrays(written),
    finish_reason:
      written.finish_reason ?? (tooLong ? 'length' : turn.action_kind === 'tool_call' ? 'stop_token' : 'eos'),
    gen_ms,
    started_at: instant(started_ms),
    ended_at: instant(ended_ms),
    ...(/\S/.test(raw.slice(turn.stopped_at)) ? { info: { stopped_at: turn.stopped_at } } : {}),
  }
  return {
    turn,
    call,
    data,
    violations,
    env_step_reward,
    message: heard.message,
    text: heard.text,
    observation_cut: heard.cut,
    is_error,
    too_long: tooLong,
    ended_ms,
  }
}

/** The tokens of the conversation before this turn. */
function contextTokens({ totals }: Episode): number {
  return totals.prompt_tokens + totals.response_tokens + totals.obs_tokens
}

function tokenArrays(written: WrittenTurn): Partial<StepData> {
  const { prompt_token_ids: prompt, completion_token_ids: ids, logprobs } = written
  return {
    ...(prompt === undefined ? {} : { prompt_token_ids: [...prompt] }),
    // Everything that a policy writes counts in its loss; observations stand outside of these tokens.
    ...(ids === undefined ? {} : { completion_token_ids: [...ids], loss_mask: ids.map(() => 1) }),
    ...(logprobs === undefined ? {} : { logprobs: [...logprobs] }),
  }
}

async function calledTool({ images, item }: Episode, raw: string, callTool: CallTool): Promise<CallResult> {
  const pictures = new Map([...images].map(([id, { bytes }]) => [id, bytes]))
  const context = { images: pictures, question: item.question, choices: item.key.choices ?? [] }
  return callTool(raw, context)
}

function heardAfter(
  episode: Episode,
  turn: Turn,
  call: CallResult | null,
  violations: readonly FormatViolation[],
): { message: Message | null; text: string; cut: boolean } {
  if (turn.action_kind === 'answer') return { message: null, text: '', cut: false }
  const { observation_chars_max: max, observation_cut: side } = episode.settings
  const { text, cut } = cutText(call?.observation ?? retryNotice(violations), max, side)
  if (call === null) return { message: { role: 'user', content: text }, text, cut }
  const images = call.output_images.map(({ image_id }) => image_id)
  return { message: toolMessage(call.tool ?? call.name, callId(episode), text, images), text, cut }
}

const callId = ({ turns }: Episode): string => `call_${turns.length}`

/** The call and what became of it; its words stand in the step's observation. */
function callData(call: CallResult, raw: string, episode: Episode, latency_ms: number): CallData {
  const { measures } = episode.clock
  return {
    id: callId(episode),
    name: call.name,
    arguments: cappedArguments(offeredForm(call)),
    raw_call: cutText(raw, callCharsMax, 'end').text,
    ...(call.call_shape === null ? {} : { call_shape: call.call_shape }),
    parse_ok: call.parse_ok,
    ...(call.tool === null ? {} : { tool: call.tool }),
    ...(call.family === null ? {} : { family: call.family }),
    ...(call.subset === null ? {} : { subset: call.subset }),
    ...(call.task === null ? {} : { task: call.task }),
    schema_ok: call.schema_ok,
    schema_errors: [...call.schema_errors],
    valid: call.status === 'ok',
    ...(call.status === 'ok' ? {} : { invalid_reason: cutText(call.observation, 1024, 'end').text }),
    status: call.status,
    ...(call.error_type === null ? {} : { error_type: call.error_type }),
    error_codes: [...call.error_codes],
    ...(call.output_json === null ? {} : { output_json: cappedOutput(call.output_json) }),
    ...(call.output_schema_ok === null ? {} : { output_schema_ok: call.output_schema_ok }),
    output_image_ids: call.output_images.map(({ image_id }) => image_id),
    ...(call.n_detections === null ? {} : { n_detections: call.n_detections }),
    attempt: call.attempt,
    cache_hit: measures && call.cache_hit,
    server: call.server,
    queued_ms: measures ? call.queued_ms : 0,
    latency_ms,
  }
}

/** As the schemas that are offered have it, so that a model trained on recorded calls writes what the tools take. */
function offeredForm({ tool, task, arguments: given }: CallResult): unknown {
  return tool === null || task === null ? given : { task, arguments: given }
}

function cappedArguments(given: unknown): unknown {
  const text = JSON.stringify(given ?? null)
  return text.length <= callCharsMax ? given : cutText(text, callCharsMax, 'end').text
}

const outputCharsMax = 64 * 1024

function cappedOutput(output: Readonly<Record<string, unknown>>): unknown {
  const text = JSON.stringify(output)
  return text.length <= outputCharsMax ? output : { cut: true, bytes: Buffer.byteLength(text) }
}
