/** Columns as JSON has them: no NaN, instants as RFC 3339 in UTC, nothing where a message has nothing. */
import { OPENAI_MESSAGE } from '#services/datasets/recipes/columns.ts'
import { sqlName } from '#services/datasets/sql.ts'

/** An object without its members that are null; objects in lists below it keep theirs. */
const withoutNulls = (value: string) => `json_merge_patch('{}', to_json(${value}))`

const message = (m: string) => `json_merge_patch('{}', to_json({role: ${m}.role, content: ${m}.content,
  tool_calls: to_json(list_transform(${m}.tool_calls, lambda c: ${withoutNulls('c')})), tool_call_id: ${m}.tool_call_id, "name": ${m}."name"}))`

/** An object of a null would be one without members. */
const unlessNull = (value: string, json: string) => `CASE WHEN ${value} IS NOT NULL THEN ${json} END`

const finite = (value: string) => `CASE WHEN isfinite(${value}) THEN ${value} END`

/** The SQL that gives `value`, of a DuckDB type, as JSON has it. */
export function jsonValue(value: string, type: string): string {
  if (type === 'DOUBLE') return finite(value)
  if (type === 'TIMESTAMPTZ') return `strftime(make_timestamp(epoch_us(${value})), '%Y-%m-%dT%H:%M:%S.%fZ')`
  if (type === OPENAI_MESSAGE) return unlessNull(value, message(value))
  if (type.endsWith('[]') && (type.startsWith('DOUBLE') || type.startsWith('STRUCT'))) {
    // Each level of a list names its elements anew.
    const element = `e${type.split('[]').length}`
    return `to_json(list_transform(${value}, lambda ${element}: ${jsonValue(element, type.slice(0, -2))}))`
  }
  return type.startsWith('STRUCT(') ? unlessNull(value, withoutNulls(value)) : value
}

/** A column as JSON has it, under its name. */
export function jsonColumn(name: string, type: string): string {
  return `${jsonValue(sqlName(name), type)} AS ${sqlName(name)}`
}
