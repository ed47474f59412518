/** A statement as it was sent: whether it asks for a plan, and its text without what may stand around it. */

export interface Statement {
  /** The query itself: no EXPLAIN before it, no semicolon or comment after it. */
  readonly body: string
  readonly explain: 'no' | 'plan' | 'analyze'
}

const WORD = /[A-Za-z_]+/y
const DOLLAR = /\$(?:[A-Za-z_][A-Za-z0-9_]*)?\$/y

/** The end of the comment that begins at `at`, or `at` where none begins. */
function pastComment(sql: string, at: number): number {
  if (sql.startsWith('--', at)) {
    const end = sql.indexOf('\n', at)
    return end < 0 ? sql.length : end + 1
  }
  if (!sql.startsWith('/*', at)) return at
  let depth = 1
  let here = at + 2
  while (depth > 0 && here < sql.length) {
    if (sql.startsWith('/*', here)) depth += 1
    else if (sql.startsWith('*/', here)) depth -= 1
    else {
      here += 1
      continue
    }
    here += 2
  }
  return here
}

/** The end of the space and comments that begin at `at`. */
function pastBlank(sql: string, at: number): number {
  let here = at
  for (;;) {
    while (here < sql.length && /\s/.test(sql.charAt(here))) here += 1
    const next = pastComment(sql, here)
    if (next === here) return here
    here = next
  }
}

/** The end of the quoted text that begins at `at`, or `at` where none begins. */
function pastQuoted(sql: string, at: number): number {
  const quote = sql.charAt(at)
  if (quote === '$') {
    DOLLAR.lastIndex = at
    const tag = DOLLAR.exec(sql)?.[0]
    if (tag === undefined) return at
    const end = sql.indexOf(tag, at + tag.length)
    return end < 0 ? sql.length : end + tag.length
  }
  if (quote !== "'" && quote !== '"') return at
  const escapes = quote === "'" && /[eE]/.test(sql.charAt(at - 1)) && !/[A-Za-z0-9_]/.test(sql.charAt(at - 2))
  let here = at + 1
  while (here < sql.length) {
    if (escapes && sql.charAt(here) === '\\') here += 2
    else if (sql.charAt(here) !== quote) here += 1
    else if (sql.charAt(here + 1) === quote) here += 2
    else return here + 1
  }
  return sql.length
}

/** The end of what stands in the text besides space, comments and semicolons. */
function endOf(sql: string, from: number): number {
  let end = from
  let here = from
  while (here < sql.length) {
    const blank = pastBlank(sql, here)
    if (blank > here) {
      here = blank
      continue
    }
    const quoted = pastQuoted(sql, here)
    const isSemicolon = quoted === here && sql.charAt(here) === ';'
    here = Math.max(quoted, here + 1)
    if (!isSemicolon) end = here
  }
  return end
}

/**
 * Reads a statement. What it takes for the body is parsed again by the engine, so a text that is cut wrongly here is
 * an error there and no way around anything.
 */
export function readStatement(sql: string): Statement {
  let start = pastBlank(sql, 0)
  const word = (): string => {
    WORD.lastIndex = start
    return WORD.exec(sql)?.[0].toLowerCase() ?? ''
  }
  const take = (wanted: string): boolean => {
    if (word() !== wanted) return false
    start = pastBlank(sql, start + wanted.length)
    return true
  }
  const explain = take('explain') ? (take('analyze') ? 'analyze' : 'plan') : 'no'
  return { body: sql.slice(start, endOf(sql, start)), explain }
}
