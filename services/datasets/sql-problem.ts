/** Problems that only the data can tell, raised inside SQL by error() and read from the engine's message. */
import { asProblem, Problem } from '#services/problem.ts'
import { sqlText } from './sql.ts'

const MARK = 'stepstore_problem'

/** What error() is given, as a SQL literal: the request is at fault, by this parameter. */
export function sqlProblem(parameter: string, detail: string, hint: string): string {
  return sqlText(JSON.stringify({ [MARK]: { parameter, detail, hint } }))
}

function marked(message: string): { parameter: string; detail: string; hint: string } | undefined {
  const from = message.indexOf(`{"${MARK}"`)
  const to = message.indexOf('}}', from)
  if (from < 0 || to < 0) return undefined
  const parsed = JSON.parse(message.slice(from, to + 2)) as Record<
    string,
    { parameter: string; detail: string; hint: string }
  >
  return parsed[MARK]
}

/** The problem that a compiled statement raised, or what the error is otherwise. */
export function compiledProblem(error: unknown): Problem {
  const found = error instanceof Error ? (marked(error.message) ?? causeOf(error)) : undefined
  if (found === undefined) return asProblem(error)
  const { parameter, detail, hint } = found
  return new Problem('invalid_parameter', detail, { hint, details: { parameter } })
}

function causeOf({ cause }: Error): ReturnType<typeof marked> {
  return cause instanceof Error ? marked(cause.message) : undefined
}
