/** What Postgres takes by itself: the rows that a projection made, upserted into an empty copy of the same tables. */
import pg from 'pg'
import { PROJECTED, TABLES } from '#schemas/tables.ts'
import { silent } from '#services/logger.ts'
import { postgresStore } from '#services/store/postgres.ts'

/** Rows of one transaction, as a batch of the projection has. */
const BATCH_ROWS = 4_000
/** Connections that write at once: as many as the projection has partitions. */
const LANES = 4

interface Batch {
  readonly table: string
  readonly json: string
}

const quoted = (names: readonly string[]): string => names.map((name) => `"${name}"`).join(', ')

function upsertOf(table: (typeof PROJECTED)[number]): string {
  const { key, columns } = TABLES[table]
  const all = Object.keys(columns)
  const keys: readonly string[] = key
  const others = all.filter((name) => !keys.includes(name))
  const action =
    others.length === 0 ? 'nothing' : `update set ${others.map((name) => `"${name}" = excluded."${name}"`).join(', ')}`
  return `insert into ${table} (${quoted(all)}) select ${quoted(all)} from json_populate_recordset(null::${table}, $1::json)
    on conflict (${quoted(keys)}) do ${action}`
}

/** The rows of every table, as JSON in batches, in lanes that share no row. */
async function batchesOf(url: string): Promise<Batch[][]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const lanes = new Map<number, Batch[]>()
  try {
    for (const table of PROJECTED) {
      const { key } = TABLES[table]
      const { rows } = await client.query<{ lane: number; row: string }>(
        `select abs(hashtext("${key[0]}"::text) % ${LANES}) as lane, row_to_json(t)::text as row from ${table} t order by ${quoted(key)}`,
      )
      for (const [lane, own] of Map.groupBy(rows, (row) => row.lane)) {
        const batches = lanes.get(lane) ?? []
        lanes.set(lane, batches)
        for (let at = 0; at < own.length; at += BATCH_ROWS)
          batches.push({
            table,
            json: `[${own
              .slice(at, at + BATCH_ROWS)
              .map(({ row }) => row)
              .join(',')}]`,
          })
      }
    }
    return [...lanes.values()]
  } finally {
    await client.end()
  }
}

/** Upserts what `from` holds into the empty database `to`, a connection for each lane. Gives the seconds that took, and the rows. */
export async function bareUpsert(
  from: string,
  to: string,
): Promise<{ readonly seconds: number; readonly rows: number }> {
  const lanes = await batchesOf(from)
  const store = await postgresStore({ url: to, logger: silent })
  await store.close()
  const statements = new Map<string, string>(PROJECTED.map((table) => [table, upsertOf(table)]))
  const clients = await Promise.all(
    lanes.map(async () => {
      const client = new pg.Client({ connectionString: to })
      await client.connect()
      return client
    }),
  )
  try {
    let rows = 0
    const startedMs = performance.now()
    await Promise.all(
      lanes.map(async (batches, lane) => {
        for (const { table, json } of batches) {
          const done = await clients[lane]?.query(statements.get(table) ?? '', [json])
          rows += done?.rowCount ?? 0
        }
      }),
    )
    return { seconds: (performance.now() - startedMs) / 1000, rows }
  } finally {
    await Promise.all(clients.map((client) => client.end()))
  }
}
