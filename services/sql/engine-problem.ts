/** What the engine says of a query that failed, for whoever sent it: in its own words, without the paths of our files. */
import { errorText } from '#services/logger.ts'
import { Problem } from '#services/problem.ts'
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

/** Paths say where this server keeps its things, which is nobody's business. */
function withoutPaths(text: string): string {
  return text.replaceAll(/(?:file:\/\/)?(?:\/[\w.=@+~-]+){2,}/g, '(a file of the lake)').slice(0, MESSAGE_CHARS_MAX)
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

/** An error as it is told to the server. */
export function asSqlFailure(error: unknown, limits: SqlLimits): SqlFailure {
  if (error instanceof Problem)
    return { code: error.code, message: error.message, hint: error.hint, details: error.details, spent: false }
  const text = error instanceof Error ? error.message : String(error)
  const limit = limitOf(text, limits)
  if (limit !== undefined)
    return {
      code: limit.code,
      message: limit.message,
      hint: limit.hint,
      details: {},
      spent: limit.code === 'sql_limit',
    }
  if (OF_THE_SENDER.test(text))
    return {
      code: 'bad_sql',
      message: withoutPaths(text),
      hint: JOINED.test(text)
        ? 'rollouts has reward, correct, dataset and family beside each trajectory'
        : 'the SQL is that of DuckDB',
      details: {},
      spent: false,
    }
  return { code: 'internal', message: errorText(error), hint: undefined, details: {}, spent: true }
}
