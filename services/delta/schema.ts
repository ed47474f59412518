/** The schema of a lake table in the words of Delta. */
import { lakeColumns, type LakeTableName } from '#schemas/lake.ts'

/** A type of Delta: a primitive by name, or an array or struct. */
export type DeltaType =
  | string
  | { readonly type: 'array'; readonly elementType: DeltaType; readonly containsNull: true }
  | { readonly type: 'struct'; readonly fields: readonly DeltaField[] }

export interface DeltaField {
  readonly name: string
  readonly type: DeltaType
  readonly nullable: true
  readonly metadata: Readonly<Record<string, never>>
}

const PRIMITIVES: Readonly<Record<string, string>> = {
  VARCHAR: 'string',
  BIGINT: 'long',
  INTEGER: 'integer',
  DOUBLE: 'double',
  BOOLEAN: 'boolean',
  TIMESTAMPTZ: 'timestamp',
  DATE: 'date',
  BLOB: 'binary',
}

const field = (name: string, type: DeltaType): DeltaField => ({ name, type, nullable: true, metadata: {} })

/** The parts of a text at commas that stand in no brackets. */
function partsOf(text: string): string[] {
  const parts: string[] = ['']
  let depth = 0
  for (const letter of text) {
    if (letter === '(') depth += 1
    if (letter === ')') depth -= 1
    if (letter === ',' && depth === 0) parts.push('')
    else parts[parts.length - 1] += letter
  }
  return parts.map((part) => part.trim())
}

/** A type as DuckDB names it, as Delta names it. Throws where a table has a type that not every reader knows. */
export function deltaType(duckdb: string): DeltaType {
  if (duckdb.endsWith('[]')) return { type: 'array', elementType: deltaType(duckdb.slice(0, -2)), containsNull: true }
  const struct = /^STRUCT\((.*)\)$/s.exec(duckdb)?.[1]
  if (struct !== undefined) {
    const fields = partsOf(struct).map((part) => {
      const space = part.indexOf(' ')
      return field(part.slice(0, space), deltaType(part.slice(space + 1)))
    })
    return { type: 'struct', fields }
  }
  const primitive = PRIMITIVES[duckdb]
  if (primitive === undefined) throw new Error(`Delta has no type for ${duckdb}`)
  return primitive
}

/** The schema of a table as it stands in `metaData`. */
export function schemaString(table: LakeTableName): string {
  const fields = Object.entries(lakeColumns(table)).map(([name, type]) => field(name, deltaType(type)))
  return JSON.stringify({ type: 'struct', fields })
}
