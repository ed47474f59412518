/**
 * Stages records ahead of their cut: while project folds, and between the columns of a file that is being written, the rows
 * of the next cut are made, so that little is left to do when it is due.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { ByteRoom } from '#services/byte-room.ts'
import type { Log } from '#services/log/log.ts'
import { includes, isSamePlace, type Offsets } from '#services/position.ts'
import { type PlacedEvents, stageRecords } from './cut-records.ts'
import type { JobContext, StageRequest } from './jobs.ts'
import { Staging } from './staging.ts'

/** The staged records of [from, to). */
export interface Staged {
  readonly from: Offsets
  to: Offsets
  readonly folder: string
  readonly staging: Staging
  /** Events that are no steps, by place. */
  readonly landmarks: PlacedEvents
  records: number
  bytes: number
}

/** One that gathers while another is written. */
const SPARE_MAX = 2

/** What a lake process has staged for the cut to come. One thing happens at a time, in the order of the calls. */
export class Stager {
  readonly #scratchDir: string
  /** Those that served a cut: there are two at a time, one that gathers and one that is written. */
  readonly #spare: Staging[] = []
  /** Where records lie until they are staged. */
  readonly #room = new ByteRoom()
  #ahead: Staged | undefined
  #last: Promise<unknown> = Promise.resolve()

  constructor(scratchDir: string) {
    this.#scratchDir = scratchDir
  }

  /** Stages records. What was staged before is kept where this goes on from its end. */
  stage(log: Log, request: StageRequest, context: JobContext): Promise<{ records: number }> {
    return this.#inTurn(async () => {
      const ahead = this.#ahead
      this.#ahead = undefined
      const goesOn = ahead !== undefined && isSamePlace(ahead.to, request.from)
      if (ahead !== undefined && !goesOn) this.discard(ahead)
      const staged = await this.#extended(goesOn ? ahead : this.#empty(request.from), log, request, context)
      this.#ahead = staged
      return { records: staged.records }
    })
  }

  /** Takes what is staged from `request.from` on, brought up to `request.to`; the caller discards it. */
  take(log: Log, request: StageRequest, context: JobContext): Promise<Staged> {
    return this.#inTurn(async () => {
      const ahead = this.#ahead
      this.#ahead = undefined
      const fits = ahead !== undefined && isSamePlace(ahead.from, request.from) && includes(request.to, ahead.to)
      if (ahead !== undefined && !fits) this.discard(ahead)
      const begun = fits ? ahead : this.#empty(request.from)
      return this.#extended(begun, log, { ...request, from: begun.to }, context)
    })
  }

  /** Lets go of what was staged: the folder that it was written to. */
  discard({ folder, staging }: Staged): void {
    rmSync(folder, { recursive: true, force: true })
    if (this.#spare.length < SPARE_MAX) this.#spare.push(staging)
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const done = this.#last.then(work)
    this.#last = done.catch(() => undefined)
    return done
  }

  #empty(from: Offsets): Staged {
    const folder = mkdtempSync(join(this.#scratchDir, 'staged-'))
    const staging = this.#spare.pop() ?? new Staging()
    staging.beginIn(folder)
    return { from, to: from, folder, staging, landmarks: new Map(), records: 0, bytes: 0 }
  }

  async #extended(staged: Staged, log: Log, request: StageRequest, context: JobContext): Promise<Staged> {
    try {
      const { records, bytes } = await stageRecords(
        { log, room: this.#room },
        staged.staging,
        request,
        staged.landmarks,
        context,
      )
      staged.records += records
      staged.bytes += bytes
      staged.to = request.to
      return staged
    } catch (error) {
      this.discard(staged)
      throw error
    }
  }
}
