/** What a DuckLake catalog says of the lake's tables: schema, columns, how Parquet names map to them, what they mean. */
import { createHash } from 'node:crypto'
import { LAKE_TABLE_NAMES, LAKE_TABLES, type LakeColumn, type LakeTableName } from '#schemas/lake.ts'
import { type DuckType, duckType } from '#services/lake/duckdb-type.ts'
import type { MetadataTable } from './metadata-tables.ts'

/** A row of a metadata table; what is left out is null. */
export type MetadataRow = Readonly<Record<string, string | number | boolean>>

export type RowSink = (table: MetadataTable, row: MetadataRow) => void

/** How DuckLake spells the types of the lake. */
const NAMES: Readonly<Record<string, string>> = {
  BIGINT: 'int64',
  INTEGER: 'int32',
  DOUBLE: 'float64',
  BOOLEAN: 'boolean',
  VARCHAR: 'varchar',
  BLOB: 'blob',
  DATE: 'date',
  TIMESTAMPTZ: 'timestamptz',
}

/** The one schema of the catalog. */
const SCHEMA_ID = 0

/** The number of a table in the catalog. */
export function tableId(table: LakeTableName): number {
  return LAKE_TABLE_NAMES.indexOf(table) + 1
}

/** A number that no table has. */
export const NEXT_CATALOG_ID = LAKE_TABLE_NAMES.length + 1

interface Field {
  readonly id: number
  readonly name: string
  readonly type: string
  readonly parent: number | undefined
}

const typeName = (type: DuckType): string => {
  if (type.is !== 'scalar') return type.is
  const name = NAMES[type.name]
  if (name === undefined) throw new Error(`DuckLake has no name for ${type.name}`)
  return name
}

/** The columns of a table and what is nested in them, numbered from 1 in order, parents first. */
function fieldsOf(table: LakeTableName): Field[] {
  const fields: Field[] = []
  const add = (name: string, type: DuckType, parent: number | undefined): void => {
    const own = fields.length + 1
    fields.push({ id: own, name, type: typeName(type), parent })
    if (type.is === 'list') add('element', type.of, own)
    if (type.is === 'struct') for (const [inner, innerType] of type.fields) add(inner, innerType, own)
  }
  for (const [name, { type }] of Object.entries<LakeColumn>(LAKE_TABLES[table].columns))
    add(name, duckType(type), undefined)
  return fields
}

/** The numbers of a table's columns, by name. */
export function columnIds(table: LakeTableName): ReadonlyMap<string, number> {
  return new Map(
    fieldsOf(table)
      .filter(({ parent }) => parent === undefined)
      .map(({ name, id }) => [name, id]),
  )
}

/** The same identity for the same name, wherever and whenever it is asked for. */
function uuidOf(name: string): string {
  const hex = createHash('sha256').update(`stepstore ${name}`).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

/** Gives the rows that describe all tables, as they are from the snapshot `since` on. */
export function describeTables(since: number, put: RowSink): void {
  const relative = { path_is_relative: true }
  put('ducklake_schema', {
    schema_id: SCHEMA_ID,
    schema_uuid: uuidOf('main'),
    begin_snapshot: since,
    schema_name: 'main',
    path: '',
    ...relative,
  })
  put('ducklake_schema_versions', { begin_snapshot: since, schema_version: 0 })
  for (const table of LAKE_TABLE_NAMES) {
    const id = tableId(table)
    const of = { table_id: id, begin_snapshot: since }
    put('ducklake_table', {
      ...of,
      table_uuid: uuidOf(table),
      schema_id: SCHEMA_ID,
      table_name: table,
      path: `${table}/`,
      ...relative,
    })
    put('ducklake_tag', { object_id: id, begin_snapshot: since, key: 'comment', value: LAKE_TABLES[table].meaning })
    describeColumns(table, since, put)
  }
}

function describeColumns(table: LakeTableName, since: number, put: RowSink): void {
  const id = tableId(table)
  const told: Readonly<Record<string, LakeColumn>> = LAKE_TABLES[table].columns
  // Files carry no field ids, so their columns are found by name.
  put('ducklake_column_mapping', { mapping_id: id, table_id: id, type: 'map_by_name' })
  for (const { id: column, name, type, parent } of fieldsOf(table)) {
    const above = parent === undefined ? {} : { parent_column: parent }
    put('ducklake_column', {
      column_id: column,
      begin_snapshot: since,
      table_id: id,
      column_order: column,
      column_name: name,
      column_type: type,
      nulls_allowed: true,
      ...above,
    })
    put('ducklake_name_mapping', {
      mapping_id: id,
      column_id: column,
      source_name: name === 'element' && parent !== undefined ? 'list' : name,
      target_field_id: column,
      is_partition: false,
      ...above,
    })
    const description = told[name]?.description
    if (parent === undefined && description !== undefined)
      put('ducklake_column_tag', {
        table_id: id,
        column_id: column,
        begin_snapshot: since,
        key: 'comment',
        value: description,
      })
  }
}
