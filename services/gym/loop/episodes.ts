/** Episodes in flight: the one core behind every face. */
import { errorText, type Logger } from '#services/logger.ts'
import { Problem } from '#services/problem.ts'
import type { Family, ItemKind } from '#services/gym/items/item.ts'
import { itemSource } from '#services/gym/items/generated.ts'
import { callAnnotation, injectedAnnotation, noToolAnnotation } from '#services/gym/diagnosis/diagnosis.ts'
import type { WrittenTurn } from '#services/gym/policies/policy.ts'
import type { Recorder } from '#services/gym/publish/recorder.ts'
import { offeredTools, type ToolOffer } from '#services/gym/tools/offered.ts'
import type { CallResult, Tools } from '#services/gym/tools/tools.ts'
import type { GymClock } from './clock.ts'
import { promptMessages, questionText, toolLines } from './conversation.ts'
import { enter, endOf, imagesOf, noTotals, stateOf, turnsLeft, type Episode } from './episode.ts'
import { announcements, type Announcements } from './announcements.ts'
import { finishedEvent, imageEvent, startedEvent } from './episode-events.ts'
import { forgetOldest } from './forget-oldest.ts'
import { gymEvent, type GymEvent } from './event.ts'
import type { EndReason, EpisodeState, Gym, GymCounts, Observation, Reset, StepResult, StopReason } from './gym.ts'
import { settingsOf } from './reset-options.ts'
import { paidBy } from './reward-versions.ts'
import { scoredTurns } from './reward.ts'
import { estimatedTokens } from './tokens.ts'
import { takenTurn, type CallTool, type TakenTurn } from './turn.ts'
import { boundedTurn } from './written-turn.ts'

export type GymOptions = {
  readonly kinds: readonly ItemKind[]
  readonly tools: Tools
  readonly recorder: Recorder
  readonly clock: GymClock
  /** The run of episodes that name none. */
  readonly run_id: string
  /** A random id, for trajectories that are given none. */
  readonly newId: () => string
  readonly logger: Logger
  /** Whether a run is announced (run.started) when its first episode begins. Default true. */
  readonly announces_runs?: boolean
  /** The most episodes at once. Default 1,000. */
  readonly episodes_max?: number
  /** After how long an episode that nobody steps is ended. Default 10 minutes. */
  readonly idle_ms?: number
  /** How many ended episodes are remembered, so that a step after the end is told from an unknown one. Default 10,000. */
  readonly ended_max?: number
  /** Makes a call's answer unfit, where a policy says that it injected E5. Without it such a word is passed over. */
  readonly faultyOutput?: (call: CallResult) => CallResult
  /** A clock that only rises, in ms. */
  readonly monotonic?: () => number
}

/** What is remembered of an episode that has ended. */
type Ended = Omit<EpisodeState, 'messages'>

/** Opens a gym. */
export function openGym(options: GymOptions): Gym {
  return new Episodes(options)
}

class Episodes implements Gym {
  readonly tools: Gym['tools']
  readonly definitions: Gym['definitions']
  readonly #options: GymOptions
  readonly #offers = new Map<string, { readonly lines: string; readonly schemas: Tools['schemas'] }>()
  readonly #items = itemSource()
  readonly #open = new Map<string, Episode>()
  readonly #ended = new Map<string, Ended>()
  readonly #announcements: Announcements
  readonly #stop = new AbortController()
  readonly #monotonic: () => number
  readonly #sweep: NodeJS.Timeout
  readonly #idleMs: number
  readonly #episodesMax: number
  #started = 0
  #steps = 0

  constructor(options: GymOptions) {
    this.#options = options
    this.tools = options.tools.schemas
    this.definitions = options.tools.definitions
    this.#announcements = announcements(options)
    this.#monotonic = options.monotonic ?? (() => performance.now())
    this.#idleMs = options.idle_ms ?? 600_000
    this.#episodesMax = options.episodes_max ?? 1000
    this.#sweep = setInterval(() => void this.sweep(), Math.min(30_000, Math.max(50, this.#idleMs / 4)))
    this.#sweep.unref()
  }

  async reset(given: Readonly<Record<string, unknown>> = {}): Promise<Reset> {
    if (this.#stop.signal.aborted) throw new Problem('unavailable', 'the gym is closing')
    const { kinds, run_id, newId, clock } = this.#options
    const settings = settingsOf(given, kinds, { run_id })
    if (this.#open.size >= this.#episodesMax) {
      throw new Problem('too_many', `${this.#open.size} episodes are open, which is the most there may be`, {
        hint: 'end some, or wait for idle ones to end by themselves',
        retryAfterSeconds: 5,
      })
    }
    const id = settings.trajectory_id ?? `${firstBytes(settings.run_id, 200)}/${newId()}`
    if (this.#open.has(id) || this.#ended.has(id)) {
      throw new Problem('conflict', `there is an episode ${id} already`, {
        hint: 'a new rollout takes a new trajectory_id',
      })
    }
    this.#announcements.check(settings)
    const item = this.#items.item(settings.chosen)
    const offer = this.#offer(settings.tools, item.family)
    const messages = promptMessages(item, offer.lines, settings)
    const words = messages.map(({ content }) => (typeof content === 'string' ? content : questionText(item))).join('')
    const episodeClock = clock.episode(id)
    const episode: Episode = {
      id,
      settings,
      item,
      clock: episodeClock,
      started_ms: episodeClock.now(),
      messages,
      images: new Map([[item.picture.sha256, item.picture]]),
      heard: [],
      turns: [],
      totals: noTotals(estimatedTokens(words, 1)),
      busy: true,
      touched_ms: this.#monotonic(),
    }
    this.#open.set(id, episode)
    this.#started++
    const { events, images } = this.#announcements.of(episode)
    const started = startedEvent(episode, offer.schemas)
    try {
      await this.#options.recorder.add([...events, started], images)
    } catch (error) {
      this.#open.delete(id)
      throw error
    } finally {
      episode.busy = false
    }
    const observation: Observation = {
      text: questionText(item),
      image_ids: [item.picture.sha256],
      messages: [...messages],
      turns_left: settings.turns_max,
      truncated: false,
      is_error: false,
    }
    const { item_id, family, kind, question, key } = item
    return {
      episode_id: id,
      run_id: settings.run_id,
      item_id,
      family,
      kind,
      question,
      choices: key.choices ?? [],
      observation,
    }
  }

  async step(episodeId: string, action: string | WrittenTurn): Promise<StepResult> {
    const episode = this.#episode(episodeId)
    if (episode.busy) {
      throw new Problem('conflict', `a step of ${episodeId} is under way`, { hint: 'wait for it to end' })
    }
    episode.busy = true
    try {
      const written = boundedTurn(typeof action === 'string' ? { raw: action } : action)
      const taken = await takenTurn(episode, written, this.#caller(written))
      // Ended by somebody else meanwhile: its end is recorded already, and nothing may come after that.
      if (!this.#open.has(episodeId)) throw episodeOver(episodeId, this.#ended.get(episodeId)?.end_reason)
      return await this.#told(episode, written, taken)
    } finally {
      episode.busy = false
      episode.touched_ms = this.#monotonic()
    }
  }

  /** The tools that a prompt names, and their schemas. All others can be called too: naming is not allowing. */
  #offer(offer: ToolOffer, family: Family): { readonly lines: string; readonly schemas: Tools['schemas'] } {
    const key = offer === 'all' ? offer : family
    const known = this.#offers.get(key)
    if (known !== undefined) return known
    const { definitions, schemas } = offeredTools(this.#options.tools, offer, family)
    const made = { lines: toolLines(definitions), schemas }
    this.#offers.set(key, made)
    return made
  }

  /** Calls tools for one turn. */
  #caller({ injected }: WrittenTurn): CallTool {
    const { tools, faultyOutput } = this.#options
    const call: CallTool = (raw, context) => tools.call(raw, context, this.#stop.signal)
    if (faultyOutput === undefined || injected?.includes('E5') !== true) return call
    return async (raw, context) => faultyOutput(await call(raw, context))
  }

  /** Enters a turn into the episode, tells it to the recorder, and ends the episode where it is over. */
  async #told(episode: Episode, written: WrittenTurn, taken: TakenTurn): Promise<StepResult> {
    const { turn, call, data } = taken
    const place = { trajectory_id: episode.id, run_id: episode.settings.run_id, step_index: episode.turns.length }
    enter(episode, written, taken)
    this.#steps++
    const images = imagesOf(episode, call?.output_images ?? [])
    const notes = [
      callAnnotation(place, call),
      injectedAnnotation(place, injectedCodes(written, call), episode.settings.recorded.actor_model ?? 'policy'),
    ].filter((note) => note !== null)
    const reason = endOf(episode, taken)
    const isFirst = reason === 'answer' && episode.totals.calls === 0
    if (isFirst) notes.push(noToolAnnotation(place))
    const now = taken.ended_ms
    const parent = episode.item.picture.sha256
    const events: GymEvent[] = [
      ...images.map((picture) => imageEvent(picture, 'tool_output', parent, now)),
      gymEvent('step.recorded', now, data),
      ...notes.map((note) => gymEvent('trajectory.annotated', now, note)),
    ]
    const ended = reason === null ? null : this.#over(episode, reason)
    if (ended !== null) events.push(ended.event)
    const bytes = images.map((picture) => ({ image_id: picture.sha256, bytes: picture.bytes }))
    await this.#options.recorder.add(events, bytes)
    return {
      episode_id: episode.id,
      step_index: place.step_index,
      action_kind: turn.action_kind,
      observation: {
        text: taken.text,
        image_ids: images.map(({ sha256 }) => sha256),
        messages: taken.message === null ? [] : [taken.message],
        turns_left: reason === null ? turnsLeft(episode) : 0,
        truncated: taken.observation_cut,
        is_error: taken.is_error,
      },
      reward: ended?.score?.reward ?? null,
      done: reason !== null,
      truncated: reason !== null && reason !== 'answer',
      valid: turn.action_kind === 'answer' || call?.status === 'ok',
      codes: [...taken.violations, ...(call?.error_codes ?? [])],
      heard: call === null ? null : (episode.heard.at(-1) ?? null),
      env_step_reward: taken.env_step_reward,
      score: ended?.score ?? null,
      end_reason: reason,
    }
  }

  /** Takes an episode out of flight. Aborted ones are not scored. */
  #over(episode: Episode, reason: EndReason) {
    const aborted = reason === 'user_stop' || reason === 'error' || reason === 'time_limit'
    const { settings, item, turns } = episode
    const score = aborted ? null : paidBy(settings.reward, scoredTurns(turns, item.key, settings))
    const status = aborted ? 'aborted' : reason === 'answer' ? 'completed' : 'truncated'
    this.#open.delete(episode.id)
    const { messages: _, ...state } = stateOf(episode)
    this.#ended.set(episode.id, {
      ...state,
      turns_left: 0,
      done: true,
      reward: score?.reward ?? null,
      end_reason: reason,
    })
    forgetOldest(this.#ended, this.#options.ended_max ?? 10_000)
    return { event: finishedEvent(episode, { reason, status, score }), score }
  }

  state(episodeId: string): EpisodeState {
    const open = this.#open.get(episodeId)
    if (open !== undefined) return stateOf(open)
    const ended = this.#ended.get(episodeId)
    if (ended === undefined) throw unknownEpisode(episodeId)
    return { ...ended, messages: [] }
  }

  async end(episodeId: string, reason: StopReason = 'user_stop'): Promise<number | null> {
    const episode = this.#open.get(episodeId)
    if (episode === undefined) return null
    const { event, score } = this.#over(episode, reason)
    await this.#options.recorder.add([event])
    return score?.reward ?? null
  }

  image(imageId: string) {
    for (const { images } of this.#open.values()) {
      const found = images.get(imageId)
      if (found !== undefined) return found
    }
    return undefined
  }

  counts(): GymCounts {
    return {
      episodes_open: this.#open.size,
      episodes_max: this.#episodesMax,
      episodes_started: this.#started,
      episodes_ended: this.#started - this.#open.size,
      steps: this.#steps,
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#sweep)
    this.#stop.abort()
    for (const id of this.#open.keys()) await this.end(id)
  }

  /** Ends the episodes that nobody has stepped for `idle_ms`. */
  async sweep(): Promise<void> {
    const before = this.#monotonic() - this.#idleMs
    const idle = [...this.#open.values()].filter((episode) => !episode.busy && episode.touched_ms < before)
    for (const { id } of idle) {
      try {
        await this.end(id, 'time_limit')
        this.#options.logger('info', 'an idle episode was ended', { episode_id: id })
      } catch (error) {
        this.#options.logger('error', 'an idle episode could not be recorded as ended', {
          episode_id: id,
          error: errorText(error),
        })
      }
    }
  }

  #episode(id: string): Episode {
    const open = this.#open.get(id)
    if (open !== undefined) return open
    const ended = this.#ended.get(id)
    if (ended === undefined) throw unknownEpisode(id)
    throw episodeOver(id, ended.end_reason)
  }
}

/** A bad output is made by the gym: where there was no answer to spoil, the policy's word for it does not hold. */
function injectedCodes({ injected = [] }: WrittenTurn, call: CallResult | null): readonly string[] {
  return call?.error_codes.includes('E5') === true ? injected : injected.filter((code) => code !== 'E5')
}

/** What of a text is at most about so many bytes long: an id of 256 bytes needs room for more. */
const firstBytes = (text: string, bytes: number): string => Buffer.from(text).subarray(0, bytes).toString('utf8')

function episodeOver(id: string, reason: EndReason | null | undefined): Problem {
  return new Problem('episode_over', `the episode ${id.slice(0, 256)} has ended (${reason ?? 'some time ago'})`, {
    hint: 'reset to begin another one',
  })
}

function unknownEpisode(id: string): Problem {
  return new Problem('episode_unknown', `there is no episode ${id.slice(0, 256)}`, {
    hint: 'reset gives the id of an episode; one that ended long ago is forgotten',
  })
}
