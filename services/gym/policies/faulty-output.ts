import { Value } from 'typebox/value'
import type { ToolDefinition } from '#services/gym/tools/tool.ts'
import type { CallResult } from '#services/gym/tools/tools.ts'

/**
 * What a call would have been had the tool answered in a form that it promises not to: E5. A required field is taken out
 * of the answer, or it becomes a list; the schema of the tool itself then says that it does not fit. A call that did not
 * go well stays as it is.
 */
export function faultyOutput(call: CallResult, definitions: readonly ToolDefinition[]): CallResult {
  const schema = definitions.find(({ name }) => name === call.tool)?.tasks[call.task ?? '']?.output
  if (call.status !== 'ok' || call.output_json === null || schema === undefined) return call
  const left = Object.entries(call.output_json).slice(1)
  const broken = [Object.fromEntries(left), { answer: null }].find((output) => !Value.Check(schema, output))
  if (broken === undefined) return call
  return {
    ...call,
    status: 'tool_error',
    error_codes: ['E5'],
    error_type: 'InvalidOutput',
    observation: `Error: ${call.tool ?? 'the tool'} answered in a form that cannot be read. Ask again, or another tool.`,
    output_json: broken,
    output_schema_ok: false,
    output_images: [],
    n_detections: null,
  }
}
