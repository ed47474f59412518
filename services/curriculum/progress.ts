/** How a run went, train step by train step, as far as a curriculum asks. */
import { at } from '#services/analytics/columns.ts'
import type { Selection } from '#services/analytics/select.ts'

/** Counts rollouts by train step. Those without a train step or a score are left out. */
export class StepCounts {
  readonly #steps = new Map<number, { n: number; passed: number }>()

  add({ frame, rows, scores }: Selection): void {
    for (const row of rows) {
      const step = at(frame.trainStep.values, row)
      const passed = scores.correct.get(row)
      if (Number.isNaN(step) || passed === null || frame.finished.get(row) !== true) continue
      const known = this.#steps.get(step) ?? { n: 0, passed: 0 }
      this.#steps.set(step, known)
      known.n += 1
      if (passed) known.passed += 1
    }
  }

  /** The share of right rollouts at each train step, in order. */
  shares(): number[] {
    return [...this.#steps].sort(([left], [right]) => left - right).map(([, { n, passed }]) => passed / n)
  }
}
