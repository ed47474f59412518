/** A client as careful workers are: it sends the same bytes until they are acknowledged, and remembers everything. */
import { setTimeout as sleep } from 'node:timers/promises'
import { random as randomOf, type Random } from '#services/gym/random.ts'
import { picture, rollout, runStarted, type Rollout, type SentEvent } from './rollouts.ts'

/** One request, sent until it was acknowledged, and perhaps once more on purpose. */
export interface Sending {
  readonly method: 'POST' | 'PUT'
  readonly path: string
  readonly contentType: string
  readonly body: Buffer
  readonly events: readonly SentEvent[]
  /** How often bytes may have reached the server. */
  attempts: number
  /** How often the server said that it has them. */
  acks: number
}

export interface TrafficOptions {
  readonly url: string
  readonly seed: number
  readonly runId: string
  /** Between two requests of a worker. */
  readonly pauseMs?: number
}

/** An attempt that may hang (the server was killed in the middle of it) is given up after this. */
const ATTEMPT_MS = 5_000
const AGAIN_MS = 15
/** A share of requests is sent again after it was acknowledged. */
const DUPLICATE_SHARE = 0.1

const LINES = 'application/x-ndjson'
const STRUCTURED = 'application/cloudevents+json'

const neverReached = (error: unknown): boolean =>
  (error as { cause?: { code?: string } }).cause?.code === 'ECONNREFUSED'

export class Traffic {
  readonly sendings: Sending[] = []
  readonly rollouts = new Map<string, Rollout>()
  readonly images = new Map<string, Buffer>()
  /** Attempts that were not acknowledged although they may have reached the server. */
  doubtful = 0
  /** Answers that were neither an acknowledgement nor a reason to try again. */
  readonly refused: string[] = []
  readonly #options: TrafficOptions
  #index = 0

  constructor(options: TrafficOptions) {
    this.#options = options
  }

  /** Acknowledged requests so far. */
  get acked(): number {
    return this.sendings.reduce((sum, { acks }) => sum + acks, 0)
  }

  /** A rollout that is remembered as sent from here on. */
  rollout(
    random: Random,
    options: { readonly imageIds?: readonly string[]; readonly stepsMax?: number; readonly textChars?: number } = {},
  ): Rollout {
    const made = rollout(random, { runId: this.#options.runId, index: this.#index++, ...options })
    this.rollouts.set(made.trajectoryId, made)
    return made
  }

  lines(events: readonly SentEvent[]): Sending {
    return this.#remembered({
      method: 'POST',
      path: '/v1/events',
      contentType: LINES,
      body: Buffer.concat(events.flatMap(({ bytes }) => [bytes, Buffer.from('\n')])),
      events,
    })
  }

  single(event: SentEvent): Sending {
    return this.#remembered({
      method: 'POST',
      path: '/v1/events',
      contentType: STRUCTURED,
      body: event.bytes,
      events: [event],
    })
  }

  image(random: Random): { readonly imageId: string; readonly sending: Sending } {
    const { imageId, bytes } = picture(random)
    this.images.set(imageId, bytes)
    return {
      imageId,
      sending: this.#remembered({
        method: 'PUT',
        path: `/v1/images/${imageId}`,
        contentType: 'image/png',
        body: bytes,
        events: [],
      }),
    }
  }

  #remembered(made: Omit<Sending, 'attempts' | 'acks'>): Sending {
    const sending = { ...made, attempts: 0, acks: 0 }
    this.sendings.push(sending)
    return sending
  }

  /** One attempt. True when it was acknowledged. */
  async attempt(sending: Sending): Promise<boolean> {
    sending.attempts += 1
    try {
      const { method, path, contentType, body } = sending
      const answer = await fetch(`${this.#options.url}${path}`, {
        method,
        headers: { 'content-type': contentType },
        body: new Uint8Array(body),
        signal: AbortSignal.timeout(ATTEMPT_MS),
      })
      const text = await answer.text()
      if (answer.ok) {
        if (answer.status === 207) this.refused.push(`207: ${text.slice(0, 300)}`)
        sending.acks += 1
        return true
      }
      if (answer.status !== 503 && answer.status !== 429) this.refused.push(`${answer.status}: ${text.slice(0, 300)}`)
    } catch (error) {
      if (neverReached(error)) {
        sending.attempts -= 1
        return false
      }
    }
    this.doubtful += 1
    return false
  }

  /** Sends until it is acknowledged. Throws when `signal` aborts before. */
  async send(sending: Sending, signal: AbortSignal): Promise<void> {
    while (!(await this.attempt(sending))) {
      signal.throwIfAborted()
      await sleep(AGAIN_MS)
    }
  }

  /**
   * Sends with several workers until `enough` aborts; each then ends what it began, so that every rollout is whole.
   * Throws when `giveUp` aborts before that.
   */
  async run(enough: AbortSignal, giveUp: AbortSignal): Promise<void> {
    const { seed, runId } = this.#options
    await this.send(this.lines([runStarted(runId)]), giveUp)
    await Promise.all([
      this.#batches(randomOf(seed, 'batches'), enough, giveUp),
      this.#singles(randomOf(seed, 'singles'), enough, giveUp),
      this.#pictures(randomOf(seed, 'pictures'), enough, giveUp),
    ])
  }

  async #pause(random: Random): Promise<void> {
    // A long run is no larger than a short one: what is sent is read back and compared.
    const pauseMs = (this.#options.pauseMs ?? 15) * (1 + this.rollouts.size / 500)
    await sleep(random.int(0, 2 * Math.ceil(pauseMs) + 1))
  }

  async #sendSometimesTwice(sending: Sending, random: Random, giveUp: AbortSignal): Promise<void> {
    await this.send(sending, giveUp)
    if (random.chance(DUPLICATE_SHARE)) await this.send(sending, giveUp)
    await this.#pause(random)
  }

  /** Several rollouts at once, cut into requests anywhere. */
  async #batches(random: Random, enough: AbortSignal, giveUp: AbortSignal): Promise<void> {
    const waiting: SentEvent[] = []
    while (!enough.aborted || waiting.length > 0) {
      while (!enough.aborted && waiting.length < 40) waiting.push(...this.rollout(random).events)
      await this.#sendSometimesTwice(this.lines(waiting.splice(0, random.int(5, 40))), random, giveUp)
    }
  }

  /** One event a request. */
  async #singles(random: Random, enough: AbortSignal, giveUp: AbortSignal): Promise<void> {
    while (!enough.aborted) {
      for (const event of this.rollout(random).events)
        await this.#sendSometimesTwice(this.single(event), random, giveUp)
    }
  }

  /** Pictures, then a rollout that shows them. */
  async #pictures(random: Random, enough: AbortSignal, giveUp: AbortSignal): Promise<void> {
    while (!enough.aborted) {
      const { imageId, sending } = this.image(random)
      await this.#sendSometimesTwice(sending, random, giveUp)
      await this.#sendSometimesTwice(this.lines(this.rollout(random, { imageIds: [imageId] }).events), random, giveUp)
    }
  }
}
