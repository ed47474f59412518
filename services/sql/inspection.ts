/**
 * What a query may name. The engine's own parser gives the tree, and the tree is held against lists of what is allowed:
 * a table function that reads a file, or one that switches logging to a file, is then refused before it is bound.
 */
import { nearest } from '#services/core/nearest.ts'
import { Problem } from '#services/problem.ts'
import { SQL_VIEWS, isSqlView, type SqlView } from './views.ts'

type Tree = Readonly<Record<string, unknown>>

const RELATIONS = new Set(
  'BASE_TABLE SUBQUERY JOIN TABLE_FUNCTION EMPTY EMPTY_FROM EXPRESSION_LIST PIVOT SHOW_REF CTE COLUMN_DATA'.split(' '),
)
const TABLE_FUNCTIONS = ['range', 'generate_series', 'unnest', 'json_each', 'json_tree', 'repeat', 'repeat_row']
/** Functions that tell of the process or keep it waiting. */
const REFUSED_FUNCTIONS = new Set(
  'getenv current_setting getvariable write_log sleep_ms nextval currval parse_duckdb_log_message'.split(' '),
)
const SCHEMA_TABLES = new Set(['tables', 'columns'])

function refused(detail: string, hint: string): Problem {
  return new Problem('sql_refused', detail, { hint })
}

const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value)
const textOf = (tree: Tree, name: string): string => {
  const value = tree[name]
  return typeof value === 'string' ? value : ''
}

/** Every object in the tree, without recursion: the depth of a query is its sender's choice. */
function* trees(root: unknown): Generator<Tree> {
  const waiting: unknown[] = [root]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (Array.isArray(next)) for (const item of next) waiting.push(item)
    else if (isTree(next)) {
      yield next
      for (const value of Object.values(next)) if (typeof value === 'object' && value !== null) waiting.push(value)
    }
  }
}

function checkFunction(name: string): void {
  if (REFUSED_FUNCTIONS.has(name.toLowerCase()))
    throw refused(`the function ${name} is not given to queries`, 'leave it out')
}

function checkTableFunction(tree: Tree): void {
  const call = tree['function']
  const name = isTree(call) ? textOf(call, 'function_name').toLowerCase() : ''
  const schema = isTree(call) ? textOf(call, 'schema') : ''
  if (schema !== '' || !TABLE_FUNCTIONS.includes(name))
    throw refused(
      `the table function ${name.slice(0, 80) || '?'} is not given to queries: they see the views, no files and no settings`,
      `the views are ${SQL_VIEWS.join(', ')}; table functions are ${TABLE_FUNCTIONS.join(', ')}`,
    )
}

function tableProblem(name: string, known: readonly string[]): Problem {
  const near = nearest(name, known)
  return new Problem('sql_refused', `there is no table ${JSON.stringify(name.slice(0, 120))}`, {
    hint: near === undefined ? `the tables are ${SQL_VIEWS.join(', ')}` : `did you mean ${near}?`,
  })
}

/** Names that queries give to their own parts. */
function ownNames(tree: unknown): Set<string> {
  const names = new Set<string>()
  for (const part of trees(tree)) {
    const map = part['cte_map']
    const entries = isTree(map) && Array.isArray(map['map']) ? (map['map'] as unknown[]) : []
    for (const entry of entries) if (isTree(entry)) names.add(textOf(entry, 'key').toLowerCase())
    const name = textOf(part, 'cte_name')
    if (name !== '') names.add(name.toLowerCase())
  }
  return names
}

/** The views that a table name stands for; none for the query's own names and the two tables of the schema. */
function viewOf(tree: Tree, own: ReadonlySet<string>): SqlView | undefined {
  const name = textOf(tree, 'table_name').toLowerCase()
  const schema = textOf(tree, 'schema_name').toLowerCase()
  const catalog = textOf(tree, 'catalog_name').toLowerCase()
  if (catalog !== '' && catalog !== 'memory') throw tableProblem(`${catalog}.${schema}.${name}`, SQL_VIEWS)
  if (schema === 'information_schema' && SCHEMA_TABLES.has(name)) return undefined
  if (schema !== '' && schema !== 'main') throw tableProblem(`${schema}.${name}`, SQL_VIEWS)
  if (schema === '' && own.has(name)) return undefined
  if (!isSqlView(name)) throw tableProblem(name, [...SQL_VIEWS, ...own])
  return name
}

function checkRelation(tree: Tree): void {
  const type = textOf(tree, 'type')
  if (!RELATIONS.has(type)) throw refused(`a query may not read from ${type.slice(0, 60)}`, 'read from the views')
  if (type === 'TABLE_FUNCTION') checkTableFunction(tree)
  if (type === 'SHOW_REF' && tree['query'] === null && textOf(tree, 'table_name') !== '"tables"')
    throw refused('of SHOW, only SHOW TABLES is given to queries', 'DESCRIBE <view> tells of its columns')
}

/** The views that a statement names, sorted. Throws `sql_refused` for what queries are not given. */
export function inspect(statement: unknown): SqlView[] {
  const own = ownNames(statement)
  const views = new Set<SqlView>()
  for (const tree of trees(statement)) {
    if ('sample' in tree && 'alias' in tree) checkRelation(tree)
    if (tree['type'] === 'BASE_TABLE') {
      const view = viewOf(tree, own)
      if (view !== undefined) views.add(view)
    }
    if (typeof tree['function_name'] === 'string') checkFunction(tree['function_name'])
  }
  return [...views].sort()
}

interface Serialized {
  readonly error: boolean
  readonly error_type?: string
  readonly error_message?: string
  readonly position?: string
  readonly statements?: readonly unknown[]
}

/** Reads what the engine's parser says of a text, and looks through it. Throws `bad_sql` and `sql_refused`. */
export function inspectSerialized(json: string): SqlView[] {
  const found = JSON.parse(json) as Serialized
  if (found.error) {
    if (found.error_type !== 'parser')
      throw refused(
        'only one SELECT, or EXPLAIN of one, is run: nothing here can be written, attached, installed or set',
        'write a SELECT (WITH, FROM, VALUES, DESCRIBE and SUMMARIZE are such, too)',
      )
    throw new Problem('bad_sql', found.error_message ?? 'the SQL cannot be read', {
      hint: 'the SQL is that of DuckDB',
      ...(found.position === undefined ? {} : { details: { at: Number(found.position) } }),
    })
  }
  const [statement, ...more] = found.statements ?? []
  if (statement === undefined) throw new Problem('bad_sql', 'there is no statement', { hint: 'send one SELECT' })
  if (more.length > 0)
    throw refused(`there are ${more.length + 1} statements, and one is run`, 'send them one at a time')
  return inspect(statement)
}
