/** How bytes of an object reach a client without going through this program: it names them, and who asked sends them. */

/** In a request: who asks can send objects itself. */
export const SENDS_OBJECTS = 'stepstore-sends-objects'

/** In an answer without a body: which bytes are the body. */
export const OBJECT = 'stepstore-object'

/** The bytes [start, end) of an object. */
export interface NamedBytes {
  readonly key: string
  readonly start: number
  readonly end: number
}

/** The value of OBJECT. Keys have no spaces. */
export function objectHeader({ key, start, end }: NamedBytes): string {
  return `${key} ${start} ${end}`
}

/** What the value of OBJECT names. */
export function namedBytes(value: string): NamedBytes {
  const [key = '', start, end] = value.split(' ')
  return { key, start: Number(start), end: Number(end) }
}
