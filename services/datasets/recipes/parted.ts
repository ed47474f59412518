/** Rows gathered in parts, so that memory does not grow with the dataset. */
import { sqlName } from '#services/datasets/sql.ts'
import type { Gathering } from '#services/lake/jobs.ts'
import type { Columns } from './recipe.ts'

/** Which of `kept` are in a part; how many parts there are is estimated from the files, so the last takes what is beyond it. */
export function partOf(index: number, parts: number): string {
  return `part ${index === parts - 1 ? '>=' : '='} ${index}`
}

/** Whether a part has any of `kept`, as a query: its statement would read the steps for nothing. */
export const hasPart = (index: number, parts: number): string =>
  `SELECT 1 FROM kept WHERE ${partOf(index, parts)} LIMIT 1`

/**
 * Statements that make `rows` and `not_taken` of a query for each part. The query gives the columns in order and, last,
 * `why`: why the row is left out, or null. Parts are in order, and so are the rows of each.
 */
export function partedRows(columns: Columns, parts: number, query: (part: number) => string): Gathering[] {
  const defined = Object.entries({ ...columns, why: 'VARCHAR' }).map(([name, type]) => `${sqlName(name)} ${type}`)
  const indexes = Array.from({ length: parts }, (_, index) => index)
  const all = (select: string) => indexes.map((index) => `${select} FROM rows_${index}`)
  // A table for each part: the writer takes a table's row group (122,880 rows) at once, and rows here are whole conversations.
  return [
    indexes.map((index) => `CREATE TEMP TABLE rows_${index} (${defined.join(', ')})`).join(';\n'),
    ...indexes.map((index) => ({
      sql: `INSERT INTO rows_${index} ${query(index)}`,
      onlyIf: hasPart(index, parts),
    })),
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
