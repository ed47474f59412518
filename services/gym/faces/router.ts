/** verl-tool's face: POST /get_observation, many trajectories at once, and the same bytes always answered the same. */
import { createHash } from 'node:crypto'
import Type from 'typebox'
import { GYM_BATCH_MAX } from '#schemas/http-gym.ts'
import type { Gym, StepResult } from '#services/gym/loop/gym.ts'
import { asProblem, Problem } from '#services/problem.ts'
import { checked } from './checked.ts'
import { sentObservation } from './view.ts'

/** What a trajectory is told: words, or words with a reward, pictures and what went wrong. */
export type RouterObservation =
  | string
  | {
      readonly obs: string
      readonly reward?: number
      readonly image?: readonly string[]
      readonly invalid_reason?: string
      readonly error?: string
    }

export interface RouterAnswer {
  readonly observations: readonly RouterObservation[]
  readonly dones: readonly boolean[]
  readonly valids: readonly boolean[]
  readonly processing_time_ms: number
  readonly queue_time_ms: number
}

export interface RouterFace {
  /** Answers the bytes of a request, as the bytes of an answer. Throws `invalid`. */
  observe(body: Buffer, parsed: unknown): Promise<string>
  /** How many answers are kept. */
  readonly cached: number
}

interface RouterRequest {
  readonly trajectory_ids: readonly (string | number)[]
  readonly actions: readonly string[]
  readonly finish?: readonly boolean[] | null
  readonly is_last_step?: readonly boolean[] | null
  readonly extra_fields?: readonly unknown[] | null
}

interface OneObservation {
  readonly observation: RouterObservation
  readonly done: boolean
  readonly valid: boolean
}

const perTrajectory = <Item extends Type.TSchema>(item: Item) =>
  Type.Array(item, { minItems: 1, maxItems: GYM_BATCH_MAX })
const maybe = <Item extends Type.TSchema>(item: Item) => Type.Optional(Type.Union([perTrajectory(item), Type.Null()]))
/** The body of POST /get_observation. */
export const ROUTER_REQUEST = Type.Object({
  trajectory_ids: perTrajectory(Type.Union([Type.String({ minLength: 1, maxLength: 256 }), Type.Integer()])),
  actions: perTrajectory(Type.String()),
  finish: maybe(Type.Boolean()),
  is_last_step: maybe(Type.Boolean()),
  extra_fields: maybe(Type.Unknown()),
})
/** Its answer. */
export const ROUTER_ANSWER = Type.Object({
  observations: Type.Array(Type.Unknown()),
  dones: Type.Array(Type.Boolean()),
  valids: Type.Array(Type.Boolean()),
  processing_time_ms: Type.Number(),
  queue_time_ms: Type.Number(),
})
const readRequest = checked<RouterRequest>(ROUTER_REQUEST, 'the body')

/** A client sends a failed request up to five times, within minutes; answers with pictures are large. */
const CACHED_MAX = 512
const CACHED_BYTES_MAX = 64 * 1024 * 1024

/** The face over a gym. `clock` gives milliseconds. */
export function routerFace(gym: Gym, clock: () => number): RouterFace {
  const answers = repeatedAnswers()
  const observe = async (parsed: unknown): Promise<string> => {
    const began = clock()
    const request = readRequest(parsed)
    const ids = request.trajectory_ids.map(String)
    checkLengths(request, ids)
    const all = await Promise.all(ids.map((id, place) => observed(gym, id, request, place)))
    const answer: RouterAnswer = {
      observations: all.map(({ observation }) => observation),
      dones: all.map(({ done }) => done),
      valids: all.map(({ valid }) => valid),
      processing_time_ms: Math.round(clock() - began),
      queue_time_ms: 0,
    }
    return JSON.stringify(answer)
  }
  return {
    observe: (body, parsed) => answers.of(createHash('sha256').update(body).digest('hex'), () => observe(parsed)),
    get cached() {
      return answers.size
    },
  }
}

function checkLengths(request: RouterRequest, ids: readonly string[]): void {
  for (const name of ['actions', 'finish', 'is_last_step', 'extra_fields'] as const) {
    const length = request[name]?.length ?? ids.length
    if (length === ids.length) continue
    throw new Problem('invalid', `${name} has ${length} entries for ${ids.length} trajectory_ids`, {
      hint: 'give one for each',
    })
  }
  if (new Set(ids).size < ids.length)
    throw new Problem('invalid', 'a trajectory is named twice', { hint: 'send one action of each at a time' })
}

/** One trajectory's turn. What goes wrong with it is an observation of its own, as the others go on. */
async function observed(gym: Gym, id: string, request: RouterRequest, place: number): Promise<OneObservation> {
  try {
    await begun(gym, id, request.extra_fields?.[place], place)
    const action = request.actions[place] ?? ''
    const finishes = request.finish?.[place] === true
    // A trainer that has stopped a trajectory for its own reasons has nothing more to say.
    if (finishes && action === '') {
      await gym.end(id)
      return { observation: '', done: true, valid: false }
    }
    const step = await gym.step(id, action)
    const told = { observation: observationOf(gym, step), done: step.done, valid: step.valid }
    if (step.done || !(finishes || request.is_last_step?.[place] === true)) return told
    // The trainer's own limit is one as good as ours: the rollout is paid for what it did until then.
    const reward = await gym.end(id, 'max_turns')
    return { ...told, observation: observationOf(gym, { ...step, reward }), done: true }
  } catch (error) {
    const { message, hint, code } = asProblem(error)
    const reason = hint === undefined ? message : `${message} (${hint})`
    return { observation: { obs: '', invalid_reason: reason, error: code }, done: true, valid: false }
  }
}

/** Begins the episode of a trajectory that is not known yet: `extra_fields` says of which item. */
async function begun(gym: Gym, id: string, extra: unknown, place: number): Promise<void> {
  try {
    gym.state(id)
    return
  } catch (error) {
    if (asProblem(error).code !== 'episode_unknown') throw error
  }
  await gym.reset({ ...optionsOf(extra, place), trajectory_id: id })
}

/** The trainer adds fields of its own (images, question, current_step …): ours are under `gym`, or an item's id alone. */
function optionsOf(extra: unknown, place: number): Readonly<Record<string, unknown>> {
  const fields = typeof extra === 'object' && extra !== null ? (extra as Readonly<Record<string, unknown>>) : {}
  const { gym, item_id, qid } = fields
  if (typeof gym === 'object' && gym !== null && !Array.isArray(gym)) return gym as Readonly<Record<string, unknown>>
  const item = item_id ?? qid
  if (typeof item === 'string') return { item_id: item }
  throw new Problem('invalid', `extra_fields[${place}] names no item`, {
    hint: 'give {"item_id": "chart/yes-no/train/0/0000-l0"}, or {"gym": {"family": "chart", "seed": 0, "index": 0}}',
  })
}

function observationOf(gym: Gym, step: StepResult): RouterObservation {
  const { text, images } = sentObservation(gym, step.observation, 'inline')
  if (step.reward === null && images.length === 0 && step.valid) return text
  return {
    obs: text,
    ...(step.reward === null ? {} : { reward: step.reward }),
    ...(images.length === 0 ? {} : { image: images.map(({ data = '' }) => `data:image/png;base64,${data}`) }),
    ...(step.valid ? {} : { invalid_reason: step.codes.join(', ') }),
  }
}

/** Answers by the request's hash, those under way included; the ones used last are kept, within bounds. */
function repeatedAnswers(): { of(hash: string, make: () => Promise<string>): Promise<string>; readonly size: number } {
  const kept = new Map<string, { readonly answer: Promise<string>; bytes: number }>()
  let bytes = 0
  const drop = (hash: string): void => {
    bytes -= kept.get(hash)?.bytes ?? 0
    kept.delete(hash)
  }
  const bound = (): void => {
    for (const hash of kept.keys()) {
      if (kept.size <= CACHED_MAX && bytes <= CACHED_BYTES_MAX) return
      drop(hash)
    }
  }
  return {
    of: (hash, make) => {
      const known = kept.get(hash)
      if (known !== undefined) return known.answer
      const entry = { answer: make(), bytes: 0 }
      kept.set(hash, entry)
      entry.answer.then(
        (text) => {
          if (kept.get(hash) !== entry) return
          entry.bytes = text.length
          bytes += text.length
          bound()
        },
        // What was refused did nothing, so it may be asked again.
        () => drop(hash),
      )
      bound()
      return entry.answer
    },
    get size() {
      return kept.size
    },
  }
}
