/** Scores of the trajectories of a frame, for each reward version a table. */
import { CORRECT_THRESHOLD, DEFAULT_REWARD_VERSION, isCorrect } from '#services/core/correct.ts'
import { Flags, Reals } from './columns.ts'
import type { FrameRun, ScoreRow } from './frame-rows.ts'

/** Scores under one reward version, by row of the frame. */
export interface Scores {
  /** Present where there is a score; may be NaN or infinite. */
  readonly reward: Reals
  /** The parts by name, sorted. A part of a score that is NaN or infinite is so here. */
  readonly parts: ReadonlyMap<string, Reals>
  /** By the rule of core/correct.ts; unknown where there is no score. */
  readonly correct: Flags
  readonly answerMatch: Flags
  readonly formatOk: Flags
}

class VersionScores implements Scores {
  readonly reward = new Reals()
  readonly parts = new Map<string, Reals>()
  readonly correct = new Flags()
  readonly answerMatch = new Flags()
  readonly formatOk = new Flags()

  put(row: number, score: ScoreRow, threshold: number): void {
    this.reward.set(row, score.reward)
    this.correct.set(row, isCorrect(score, threshold))
    this.answerMatch.set(row, score.answer_match)
    this.formatOk.set(row, score.format_ok)
    for (const values of this.parts.values()) if (values.get(row) !== null) values.set(row, null)
    for (const [name, value] of Object.entries(score.parts ?? {}))
      if (value !== null) this.#part(name).set(row, Number(value))
  }

  copy(row: number, from: VersionScores): void {
    this.reward.set(row, from.reward.get(row))
    this.correct.set(row, from.correct.get(row))
    this.answerMatch.set(row, from.answerMatch.get(row))
    this.formatOk.set(row, from.formatOk.get(row))
    for (const [name, values] of from.parts) {
      const value = values.get(row)
      if (value !== null) this.#part(name).set(row, value)
    }
  }

  #part(name: string): Reals {
    const known = this.parts.get(name)
    if (known !== undefined) return known
    const added = new Reals()
    this.parts.set(name, added)
    const sorted = [...this.parts].sort(([left], [right]) => (left < right ? -1 : 1))
    this.parts.clear()
    for (const [part, values] of sorted) this.parts.set(part, values)
    return added
  }

  get bytes(): number {
    let total = this.reward.bytes + this.correct.bytes * 3
    for (const part of this.parts.values()) total += part.bytes
    return total
  }
}

/** All scores of a frame. */
export class ScoreTable {
  readonly #runs: readonly FrameRun[]
  readonly #own: readonly string[]
  readonly #byVersion = new Map<string, VersionScores>()
  #combined: VersionScores | undefined

  constructor(runs: readonly FrameRun[]) {
    this.#runs = runs
    this.#own = runs.map(({ reward_version: version }) => version ?? DEFAULT_REWARD_VERSION)
  }

  get versions(): readonly string[] {
    return [...this.#byVersion.keys()].sort()
  }

  /** Puts the scores of a row: of two under one version (one named, one sent with the finish) the first in the log counts. */
  set(row: number, run: number, scores: readonly ScoreRow[]): void {
    if (scores.length === 0) return
    this.#combined = undefined
    const own = this.#own[run] ?? DEFAULT_REWARD_VERSION
    const threshold = this.#runs[run]?.correct_threshold ?? CORRECT_THRESHOLD
    const chosen = new Map<string, ScoreRow>()
    for (const score of scores) {
      const version = score.reward_version === '' ? own : score.reward_version
      const before = chosen.get(version)
      if (before === undefined || score.offset < before.offset) chosen.set(version, score)
    }
    for (const [version, score] of chosen) {
      let table = this.#byVersion.get(version)
      if (table === undefined) this.#byVersion.set(version, (table = new VersionScores()))
      table.put(row, score, threshold)
    }
  }

  /** The scores under a version, or under that of each row's own run. `runs` has the run of each of `size` rows. */
  of(version: string | undefined, runs: ArrayLike<number>, size: number): Scores {
    if (version !== undefined) return this.#byVersion.get(version) ?? new VersionScores()
    if (new Set(this.#own).size === 1) return this.#byVersion.get(this.#own[0] ?? '') ?? new VersionScores()
    if (this.#combined !== undefined) return this.#combined
    const combined = new VersionScores()
    for (let row = 0; row < size; row++) {
      const from = this.#byVersion.get(this.#own[runs[row] ?? 0] ?? '')
      if (from !== undefined && from.reward.get(row) !== null) combined.copy(row, from)
    }
    this.#combined = combined
    return combined
  }

  get bytes(): number {
    let total = this.#combined?.bytes ?? 0
    for (const table of this.#byVersion.values()) total += table.bytes
    return total
  }
}
