/** How a run went, train step by train step, as far as a curriculum asks. */
import { at } from '#services/analytics/columns.ts'
import type { Selection } from '#services/analytics/select.ts'

/** The share of right rollouts at each train step, in order. Rollouts without a train step or a score are left out. */
export function sharesByStep({ frame, rows, scores }: Selection): number[] {
  const steps = new Map<number, { n: number; passed: number }>()
  for (const row of rows) {
    const step = at(frame.trainStep.values, row)
    const passed = scores.correct.get(row)
    if (Number.isNaN(step) || passed === null || frame.finished.get(row) !== true) continue
    const known = steps.get(step) ?? { n: 0, passed: 0 }
    steps.set(step, known)
    known.n += 1
    if (passed) known.passed += 1
  }
  return [...steps].sort(([left], [right]) => left - right).map(([, { n, passed }]) => passed / n)
}
