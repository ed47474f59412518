/** DuckDB's names of types, read: scalars, STRUCT(…) and lists of these. */

export type DuckType =
  | { readonly is: 'scalar'; readonly name: string }
  | { readonly is: 'list'; readonly of: DuckType }
  | { readonly is: 'struct'; readonly fields: readonly (readonly [name: string, type: DuckType])[] }

const NAME = /^\s*(?:"((?:[^"]|"")*)"|(\w+))\s+/
const SCALAR = /^\s*(\w+)/

/** Reads a type at the start of a text; gives it and what follows. Throws on what is none. */
function read(text: string): [DuckType, string] {
  let type: DuckType
  let rest: string
  if (/^\s*STRUCT\(/i.test(text)) {
    const fields: (readonly [string, DuckType])[] = []
    rest = text.slice(text.indexOf('(') + 1)
    for (;;) {
      const name = NAME.exec(rest)
      if (name === null) throw new Error(`not a DuckDB type: ${text}`)
      const [field, after] = read(rest.slice(name[0].length))
      fields.push([name[1]?.replaceAll('""', '"') ?? name[2] ?? '', field])
      rest = after.trimStart()
      const separator = rest[0]
      rest = rest.slice(1)
      if (separator === ')') break
      if (separator !== ',') throw new Error(`not a DuckDB type: ${text}`)
    }
    type = { is: 'struct', fields }
  } else {
    const scalar = SCALAR.exec(text)
    if (scalar?.[1] === undefined) throw new Error(`not a DuckDB type: ${text}`)
    type = { is: 'scalar', name: scalar[1].toUpperCase() }
    rest = text.slice(scalar[0].length)
  }
  while (rest.startsWith('[]')) {
    type = { is: 'list', of: type }
    rest = rest.slice(2)
  }
  return [type, rest]
}

/** Reads a whole type. Throws on what is none. */
export function duckType(text: string): DuckType {
  const [type, rest] = read(text)
  if (rest.trim() !== '') throw new Error(`not a DuckDB type: ${text}`)
  return type
}
