/** One record of tau-bench's historical trajectories as events. Pure: the same record gives the same bytes but for `source`. */
import { readEvent } from '#services/core/event-reader.ts'
import type { EventData, EventType } from '#schemas/events.ts'
import type { Message, ToolCall } from '#schemas/messages.ts'

/** A record that fits the layout, with what names it. */
export interface TauRecord {
  readonly domain: string
  readonly task: string
  readonly trial: number
  readonly reward: number
  readonly info: Fields
  readonly messages: readonly Message[]
}

type Fields = Readonly<Record<string, unknown>>

/** What is the same for all records of an import. */
export interface TauNames {
  readonly run: string
  readonly policyVersion: number
  /** How many trials the input has of its tasks, where that is known. */
  readonly groupSize: number | undefined
  readonly source: string
}

/**
 * The file says nothing of when things happened, so all events bear one instant, and a second import sends the same:
 * the day on which tau-bench was published.
 */
const TIME = '2024-06-20T00:00:00Z'

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Reads an element of the array as a record. Answers a sentence where it is none. */
export function tauRecord(value: unknown, givenDomain: string | undefined): TauRecord | string {
  if (!isFields(value)) return 'not an object'
  const { task_id: task, trial, reward, info, traj } = value
  if (typeof task !== 'string' && !Number.isSafeInteger(task)) return 'task_id must be a whole number or text'
  if (typeof trial !== 'number' || !Number.isSafeInteger(trial) || trial < 0)
    return 'trial must be a whole number from 0'
  if (typeof reward !== 'number' || !Number.isFinite(reward)) return 'reward must be a finite number'
  if (!isFields(info)) return 'info must be an object'
  if (!Array.isArray(traj)) return 'traj must be a list of messages'
  for (const [index, message] of traj.entries()) {
    if (!isFields(message) || typeof message['role'] !== 'string') return `traj[${index}] is no message: it has no role`
    const fault = callsFault(message['tool_calls'])
    if (fault !== undefined) return `traj[${index}].tool_calls: ${fault}`
  }
  const messages = traj as Message[]
  const domain = givenDomain ?? domainOf(messages)
  if (domain === undefined) return 'its domain is not known: give --domain airline or --domain retail'
  return { domain, task: String(task), trial, reward, info, messages }
}

function callsFault(calls: unknown): string | undefined {
  if (calls === undefined || calls === null) return undefined
  if (!Array.isArray(calls)) return 'not a list'
  const isCall = (call: unknown): boolean =>
    isFields(call) && isFields(call['function']) && typeof call['function']['name'] === 'string'
  return calls.every(isCall) ? undefined : 'a call names no function'
}

/** The policy that the system message states begins with `# Airline Agent Policy` or `# Retail agent policy`. */
function domainOf(messages: readonly Message[]): string | undefined {
  const system = messages.find((message) => message.role === 'system')?.content
  return typeof system === 'string' ? /\b(airline|retail)\b/i.exec(system.slice(0, 500))?.[1]?.toLowerCase() : undefined
}

/** The item of a record, or undefined where the record does not tell its task (a rollout that failed at the start). */
export function tauItem(record: TauRecord): EventData<'item.registered'> | undefined {
  const task = record.info['task']
  if (!isFields(task) || typeof task['instruction'] !== 'string') return undefined
  const { instruction, outputs, ...metadata } = task
  return {
    item_id: itemId(record),
    dataset: `tau-bench-${record.domain}`,
    family: 'tau-bench',
    split: 'test',
    question: instruction,
    answer: Array.isArray(outputs)
      ? outputs.map((output) => (typeof output === 'string' ? output : JSON.stringify(output)))
      : [],
    metadata,
  }
}

const itemId = ({ domain, task }: TauRecord): string => `tau-bench/${domain}/${task}`

/** The group of a record: all trials of its task. */
export const tauGroup = ({ domain, task }: TauRecord, run: string): string => `${run}/${domain}/${task}`

/** An event as bytes. Throws a sentence in an Error where it would not be readable. */
export function tauEvent<Type extends EventType>(
  type: Type,
  id: string,
  data: EventData<Type>,
  source: string,
): Uint8Array {
  const bytes = Buffer.from(JSON.stringify({ specversion: '1.0', id, source, type, time: TIME, data }))
  const read = readEvent(bytes)
  if (!read.readable) throw new UnfitRecord(`${type}${read.pointer}: ${read.message}`)
  return bytes
}

/** A record that has the layout, but whose events would break a bound, such as a step of more than 4 MiB. */
export class UnfitRecord extends Error {
  override readonly name = 'UnfitRecord'
}

/** The events of one rollout, in order, and how many steps and calls they hold. Throws UnfitRecord. */
export function tauTrajectory(
  record: TauRecord,
  names: TauNames,
): { events: Uint8Array[]; steps: number; toolCalls: number } {
  const { run, source } = names
  const groupId = tauGroup(record, run)
  const trajectory_id = `${groupId}/${record.trial}`
  const { prompt, turns } = turnsOf(record.messages)
  const started: EventData<'trajectory.started'> = {
    trajectory_id,
    run_id: run,
    item_id: itemId(record),
    policy_version: names.policyVersion,
    group_id: groupId,
    ...(names.groupSize === undefined ? {} : { group_size: names.groupSize }),
    rollout_index: record.trial,
    prompt: [...prompt],
  }
  const events = [tauEvent('trajectory.started', 'start', started, source)]
  let toolCalls = 0
  for (const [step_index, turn] of turns.entries()) {
    const step = { trajectory_id, step_index, run_id: run, ...stepOf(turn) }
    toolCalls += step.tool_calls?.length ?? 0
    events.push(tauEvent('step.recorded', `step-${step_index}`, step, source))
  }
  const finished = { trajectory_id, run_id: run, n_steps: turns.length, ...endOf(record) }
  events.push(tauEvent('trajectory.finished', 'finish', finished, source))
  return { events, steps: turns.length, toolCalls }
}

interface Turn {
  readonly assistant: Message
  readonly observation: Message[]
}

/** A step is an assistant message and what follows up to the next one; what stands before the first is the prompt. */
function turnsOf(messages: readonly Message[]): { prompt: Message[]; turns: Turn[] } {
  const prompt: Message[] = []
  const turns: Turn[] = []
  for (const message of messages) {
    if (message.role === 'assistant') turns.push({ assistant: message, observation: [] })
    else (turns.at(-1)?.observation ?? prompt).push(message)
  }
  return { prompt, turns }
}

type StepBody = Omit<EventData<'step.recorded'>, 'trajectory_id' | 'step_index' | 'run_id'>

function stepOf({ assistant, observation }: Turn): StepBody {
  const { role: _role, content, tool_calls: sent, ...others } = assistant
  const calls = Array.isArray(sent) ? (sent as SentCall[]) : []
  // What is neither text nor a call (audio, a list of parts, a refusal) has no field of its own.
  const rest = {
    ...others,
    ...(content === undefined || content === null || typeof content === 'string' ? {} : { content }),
  }
  const results = observation.filter((message) => message.role === 'tool')
  return {
    action_kind: calls.length > 0 ? 'tool_call' : 'message',
    ...(typeof content === 'string' ? { raw_output: content } : {}),
    ...(calls.length === 0 ? {} : { tool_calls: calls.map((call) => callOf(call, results)) }),
    ...(observation.length === 0 ? {} : { observation }),
    ...(Object.keys(rest).length === 0 ? {} : { info: { message: rest } }),
  }
}

interface SentCall {
  readonly id?: unknown
  readonly function: { readonly name: string; readonly arguments?: unknown }
}

/** A call with its result taken from `results`: the first with its id, since ids repeat from step to step. */
function callOf(call: SentCall, results: Message[]): ToolCall {
  const id = typeof call.id === 'string' ? call.id : undefined
  const at = results.findIndex((message) => id !== undefined && message.tool_call_id === id)
  const result = at < 0 ? undefined : results.splice(at, 1)[0]?.content
  return {
    ...(id === undefined ? {} : { id }),
    name: call.function.name,
    ...argumentsOf(call.function.arguments),
    // tau-bench answers a call that failed with a text that begins so.
    ...(typeof result === 'string' ? { status: result.startsWith('Error') ? 'tool_error' : 'ok' } : {}),
  }
}

/** Arguments as an object; beside it the text as the model wrote it, where spacing or form would be lost otherwise. */
function argumentsOf(sent: unknown): Record<string, unknown> {
  if (typeof sent !== 'string') return sent === undefined || sent === null ? {} : { arguments: sent }
  let parsed: unknown
  try {
    parsed = JSON.parse(sent)
  } catch {
    return { arguments: sent, parse_ok: false }
  }
  if (!isFields(parsed)) return { arguments: sent, parse_ok: false }
  return { arguments: parsed, parse_ok: true, ...(JSON.stringify(parsed) === sent ? {} : { arguments_text: sent }) }
}

type EndBody = Omit<EventData<'trajectory.finished'>, 'trajectory_id' | 'run_id' | 'n_steps'>

function endOf({ reward, info, messages }: TauRecord): EndBody & { user_cost?: number } {
  const correct = reward >= 1 - 1e-6 ? 1 : 0
  const rewardInfo = isFields(info['reward_info']) ? info['reward_info'] : undefined
  const inner = isFields(rewardInfo?.['info']) ? rewardInfo['info'] : {}
  const parts: Record<string, number> = { correct }
  for (const [name, value] of Object.entries(inner)) if (typeof value === 'number') parts[name] = value
  const cost = info['user_cost']
  return { ...howItEnded(info, messages), reward, parts, ...(typeof cost === 'number' ? { user_cost: cost } : {}) }
}

/**
 * tau-bench ends a rollout when the simulated user says ###STOP###, when a call ends the task (a transfer to a human),
 * when the turns run out (then nothing is judged and there is no reward_info), or by an error of the program.
 */
function howItEnded(info: Fields, messages: readonly Message[]): Pick<EndBody, 'status' | 'end_reason'> {
  if (typeof info['error'] === 'string') return { status: 'infra_error', end_reason: 'error' }
  const last = messages.at(-1)
  if (last?.role === 'user' && typeof last.content === 'string' && last.content.includes('###STOP###')) {
    return { status: 'completed', end_reason: 'user_stop' }
  }
  return isFields(info['reward_info'])
    ? { status: 'completed', end_reason: 'env_done' }
    : { status: 'truncated', end_reason: 'max_turns' }
}
