/** The tables of a DuckLake catalog, by version of the format: 0.3 is what DuckDB 1.4 reads, 1.0 what 1.5 and later do. */

export const CATALOG_VERSIONS = ['1.0', '0.3'] as const
export type CatalogVersion = (typeof CATALOG_VERSIONS)[number]

/** Columns of a table with their DuckDB types, in order. */
export type MetadataColumns = Readonly<Record<string, string>>

const id = 'BIGINT'
const text = 'VARCHAR'
const flag = 'BOOLEAN'
const uuid = 'UUID'
const time = 'TIMESTAMPTZ'
const span = { begin_snapshot: id, end_snapshot: id }
const place = { path: text, path_is_relative: flag }

/** What both versions have alike. */
const ALIKE = {
  ducklake_metadata: { key: text, value: text, scope: text, scope_id: id },
  ducklake_snapshot: {
    snapshot_id: id,
    snapshot_time: time,
    schema_version: id,
    next_catalog_id: id,
    next_file_id: id,
  },
  ducklake_snapshot_changes: {
    snapshot_id: id,
    changes_made: text,
    author: text,
    commit_message: text,
    commit_extra_info: text,
  },
  ducklake_schema: { schema_id: id, schema_uuid: uuid, ...span, schema_name: text, ...place },
  ducklake_table: { table_id: id, table_uuid: uuid, ...span, schema_id: id, table_name: text, ...place },
  ducklake_view: {
    view_id: id,
    view_uuid: uuid,
    ...span,
    schema_id: id,
    view_name: text,
    dialect: text,
    sql: text,
    column_aliases: text,
  },
  ducklake_tag: { object_id: id, ...span, key: text, value: text },
  ducklake_column_tag: { table_id: id, column_id: id, ...span, key: text, value: text },
  ducklake_file_column_stats: {
    data_file_id: id,
    table_id: id,
    column_id: id,
    column_size_bytes: id,
    value_count: id,
    null_count: id,
    min_value: text,
    max_value: text,
    contains_nan: flag,
    extra_stats: text,
  },
  ducklake_table_stats: { table_id: id, record_count: id, next_row_id: id, file_size_bytes: id },
  ducklake_table_column_stats: {
    table_id: id,
    column_id: id,
    contains_null: flag,
    contains_nan: flag,
    min_value: text,
    max_value: text,
    extra_stats: text,
  },
  ducklake_partition_info: { partition_id: id, table_id: id, ...span },
  ducklake_partition_column: {
    partition_id: id,
    table_id: id,
    partition_key_index: id,
    column_id: id,
    transform: text,
  },
  ducklake_file_partition_value: {
    data_file_id: id,
    table_id: id,
    partition_key_index: id,
    partition_value: text,
  },
  ducklake_files_scheduled_for_deletion: { data_file_id: id, ...place, schedule_start: time },
  ducklake_inlined_data_tables: { table_id: id, table_name: text, schema_version: id },
  ducklake_column_mapping: { mapping_id: id, table_id: id, type: text },
  ducklake_name_mapping: {
    mapping_id: id,
    column_id: id,
    source_name: text,
    target_field_id: id,
    parent_column: id,
    is_partition: flag,
  },
} satisfies Record<string, MetadataColumns>

const COLUMN = {
  column_id: id,
  ...span,
  table_id: id,
  column_order: id,
  column_name: text,
  column_type: text,
  initial_default: text,
  default_value: text,
  nulls_allowed: flag,
  parent_column: id,
}
const DATA_FILE = {
  data_file_id: id,
  table_id: id,
  ...span,
  file_order: id,
  ...place,
  file_format: text,
  record_count: id,
  file_size_bytes: id,
  footer_size: id,
  row_id_start: id,
  partition_id: id,
  encryption_key: text,
}
const DELETE_FILE = {
  delete_file_id: id,
  table_id: id,
  ...span,
  data_file_id: id,
  ...place,
  format: text,
  delete_count: id,
  file_size_bytes: id,
  footer_size: id,
  encryption_key: text,
}
const SCHEMA_VERSIONS = { begin_snapshot: id, schema_version: id }

export type MetadataTable =
  | keyof typeof ALIKE
  | 'ducklake_column'
  | 'ducklake_data_file'
  | 'ducklake_delete_file'
  | 'ducklake_schema_versions'

const DIFFERENT: Readonly<Record<CatalogVersion, Readonly<Record<string, MetadataColumns>>>> = {
  '0.3': {
    ducklake_column: COLUMN,
    ducklake_data_file: { ...DATA_FILE, partial_file_info: text, mapping_id: id },
    ducklake_delete_file: DELETE_FILE,
    ducklake_schema_versions: SCHEMA_VERSIONS,
  },
  '1.0': {
    ducklake_column: { ...COLUMN, default_value_type: text, default_value_dialect: text },
    ducklake_data_file: { ...DATA_FILE, mapping_id: id, partial_max: id },
    ducklake_delete_file: { ...DELETE_FILE, partial_max: id },
    ducklake_schema_versions: { ...SCHEMA_VERSIONS, table_id: id },
    ducklake_file_variant_stats: {
      data_file_id: id,
      table_id: id,
      column_id: id,
      variant_path: text,
      shredded_type: text,
      column_size_bytes: id,
      value_count: id,
      null_count: id,
      min_value: text,
      max_value: text,
      contains_nan: flag,
      extra_stats: text,
    },
    ducklake_macro: { schema_id: id, macro_id: id, macro_name: text, ...span },
    ducklake_macro_impl: { macro_id: id, impl_id: id, dialect: text, sql: text, type: text },
    ducklake_macro_parameters: {
      macro_id: id,
      impl_id: id,
      column_id: id,
      parameter_name: text,
      parameter_type: text,
      default_value: text,
      default_value_type: text,
    },
    ducklake_sort_info: { sort_id: id, table_id: id, ...span },
    ducklake_sort_expression: {
      sort_id: id,
      table_id: id,
      sort_key_index: id,
      expression: text,
      dialect: text,
      sort_direction: text,
      null_order: text,
    },
  },
}

/** Every table of a catalog of this version. */
export function metadataTables(version: CatalogVersion): Readonly<Record<string, MetadataColumns>> {
  return { ...ALIKE, ...DIFFERENT[version] }
}
