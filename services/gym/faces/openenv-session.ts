/** One OpenEnv session: messages in, messages out, one episode at a time. No socket here. */
import type { Gym, Reset, StepResult } from '#services/gym/loop/gym.ts'
import { asProblem, Problem } from '#services/problem.ts'
import { actionOf, given } from './checked.ts'
import { rpcAnswer } from './mcp.ts'
import { sentObservation, type SentObservation } from './view.ts'

/** Codes of errors, as OpenEnv has them. */
export type OpenEnvCode =
  | 'INVALID_JSON'
  | 'UNKNOWN_TYPE'
  | 'VALIDATION_ERROR'
  | 'EXECUTION_ERROR'
  | 'CAPACITY_REACHED'
  | 'SESSION_ERROR'

/** A message of the server. */
export type OpenEnvMessage = {
  readonly type: 'observation' | 'state' | 'mcp' | 'error'
  readonly data: Readonly<Record<string, unknown>>
}

/** An observation in OpenEnv's form: reward and done beside its named fields. */
export interface OpenEnvResult {
  readonly observation: SentObservation & Readonly<Record<string, unknown>>
  readonly reward: number | null
  readonly done: boolean
}

export interface OpenEnvSession {
  /** Answers one message; undefined where it asks to close. */
  answer(message: string): Promise<OpenEnvMessage | undefined>
  /** Ends the episode, if one is open. */
  close(): Promise<void>
}

/** What OpenEnv names otherwise than we do. */
const EPISODE_ID_MAX = 255

/** The options of an episode as OpenEnv's reset gives them: `episode_id` is our trajectory_id, and null is left out. */
export function resetOptions(data: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { episode_id, ...options } = given(data)
  if (episode_id === undefined) return options
  if (typeof episode_id !== 'string' || episode_id.length > EPISODE_ID_MAX)
    throw new Problem('invalid', 'episode_id is no text of at most 255 letters', {
      hint: 'leave it out, and one is made',
    })
  if (options['trajectory_id'] !== undefined)
    throw new Problem('invalid', 'episode_id and trajectory_id are the same thing', { hint: 'give one of them' })
  return { ...options, trajectory_id: episode_id }
}

/** A reset as OpenEnv tells it. */
export function resetResult(gym: Gym, { observation, ...about }: Reset): OpenEnvResult {
  return { observation: { ...about, ...sentObservation(gym, observation, 'inline') }, reward: null, done: false }
}

/** A step as OpenEnv tells it; everything of scoring is a named field, because `metadata` would be stripped. */
export function stepResult(gym: Gym, { observation, reward, done, ...about }: StepResult): OpenEnvResult {
  return { observation: { ...about, ...sentObservation(gym, observation, 'inline') }, reward, done }
}

/** The state of an environment that was not reset. */
export const NO_EPISODE = { episode_id: null, step_count: 0 } as const

/** Begins a session. Its messages must be answered one after the other. */
export function openEnvSession(gym: Gym): OpenEnvSession {
  let episode: string | undefined
  const end = async (): Promise<void> => {
    const open = episode
    episode = undefined
    if (open !== undefined) await gym.end(open)
  }
  const reset = async (data: unknown): Promise<OpenEnvMessage> => {
    const options = resetOptions(fieldsOf(data, 'data of a reset'))
    await end()
    const begun = await gym.reset(options)
    episode = begun.episode_id
    return { type: 'observation', data: { ...resetResult(gym, begun) } }
  }
  const step = async (data: unknown): Promise<OpenEnvMessage> => {
    const action = actionOf(fieldsOf(data, 'data of a step'))
    if (episode === undefined)
      throw new Problem('conflict', 'there is no episode yet', { hint: 'send {"type": "reset"} first' })
    const taken = await gym.step(episode, action)
    return { type: 'observation', data: { ...stepResult(gym, taken) } }
  }
  const state = (): OpenEnvMessage => ({
    type: 'state',
    data: { ...(episode === undefined ? NO_EPISODE : gym.state(episode)) },
  })
  return {
    answer: async (text) => {
      let message: Readonly<Record<string, unknown>>
      try {
        message = fieldsOf(JSON.parse(text), 'the message')
      } catch (error) {
        if (error instanceof Problem) return errorOf('VALIDATION_ERROR', error)
        return { type: 'error', data: { message: `Invalid JSON: ${(error as Error).message}`, code: 'INVALID_JSON' } }
      }
      const { type, data } = message
      try {
        if (type === 'reset') return await reset(data ?? {})
        if (type === 'step') return await step(data)
        if (type === 'state') return state()
        if (type === 'mcp') return { type: 'mcp', data: rpcAnswer(gym, data) }
        if (type === 'close') return undefined
      } catch (error) {
        const problem = asProblem(error)
        return errorOf(codeOf(problem), problem)
      }
      const hint = 'send reset, step, state or close'
      return errorOf(
        'UNKNOWN_TYPE',
        new Problem('invalid', `Unknown message type: ${String(type).slice(0, 40)}`, { hint }),
      )
    },
    close: end,
  }
}

function codeOf(problem: Problem): OpenEnvCode {
  if (problem.code === 'too_many') return 'CAPACITY_REACHED'
  return problem.code === 'invalid' ? 'VALIDATION_ERROR' : 'EXECUTION_ERROR'
}

function errorOf(code: OpenEnvCode, problem: Problem): OpenEnvMessage {
  const { message, hint } = problem
  // Clients show the message alone, so the hint is in it, too.
  const words = hint === undefined ? message : `${message} (${hint})`
  return {
    type: 'error',
    data: { message: words, code, problem: problem.code, ...(hint === undefined ? {} : { hint }) },
  }
}

/** A message that refuses a session for want of room. */
export const capacityReached = (active: number, max: number): OpenEnvMessage => ({
  type: 'error',
  data: {
    message: `all ${max} sessions are in use`,
    code: 'CAPACITY_REACHED',
    active_sessions: active,
    max_sessions: max,
  },
})

function fieldsOf(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Readonly<Record<string, unknown>>
  throw new Problem('invalid', `${what} is no JSON object`, { hint: 'such as {"type": "reset", "data": {"seed": 1}}' })
}
