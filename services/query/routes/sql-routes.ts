/** POST /v1/sql: questions that no other route answers, over the lake as of a snapshot. */
import { SqlRequest, SqlResult } from '#schemas/http-sql.ts'
import { formatPosition } from '#services/position.ts'
import { Problem } from '#services/problem.ts'
import { checkedBody } from '#services/query/json-body.ts'
import { lakeState } from '#services/query/lake-state.ts'
import { READ_PARAMETERS, type Route, route } from '#services/query/route.ts'
import type { SqlFormat, SqlParams } from '#services/sql/messages.ts'

const BODY_BYTES_MAX = 1024 * 1024
const MEDIA_TYPES = {
  json: 'application/json; charset=utf-8',
  csv: 'text/csv; charset=utf-8; header=present',
  arrow: 'application/vnd.apache.arrow.stream',
  parquet: 'application/vnd.apache.parquet',
} as const satisfies Record<SqlFormat, string>

interface Asked {
  readonly sql: string
  readonly params?: SqlParams
  readonly format?: SqlFormat
  readonly snapshot?: number
}

const readBody = checkedBody<Asked>(SqlRequest, BODY_BYTES_MAX)

const sql = route({
  method: 'POST',
  path: '/v1/sql',
  tag: 'SQL',
  summary: 'Ask in SQL',
  detail: `The SQL is DuckDB's. It reads the lake as of one snapshot, the newest unless \`snapshot\` or \`after\` say otherwise; the answer names it in \`Stepstore-Snapshot\`.

Tables: \`runs\`, \`items\`, \`trajectories\` (finished ones), \`scores\`, \`steps\`, \`tool_calls\`, \`metrics\`, \`annotations\` and \`events\`, with the columns of their Parquet files; \`groups\`, as /v1/groups has them; \`rollouts\`, each trajectory with the score that reads use (\`reward\`, \`parts\`, \`correct\`, \`format_ok\`) and \`dataset\`, \`family\` and \`split\` of its item. \`SHOW TABLES\` and \`DESCRIBE steps\` tell of them.

One SELECT, or EXPLAIN of one. There are no files, no network, no extensions and no settings: what asks for them is \`sql_refused\`. A query has 30 s, 512 MB of memory and 1 GB of temporary disk; an answer has up to 1,000,000 rows (100,000 in JSON) and 256 MiB. What needs more is \`sql_limit\`, never an answer cut off. Closing the connection cancels the query.`,
  parameters: READ_PARAMETERS,
  requestTypes: { 'application/json': SqlRequest },
  answers: [
    {
      status: 200,
      description: 'The rows. `Stepstore-Rows` has their number, `Stepstore-Snapshot` the snapshot.',
      schema: SqlResult,
      types: ['text/csv', 'application/vnd.apache.arrow.stream', 'application/vnd.apache.parquet'],
    },
  ],
  problems: [
    'invalid',
    'bad_sql',
    'not_found',
    'snapshot_expired',
    'sql_refused',
    'sql_limit',
    'too_large',
    'too_many',
    'unavailable',
    'unsupported_media_type',
  ],
  handle: async (call) => {
    const { deps, request } = call
    if (deps.sql === undefined) throw new Problem('unavailable', 'this server runs no SQL')
    const { sql: text, params = [], format = 'json', snapshot } = await readBody(request)
    const { id, cut } = await lakeState(call, snapshot)
    const answer = await deps.sql.query({ sql: text, params, format, snapshotId: id, signal: request.signal })
    return new Response(answer.body, {
      headers: {
        'Content-Type': MEDIA_TYPES[format],
        'Content-Length': String(answer.bytes),
        'Cache-Control': 'no-store',
        'Stepstore-Rows': String(answer.rows),
        'Stepstore-Snapshot': String(id),
        'Stepstore-Position': formatPosition(deps.log.id, cut),
      },
    })
  },
})

export const SQL_ROUTES: readonly Route[] = [sql]
