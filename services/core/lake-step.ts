/** Steps and their tool calls as lake rows. */
import type { EventData } from '#schemas/events.ts'
import { ToolCall as ToolCallSchema, type ToolCall } from '#schemas/messages.ts'
import type { ReadEvent } from './event-reader.ts'
import { jsonText, observationRows } from './lake-message.ts'
import {
  extraColumn,
  fieldsBeyond,
  instantColumn,
  placeColumns,
  toldColumns,
  type LakeRow,
  type Place,
} from './lake-place.ts'

const OPENING = '<tool_call>'
const CLOSING = '</tool_call>'
const CALL_COLUMNS = Object.keys(ToolCallSchema.properties) as (keyof ToolCall)[]
const CALL_FIELDS = new Set<string>(CALL_COLUMNS)
const JSON_COLUMNS = new Set<keyof ToolCall>(['arguments', 'schema_errors', 'output_json'])

/** The known fields of a call; the unknown ones must not come near the other columns. */
function callColumns(call: ToolCall): LakeRow {
  const columns: Record<string, unknown> = {}
  for (const name of CALL_COLUMNS) {
    const value = call[name]
    if (value !== undefined && value !== null) columns[name] = JSON_COLUMNS.has(name) ? JSON.stringify(value) : value
  }
  return columns
}

/**
 * What is left of `rawOutput` when each call, with the `<tool_call>` that encloses it, is taken out, trimmed: the
 * content of the assistant message that makes the calls. Null where no call stands in it as written.
 */
export function contentWithoutCalls(rawOutput: string, calls: readonly ToolCall[]): string | null {
  let kept = ''
  let rest = rawOutput
  let found = false
  for (const { raw_call: rawCall } of calls) {
    if (typeof rawCall !== 'string' || rawCall === '') continue
    const at = rest.indexOf(rawCall)
    if (at < 0) continue
    found = true
    let before = rest.slice(0, at)
    let after = rest.slice(at + rawCall.length)
    const opened = before.trimEnd()
    const closed = after.trimStart()
    if (opened.endsWith(OPENING) && closed.startsWith(CLOSING)) {
      before = opened.slice(0, -OPENING.length)
      after = closed.slice(CLOSING.length)
    }
    kept += before
    rest = after
  }
  return found ? (kept + rest).trim() : null
}

/** The row of a step.recorded event in `steps`. */
export function stepRow(event: ReadEvent, place: Place): LakeRow {
  const data = event.data as EventData<'step.recorded'>
  const calls = data.tool_calls ?? []
  const rawOutput = data.raw_output ?? null
  return {
    run_id: data.run_id,
    trajectory_id: data.trajectory_id,
    step_index: data.step_index,
    ...toldColumns(event, place),
    action_kind: data.action_kind,
    raw_output: rawOutput,
    content: rawOutput === null || calls.length === 0 ? null : contentWithoutCalls(rawOutput, calls),
    think_text: data.think_text,
    answer_text: data.answer_text,
    tool_calls: data.tool_calls?.map(({ id, name, arguments: args }) => ({
      id: id ?? null,
      name,
      arguments: jsonText(args),
    })),
    observation: observationRows(data.observation),
    images: data.images,
    n_tool_calls: calls.length,
    turn_format_ok: data.turn_format_ok,
    violation_codes: data.violation_codes,
    obs_truncated: data.obs_truncated,
    obs_is_error: data.obs_is_error,
    env_step_reward: data.env_step_reward,
    done: data.done,
    truncated: data.truncated,
    policy_version: data.policy_version,
    prompt_tokens: data.prompt_tokens,
    completion_tokens: data.completion_tokens,
    obs_tokens: data.obs_tokens,
    prompt_token_ids: data.prompt_token_ids,
    completion_token_ids: data.completion_token_ids,
    logprobs: data.logprobs,
    loss_mask: data.loss_mask,
    finish_reason: data.finish_reason,
    gen_ms: data.gen_ms,
    started_at: instantColumn(data.started_at),
    ended_at: instantColumn(data.ended_at),
    info: jsonText(data.info),
    extra: extraColumn(event),
  }
}

/** The rows of a step.recorded event in `tool_calls`, one for each call in order. */
export function toolCallRows(event: ReadEvent, place: Place): LakeRow[] {
  const data = event.data as EventData<'step.recorded'>
  if (data.tool_calls === undefined || data.tool_calls === null || data.tool_calls.length === 0) return []
  const step = {
    run_id: data.run_id,
    trajectory_id: data.trajectory_id,
    step_index: data.step_index,
    ...placeColumns(place),
  }
  return data.tool_calls.map((call, index) => ({
    ...step,
    call_index: index,
    ...callColumns(call),
    extra: fieldsBeyond(call, CALL_FIELDS),
  }))
}
