/** Rows gathered in parts, so that memory does not grow with the dataset. */
import { sqlName } from '#services/datasets/sql.ts'
import type { Columns } from './recipe.ts'

/**
 * Statements that make `rows` and `not_taken` of a query for each part. The query gives the columns in order and, last,
 * `why`: why the row is left out, or null. Parts are in order, and so are the rows of each.
 */
export function partedRows(columns: Columns, parts: number, query: (part: number) => string): string[] {
  const defined = Object.entries({ ...columns, why: 'VARCHAR' }).map(([name, type]) => `${sqlName(name)} ${type}`)
  const indexes = Array.from({ length: parts }, (_, index) => index)
  const all = (select: string) => indexes.map((index) => `${select} FROM rows_${index}`)
  // A table for each part: the writer takes a table's row group (122,880 rows) at once, and rows here are whole conversations.
  return [
    ...indexes.flatMap((index) => [
      `CREATE TEMP TABLE rows_${index} (${defined.join(', ')})`,
      `INSERT INTO rows_${index} ${query(index)}`,
    ]),
    `CREATE TEMP VIEW rows AS ${all('SELECT * EXCLUDE (why)')
      .map((select) => `${select} WHERE why IS NULL`)
      .join(' UNION ALL ')}`,
    `CREATE TEMP VIEW not_taken AS SELECT why, count(*) AS n FROM (${all('SELECT why').join(' UNION ALL ')}) WHERE why IS NOT NULL GROUP BY why`,
  ]
}

/** The first fault that holds, or null. */
export function firstFault(faults: readonly (readonly [reason: string, sql: string])[]): string {
  if (faults.length === 0) return 'NULL::VARCHAR'
  return `CASE ${faults.map(([reason, sql]) => `WHEN ${sql} THEN '${reason}'`).join(' ')} END`
}
