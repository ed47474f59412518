/** Tool calls and annotations from the lake: read by DuckDB, judged by rule, put into a table. */
import { type Engine, type LakePaths, queryRows, relation } from '#services/analytics/lake-rows.ts'
import type { AnnotationRow, CallRow, CallTable } from './call-table.ts'
import { type JudgedCall, type ToolSchema, ruleCodes, toolSchemas } from './rules.ts'

/** The lake tables that are read. */
export const CALL_TABLES = ['trajectories', 'tool_calls', 'annotations'] as const

const sqlText = (text: string): string => `'${text.replaceAll("'", "''")}'`
const texts = (values: readonly string[]): string => values.map(sqlText).join(', ')

/** A call with what is said of it beside what rules look at. */
export interface TakenCall extends JudgedCall {
  readonly valid: boolean | null
  readonly attempt: number | null
  readonly latency_ms: number | null
}

interface CallLine extends Omit<TakenCall, 'arguments' | 'output'> {
  readonly trajectory_id: string
  /** The number of its list of tools. */
  readonly tools: number
  readonly arguments: string | null
  readonly output_json: string | null
}

function parsed(text: string | null): unknown {
  if (text === null) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** Codes that say that a call does not fit: those of its structure, its names and its values, and a tool that is not there. */
const MISFITS = new Set(['E1', 'E2', 'E3', 'WRONG_TOOL'])

/** As it was sent: any word against a call makes it invalid, a word for it (valid, schema_ok) valid. Without one its codes decide. */
function isValid({ parse_ok: parsedOk, schema_ok: fits, valid, status }: TakenCall, codes: readonly string[]): boolean {
  if (parsedOk === false || fits === false || valid === false) return false
  if (status === 'invalid' || status === 'not_found') return false
  return valid === true || fits === true || !codes.some((code) => MISFITS.has(code))
}

/** A call as statistics need it, held against the schemas of the tools that were offered. */
export function judgedRow(call: TakenCall, tools: ReadonlyMap<string, ToolSchema>): CallRow {
  // A code with a space in it would be two; such codes are not of ours.
  const codes = ruleCodes(call, tools).filter((code) => !code.includes(' '))
  return {
    tool: call.tool ?? call.name,
    status: call.status,
    valid: isValid(call, codes),
    attempt: call.attempt,
    latency_ms: call.latency_ms,
    codes,
  }
}

const callOf = (line: CallLine, tools: ReadonlyMap<string, ToolSchema>): CallRow =>
  judgedRow({ ...line, arguments: parsed(line.arguments), output: parsed(line.output_json) }, tools)

/** Statements that gather the finished trajectories of these runs, and the lists of tools that they were offered. */
const gather = (runIds: readonly string[], paths: LakePaths): string[] => [
  `CREATE TEMP TABLE mine AS SELECT trajectory_id, tools FROM ${relation('trajectories', paths)} WHERE run_id IN (${texts(runIds)})`,
  `CREATE TEMP TABLE offered AS SELECT tools, row_number() OVER (ORDER BY tools) AS number FROM (SELECT DISTINCT tools FROM mine)`,
]

/** What is needed of calls alone: arguments and output only where no code was sent. */
const CALLS = `c.name, c.tool, c.parse_ok, c.schema_ok, c.valid, c.status, c.output_schema_ok, c.error_codes, c.attempt, c.latency_ms,
  CASE WHEN c.error_codes IS NULL THEN c.arguments END AS arguments,
  CASE WHEN c.error_codes IS NULL AND c.output_schema_ok IS NULL THEN c.output_json END AS output_json`

/** Puts the calls of all finished trajectories of these runs into the table. */
export async function putCalls(
  table: CallTable,
  engine: Engine,
  paths: LakePaths,
  runIds: readonly string[],
): Promise<void> {
  if ((paths.trajectories ?? []).length === 0) return
  const prepare = gather(runIds, paths)
  const offered = new Map<number, ReadonlyMap<string, ToolSchema>>()
  for await (const { number, tools } of queryRows(engine, prepare, 'SELECT number, tools FROM offered'))
    offered.set(Number(number), toolSchemas(parsed(tools as string | null)))
  const query = `SELECT m.trajectory_id, o.number AS tools, c.trajectory_id IS NOT NULL AS "call", ${CALLS}
    FROM mine m JOIN offered o ON o.tools IS NOT DISTINCT FROM m.tools
    LEFT JOIN (SELECT * FROM ${relation('tool_calls', paths)} WHERE trajectory_id IN (SELECT trajectory_id FROM mine)) c
      ON c.trajectory_id = m.trajectory_id
    ORDER BY m.trajectory_id, c.step_index, c.call_index`
  let id: string | undefined
  let calls: CallRow[] = []
  for await (const row of queryRows(engine, prepare, query)) {
    const line = row as unknown as CallLine & { readonly call: boolean }
    if (line.trajectory_id !== id) {
      if (id !== undefined) table.put(id, calls)
      id = line.trajectory_id
      calls = []
    }
    if (line.call) calls.push(callOf(line, offered.get(Number(line.tools)) ?? new Map<string, ToolSchema>()))
  }
  if (id !== undefined) table.put(id, calls)
}

/** The annotations of trajectories of these runs, by trajectory, in log order. */
export async function annotationsOf(
  engine: Engine,
  paths: LakePaths,
  runIds: readonly string[],
): Promise<ReadonlyMap<string, readonly AnnotationRow[]>> {
  const found = new Map<string, AnnotationRow[]>()
  const query = `SELECT a.trajectory_id, a.codes, a.annotator, a.method, a.round, a.outcome
    FROM ${relation('annotations', paths)} a
    WHERE a.trajectory_id IN (SELECT trajectory_id FROM ${relation('trajectories', paths)} WHERE run_id IN (${texts(runIds)}))
    ORDER BY a.trajectory_id, a."offset", a.annotation_id`
  for await (const row of queryRows(engine, [], query)) {
    const id = String(row['trajectory_id'])
    const known = found.get(id)
    const { codes, annotator, method, round, outcome } = row as unknown as AnnotationRow
    const annotation = { codes, annotator, method, round, outcome }
    if (known === undefined) found.set(id, [annotation])
    else known.push(annotation)
  }
  return found
}
