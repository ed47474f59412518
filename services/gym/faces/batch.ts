/** Our own face: many episodes begun, and many stepped, by one request. */
import { createHash } from 'node:crypto'
import { setImmediate as othersTurn } from 'node:timers/promises'
import Type from 'typebox'
import { GYM_BATCH_MAX, GymEpisodesRequest, GymStepsRequest } from '#schemas/http-gym.ts'
import type { Gym, StepResult } from '#services/gym/loop/gym.ts'
import { asProblem, Problem } from '#services/problem.ts'
import { actionOf, checked } from './checked.ts'
import { type PictureForm, type SentReset, type SentStep, sentReset, sentStep } from './view.ts'

/** Why one of many could not be done. */
interface Refused {
  readonly problem: { readonly status: number; readonly code: string; readonly detail: string; readonly hint?: string }
}
type RefusedStep = Refused & { readonly episode_id: string }

export interface BatchFace {
  /** POST /v1/gym/episodes. */
  begin(body: unknown): Promise<{ readonly episodes: readonly (SentReset | Refused)[] }>
  /** POST /v1/gym/steps. */
  step(body: unknown): Promise<{ readonly steps: readonly (SentStep | RefusedStep)[] }>
  /** Ends an episode, and forgets it. Throws `episode_unknown`. */
  end(episodeId: string): Promise<void>
}

// What is wrong with one of them costs that one alone, so each is checked by itself.
const many = { ...Type.Array(Type.Unknown()), minItems: 1, maxItems: GYM_BATCH_MAX }
const readEpisodes = checked<{ episodes: readonly unknown[]; pictures?: PictureForm }>(
  Type.Object({ episodes: many, pictures: GymEpisodesRequest.properties.pictures }),
  'the body',
)
const readSteps = checked<{ steps: readonly unknown[]; pictures?: PictureForm }>(
  Type.Object({ steps: many, pictures: GymStepsRequest.properties.pictures }),
  'the body',
)
const { episode_id, step_index } = GymStepsRequest.properties.steps.items.properties
const readStep = checked<{ episode_id: string; action: unknown; step_index?: number }>(
  Type.Object({ episode_id, step_index, action: Type.Unknown() }),
  'the step',
)
const readOptions = (value: unknown): Readonly<Record<string, unknown>> => {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Readonly<Record<string, unknown>>
  throw new Problem('invalid', 'options of an episode are no JSON object', {
    hint: 'such as {"family": "chart", "seed": 1}',
  })
}

/** The face over a gym. It remembers the last step of as many episodes as `rememberedMax`. */
export function batchFace(gym: Gym, rememberedMax: number): BatchFace {
  const repeats = takenSteps(rememberedMax)
  const stepped = async (value: unknown, form: PictureForm): Promise<SentStep | RefusedStep> => {
    let episode = ''
    try {
      const { episode_id: id, action, step_index: place } = readStep(value)
      episode = id
      const turn = actionOf(action)
      // Token ids may make megabytes of it.
      const written = createHash('sha256').update(JSON.stringify(turn)).digest('base64')
      const known = place === undefined ? undefined : repeats.find(id, place, written)
      if (place !== undefined && known === undefined) checkPlace(gym, id, place)
      const result = known ?? (await gym.step(id, turn))
      if (place !== undefined) repeats.keep(result, written)
      return sentStep(gym, result, form)
    } catch (error) {
      return { episode_id: episode, ...refused(error) }
    }
  }
  return {
    begin: async (body) => {
      const { episodes, pictures = 'inline' } = readEpisodes(body)
      const begun: (SentReset | Refused)[] = []
      for (const options of episodes) {
        try {
          begun.push(sentReset(gym, await gym.reset(readOptions(options)), pictures))
        } catch (error) {
          begun.push(refused(error))
        }
        // Drawing a picture takes milliseconds, and a thousand of them must not hold up everybody else.
        await othersTurn()
      }
      return { episodes: begun }
    },
    step: async (body) => {
      const { steps, pictures = 'inline' } = readSteps(body)
      return { steps: await Promise.all(steps.map((one) => stepped(one, pictures))) }
    },
    end: async (id) => {
      gym.state(id)
      repeats.forget(id)
      await gym.end(id)
    },
  }
}

/** Throws `conflict` where the next turn of an episode is another one than the client thinks. */
function checkPlace(gym: Gym, id: string, place: number): void {
  const { step_count } = gym.state(id)
  if (place === step_count) return
  throw new Problem('conflict', `step_index ${place} is not the next one, which is ${step_count}`, {
    hint: 'a step that was taken is answered again only when it is sent as it was',
  })
}

interface TakenSteps {
  /** What came of a step that was taken already; undefined for another one. */
  find(id: string, place: number, action: string): StepResult | undefined
  keep(result: StepResult, action: string): void
  forget(id: string): void
}

/** The last step of each episode, so that one that is sent again is answered again and not taken twice. */
function takenSteps(max: number): TakenSteps {
  const last = new Map<string, { readonly result: StepResult; readonly action: string }>()
  return {
    find: (id, place, action) => {
      const known = last.get(id)
      return known?.result.step_index === place && known.action === action ? known.result : undefined
    },
    keep: (result, action) => {
      last.delete(result.episode_id)
      last.set(result.episode_id, { result, action })
      const [oldest] = last.keys()
      if (last.size > max && oldest !== undefined) last.delete(oldest)
    },
    forget: (id) => void last.delete(id),
  }
}

function refused(error: unknown): Refused {
  const { status, code, message, hint } = asProblem(error)
  return { problem: { status, code, detail: message, ...(hint === undefined ? {} : { hint }) } }
}
