/** Sends events to a server: in batches, compressed, a few at a time, and again until they are kept. */
import { promisify } from 'node:util'
import { zstdCompress } from 'node:zlib'
import { errorText } from '#services/logger.ts'
import { parsePosition, formatPosition, union, type Offsets } from '#services/position.ts'
import { Problem } from '#services/problem.ts'
import { PROBLEMS, type ProblemCode } from '#schemas/problems.ts'

export interface SenderOptions {
  /** The base of the server's URLs. */
  readonly url: string
  readonly key: string | undefined
  /** How many requests may be under way. 1 keeps the order of units. */
  readonly inFlightMax: number
  readonly batchBytesMax?: number
  readonly batchEventsMax?: number
  /** Gives up when nothing could be sent for this long. */
  readonly giveUpMs?: number
  /** Told before each wait for a server that is away or busy. */
  readonly onRetry?: (reason: string, waitMs: number) => void
  /** Waits; for tests. */
  readonly sleep?: (ms: number) => Promise<void>
  /** Chance in [0, 1), for waits; for tests. */
  readonly random?: () => number
}

export interface Sender {
  /** Takes events that belong together. Resolves when there is room for more. Throws when sending has failed for good. */
  add(events: readonly Uint8Array[]): Promise<void>
  /** Sends what is left and answers the position that includes everything; undefined where nothing was sent. */
  finish(): Promise<string | undefined>
}

const NEWLINE = Buffer.from('\n')
const compress = promisify(zstdCompress)

/** Waits grow from the first to the last, each a random part shorter so that clients do not come back together. */
const WAIT_MS_FIRST = 200
const WAIT_MS_LAST = 10_000

/**
 * A sender. Batches hold whole units where those fit, and a larger unit goes in parts, one after another, so that the steps of a
 * trajectory never overtake each other. Sending again is safe: events count once by their natural keys.
 */
export function sender(options: SenderOptions): Sender {
  return new HttpSender(options)
}

class HttpSender implements Sender {
  readonly #options: SenderOptions
  readonly #bytesMax: number
  readonly #eventsMax: number
  #batch: Uint8Array[] = []
  #batchBytes = 0
  readonly #underWay = new Set<Promise<void>>()
  #failure: Error | undefined
  #log: string | undefined
  #offsets: Offsets = new Map()
  #lastSuccessMs: number

  constructor(options: SenderOptions) {
    this.#options = options
    this.#bytesMax = options.batchBytesMax ?? 2 * 1024 * 1024
    this.#eventsMax = options.batchEventsMax ?? 2000
    this.#lastSuccessMs = performance.now()
  }

  async add(events: readonly Uint8Array[]): Promise<void> {
    const bytes = events.reduce((sum, event) => sum + event.length + 1, 0)
    if (this.#batchBytes + bytes > this.#bytesMax || this.#batch.length + events.length > this.#eventsMax)
      await this.#flush()
    this.#batch.push(...events)
    this.#batchBytes += bytes
    if (this.#batchBytes >= this.#bytesMax || this.#batch.length >= this.#eventsMax) await this.#flush()
    this.#throwFailure()
  }

  async finish(): Promise<string | undefined> {
    await this.#flush()
    await Promise.all(this.#underWay)
    this.#throwFailure()
    return this.#log === undefined ? undefined : formatPosition(this.#log, this.#offsets)
  }

  async #flush(): Promise<void> {
    if (this.#batch.length === 0) return
    const batch = this.#batch
    this.#batch = []
    this.#batchBytes = 0
    while (this.#underWay.size >= this.#options.inFlightMax && this.#failure === undefined)
      await Promise.race(this.#underWay)
    this.#throwFailure()
    const work = this.#sendAll(batch)
      .catch((error: unknown) => {
        this.#failure ??= error instanceof Error ? error : new Error(String(error))
      })
      .finally(() => this.#underWay.delete(work))
    this.#underWay.add(work)
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure
  }

  /** Sends a batch; one that is over the bounds (a single large unit) in parts. */
  async #sendAll(events: readonly Uint8Array[]): Promise<void> {
    let part: Uint8Array[] = []
    let bytes = 0
    for (const event of events) {
      if (part.length > 0 && (bytes + event.length > this.#bytesMax || part.length >= this.#eventsMax)) {
        await this.#send(part)
        part = []
        bytes = 0
      }
      part.push(event)
      bytes += event.length + 1
    }
    await this.#send(part)
  }

  async #send(part: readonly Uint8Array[]): Promise<void> {
    const { url, key, giveUpMs = 300_000, onRetry, sleep = delay, random = Math.random } = this.#options
    const body = new Uint8Array(await compress(Buffer.concat(part.flatMap((event) => [event, NEWLINE]))))
    const headers = {
      'content-type': 'application/x-ndjson',
      'content-encoding': 'zstd',
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
    }
    for (let attempt = 0; ; attempt++) {
      const outcome = await this.#attempt(`${url}/v1/events`, { method: 'POST', headers, body })
      if (outcome.position !== undefined) {
        this.#keep(outcome.position)
        return
      }
      if (this.#failure !== undefined) return
      if (performance.now() - this.#lastSuccessMs > giveUpMs) {
        throw new Problem('unavailable', `gave up after ${Math.round(giveUpMs / 1000)} s: ${outcome.reason}`, {
          hint: 'start the server, then run the same import again: what is there already counts once',
        })
      }
      const grown = Math.min(WAIT_MS_LAST, WAIT_MS_FIRST * 2 ** Math.min(attempt, 10))
      const waitMs = outcome.retryAfterMs ?? Math.round(grown * (0.5 + random() / 2))
      onRetry?.(outcome.reason, waitMs)
      await sleep(waitMs)
    }
  }

  /** One request: its position, or why to try again. Throws where trying again cannot help. */
  async #attempt(url: string, request: RequestInit): Promise<Outcome> {
    let response: Response
    let text: string
    try {
      response = await fetch(url, { ...request, signal: AbortSignal.timeout(120_000) })
      text = await response.text()
    } catch (error) {
      return {
        reason: `the server cannot be reached (${errorText(error instanceof Error ? (error.cause ?? error) : error)})`,
      }
    }
    const answer = fieldsOf(text)
    if ((response.status === 200 || response.status === 207) && typeof answer['position'] === 'string') {
      return { position: answer['position'] }
    }
    const detail = typeof answer['detail'] === 'string' ? answer['detail'] : `the server answered ${response.status}`
    if (response.status === 429 || response.status >= 500) {
      const seconds = Number(response.headers.get('retry-after') ?? Number.NaN)
      return { reason: detail, ...(seconds >= 0 && seconds <= 600 ? { retryAfterMs: seconds * 1000 } : {}) }
    }
    throw serverProblem(response.status, answer, detail)
  }

  #keep(position: string): void {
    const { log, offsets } = parsePosition(position)
    if (log !== undefined) this.#log = log
    this.#offsets = union(this.#offsets, offsets)
    this.#lastSuccessMs = performance.now()
  }
}

type Outcome =
  | { readonly position: string }
  | { readonly position?: undefined; readonly reason: string; readonly retryAfterMs?: number }

const delay = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

function fieldsOf(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

function serverProblem(status: number, answer: Readonly<Record<string, unknown>>, detail: string): Problem {
  const code =
    typeof answer['code'] === 'string' && answer['code'] in PROBLEMS ? (answer['code'] as ProblemCode) : undefined
  const hint = typeof answer['hint'] === 'string' ? answer['hint'] : 'is STEPSTORE_URL that of a Stepstore server?'
  return new Problem(code ?? (status === 401 ? 'unauthorized' : 'invalid'), detail, { hint })
}
