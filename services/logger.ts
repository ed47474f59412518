/** One JSON line per unit of work (request, batch, file), made by a logger that is passed in. */

export type Level = 'debug' | 'info' | 'warn' | 'error'

/** Fields that a line may carry. No secrets, no bodies. */
export type Fields = Readonly<Record<string, string | number | boolean | undefined>>

export interface Logger {
  /** Writes a line. `what` is a short verb phrase such as `cut written`. */
  (level: Level, what: string, fields?: Fields): void
}

const ORDER: Record<Level, number> = { debug: 0, info: 1, warn: 2, error: 3 }

/** A logger that writes JSON lines of `program` to `write` (a line each, with its newline). */
export function jsonLogger(options: {
  readonly program: string
  readonly level: Level
  readonly write: (line: string) => void
  readonly now: () => Date
}): Logger {
  return (level, what, fields = {}) => {
    if (ORDER[level] < ORDER[options.level]) return
    options.write(
      `${JSON.stringify({ at: options.now().toISOString(), level, program: options.program, what, ...fields })}\n`,
    )
  }
}

/** A logger that writes nothing. */
export const silent: Logger = () => {}

/** The text of an error for operators: message, code and cause, without the stack. */
export function errorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause === undefined ? '' : ` <- ${errorText(error.cause)}`
  return `${error.name}: ${error.message}${cause}`
}
