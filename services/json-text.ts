/** JSON as it is answered: with a newline at its end, so that a terminal's next line begins on a line of its own. */
export const jsonText = (value: unknown): string => `${JSON.stringify(value)}\n`
