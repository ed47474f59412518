/** Values of parameters, as the engine takes them. */
import {
  BIGINT,
  BOOLEAN,
  DOUBLE,
  type DuckDBPreparedStatement,
  type DuckDBType,
  type DuckDBValue,
  LIST,
  VARCHAR,
  listValue,
} from '@duckdb/node-api'
import { Problem } from '#services/problem.ts'
import type { SqlParams, SqlValue } from './messages.ts'

interface Bound {
  readonly value: DuckDBValue
  readonly type: DuckDBType
}

function scalar(value: SqlValue): Bound {
  if (typeof value === 'string' || value === null) return { value, type: VARCHAR }
  if (typeof value === 'boolean') return { value, type: BOOLEAN }
  return Number.isSafeInteger(value) ? { value: BigInt(value), type: BIGINT } : { value, type: DOUBLE }
}

/** A list has one type: that of its texts, else DOUBLE where one of its numbers needs it. */
function listed(values: readonly SqlValue[]): Bound {
  const bound = values.map(scalar)
  const known = bound.filter(({ value }) => value !== null).map(({ type }) => type)
  const type = known.includes(DOUBLE) ? DOUBLE : (known[0] ?? VARCHAR)
  if (known.some((other) => other !== type && !(type === DOUBLE && other === BIGINT)))
    throw new Problem('bad_sql', 'the values of a list are all texts, all numbers or all true and false')
  const items = bound.map(({ value }) => (type === DOUBLE && typeof value === 'bigint' ? Number(value) : value))
  return { value: listValue(items), type: LIST(type) }
}

const bind = (value: SqlValue | readonly SqlValue[]): Bound =>
  Array.isArray(value) ? listed(value as readonly SqlValue[]) : scalar(value as SqlValue)

/** Binds values by place or by name. Throws `bad_sql` where they are not those that the statement asks for. */
export function bindParams(prepared: DuckDBPreparedStatement, params: SqlParams): void {
  const named = Array.isArray(params)
    ? new Map((params as readonly SqlValue[]).map((value, index) => [String(index + 1), value]))
    : new Map(Object.entries(params))
  const asked = Array.from({ length: prepared.parameterCount }, (_, index) => prepared.parameterName(index + 1))
  const missing = asked.filter((name) => !named.has(name))
  const unused = [...named.keys()].filter((name) => !asked.includes(name))
  if (missing.length > 0 || unused.length > 0)
    throw new Problem(
      'bad_sql',
      missing.length > 0
        ? `params has no value for $${missing.join(', $').slice(0, 200)}`
        : `the statement does not ask for $${unused.join(', $').slice(0, 200)}`,
      { hint: 'params is a list for ? and $1, or an object for $name' },
    )
  for (const [index, name] of asked.entries()) {
    const value = named.get(name)
    if (value === null || value === undefined) prepared.bindNull(index + 1)
    else {
      const bound = bind(value)
      prepared.bindValue(index + 1, bound.value, bound.type)
    }
  }
}
