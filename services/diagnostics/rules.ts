/**
 * Error codes of a tool call, by rule: E1 its structure breaks the schema, E2 an argument name that the tool does not
 * have, E3 an argument value of the wrong type, form or range, E5 an output that does not fit; outside of these
 * WRONG_TOOL (a tool that is not there) and INFRA (the tool did not answer). What takes judgement (E4, E6) is annotated.
 */
import { type FaultKind, faultsOf } from './schema-check.ts'

/** What a rule looks at. */
export interface JudgedCall {
  readonly name: string
  readonly tool: string | null
  readonly parse_ok: boolean | null
  readonly schema_ok: boolean | null
  readonly status: string | null
  readonly output_schema_ok: boolean | null
  /** As they were sent; null where the environment set none. */
  readonly error_codes: readonly string[] | null
  /** Parsed; undefined where there are none. */
  readonly arguments: unknown
  /** Parsed; undefined where there is none. */
  readonly output: unknown
}

type Schema = Readonly<Record<string, unknown>>

/** A tool that was offered. */
export interface ToolSchema {
  readonly parameters: Schema | undefined
  readonly output: Schema | undefined
}

const isObject = (value: unknown): value is Schema =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The tools in a list of schemas by name: in the shape of chat templates, or as MCP has them. */
export function toolSchemas(tools: unknown): ReadonlyMap<string, ToolSchema> {
  const found = new Map<string, ToolSchema>()
  for (const one of Array.isArray(tools) ? (tools as unknown[]) : []) {
    const tool = isObject(one) && isObject(one['function']) ? one['function'] : one
    if (!isObject(tool) || typeof tool['name'] !== 'string') continue
    const schema = (...names: string[]): Schema | undefined => names.map((name) => tool[name]).find(isObject)
    found.set(tool['name'], {
      parameters: schema('parameters', 'inputSchema', 'input_schema'),
      output: schema('outputSchema', 'output_schema', 'returns'),
    })
  }
  return found
}

const CODE_OF: Record<FaultKind, 'E1' | 'E2' | 'E3'> = { missing: 'E1', unknown: 'E2', value: 'E3' }

function argumentCodes(call: JudgedCall, tool: ToolSchema | undefined): string[] {
  if (call.parse_ok === false) return ['E1']
  const { parameters } = tool ?? {}
  if (parameters === undefined) return call.schema_ok === false ? ['E1'] : []
  const given = call.arguments === undefined ? {} : call.arguments
  if (!isObject(given)) return ['E1']
  return [...faultsOf(given, parameters)].map((kind) => CODE_OF[kind])
}

function outputCodes(call: JudgedCall, tool: ToolSchema | undefined): string[] {
  if (call.output_schema_ok !== null) return call.output_schema_ok ? [] : ['E5']
  if (tool?.output === undefined || call.output === undefined || (call.status ?? 'ok') !== 'ok') return []
  return [...faultsOf(call.output, tool.output)].length > 0 ? ['E5'] : []
}

/** The codes of a call, sorted, each once. What the environment set stands; where it set nothing the rules do. */
export function ruleCodes(call: JudgedCall, tools: ReadonlyMap<string, ToolSchema>): string[] {
  if (call.error_codes !== null) return [...new Set(call.error_codes)].sort()
  const tool = tools.get(call.name) ?? (call.tool === null ? undefined : tools.get(call.tool))
  const isUnknown = call.status === 'not_found' || (tools.size > 0 && tool === undefined && call.parse_ok !== false)
  const codes = new Set(isUnknown ? ['WRONG_TOOL'] : argumentCodes(call, tool))
  if (call.status === 'timeout' || call.status === 'infra') codes.add('INFRA')
  for (const code of outputCodes(call, tool)) codes.add(code)
  return [...codes].sort()
}
