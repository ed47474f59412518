/** Episodes in flight: the one core behind every face. */
import { errorText, type Logger } from '#services/logger.ts'
import { Problem } from '#services/problem.ts'
import type { ItemKind } from '#services/gym/items/item.ts'
import { itemSource } from '#services/gym/items/generated.ts'
import { callAnnotation, injectedAnnotation, noToolAnnotation } from '#services/gym/diagnosis/diagnosis.ts'
import type { WrittenTurn } from '#services/gym/policies/policy.ts'
import type { Recorder, RecordedImage } from '#services/gym/publish/recorder.ts'
import type { CallResult, Tools } from '#services/gym/tools/tools.ts'
import type { GymClock } from './clock.ts'
import { promptMessages, questionText, toolLines } from './conversation.ts'
import { enter, endOf, imagesOf, noTotals, stateOf, turnsLeft, type Episode } from './episode.ts'
import { finishedEvent, imageEvent, itemEvents, runStartedEvent, startedEvent } from './episode-events.ts'
import { gymEvent, type GymEvent } from './event.ts'
import type { EndReason, EpisodeState, Gym, GymCounts, Observation, Reset, StepResult } from './gym.ts'
import { settingsOf, type Settings } from './reset-options.ts'
import { paidBy } from './reward-versions.ts'
import { scoredTurns } from './reward.ts'
import { estimatedTokens, tokenRule } from './tokens.ts'
import { takenTurn, type CallTool, type TakenTurn } from './turn.ts'

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

/** What was announced already is remembered up to this many names; what is announced again counts once by its key. */
const announcedMax = 50_000

/** Opens a gym. */
export function openGym(options: GymOptions): Gym {
  return new Episodes(options)
}

class Episodes implements Gym {
  readonly tools: Gym['tools']
  readonly #options: GymOptions
  readonly #toolLines: string
  readonly #items = itemSource()
  readonly #open = new Map<string, Episode>()
  readonly #ended = new Map<string, Ended>()
  readonly #announced = new Set<string>()
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
    this.#toolLines = toolLines(offered(options.tools))
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
    const id = settings.trajectory_id ?? `${settings.run_id.slice(0, 200)}/${newId()}`
    if (this.#open.has(id) || this.#ended.has(id)) {
      throw new Problem('conflict', `there is an episode ${id} already`, {
        hint: 'a new rollout takes a new trajectory_id',
      })
    }
    const item = this.#items.item(settings.chosen)
    const messages = promptMessages(item, this.#toolLines, settings)
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
    const { events, images } = this.#announcement(episode)
    const started = startedEvent(episode, this.tools)
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
      const written = typeof action === 'string' ? { raw: action } : action
      const taken = await takenTurn(episode, written, this.#caller(written))
      // Ended by somebody else meanwhile: its end is recorded already, and nothing may come after that.
      if (!this.#open.has(episodeId)) throw episodeOver(episodeId, this.#ended.get(episodeId)?.end_reason)
      return await this.#told(episode, written, taken)
    } finally {
      episode.busy = false
      episode.touched_ms = this.#monotonic()
    }
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
      injectedAnnotation(place, written.injected ?? [], episode.settings.recorded.actor_model ?? 'policy'),
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

  async end(episodeId: string, reason: 'user_stop' | 'error' | 'time_limit' = 'user_stop'): Promise<void> {
    const episode = this.#open.get(episodeId)
    if (episode === undefined) return
    await this.#options.recorder.add([this.#over(episode, reason).event])
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

  /** The run and the item, told when they are met first. */
  #announcement(episode: Episode): { events: GymEvent[]; images: RecordedImage[] } {
    const { settings, item } = episode
    const now = this.#options.clock.now()
    const events: GymEvent[] = []
    const images: RecordedImage[] = []
    if (this.#options.announces_runs !== false && this.#isNew(`run ${settings.run_id}`)) {
      events.push(runStartedEvent(runOf(settings, this.#options), now))
    }
    if (this.#isNew(item.item_id)) {
      const known = itemEvents(item, now)
      events.push(...known.events)
      images.push(...known.images)
    }
    return { events, images }
  }

  #isNew(name: string): boolean {
    if (this.#announced.has(name)) return false
    this.#announced.add(name)
    forgetOldest(this.#announced, announcedMax)
    return true
  }
}

function runOf(settings: Settings, { tools, clock }: GymOptions) {
  return {
    run_id: settings.run_id,
    kind: 'rl',
    reward: settings.reward,
    needs_tool_call: settings.needs_tool_call,
    format: settings.format,
    max_turns: settings.turns_max,
    tool_set: offered(tools).map(({ name }) => name),
    config: { tokens: tokenRule, clock: clock.kind, turn_limit: settings.turn_limit },
  } as const
}

/** The tools that can be called here: the registry also knows some that run where no address is set for. */
function offered({ definitions, schemas }: Tools): Tools['definitions'] {
  const names = new Set(schemas.map(({ function: called }) => (called as { name?: unknown } | undefined)?.name))
  return definitions.filter(({ name }) => names.has(name))
}

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

function forgetOldest(kept: Map<string, unknown> | Set<string>, max: number): void {
  for (const oldest of kept.keys()) {
    if (kept.size <= max) break
    kept.delete(oldest)
  }
}
