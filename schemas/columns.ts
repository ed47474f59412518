/** Columns of tables: one definition gives the SQL type, the TypeScript type and the sentence for the reference page. */

/** The TypeScript value of a column, by its SQL type. */
interface Values {
  text: string
  smallint: number
  integer: number
  bigint: number
  'double precision': number
  boolean: boolean
  json: unknown
}

export type SqlType = keyof Values

/** A column of a store table. Instants are text in UTC with microseconds: exact, and they sort. */
export interface Column<Type extends SqlType = SqlType, Nullable extends boolean = boolean> {
  readonly sql: Type
  readonly nullable: Nullable
  readonly description: string
}

const make =
  <Type extends SqlType>(sql: Type) =>
  (description: string): Column<Type, false> => ({ sql, nullable: false, description })

export const text = make('text')
export const smallint = make('smallint')
export const integer = make('integer')
export const bigint = make('bigint')
export const double = make('double precision')
export const flag = make('boolean')
export const json = make('json')

/** The same column, but it may be null. */
export const nullable = <Type extends SqlType>(column: Column<Type>): Column<Type, true> => ({
  ...column,
  nullable: true,
})

/** A store table. */
export interface Table {
  readonly meaning: string
  /** The primary key. */
  readonly key: readonly string[]
  readonly columns: Readonly<Record<string, Column>>
}

/** The row of a table definition. */
export type RowOf<Definition extends Table> = {
  -readonly [Name in keyof Definition['columns']]: Definition['columns'][Name] extends Column<
    infer Type,
    infer Nullable
  >
    ? Nullable extends true
      ? Values[Type] | null
      : Values[Type]
    : never
}
