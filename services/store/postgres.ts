/** The store of many machines: Postgres 15 to 18. */
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Kysely, PostgresDialect, sql } from 'kysely'
import type { Database } from '#schemas/tables.ts'
import type { Logger } from '#services/logger.ts'
import { csvLines } from './csv.ts'
import { migrate, readMigrations } from './migrate.ts'
import { Connections, type Lease } from './postgres-pool.ts'
import type { CopyValue, Store, StoreTransaction } from './store.ts'

export interface PostgresOptions {
  /** `postgres://user:password@host:port/database`, with libpq's `sslmode` and its kin as parameters. */
  readonly url: string
  readonly logger: Logger
  /** The most connections. Default 10. */
  readonly poolMax?: number
  /** A statement that takes longer is cancelled, and so is a transaction that idles as long, or 15 s. Default 60 s; migrations may take any time. */
  readonly statementTimeoutMs?: number
  /** How often to try to connect, with pauses that double from 50 ms to 2 s. Default 8: about 5 s. */
  readonly connectAttemptsMax?: number
}

const POOL_MAX = 10
const STATEMENT_TIMEOUT_MS = 60_000
const CONNECT_ATTEMPTS_MAX = 8
/** Rows that are turned into text at once. */
const COPY_ROWS = 500

/**
 * Opens a database and brings it to the newest schema. Throws `invalid` for a URL that makes no sense, `unavailable`
 * where the server cannot be reached, `newer_data`. A transaction whose COMMIT got no answer throws `unavailable` with
 * `details.committed = 'unknown'`; any other error means that nothing of it was written.
 */
export async function postgresStore(options: PostgresOptions): Promise<Store> {
  const {
    url,
    logger,
    poolMax = POOL_MAX,
    statementTimeoutMs = STATEMENT_TIMEOUT_MS,
    connectAttemptsMax = CONNECT_ATTEMPTS_MAX,
  } = options
  await migrateWithoutHaste({ url, logger, poolMax: 1, statementTimeoutMs: 0, connectAttemptsMax })
  const connections = new Connections({ url, logger, poolMax, statementTimeoutMs, connectAttemptsMax })
  const db = new Kysely<Database>({ dialect: new PostgresDialect({ pool: connections }) })
  return {
    db,
    transaction: (work) => inTransaction(connections, poolMax, work),
    close: async () => {
      await db.destroy()
      // Kysely has a pool only once it was asked something.
      await connections.end()
    },
  } satisfies Store
}

/** The version of the server, with nothing changed in the database. Throws as `postgresStore` does. */
export async function postgresVersion({ url, logger }: Pick<PostgresOptions, 'url' | 'logger'>): Promise<string> {
  const connections = new Connections({
    url,
    logger,
    poolMax: 1,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    connectAttemptsMax: 1,
  })
  try {
    const db = new Kysely<Database>({ dialect: new PostgresDialect({ pool: connections }) })
    const { rows } = await sql<{ server_version: string }>`show server_version`.execute(db)
    return rows[0]?.server_version ?? ''
  } finally {
    await connections.end()
  }
}

async function migrateWithoutHaste(options: ConstructorParameters<typeof Connections>[0]): Promise<void> {
  const connections = new Connections(options)
  try {
    await migrate(new Kysely<Database>({ dialect: new PostgresDialect({ pool: connections }) }), await readMigrations())
  } finally {
    await connections.end()
  }
}

/**
 * One transaction on one connection. A connection of the pool may have died since it was last used; where that shows
 * before `work` began, another one is taken, as long as the pool may hold dead ones.
 */
async function inTransaction<Result>(
  connections: Connections,
  poolMax: number,
  work: (transaction: StoreTransaction) => Promise<Result>,
): Promise<Result> {
  for (let dead = 0; ; dead++) {
    const lease = await connections.connect()
    let hasBegun = false
    try {
      return await onOne(lease)
        .transaction()
        .setIsolationLevel('repeatable read')
        .execute((transaction) => {
          hasBegun = true
          return work({ db: transaction, copyIn: (table, columns, rows) => copyIn(lease, table, columns, rows) })
        })
    } catch (error) {
      if (hasBegun || !lease.isLost || dead === poolMax) throw error
    }
  }
}

/** Kysely on one connection, which it gives back by itself: COPY must run on the connection of the transaction. */
function onOne(lease: Lease): Kysely<Database> {
  return new Kysely<Database>({
    dialect: new PostgresDialect({
      pool: { options: {}, connect: () => Promise.resolve(lease), end: () => Promise.resolve() },
    }),
  })
}

function* csvOf(rows: Iterable<readonly CopyValue[]>): Iterable<string> {
  let some: (readonly CopyValue[])[] = []
  for (const row of rows) {
    if (some.push(row) < COPY_ROWS) continue
    yield csvLines(some)
    some = []
  }
  if (some.length > 0) yield csvLines(some)
}

async function copyIn(
  lease: Lease,
  table: string,
  columns: readonly string[],
  rows: Iterable<readonly CopyValue[]>,
): Promise<void> {
  const list = columns.map((column) => `"${column}"`).join(', ')
  try {
    await pipeline(Readable.from(csvOf(rows)), lease.copy(`copy "${table}" (${list}) from stdin (format csv)`))
  } catch (error) {
    throw lease.copyFailed(error)
  }
}
