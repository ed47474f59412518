/** How a run went, train step by train step, as far as a curriculum asks. */
import { at } from '#services/analytics/columns.ts'
import type { Selection } from '#services/analytics/select.ts'

/** Counts rollouts by train step. Those without a train step or a score are left out. */
export class StepCounts {
  readonly #steps = new Map<number, { readonly step: number; n: number; passed: number }>()

  add({ frame, rows, scores }: Selection): void {
    const { values: steps } = frame.trainStep
    const { values: finished } = frame.finished
    const { values: correct } = scores.correct
    // Neighbours are mostly of one step: then nothing is looked up.
    let here = { step: Number.NaN, n: 0, passed: 0 }
    for (let index = 0; index < rows.length; index++) {
      const row = rows[index] ?? 0
      const step = at(steps, row)
      const passed = correct[row] ?? -1
      if (Number.isNaN(step) || passed < 0 || finished[row] !== 1) continue
      if (step !== here.step) {
        here = this.#steps.get(step) ?? { step, n: 0, passed: 0 }
        this.#steps.set(step, here)
      }
      here.n += 1
      here.passed += passed
    }
  }

  /** The share of right rollouts at each train step, in order. */
  shares(): number[] {
    return [...this.#steps].sort(([left], [right]) => left - right).map(([, { n, passed }]) => passed / n)
  }
}
