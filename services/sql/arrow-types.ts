/** DuckDB's types as Arrow fields. */
import {
  DuckDBArrayType,
  DuckDBDecimalType,
  DuckDBListType,
  DuckDBMapType,
  DuckDBStructType,
  type DuckDBType,
  DuckDBTypeId,
} from '@duckdb/node-api'
import type { FlatField, FlatWriter } from './flatbuffer.ts'

/** How a column is laid out, with the fields of its children. */
export type ArrowKind =
  | 'bool'
  | 'int'
  | 'float'
  | 'decimal'
  | 'date'
  | 'timestamp'
  | 'binary'
  /** Whatever Arrow has no word for goes as DuckDB writes it. */
  | 'text'
  | 'list'
  | 'struct'

export interface ArrowField {
  readonly name: string
  readonly kind: ArrowKind
  /** Bytes of a value of fixed width. */
  readonly width: 0 | 1 | 2 | 4 | 8 | 16
  readonly children: readonly ArrowField[]
  /** The union tag of the type and its table, as Arrow's schema has them. */
  readonly tag: number
  readonly details: readonly FlatField[]
}

type Simple = Omit<ArrowField, 'name' | 'children'>

const short = (slot: number, value: number): FlatField => ({ slot, size: 2, value })
const word = (slot: number, value: number): FlatField => ({ slot, size: 4, value })
const byte = (slot: number, value: number): FlatField => ({ slot, size: 1, value })

const int = (width: 1 | 2 | 4 | 8, signed: boolean): Simple => ({
  kind: 'int',
  width,
  tag: 2,
  details: [word(0, width * 8), byte(1, signed ? 1 : 0)],
})
const float = (width: 4 | 8): Simple => ({ kind: 'float', width, tag: 3, details: [short(0, width === 4 ? 1 : 2)] })
const timestamp = (unit: number, zone: string | undefined): Simple => ({
  kind: 'timestamp',
  width: 8,
  tag: 10,
  details: [
    short(0, unit),
    ...(zone === undefined ? [] : [{ slot: 1, size: 4, at: (w: FlatWriter) => w.string(zone) } as const]),
  ],
})
const TEXT: Simple = { kind: 'text', width: 0, tag: 5, details: [] }

const SIMPLE: { readonly [Id in DuckDBTypeId]?: Simple } = {
  [DuckDBTypeId.BOOLEAN]: { kind: 'bool', width: 0, tag: 6, details: [] },
  [DuckDBTypeId.TINYINT]: int(1, true),
  [DuckDBTypeId.SMALLINT]: int(2, true),
  [DuckDBTypeId.INTEGER]: int(4, true),
  [DuckDBTypeId.BIGINT]: int(8, true),
  [DuckDBTypeId.UTINYINT]: int(1, false),
  [DuckDBTypeId.USMALLINT]: int(2, false),
  [DuckDBTypeId.UINTEGER]: int(4, false),
  [DuckDBTypeId.UBIGINT]: int(8, false),
  // A sum of BIGINT is a HUGEINT; DuckDB writes it as a double into Parquet, too.
  [DuckDBTypeId.HUGEINT]: float(8),
  [DuckDBTypeId.UHUGEINT]: float(8),
  [DuckDBTypeId.FLOAT]: float(4),
  [DuckDBTypeId.DOUBLE]: float(8),
  [DuckDBTypeId.DATE]: { kind: 'date', width: 4, tag: 8, details: [short(0, 0)] },
  [DuckDBTypeId.TIMESTAMP_S]: timestamp(0, undefined),
  [DuckDBTypeId.TIMESTAMP_MS]: timestamp(1, undefined),
  [DuckDBTypeId.TIMESTAMP]: timestamp(2, undefined),
  [DuckDBTypeId.TIMESTAMP_NS]: timestamp(3, undefined),
  [DuckDBTypeId.TIMESTAMP_TZ]: timestamp(2, 'UTC'),
  [DuckDBTypeId.BLOB]: { kind: 'binary', width: 0, tag: 4, details: [] },
}

const listOf = (name: string, child: ArrowField): ArrowField => ({
  name,
  kind: 'list',
  width: 0,
  tag: 12,
  details: [],
  children: [child],
})
const structOf = (name: string, children: readonly ArrowField[]): ArrowField => ({
  name,
  kind: 'struct',
  width: 0,
  tag: 13,
  details: [],
  children,
})

/** A column of this type. A MAP is a list of structs of key and value, an ARRAY a list. */
export function arrowField(name: string, type: DuckDBType): ArrowField {
  if (type instanceof DuckDBListType || type instanceof DuckDBArrayType)
    return listOf(name, arrowField('item', type.valueType))
  if (type instanceof DuckDBMapType)
    return listOf(name, structOf('item', [arrowField('key', type.keyType), arrowField('value', type.valueType)]))
  if (type instanceof DuckDBStructType)
    return structOf(
      name,
      type.entryNames.map((entry, index) => arrowField(entry, type.entryTypes[index] ?? type)),
    )
  if (type instanceof DuckDBDecimalType)
    return {
      name,
      kind: 'decimal',
      width: 16,
      tag: 7,
      details: [word(0, type.width), word(1, type.scale), word(2, 128)],
      children: [],
    }
  return { name, children: [], ...(SIMPLE[type.typeId] ?? TEXT) }
}

/** The table of a field in a schema. */
export function fieldTable({ name, tag, details, children }: ArrowField): (writer: FlatWriter) => number {
  return (writer) =>
    writer.table([
      { slot: 0, size: 4, at: (w) => w.string(name) },
      { slot: 1, size: 1, value: 1 },
      { slot: 2, size: 1, value: tag },
      { slot: 3, size: 4, at: (w) => w.table(details) },
      { slot: 5, size: 4, at: (w) => w.tables(children.map(fieldTable)) },
    ])
}
