/** What went wrong in a rollout, as annotations: by rule, and by the word of a policy that did it on purpose. */
import type { EventData } from '#schemas/events.ts'
import type { CallResult } from '#services/gym/tools/tools.ts'

type Annotation = EventData<'trajectory.annotated'>

/**
 * Rules tell E1, E2, E3, E5, INFRA and NO_TOOL: method `rule`. E4, E6 and WRONG_TOOL need somebody who knows what was
 * meant: what a policy says of itself has the method `injected`.
 */
const methods = { rule: 'rule', injected: 'injected' } as const

export type Place = { readonly trajectory_id: string; readonly run_id: string; readonly step_index: number }

/** What rules say of one call: a malformed call, a wrong name or value, a bad output, a fault of the tools, no such tool. */
export function callAnnotation(place: Place, call: CallResult | null): Annotation | null {
  if (call === null || call.error_codes.length === 0) return null
  const note = call.schema_errors.map(({ path, message }) => `${path === '' ? 'call' : path}: ${message}`).join(' ')
  return {
    annotation_id: `rule/${place.step_index}/0`,
    ...place,
    call_index: 0,
    codes: [...call.error_codes],
    annotator: 'stepstore gym',
    method: methods.rule,
    note: (note === '' ? call.observation : note).slice(0, 1000).toWellFormed(),
  }
}

/** A rollout that answered and asked no tool: NO_TOOL of the rollout as a whole, so without a step. */
export function noToolAnnotation({ trajectory_id, run_id }: Omit<Place, 'step_index'>): Annotation {
  return {
    annotation_id: 'rule/no-tool',
    trajectory_id,
    run_id,
    codes: ['NO_TOOL'],
    annotator: 'stepstore gym',
    method: methods.rule,
    note: 'It answered without asking any tool.',
  }
}

/** A policy's own word on the faults of its turn: ground truth, also for what no rule can tell. */
export function injectedAnnotation(place: Place, codes: readonly string[], annotator: string): Annotation | null {
  if (codes.length === 0) return null
  return {
    annotation_id: `injected/${place.step_index}`,
    ...place,
    codes: [...new Set(codes)],
    annotator,
    method: methods.injected,
  }
}
