import { calledChartTool, chartTool, chartToolPlace } from './chart-tool.ts'
import { instant } from '#services/gym/loop/event.ts'
import { estimatedTokens } from '#services/gym/loop/tokens.ts'
import { readTurn } from '#services/gym/loop/turn-grammar.ts'
import type { EventData } from '#schemas/events.ts'
import type { GymItem } from './item.ts'
import type { Heard } from './policy.ts'
import type { Random } from './random.ts'
import type { Turn } from '#services/gym/loop/turn-grammar.ts'

/** The most tokens of one turn; what is longer is cut. */
export const maxCompletionTokens = 1024

type StepData = EventData<'step.recorded'>
type CallData = NonNullable<StepData['tool_calls']>[number]
type Message = Exclude<NonNullable<StepData['observation']>, string>[number]

/** What happened in one turn, and what the policy hears after it. `raw` is its text as cut. */
export type Step = { readonly data: StepData; readonly raw: string; readonly heard: Heard; readonly ended_ms: number }

/** A message whose content is plain text. */
type Heardable = Message & { readonly content: string }

type RanCall = { readonly data: CallData; readonly output: string }

/** A turn to be carried out. */
type Taking = {
  readonly trajectory_id: string
  readonly run_id: string
  readonly item: GymItem
  readonly index: number
  /** Tokens before this turn. */
  readonly context: number
  readonly now: number
  readonly clock: Random
  readonly raw: string
}

/** Reads a turn, carries out what it asks for, and writes down both. Times are simulated, not measured. */
export function takenStep(taking: Taking): Step {
  const cut = estimatedTokens(taking.raw) > maxCompletionTokens
  const raw = cut ? taking.raw.slice(0, maxCompletionTokens * 4) : taking.raw
  const turn = readTurn(raw)
  const completionTokens = estimatedTokens(raw)
  const gen_ms = taking.clock.int(90, 180) + completionTokens * taking.clock.int(8, 13)
  const ran = turn.call === null ? null : ranCall(turn.call, taking)
  const call = ran?.data ?? null
  const observation = cut ? null : observationAfter(turn, ran)
  const ended_ms = taking.now + gen_ms + (call?.latency_ms ?? 0)
  const words = observation?.content ?? ''
  const isError = observation !== null && call?.status !== 'ok'
  const data: StepData = {
    trajectory_id: taking.trajectory_id,
    step_index: taking.index,
    run_id: taking.run_id,
    action_kind: turn.action_kind,
    raw_output: raw,
    think_text: turn.think_text,
    ...(turn.answer_text === null ? {} : { answer_text: turn.answer_text }),
    tool_calls: call === null ? [] : [call],
    observation: observation === null ? [] : [observation],
    turn_format_ok: turn.violations.length === 0,
    violation_codes: [...turn.violations],
    obs_is_error: isError,
    done: turn.action_kind === 'answer',
    truncated: cut,
    prompt_tokens: taking.context,
    completion_tokens: completionTokens,
    obs_tokens: estimatedTokens(words),
    finish_reason: cut ? 'length' : turn.action_kind === 'tool_call' ? 'stop_token' : 'eos',
    gen_ms,
    started_at: instant(taking.now),
    ended_at: instant(ended_ms),
  }
  return { data, raw, heard: observation === null ? null : { observation: words, ok: !isError }, ended_ms }
}

/** The call and what became of it; its answer stands in the step's observation. */
function ranCall(written: NonNullable<Turn['call']>, { item, index, clock }: Taking): RanCall {
  const common = {
    id: `call_${index}`,
    name: written.name,
    arguments: written.arguments,
    raw_call: written.raw,
    call_shape: 4,
    parse_ok: written.parsed,
  }
  if (!written.parsed || written.name === '') {
    const reason = written.parsed ? 'the call names no tool' : 'the call is not JSON'
    return {
      data: {
        ...common,
        schema_ok: false,
        valid: false,
        invalid_reason: reason,
        status: 'invalid',
        error_codes: ['E1'],
      },
      output: '',
    }
  }
  const result = calledChartTool(item.chart, { name: written.name, arguments: written.arguments })
  const output = result.output_text
  const latency_ms = clock.int(18, 95)
  if (result.status === 'not_found') {
    const found = { valid: false, invalid_reason: output, status: 'not_found', error_type: 'UnknownTool' } as const
    return { data: { ...common, ...found, error_codes: ['WRONG_TOOL'], latency_ms }, output }
  }
  const placed = {
    ...common,
    tool: chartTool.function.name,
    ...chartToolPlace,
    ...taskOf(written.arguments),
    latency_ms,
  }
  if (result.status === 'ok') {
    return {
      data: { ...placed, schema_ok: true, schema_errors: [], valid: true, status: 'ok', error_codes: [] },
      output,
    }
  }
  const data: CallData = {
    ...placed,
    schema_ok: false,
    schema_errors: result.faults,
    valid: false,
    invalid_reason: result.faults[0]?.message ?? output,
    status: 'invalid',
    error_type: 'InvalidInput',
    error_codes: [...new Set(result.faults.map((fault) => fault.code))],
  }
  return { data, output }
}

function taskOf(given: unknown): { task?: string } {
  const task = typeof given === 'object' && given !== null ? (given as { task?: unknown }).task : undefined
  return typeof task === 'string' ? { task } : {}
}

/** What the policy hears: the tool's answer, or what was wrong with its turn; nothing after an answer. */
function observationAfter(turn: Turn, ran: RanCall | null): Heardable | null {
  if (turn.action_kind === 'answer') return null
  if (turn.action_kind === 'tool_call' && ran !== null) {
    return { role: 'tool', name: ran.data.name, tool_call_id: ran.data.id ?? null, content: ran.output }
  }
  const found = turn.violations.join(', ')
  const content = `Error: no action could be read from this turn (${found}). Write <think>…</think> and then one <tool_call>…</tool_call> or one <answer>…</answer>.`
  return { role: 'user', content }
}
