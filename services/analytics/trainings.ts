/** What trainers did with the trajectories of a frame. */
import { Flags, Numbers, Reals, Texts, at } from './columns.ts'
import type { TrainingRow } from './frame-rows.ts'

/** Facts in the order in which they came, linked for each row of the frame. Facts are never changed, only added. */
export class TrainingTable {
  readonly trainStep = new Numbers()
  readonly substep = new Numbers()
  readonly policyVersion = new Numbers()
  readonly kept = new Flags()
  readonly dropReason = new Texts()
  /** The trainer's own, which may be NaN or infinite; absent where it sent none. */
  readonly advantage = new Reals()
  readonly #offset = new Numbers()
  /** The first and the last fact of each row of the frame, and the fact after each fact. */
  readonly #first = new Numbers()
  readonly #last = new Numbers()
  readonly #next = new Numbers()
  #size = 0

  get size(): number {
    return this.#size
  }

  /** Adds the facts of a row that are not here yet. */
  set(row: number, trainings: readonly TrainingRow[]): void {
    if (trainings.length === 0) return
    const last = this.#last.get(row)
    const known = last === null ? -1 : at(this.#offset.values, last)
    const added = trainings.filter(({ offset }) => offset > known)
    for (const training of added.sort((left, right) => left.offset - right.offset)) this.#add(row, training)
  }

  /** The first fact about a row, or -1. */
  first(row: number): number {
    const fact = this.#first.values[row] ?? Number.NaN
    return Number.isNaN(fact) ? -1 : fact
  }

  /** The fact about the same row after this one, in log order, or -1. */
  next(fact: number): number {
    const following = this.#next.values[fact] ?? Number.NaN
    return Number.isNaN(following) ? -1 : following
  }

  #add(row: number, training: TrainingRow): void {
    const fact = this.#size++
    this.trainStep.set(fact, training.train_step)
    this.substep.set(fact, training.substep)
    this.policyVersion.set(fact, training.policy_version)
    this.kept.set(fact, training.kept)
    this.dropReason.set(fact, training.drop_reason)
    this.advantage.set(fact, training.advantage)
    this.#offset.set(fact, training.offset)
    this.#next.set(fact, null)
    const last = this.#last.get(row)
    if (last === null) this.#first.set(row, fact)
    else this.#next.set(last, fact)
    this.#last.set(row, fact)
  }

  get bytes(): number {
    return this.trainStep.bytes * 8 + this.dropReason.bytes
  }
}
