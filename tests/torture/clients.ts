/** Clients under the storm: careful writers that remember everything, and readers that ask for their own writes. */
import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { random as randomOf, type Random } from '#services/gym/random.ts'
import { formatOffsets, type Offsets, parseOffsets, parsePosition, union } from '#services/position.ts'
import { rollout, runStarted, type SentEvent } from '#tests/support/rollouts.ts'
import type { History, SeenRead, SeenSnapshot, SentFact } from './history.ts'

export interface ClientsOptions {
  readonly seed: number
  readonly runId: string
  readonly ingestUrls: readonly string[]
  readonly queryUrls: readonly string[]
  readonly writers: number
  readonly readers: number
}

/** How a writer knows a trajectory: what was acknowledged, and where. */
interface Written {
  readonly trajectoryId: string
  readonly steps: number[]
  after: Offsets
}

const ATTEMPT_MS = 8_000
const AGAIN_MS = 40
const DUPLICATE_SHARE = 0.05
/** Between two requests of a writer. */
const PAUSE_MS = 45
/** After a read that could not be answered. */
const PUT_OFF_MS = 400
/** Of reads, how many ask the lake; each asks for a cut, and those are large in life. */
const SNAPSHOT_SHARE = 0.03
/** Trajectories that readers choose from. */
const RECENT = 60

const hashOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const neverReached = (error: unknown): boolean =>
  (error as { cause?: { code?: string } }).cause?.code === 'ECONNREFUSED'

export class Clients implements History {
  readonly facts: SentFact[] = []
  readonly reads: SeenRead[] = []
  readonly snapshots: SeenSnapshot[] = []
  readonly counts = { acknowledged: 0, refused: 0, unknown: 0, readsRefused: 0 }
  /** Answers that are no part of any promise, such as 400. */
  readonly oddities: string[] = []
  readonly #options: ClientsOptions
  readonly #recent: Written[] = []
  #index = 0

  constructor(options: ClientsOptions) {
    this.#options = options
  }

  /** Works until `enough` aborts; writers then end what they began. Throws where `giveUp` aborts before that. */
  async run(enough: AbortSignal, giveUp: AbortSignal): Promise<void> {
    const { seed, runId, writers, readers } = this.#options
    const random = randomOf(seed, 'begin')
    await this.#send([this.#remembered(runStarted(runId), null, null)], random, giveUp)
    await Promise.all([
      ...Array.from({ length: writers }, (_, nth) => this.#write(randomOf(seed, `writer ${nth}`), enough, giveUp)),
      ...Array.from({ length: readers }, (_, nth) => this.#read(randomOf(seed, `reader ${nth}`), enough)),
    ])
  }

  #remembered(event: SentEvent, step: number | null, text: string | null): { fact: SentFact; bytes: Buffer } {
    const { trajectoryId, bytes } = event
    const fact = { hash: hashOf(bytes), trajectoryId, step, text, attempts: 0, acks: 0, refusals: 0 }
    this.facts.push(fact)
    return { fact, bytes }
  }

  async #write(random: Random, enough: AbortSignal, giveUp: AbortSignal): Promise<void> {
    while (!enough.aborted) {
      const made = rollout(random, { runId: this.#options.runId, index: this.#index++, textChars: 200 })
      // The first event starts the trajectory, then come its steps, then its end.
      const events = made.events.map((event, nth) =>
        this.#remembered(event, nth >= 1 && nth <= made.texts.length ? nth - 1 : null, made.texts[nth - 1] ?? null),
      )
      const written: Written = { trajectoryId: made.trajectoryId, steps: [], after: new Map() }
      while (events.length > 0) {
        const some = events.splice(0, random.int(1, 5))
        const position = await this.#send(some, random, giveUp)
        written.after = union(written.after, position)
        written.steps.push(...some.flatMap(({ fact }) => (fact.step === null ? [] : [fact.step])))
        if (!this.#recent.includes(written)) this.#note(written)
        if (random.chance(DUPLICATE_SHARE)) await this.#send(some, random, giveUp)
        await sleep(random.int(0, 2 * PAUSE_MS))
      }
    }
  }

  #note(written: Written): void {
    this.#recent.push(written)
    if (this.#recent.length > RECENT) this.#recent.shift()
  }

  /** Sends until it is acknowledged, to any of the servers. Answers the position of the acknowledgement. */
  async #send(
    some: readonly { readonly fact: SentFact; readonly bytes: Buffer }[],
    random: Random,
    giveUp: AbortSignal,
  ): Promise<Offsets> {
    const body = Buffer.concat(some.flatMap(({ bytes }) => [bytes, Buffer.from('\n')]))
    const facts = some.map(({ fact }) => fact)
    for (;;) {
      const position = await this.#attempt(random.pick(this.#options.ingestUrls), body, facts)
      if (position !== undefined) return position
      giveUp.throwIfAborted()
      await sleep(AGAIN_MS)
    }
  }

  async #attempt(url: string, body: Buffer, facts: readonly SentFact[]): Promise<Offsets | undefined> {
    for (const fact of facts) fact.attempts += 1
    try {
      const answer = await fetch(`${url}/v1/events`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-ndjson' },
        body: new Uint8Array(body),
        signal: AbortSignal.timeout(ATTEMPT_MS),
      })
      const text = await answer.text()
      if (answer.status === 200) {
        for (const fact of facts) fact.acks += 1
        this.counts.acknowledged += facts.length
        return parsePosition((JSON.parse(text) as { position: string }).position).offsets
      }
      for (const fact of facts) fact.refusals += 1
      this.counts.refused += facts.length
      if (answer.status !== 503 && answer.status !== 429) this.oddities.push(`${answer.status}: ${text.slice(0, 300)}`)
    } catch (error) {
      if (neverReached(error)) for (const fact of facts) fact.attempts -= 1
      else this.counts.unknown += facts.length
    }
    return undefined
  }

  /** Reads what was written a moment ago, with the position of its acknowledgement. */
  async #read(random: Random, enough: AbortSignal): Promise<void> {
    while (!enough.aborted) {
      await sleep(random.int(20, 150))
      if (this.#recent.length === 0) continue
      const { trajectoryId, steps, after } = random.pick(this.#recent)
      const [acked, want] = [[...steps], after]
      const url = random.pick(this.#options.queryUrls)
      if (random.chance(SNAPSHOT_SHARE)) await this.#askSnapshot(url, want)
      else await this.#readOnce(url, trajectoryId, want, acked)
    }
  }

  async #readOnce(url: string, trajectoryId: string, after: Offsets, acked: readonly number[]): Promise<void> {
    const path = `/v1/trajectories/${encodeURIComponent(trajectoryId)}?after=${formatOffsets(after)}&wait=15`
    const answer = await this.#answered(`${url}${path}`, [200, 404])
    if (answer === undefined) return
    const { steps = [] } = JSON.parse(answer.text) as { steps?: { step_index: number }[] }
    this.reads.push({
      trajectoryId,
      after,
      position: answer.position === null ? undefined : parsePosition(answer.position).offsets,
      acked,
      found: steps.map(({ step_index: step }) => step),
    })
  }

  async #askSnapshot(url: string, after: Offsets): Promise<void> {
    const path = `/v1/snapshots?after=${formatOffsets(after)}&limit=1&wait=15`
    const answer = await this.#answered(`${url}${path}`, [200])
    if (answer === undefined) return
    const { rows } = JSON.parse(answer.text) as { rows: { cut: string }[] }
    const cut = rows[0]?.cut
    this.snapshots.push({ after, cut: cut === undefined ? undefined : parseOffsets(cut) })
  }

  /** Asks once. Undefined, after a while, where no answer came or one that puts off. */
  async #answered(
    url: string,
    statuses: readonly number[],
  ): Promise<{ readonly text: string; readonly position: string | null } | undefined> {
    try {
      const answer = await fetch(url, { signal: AbortSignal.timeout(ATTEMPT_MS * 3) })
      const text = await answer.text()
      if (statuses.includes(answer.status)) return { text, position: answer.headers.get('stepstore-position') }
      if (answer.status !== 503) this.oddities.push(`read ${answer.status}: ${text.slice(0, 300)}`)
    } catch {
      // Cut off, or too late: it is put off.
    }
    await this.#putOff()
    return undefined
  }

  async #putOff(): Promise<void> {
    this.counts.readsRefused += 1
    await sleep(PUT_OFF_MS)
  }
}
