/**
 * What differs between the engines that a request is compiled for. Filters, reasons, scores and cuts by rank are written
 * once, in SQL that both know, and take from here what they say in words of their own.
 */
import type { LakeTableName } from '#schemas/lake.ts'
import { sqlName, sqlText, sqlValue } from './sql.ts'

export interface Dialect {
  /** Text as a literal that means exactly it. */
  readonly text: (value: string) => string
  /** A value as a literal of its own type. */
  readonly value: (value: string | number | boolean) => string
  /** A name as a quoted identifier. */
  readonly name: (name: string) => string
  /** A null of text. */
  readonly noText: string
  /** The names of an object in JSON text, as a list; null where it is none. */
  readonly keys: (json: string) => string
  /** Whether a list has one of these values; null where the list is null. */
  readonly hasAny: (list: string, values: readonly string[]) => string
}

/** A lake table as a relation with these of its columns. */
export type Tables = (table: LakeTableName, columns: readonly string[]) => string

export const DUCKDB: Dialect = {
  text: sqlText,
  value: sqlValue,
  name: sqlName,
  noText: 'NULL::VARCHAR',
  keys: (json) => `json_keys(${json})`,
  hasAny: (list, values) => `list_has_any(${list}, [${values.join(', ')}])`,
}
