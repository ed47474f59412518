/** What POST /v1/sql takes and answers. */
import Type from 'typebox'
import { integer, list, object, text } from './fields.ts'

const value = Type.Union([Type.String(), Type.Number(), Type.Boolean(), Type.Null()])
const valueOrList = Type.Union([value, Type.Array(value)])

export const SqlRequest = Type.Object(
  {
    sql: Type.String({
      description: 'One SELECT (WITH, FROM, VALUES, DESCRIBE and SUMMARIZE are such, too), or EXPLAIN of one.',
      maxLength: 65_536,
    }),
    params: Type.Optional(
      Type.Union([Type.Array(valueOrList, { maxItems: 1000 }), Type.Record(Type.String(), valueOrList)], {
        description:
          'Values for ? and $1 as a list, or for $name as an object. Whole numbers are BIGINT, others DOUBLE; a list of values is a LIST.',
      }),
    ),
    format: Type.Optional(
      Type.Enum(['json', 'csv', 'arrow', 'parquet'], { description: 'The form of the answer; json unless said.' }),
    ),
    snapshot: Type.Optional(
      Type.Integer({ description: 'The snapshot of the lake to read; the newest unless said.', minimum: 1 }),
    ),
  },
  { description: 'A query.', additionalProperties: false },
)

export const SqlResult = object(
  {
    snapshot: integer('The snapshot that was read.'),
    columns: list(
      object(
        {
          name: text('The name; of two that are equal the second gets `:1`.'),
          type: text("DuckDB's name of its type."),
        },
        'A column.',
      ),
      'The columns, in order.',
    ),
    rows: Type.Array(Type.Record(Type.String(), Type.Unknown()), {
      description:
        'The rows. BIGINT and DECIMAL beyond what a double holds exactly, NaN and infinities are text; instants are RFC 3339; BLOB is base64.',
    }),
    n_rows: integer('How many rows there are: all of them, as an answer is never cut off.'),
  },
  'The answer to a query.',
)
