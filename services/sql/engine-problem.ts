/** What the engine says of a query that failed, for whoever sent it: in its own words, without the paths of our files. */
import { Problem } from '#services/problem.ts'
import { sentProblem } from '#services/sent-problem.ts'
import type { SqlFailure, SqlLimits } from './messages.ts'

/** Faults of what was sent, by the kind that the engine names first. */
const OF_THE_SENDER =
  /^(Parser|Syntax|Binder|Catalog|Conversion|Out of Range|Invalid Input|Invalid Type|Invalid|Mismatch Type|Not implemented|Constraint|Expression|Parameter Not Allowed|Parameter Not Resolved|Dependency|Sequence|Divide by Zero|Decimal|Object Size|Serialization|Missing Extension|Extension|Autoload)( Error)?:/
/** A column was looked for where it is not, and it is in the view that joins. */
const JOINED =
  /^Binder Error: .*"(reward|correct|parts|answer_match|format_ok|reward_version|dataset|family|split)" not found/
const MESSAGE_CHARS_MAX = 1500

/** A limit that a query went over. */
export function overLimit(what: string, hint: string): Problem {
  return new Problem('sql_limit', `the query ${what}`, { hint })
}

/** What a query was made of: its text, and the files that it was given. */
export interface QueryParts {
  readonly sql: string
  readonly paths: readonly string[]
}

/** From the root on, not in the middle of a word: run/step-3/7 is an id. */
const PATH = /(?<![\w.=@+~-])(?:file:\/\/)?(?:\/[\w.=@+~-]+){2,}/g
const HIDDEN = '(a file of the lake)'

/** Paths say where this server keeps its things, which is nobody's business; what the sender wrote is no secret to them. */
function withoutPaths(text: string, { sql, paths }: QueryParts): string {
  const longestFirst = [...paths].sort((left, right) => right.length - left.length)
  return longestFirst
    .reduce((before, path) => before.replaceAll(path, HIDDEN), text)
    .replaceAll(PATH, (path) => (sql.includes(path) ? path : HIDDEN))
    .slice(0, MESSAGE_CHARS_MAX)
}

function limitOf(text: string, limits: SqlLimits): Problem | undefined {
  if (/max_temp_directory_size|No space left|ENOSPC/.test(text))
    return overLimit(`needed more than ${limits.spillMb} MB of temporary disk`, 'select, join or sort less at once')
  if (/^Out of Memory Error|bad_alloc|Allocation failure|could not allocate|failed to allocate/i.test(text))
    return overLimit(`needed more than ${limits.memoryMb} MB of memory`, 'select, join or sort less at once')
  if (text.startsWith('INTERRUPT')) return new Problem('unavailable', 'the query was cancelled')
  if (/^Permission Error|Cannot change configuration option/.test(text))
    return new Problem('sql_refused', 'a query may read the views, and no other file, network, extension or setting', {
      hint: 'SHOW TABLES lists the views',
    })
  return undefined
}

/** An error of a query as it is told to the server. */
export function asSqlFailure(error: unknown, limits: SqlLimits, query: QueryParts): SqlFailure {
  if (error instanceof Problem) return { problem: sentProblem(error), spent: false }
  const text = error instanceof Error ? error.message : String(error)
  const limit = limitOf(text, limits)
  if (limit !== undefined) return { problem: sentProblem(limit), spent: limit.code === 'sql_limit' }
  if (!OF_THE_SENDER.test(text)) return { problem: sentProblem(error), spent: true }
  const hint = JOINED.test(text)
    ? 'rollouts has reward, correct, dataset and family beside each trajectory'
    : 'the SQL is that of DuckDB'
  return { problem: sentProblem(new Problem('bad_sql', withoutPaths(text, query), { hint })), spent: false }
}
