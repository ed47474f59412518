/** What the released environment pays for single steps. Kept apart: the paper rewards the end of a rollout only. */
import type { CallResult } from '#services/gym/tools/tools.ts'

const failed = -0.1
/** The least that a tool's answer is paid; what the released environment pays tools that are not in its table is not known. */
const other = 0.05

/** By tool and task: what an answer with something in it is paid, and an empty one. */
const table: readonly {
  readonly tool: RegExp
  readonly task?: string
  readonly full: number
  readonly empty: number
  /** The field of the answer that says whether there is something in it; left out, any field does. */
  readonly field?: string
}[] = [
  { tool: /^chartmoe$/, task: 'to_table', full: 0.25, empty: 0.1, field: 'rows' },
  { tool: /^grounding_?dino$/, full: 0.2, empty: 0.05 },
  { tool: /^diagram_?formalizer$/, task: 'solve', full: 0.35, empty: other },
  { tool: /^multimath/, full: 0.35, empty: other },
]

/** The step reward of a turn: an answer, a call and what came of it, or neither. */
export function envStepReward(turn: { readonly correct: boolean | null; readonly call: CallResult | null }): number {
  const { correct, call } = turn
  if (correct !== null) return correct ? 1 : 0
  if (call === null || call.status !== 'ok') return failed
  const row = table.find(({ tool, task }) => tool.test(call.tool ?? '') && (task === undefined || task === call.task))
  if (row === undefined) return other
  return holdsSomething(call, row.field) ? row.full : row.empty
}

function holdsSomething({ n_detections, output_json }: CallResult, field?: string): boolean {
  if (n_detections !== null) return n_detections > 0
  const output = output_json ?? {}
  const values = field !== undefined && Object.hasOwn(output, field) ? [output[field]] : Object.values(output)
  return values.some((value) =>
    Array.isArray(value) ? value.length > 0 : (typeof value === 'string' && value !== '') || typeof value === 'number',
  )
}
