/** A real Postgres on a free loopback port and a temporary folder, for as long as a test file runs. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import {
  administer,
  endPostgres,
  makeDatabase,
  newPassword,
  PACKAGED,
  type Postgres,
  postgresUrl,
  type Role,
  startPostgres,
} from '#infra/local/postgres.ts'
import { freePorts } from '#infra/local/processes.ts'
import type { Database } from '#schemas/tables.ts'

export { hasPostgres } from '#infra/local/postgres.ts'

export interface RealPostgres {
  readonly port: number
  /** A connection string for a database, as the administrator unless a role is named. */
  url(database: string, role?: Role): string
  /** Makes a database with the roles of a deployment. */
  makeDatabase(name: string): Promise<void>
  /** Runs statements as the administrator. */
  administer(statements: string, database?: string): Promise<void>
  /** Ends the server with a signal and keeps what it holds. */
  end(signal: NodeJS.Signals): Promise<void>
  start(): Promise<void>
  /** Ends it for good and removes everything. */
  stop(): Promise<void>
}

/** Starts a server of a major version: the one that npm brings, or one that is installed. */
export async function realPostgres(version = PACKAGED): Promise<RealPostgres> {
  const folder = mkdtempSync(join(tmpdir(), 'stepstore-postgres-'))
  const [port = 0] = await freePorts(1)
  const server: Postgres = { folder, version, port, password: newPassword() }
  await startPostgres(server)
  return {
    port,
    url: (database, role = 'postgres') => postgresUrl(server, role, database),
    makeDatabase: (name) => makeDatabase(server, name),
    administer: (statements, database) => administer(server, statements, database),
    end: (signal) => endPostgres(server, signal),
    start: () => startPostgres(server),
    stop: async () => {
      await endPostgres(server, 'SIGTERM')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** 8-byte integers as numbers, as PGlite gives them; nothing here goes past 2^53. */
const INT8 = 20
pg.types.setTypeParser(INT8, Number)

/** Kysely on a database of a real Postgres. */
export function connect(url: string, connections = 4): Kysely<Database> {
  const pool = new pg.Pool({ connectionString: url, max: connections })
  // A server that ends says so to connections that are just being closed, whom nobody else listens to.
  pool.on('connect', (client) => client.on('error', () => {}))
  return new Kysely<Database>({ dialect: new PostgresDialect({ pool }) })
}
